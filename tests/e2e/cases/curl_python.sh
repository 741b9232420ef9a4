mkdir www; seq 100000 >www/data; 
cat >run.sh <<'S'
/usr/bin/python3 -m http.server -b 127.0.0.1 -d www 8123 >/dev/null 2>&1 &
p=$!
n=0; until curl -s -o /dev/null http://127.0.0.1:8123/; do n=$((n+1)); [ $n -gt 80 ] && exit 1; sleep 0.1; done
curl -s http://127.0.0.1:8123/data | sha256sum
curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8123/nothere
for i in 1 2 3 4 5; do curl -s http://127.0.0.1:8123/data | tail -1; done
kill $p; wait $p; echo "rc $?"
S
$RUN bash run.sh
