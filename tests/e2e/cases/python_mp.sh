cat >p.py <<'P'
import multiprocessing as mp, sys
def f(x): return x * x
def child(q): q.put('hello')
if __name__ == '__main__':
    for m in ('spawn', 'fork'):
        c = mp.get_context(m)
        with c.Pool(3) as p: print(m, sum(p.map(f, range(1000))))
        q = c.Queue(); p = c.Process(target=child, args=(q,)); p.start(); print(q.get(timeout=20)); p.join(); print(p.exitcode)
P
$RUN /usr/bin/python3 p.py
