#!/bin/bash
# SPDX-License-Identifier: MIT
#
# redis-benchmark on Linux's side of a TAP against redis-server in an instance:
# GET, SET and LRANGE with 1, 50 and 500 clients, pipelined (-P 16) and not.
# Any error, short count or answer missing in the table is a failure. -l adds
# the same against redis-server on Linux over veth, with the ratio.
#   tests/redis_matrix.sh [-l] [REQUESTS]     requests of a main case (default 1000000)
# A main case is one of 50 or 500 clients, GET or SET; one client alone and the
# long answers of LRANGE get a tenth of it.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
sides=inst
if [ "${1:-}" = -l ]; then
	sides="inst linux"
	shift
fi
requests=${1:-1000000}
if [ "$(id -u)" != 0 ] || [ ! -c /dev/net/tun ]; then
	echo "left out: needs root and /dev/net/tun"
	echo "0 passed, 0 failed"
	exit 0
fi
work=$(mktemp -d /tmp/jredis.XXXXXX) || exit 1
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
trap 'net_cleanup; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0

# The requests that redis-server says it has served; its own word against the client's.
served() {
	ip netns exec "$REDIS_NS" redis-cli -h "$REDIS_ADDR" info stats | tr -d '\r' | sed -n 's/^total_commands_processed://p'
}

bench() { # SIDE CLIENTS PIPELINE TEST REQUESTS
	local rc before after what="$4 -c $2 -P $3" row
	before=$(served)
	ip netns exec "$REDIS_NS" timeout 300 redis-benchmark -h "$REDIS_ADDR" -c "$2" -P "$3" -n "$5" -t "$4" --csv \
		>"$work/out" 2>"$work/err"
	rc=$?
	after=$(served)
	row=$(tr -d '"' <"$work/out" | awk -F, 'NR > 1 { r = $2; p = $7 } END { print r + 0 "\t" p + 0 }')
	if [ $rc = 0 ] && [ "${row%%	*}" != 0 ] && [ $((after - before)) -ge "$5" ] &&
		! grep -qiE 'error|could not|refused|reset|closed' "$work/out" "$work/err"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1 $what: exit $rc, served $((after - before)) of $5"
		head -3 "$work/err"
	fi
	printf '%s\t%s\n' "$what" "$row" >>"$work/$1.rows"
}

for side in $sides; do
	NET_LOG=$work/$side.log
	if ! net_redis_"$side"; then
		echo "FAIL $side: redis-server did not come up"
		tail -5 "$NET_LOG"
		echo "0 passed, 1 failed"
		exit 1
	fi
	for t in get set lrange_100; do
		for c in 1 50 500; do
			for p in 1 16; do
				n=$requests
				[ $c != 1 ] && [ $t != lrange_100 ] || n=$((requests / 10))
				bench "$side" $c $p $t "$n"
			done
		done
	done
	if ! kill -0 "$REDIS_PID" 2>/dev/null; then
		failed=$((failed + 1))
		echo "FAIL $side: redis-server is gone"
		tail -5 "$NET_LOG"
	fi
	net_end "$REDIS_PID"
done
if [ "$sides" = inst ]; then
	printf '%-28s %14s %12s\n' "" requests/s "p99 ms"
	awk -F'\t' '{ printf "%-28s %14.0f %12s\n", $1, $2, $3 }' "$work/inst.rows"
else
	printf '%-28s %12s %12s %8s %12s %12s\n' "requests/s" Linux Junction ratio "p99 Linux" "p99 Junct."
	paste "$work/linux.rows" "$work/inst.rows" |
		awk -F'\t' '{ printf "%-28s %12.0f %12.0f %8.2f %9s ms %9s ms\n", $1, $2, $5, $5 / ($2 ? $2 : 1), $3, $6 }'
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
