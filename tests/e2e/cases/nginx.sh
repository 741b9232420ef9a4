mkdir www logs; seq 50000 >www/data
cat >n.conf <<C
daemon off; master_process off; pid logs/pid; error_log logs/err;
events { worker_connections 64; }
http { access_log off; client_body_temp_path logs/a; proxy_temp_path logs/b; fastcgi_temp_path logs/c; uwsgi_temp_path logs/d; scgi_temp_path logs/e;
server { listen 127.0.0.1:8391; root www; location /r { return 302 /data; } } }
C
cat >run.sh <<'S'
nginx -p "$PWD" -c n.conf 2>/dev/null &
p=$!
n=0; until curl -s -o /dev/null http://127.0.0.1:8391/data; do n=$((n+1)); [ $n -gt 80 ] && { cat logs/err; exit 1; }; sleep 0.1; done
curl -s http://127.0.0.1:8391/data | sha256sum
curl -s -o /dev/null -w '%{http_code} %{redirect_url}\n' http://127.0.0.1:8391/r
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8391/nothere
curl -s -r 5-20 http://127.0.0.1:8391/data | od -c | head -2
kill -QUIT $p; wait $p; echo "rc $?"
S
$RUN bash run.sh
