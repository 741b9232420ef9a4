printf '#include <stdio.h>\nint main(void) { printf("hello, world\\n"); return 5; }\n' >hello.c
$RUN sh -c 'gcc -O2 -o hello hello.c && ./hello; echo "rc $?"; gcc -static -o hs hello.c && ./hs; echo "rc $?"; echo "int x = ;" | gcc -x c - 2>&1 | tail -3; gcc -S -o - hello.c | grep -c main'
