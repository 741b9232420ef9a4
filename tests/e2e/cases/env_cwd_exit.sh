export ONE=1 EMPTY=
$RUN sh -c 'echo "$ONE[$EMPTY]"; pwd' | sed "s|$PWD|WORK|"
for n in 0 1 2 77 125 255; do $RUN sh -c "exit $n"; echo $?; done
mkdir sub && cd sub && $RUN pwd | sed 's|.*/||'
echo text >f; $RUN cat f
printf 'a\nb\n' | $RUN sh -c 'read x; echo "x=$x"; cat'
$RUN sh -c 'cat >&2' <f 2>&1
$RUN sh -c 'ulimit -n >/dev/null; echo $#' a b c
$RUN cat </dev/null; echo "rc $?"
$RUN sh -c 'echo closed' >&-; echo "rc $?"
yes | $RUN head -n 2
$RUN yes | head -n 2
