#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make demo: the distribution's redis-server in an instance behind a TAP device
# in a network namespace of its own, measured by the host's redis-benchmark,
# then the same against redis-server on plain Linux over a veth pair.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
if [ "$(id -u)" != 0 ]; then
	echo "make demo needs root: it makes network namespaces and a TAP device" >&2
	exit 1
fi
work=$(mktemp -d /tmp/jdemo.XXXXXX) || exit 1
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
trap 'net_cleanup; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
requests=${REQUESTS:-100000}

measure() { # SIDE: fills $work/SIDE
	local c p
	for c in 50 1; do
		for p in 1 16; do
			[ $c = 1 ] && [ $p = 16 ] && continue
			ip netns exec "$REDIS_NS" timeout 120 redis-benchmark -h "$REDIS_ADDR" -c $c -P $p \
				-n $((c == 1 ? requests / 5 : requests)) -t set,get,lrange_100 --csv 2>>"$work/$1.err" |
				tr -d '"' | awk -F, -v k="-c $c -P $p" 'NR > 1 && $2 + 0 > 0 {
					sub(/ [(](first|needed).*/, "", $1); print $1 " " k "\t" $2 "\t" $7 }'
		done
	done >"$work/$1"
}

talk() {
	local cli=(ip netns exec "$REDIS_NS" redis-cli -h "$REDIS_ADDR")
	echo "  set greeting:  $("${cli[@]}" set greeting "hello from $1")"
	echo "  get greeting:  $("${cli[@]}" get greeting)"
	echo "  server:        $("${cli[@]}" info server | tr -d '\r' | grep -E '^(redis_version|os):' | tr '\n' ' ')"
}

echo "== redis-server in an instance, behind TAP"
NET_LOG=$work/inst.log
if ! net_redis_inst; then
	echo "redis-server did not come up in the instance; its output:" >&2
	tail -20 "$work/inst.log" >&2
	exit 1
fi
talk Junction
measure inst
if ! kill -0 "$REDIS_PID" 2>/dev/null; then
	echo "the instance died during the measurement:" >&2
	tail -20 "$work/inst.log" >&2
	exit 1
fi
net_end "$REDIS_PID"
echo "== redis-server on plain Linux, over veth"
NET_LOG=$work/linux.log
net_redis_linux || exit 1
talk Linux
measure linux
echo
printf '%-34s %14s %14s %8s %12s %12s\n' "requests per second" Linux Junction ratio "p99 Linux" "p99 Junct."
join -t "$(printf '\t')" <(sort "$work/linux") <(sort "$work/inst") |
	awk -F'\t' '{ printf "%-34s %14.0f %14.0f %8.2f %9s ms %9s ms\n", $1, $2, $4, $4 / $2, $3, $5 }'
n=$(wc -l <"$work/inst")
[ "$n" = "$(wc -l <"$work/linux")" ] && [ "$n" -gt 0 ]
