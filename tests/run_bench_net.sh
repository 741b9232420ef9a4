#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make bench-net, or one part of it: run_bench_net.sh a|b. The same binaries on each side, all in one run, medians of five (N=5) taken in
# turns, and ratios. Needs root for veth, and a machine that does nothing else: a third busy process changes the ratios.
# (a) redis-server and redis-benchmark: two Linux processes over loopback, two over veth, two instances over the switch.
# (b) redis-benchmark and iperf3 on Linux in a namespace, their server across a link: on Linux over veth, in an instance over TAP (headers
#     for offloads, several queues), in an instance over AF_XDP on a veth pair.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
n=${N:-5} secs=${SECS:-5} part=${1:-ab}
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

row() { # SIDE OPTION...: requests/s and p50 in ms of GET
	local side=$1
	shift
	case $side in
	lo) timeout 120 ip netns exec "$lo_ns" redis-benchmark -h 127.0.0.1 "$@" -t "$T" --csv ;;
	veth) timeout 120 ip netns exec "$REDIS_NS" redis-benchmark -h "$REDIS_ADDR" "$@" -t "$T" --csv ;;
	switch) timeout 120 "$JCTL" run --net switch:bench -- redis-benchmark -h "$switch_addr" "$@" -t "$T" --csv ;;
	esac 2>/dev/null </dev/null | awk -F'"' '$2 == "GET" { print $4, $10 }'
}
median() { # FILE FIELD
	awk -v f="$2" '{ print $f }' "$1" | sort -g | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a > 0 && b > 0) printf "%.2f", a / b; else printf "-" }'; }

inst_to_inst() {
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
	printf '%-26s %11s %11s %11s %9s %9s\n' "(a) over the switch" loopback veth switch "/loopback" "/veth"
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
}

# (b). Each side is a namespace with the clients and an address where the servers are.
declare -A ns addr
inst_to_linux_links() {
	net_ns bsrv && veth_srv=$NS_NAME && net_ns bcli && ns[veth]=$NS_NAME addr[veth]=10.99.11.2 || exit 1
	ip -n "$veth_srv" link add v0 type veth peer name v1 netns "${ns[veth]}" || exit 1
	ip -n "$veth_srv" addr add 10.99.11.2/24 dev v0 && ip -n "$veth_srv" link set v0 up || exit 1
	ip -n "${ns[veth]}" addr add 10.99.11.1/24 dev v1 && ip -n "${ns[veth]}" link set v1 up || exit 1

	net_ns btap && ns[tap]=$NS_NAME addr[tap]=10.99.12.2 || exit 1
	ip -n "${ns[tap]}" tuntap add dev jtap0 mode tap vnet_hdr multi_queue || exit 1
	ip -n "${ns[tap]}" addr add 10.99.12.1/24 dev jtap0 && ip -n "${ns[tap]}" link set jtap0 up || exit 1

	net_ns bxs && xdp_srv=$NS_NAME && net_ns bxn && ns[xdp]=$NS_NAME addr[xdp]=10.99.13.2 || exit 1
	ip -n "$xdp_srv" link add x0 numtxqueues 2 numrxqueues 2 type veth peer name x1 netns "${ns[xdp]}" numtxqueues 2 numrxqueues 2 || exit 1
	ip -n "${ns[xdp]}" addr add 10.99.13.1/24 dev x1 && ip -n "${ns[xdp]}" link set x1 up || exit 1
}
servers=()
serve() { # PROGRAM ARGUMENT...: on all three sides
	ip netns exec "$veth_srv" "$@" >veth.log 2>&1 </dev/null &
	servers=($!)
	ip netns exec "${ns[tap]}" "$JCTL" run --verbose --net tap:jtap0 --ip "${addr[tap]}/24" -- "$@" >tap.log 2>&1 </dev/null &
	servers+=($!)
	ip netns exec "$xdp_srv" "$JCTL" run --verbose --net xdp:x0 --ip "${addr[xdp]}/24" -- "$@" >xdp.log 2>&1 </dev/null &
	servers+=($!)
	net_pid "${servers[@]}"
}
serve_end() {
	local p
	for p in "${servers[@]}"; do
		net_end "$p"
	done
}
redis_up() { net_redis_up "$1" "$2"; }
iperf_up() { # NS ADDRESS
	local i
	for i in $(seq 100); do
		ip netns exec "$1" timeout 5 iperf3 -c "$2" -n 1K >up.log 2>&1 </dev/null && return 0
		sleep 0.1
	done
	return 1
}
up() { # KIND: answers on every side
	local side
	for side in veth tap xdp; do
		"$1_up" "${ns[$side]}" "${addr[$side]}" && continue
		echo "no $1 over $side"
		cat "$side.log"
		exit 1
	done
}
redis_b() { # SIDE OPTION...: requests/s and p50 in ms of GET
	local side=$1
	shift
	ip netns exec "${ns[$side]}" timeout 120 redis-benchmark -h "${addr[$side]}" "$@" -t get --csv 2>/dev/null </dev/null |
		awk -F'"' '$2 == "GET" { print $4, $10 }'
}
iperf_b() { # SIDE OPTION...: Gbit/s that arrived
	local side=$1
	shift
	ip netns exec "${ns[$side]}" timeout 60 iperf3 -c "${addr[$side]}" -t "$secs" -f m "$@" 2>/dev/null </dev/null |
		awk '/receiver/ && (/SUM/ || !sum) {
			for (i = 2; i <= NF; i++) if ($i == "Mbits/sec") v = $(i - 1) / 1000
			sum = /SUM/
		} END { if (v) print v }'
}
table_b() { # KIND: its rows from standard input, NAME OPTION...
	local kind=$1 name opts i side f v t x what
	while read -r name opts; do
		for ((i = 0; i < n; i++)); do
			for side in veth tap xdp; do
				# shellcheck disable=SC2086
				${kind}_b $side $opts >>"$name.$side.b"
			done
		done
		for f in 1 2; do
			v=$(median "$name.veth.b" $f) t=$(median "$name.tap.b" $f) x=$(median "$name.xdp.b" $f)
			case $kind$f in
			redis1) what="$name requests/s" ;;
			redis2) what="$name p50 ms" ;;
			iperf1) what="$name Gbit/s" ;;
			*) continue ;;
			esac
			printf '%-26s %11s %11s %11s %9s %9s\n' "$what" "$v" "$t" "$x" "$(ratio "$t" "$v")" "$(ratio "$x" "$v")"
		done
	done
}
inst_to_linux() {
	inst_to_linux_links
	printf '%-26s %11s %11s %11s %9s %9s\n' "(b) to Linux" veth TAP AF_XDP "TAP/veth" "XDP/veth"
	serve redis-server "${args[@]}"
	up redis
	table_b redis <<-'LIST'
		GET-c1 -c 1 -n 20000
		GET-c50 -c 50 -n 100000
		GET-c50-P16 -c 50 -P 16 -n 400000
	LIST
	serve_end
	serve iperf3 -s
	up iperf
	table_b iperf <<-'LIST'
		bulk-to-server
		bulk-from-server -R
		bulk-to-server-P4 -P 4
		bulk-from-server-P4 -R -P 4
	LIST
	serve_end
	grep -h '^jctl' tap.log xdp.log
}

echo "$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), Linux $(uname -r); medians of $n"
[[ $part != *a* ]] || inst_to_inst
[[ $part != *b* ]] || inst_to_linux
