openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost 2>/dev/null
cat >p.py <<'P'
import ssl, socket, threading, hashlib
sc = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); sc.load_cert_chain('cert.pem', 'key.pem')
l = socket.create_server(('127.0.0.1', 0))
def serve():
    s, _ = l.accept(); t = sc.wrap_socket(s, server_side=True); n = 0; h = hashlib.sha256()
    while n < 1000000: d = t.recv(65536); n += len(d); h.update(d)
    t.sendall(h.hexdigest().encode()); t.close()
threading.Thread(target=serve).start()
cc = ssl.create_default_context(cafile='cert.pem')
c = cc.wrap_socket(socket.create_connection(l.getsockname()), server_hostname='localhost')
c.sendall(b'junction' * 125000); print(c.version(), c.recv(100).decode())
P
$RUN /usr/bin/python3 p.py
