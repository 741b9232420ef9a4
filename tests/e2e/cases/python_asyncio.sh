cat >p.py <<'P'
import asyncio
async def srv(r, w):
    while True:
        d = await r.readline()
        if not d: break
        w.write(d.upper()); await w.drain()
    w.close()
async def cli(port, n):
    r, w = await asyncio.open_connection('127.0.0.1', port)
    out = 0
    for i in range(20):
        w.write(b'hello %d %d\n' % (n, i)); out += len(await r.readline())
    w.close(); return out
async def main():
    s = await asyncio.start_server(srv, '127.0.0.1', 0)
    port = s.sockets[0].getsockname()[1]
    print(sum(await asyncio.gather(*(cli(port, i) for i in range(50)))))
    p = await asyncio.create_subprocess_exec('sh', '-c', 'echo sub; exit 2', stdout=-1)
    print(await p.communicate(), p.returncode)
    try: await asyncio.wait_for(asyncio.sleep(5), 0.05)
    except asyncio.TimeoutError: print('timeout')
    print(await asyncio.to_thread(lambda: 42))
asyncio.run(main())
P
$RUN /usr/bin/python3 p.py
