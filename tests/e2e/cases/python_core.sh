cat >p.py <<'P'
import os, sys, json, hashlib, subprocess, tempfile, zlib, re, struct, socket, select, signal, time, random
print(sys.version_info[:2], sys.argv[1:], sys.stdin.read())
random.seed(1); d = bytes(random.getrandbits(8) for _ in range(100000))
print(hashlib.sha256(d).hexdigest(), zlib.crc32(zlib.compress(d)))
with tempfile.TemporaryDirectory() as t:
    p = os.path.join(t, 'f'); open(p, 'wb').write(d); print(os.path.getsize(p), open(p, 'rb').read() == d, os.listdir(t))
print(subprocess.run(['sh', '-c', 'echo child; exit 4'], capture_output=True))
a, b = socket.socketpair(); a.send(b'x'); print(select.select([b], [], [], 1)[0] == [b], b.recv(4))
hits = []; signal.signal(signal.SIGALRM, lambda *a: hits.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.02)
time.sleep(0.1); print(hits)
pid = os.fork()
if pid == 0: os._exit(6)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
r, w = os.pipe()
if os.fork() == 0: os.write(w, b'via pipe'); os._exit(0)
print(os.read(r, 100)); os.wait()
print(json.dumps({'a': [1, 2.5, None]}), os.cpu_count() >= 1, len(os.urandom(8)))
try: open('/nothere')
except OSError as e: print(e)
sys.exit(3)
P
echo stdin text | $RUN /usr/bin/python3 p.py one two
echo "rc $?"
