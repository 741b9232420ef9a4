cat >run.sh <<'S'
memcached -u nobody -l 127.0.0.1 -p 11391 -U 0 &
p=$!
/usr/bin/python3 - <<'P'
import socket, time
for i in range(80):
    try: s = socket.create_connection(('127.0.0.1', 11391)); break
    except OSError: time.sleep(0.1)
f = s.makefile('rwb')
def cmd(b):
    f.write(b + b'\r\n'); f.flush(); print(f.readline())
cmd(b'set k 0 0 5\r\nhello'); cmd(b'get k'); print(f.readline(), f.readline()); cmd(b'incr k 1'); cmd(b'delete k'); cmd(b'get k')
v = b'x' * 100000
cmd(b'set big 0 0 100000\r\n' + v); cmd(b'get big'); print(f.readline() == v + b'\r\n', f.readline())
P
kill $p; wait $p; echo "rc $?"
S
$RUN bash run.sh 2>/dev/null
