cat >p.py <<'P'
import threading, queue, time, concurrent.futures as cf, zlib
q = queue.Queue(); out = []; lock = threading.Lock()
def w():
    while True:
        x = q.get()
        if x is None: return
        with lock: out.append(x * x)
ts = [threading.Thread(target=w) for _ in range(20)]
[t.start() for t in ts]; [q.put(i) for i in range(2000)]; [q.put(None) for _ in ts]; [t.join(20) for t in ts]
print(len(out), sum(out))
e = threading.Event(); threading.Timer(0.05, e.set).start(); print(e.wait(5))
with cf.ThreadPoolExecutor(8) as ex: print(sum(ex.map(lambda n: zlib.crc32(b'x' * n), range(500))))
c = threading.Condition(); turn = [0]
def pp(me):
    for _ in range(200):
        with c:
            c.wait_for(lambda: turn[0] == me); turn[0] = 1 - me; c.notify()
a = threading.Thread(target=pp, args=(1,)); a.start(); pp(0); a.join(10); print(turn)
b = threading.Barrier(5); r = []
ts = [threading.Thread(target=lambda: r.append(b.wait() >= 0)) for _ in range(5)]; [t.start() for t in ts]; [t.join() for t in ts]; print(r)
P
$RUN /usr/bin/python3 p.py
