cat >run.sh <<'S'
redis-server --port 7391 --save '' --bind 127.0.0.1 --daemonize no >log 2>&1 &
p=$!
n=0; until redis-cli -p 7391 ping >/dev/null 2>&1; do n=$((n+1)); [ $n -gt 80 ] && { cat log; exit 1; }; sleep 0.1; done
redis-cli -p 7391 set k v; redis-cli -p 7391 get k; redis-cli -p 7391 lpush l a b c; redis-cli -p 7391 lrange l 0 -1
redis-cli -p 7391 incrby n 5; redis-cli -p 7391 get nothere
redis-benchmark -p 7391 -n 5000 -c 20 -t set,get -q 2>&1 | grep -c 'requests per second'
redis-cli -p 7391 shutdown nosave; wait $p; echo "rc $?"
S
$RUN bash run.sh
