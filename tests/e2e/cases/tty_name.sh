# The name of a host terminal: tty(1), ttyname(3), what stat and /proc say of it, and of /dev/tty.
cat >run.py <<'PY'
import os, pty, sys
out = b""
def read(fd):
    global out
    b = os.read(fd, 4096)
    out += b
    return b
pty.spawn(["sh", "-c", os.environ["RUN"] + " sh inner.sh"], read)
PY
cat >inner.sh <<'SH'
n=$(tty) && case $n in /dev/pts/*) echo "named" ;; *) echo "$n" ;; esac
[ "$(readlink /proc/self/fd/0)" = "$n" ] && echo same link
[ "$(stat -c %d:%i:%t:%T "$n")" = "$(stat -L -c %d:%i:%t:%T /proc/self/fd/0)" ] && echo same file
stat -L -c %F /proc/self/fd/0
echo to the terminal >/dev/tty
echo to its name >"$n"
tty <"$n" | grep -c "$n"
python3 -c "import os; print(os.ttyname(0) == '$n', os.ttyname(1) == '$n')"
script -qec tty /dev/null | grep -c /dev/pts/
tty </dev/null
ls /dev/pts | grep -c -x "${n##*/}"
SH
python3 run.py </dev/null 2>&1 | tr -d '\r'
