#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make bench-net: redis-server and redis-benchmark, the same binaries: two Linux processes over loopback, two over veth, two instances over the
# switch. All in one run, medians of five (N=5) taken in turns, ratios to each of the two. Needs root for veth.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
n=${N:-5}
work=$(mktemp -d /tmp/jbenchnet.XXXXXX) || exit 1
export XDG_RUNTIME_DIR=$work
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
trap 'net_cleanup; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1
[ "$(id -u)" = 0 ] || { echo "needs root: network namespaces for veth"; exit 1; }

args=(--save '' --appendonly no --protected-mode no --bind 0.0.0.0)
wait_redis() { # LOG
	local i
	for i in $(seq 100); do
		grep -q 'Ready to accept' "$1" && return 0
		sleep 0.1
	done
	echo "redis-server did not start: $1"
	exit 1
}
net_ns lo
lo_ns=$NS_NAME
ip netns exec "$lo_ns" redis-server "${args[@]}" >lo.log 2>&1 &
net_pid $!
net_redis_linux || exit 1
"$JCTL" run --net switch:bench --name server -- redis-server "${args[@]}" >switch.log 2>&1 </dev/null &
net_pid $!
wait_redis lo.log
wait_redis switch.log
switch_addr=$("$JCTL" switch bench | awk '$NF == "server" { print $3 }')
# The switch lives as long as a port: the server's.

row() { # SIDE OPTION...: requests/s and p50 in ms of GET
	local side=$1
	shift
	case $side in
	lo) timeout 120 ip netns exec "$lo_ns" redis-benchmark -h 127.0.0.1 "$@" -t $T --csv ;;
	veth) timeout 120 ip netns exec "$REDIS_NS" redis-benchmark -h "$REDIS_ADDR" "$@" -t $T --csv ;;
	switch) timeout 120 "$JCTL" run --net switch:bench -- redis-benchmark -h "$switch_addr" "$@" -t $T --csv ;;
	esac 2>/dev/null </dev/null | awk -F'"' '$2 == "GET" { print $4, $10 }'
}
median() { # FILE FIELD
	awk -v f="$2" '{ print $f }' "$1" | sort -g | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a > 0 && b > 0) printf "%.2f", a / b; else printf "-" }'; }

echo "$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), Linux $(uname -r); medians of $n"
printf '%-26s %11s %11s %11s %9s %9s\n' "" loopback veth switch "/loopback" "/veth"
while read -r name T opts; do
	for ((i = 0; i < n; i++)); do
		for side in lo veth switch; do
			# shellcheck disable=SC2086
			row $side $opts >>"$name.$side"
		done
	done
	for f in 1 2; do
		l=$(median "$name.lo" $f) v=$(median "$name.veth" $f) s=$(median "$name.switch" $f)
		[ $f = 1 ] && what="$name requests/s" || what="$name p50 ms"
		printf '%-26s %11s %11s %11s %9s %9s\n' "$what" "$l" "$v" "$s" "$(ratio "$s" "$l")" "$(ratio "$s" "$v")"
	done
done <<'LIST'
GET-c1 get -c 1 -n 20000
GET-c50 get -c 50 -n 100000
GET-c50-P16 get -c 50 -P 16 -n 400000
GET-100KB-c4 set,get -c 4 -n 4000 -d 100000
LIST
