#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make bench-net, or a part of it: run_bench_net.sh [ab [KIND...]], KIND of pp redis mc wrk iperf. The same binaries on each side, all in one run,
# medians of five (N=5) taken in turns, and ratios. Needs root for veth, and a machine that does nothing else: a third busy process changes
# the ratios. Each side has a server and a client:
# (a) two Linux processes over loopback, two over veth, two instances over the switch.
# (b) the client on Linux, the server across a link: on Linux over veth, in an instance over TAP (headers for offloads, several queues), in
#     an instance over AF_XDP on a veth pair.
# Kinds are reached by name ("$1_row"); names and prefixes have no blanks where they are not quoted.
# shellcheck disable=SC2034,SC2086,SC2178,SC2317
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
failed=0 n=${N:-5} secs=${SECS:-5} part=${1:-ab}
[ $# = 0 ] || shift
kinds=${*:-pp redis mc wrk iperf}
work=$(mktemp -d /tmp/jbenchnet.XXXXXX) || exit 1
export XDG_RUNTIME_DIR=$work
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
trap 'net_cleanup; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1
[ "$(id -u)" = 0 ] || { echo "needs root: network namespaces for veth"; exit 1; }
for p in redis-server redis-benchmark memcached nginx wrk iperf3; do
	command -v $p >/dev/null || { echo "$p is missing: make deps"; exit 1; }
done
for k in dynamic static; do
	[ $k = static ] && f=-static || f=
	for p in pingpong mcload; do
		${CC:-gcc} -O2 -std=gnu11 -Wall -pthread $f -o $p-$k "$top/tests/bench/$p.c" || exit 1
	done
done

median() { # FILE FIELD
	awk -v f="$2" 'NF >= f { print $f }' "$1" | sort -g | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (a > 0 && b > 0) printf "%.2f", a / b; else printf "-" }'; }

# ---- the sides: a server's and a client's command prefix, the server's address ----
declare -A srv cli addr
side_lo() {
	net_ns lo || exit 1
	srv[lo]="ip netns exec $NS_NAME" cli[lo]="ip netns exec $NS_NAME" addr[lo]=127.0.0.1
}
side_switch() {
	srv[switch]="$JCTL run --net switch:bench --name server --"
	cli[switch]="$JCTL run --net switch:bench --"
}
side_veth() {
	net_ns bsrv && local s=$NS_NAME && net_ns bcli || exit 1
	ip -n "$s" link add v0 type veth peer name v1 netns "$NS_NAME" || exit 1
	ip -n "$s" addr add 10.99.11.2/24 dev v0 && ip -n "$s" link set v0 up || exit 1
	ip -n "$NS_NAME" addr add 10.99.11.1/24 dev v1 && ip -n "$NS_NAME" link set v1 up || exit 1
	srv[veth]="ip netns exec $s" cli[veth]="ip netns exec $NS_NAME" addr[veth]=10.99.11.2
}
side_tap() {
	net_ns btap || exit 1
	ip -n "$NS_NAME" tuntap add dev jtap0 mode tap vnet_hdr multi_queue || exit 1
	ip -n "$NS_NAME" addr add 10.99.12.1/24 dev jtap0 && ip -n "$NS_NAME" link set jtap0 up || exit 1
	srv[tap]="ip netns exec $NS_NAME $JCTL run --verbose --net tap:jtap0 --ip 10.99.12.2/24 --" cli[tap]="ip netns exec $NS_NAME" addr[tap]=10.99.12.2
}
side_xdp() {
	net_ns bxs && local s=$NS_NAME && net_ns bxn || exit 1
	ip -n "$s" link add x0 numtxqueues 2 numrxqueues 2 type veth peer name x1 netns "$NS_NAME" numtxqueues 2 numrxqueues 2 || exit 1
	ip -n "$NS_NAME" addr add 10.99.13.1/24 dev x1 && ip -n "$NS_NAME" link set x1 up || exit 1
	srv[xdp]="ip netns exec $s $JCTL run --verbose --net xdp:x0 --ip 10.99.13.2/24 --" cli[xdp]="ip netns exec $NS_NAME" addr[xdp]=10.99.13.2
}

# ---- the kinds: what serves, when it is up, what its rows are, a row's figures ----
row() { # SIDE COMMAND...: as a client
	local c=${cli[$1]}
	shift
	# shellcheck disable=SC2086
	timeout 120 $c "$@" 2>>clients.log </dev/null
}

pp_servers=("$work/pingpong-static serve 7000" "$work/pingpong-dynamic serve 7000")
pp_up() { row "$1" "$work/pingpong-static" tcp "$2" 7000 1 >up.log; }
pp_metrics="p50 us,p99 us,p99.9 us"
pp_rows() {
	local k=static
	[[ $1 = *static* ]] || k=dynamic
	echo "TCP-64B-$k $k tcp 20000"
	echo "UDP-64B-$k $k udp 20000"
}
pp_row() { row "$1" "$work/pingpong-$2" "$3" "${addr[$1]}" 7000 "$4"; }

redis_servers=("redis-server --save EMPTY --appendonly no --protected-mode no --bind 0.0.0.0")
redis_up() { [ "$(row "$1" redis-cli -h "$2" ping)" = PONG ]; }
redis_metrics="requests/s,p50 ms"
redis_rows() {
	echo "GET-c1 GET get -c 1 -n 20000"
	echo "SET-c1 SET set -c 1 -n 20000"
	echo "GET-c50 GET get -c 50 -n 100000"
	echo "SET-c50 SET set -c 50 -n 100000"
	echo "GET-c50-P16 GET get -c 50 -P 16 -n 400000"
	[ "$part_now" != a ] || echo "GET-100KB-c4 GET set,get -c 4 -n 4000 -d 100000"
}
redis_row() { # SIDE TEST TESTS OPTION...
	local side=$1 which=$2 t=$3
	shift 3
	row "$side" redis-benchmark -h "${addr[$side]}" "$@" -t "$t" --csv | awk -F'"' -v w="$which" '$2 == w { print $4, $10 }'
}

mc_servers=("memcached -u root -l 0.0.0.0 -p 7100 -U 0 -t 1")
mc_up() { row "$1" "$work/mcload-static" "$2" 7100 1 1 >up.log; }
mc_metrics="requests/s,p50 us,p99 us"
mc_rows() {
	echo "memcached-c1 1 20000"
	echo "memcached-c50 50 100000"
}
mc_row() { row "$1" "$work/mcload-dynamic" "${addr[$1]}" 7100 "$2" "$3"; }

mkdir www
head -c 1024 /dev/urandom >www/1k
wrk_up() { row "$1" curl -sf -o up.log "http://$2:7200/1k"; }
wrk_metrics="requests/s,p50 us,p99 us"
nginx_conf() { # SIDE
	printf 'daemon off; master_process off; pid %s/%s.pid; error_log %s/%s.err; events { worker_connections 512; } http { access_log off; client_body_temp_path %s; keepalive_requests 100000000; server { listen 7200; root %s/www; } }' \
		"$work" "$1" "$work" "$1" "$work" "$work" >"nginx-$1.conf"
}
wrk_servers=("nginx -c $work/nginx-SIDE.conf")
wrk_rows() {
	echo "nginx-1KiB-c1 -t1 -c1"
	echo "nginx-1KiB-c50 -t1 -c50"
}
wrk_row() {
	local side=$1
	shift
	row "$side" wrk "$@" --latency -d"$secs" "http://${addr[$side]}:7200/1k" | awk '
		function us(v) { return v ~ /us$/ ? v + 0 : v ~ /ms$/ ? v * 1000 : v * 1000000 }
		$1 == "50%" { a = us($2) } $1 == "99%" { b = us($2) }
		/Socket errors|Non-2xx/ { bad = 1 } $1 == "Requests/sec:" { r = $2 } END { if (r && !bad) print r, a, b }'
}

iperf_servers=("iperf3 -s")
iperf_up() { row "$1" iperf3 -c "$2" -n 1K >up.log; }
iperf_metrics="Gbit/s"
iperf_rows() {
	echo "bulk-to-server"
	echo "bulk-from-server -R"
	echo "bulk-to-server-P4 -P 4"
	echo "bulk-from-server-P4 -R -P 4"
}
iperf_row() { # what arrived
	local side=$1
	shift
	row "$side" iperf3 -c "${addr[$side]}" -t "$secs" -f m "$@" | awk '/receiver/ && (/SUM/ || !sum) {
		for (i = 2; i <= NF; i++) if ($i == "Mbits/sec") v = $(i - 1) / 1000
		sum = /SUM/
	} END { if (v) print v }'
}

# ---- running ----
serve() { # SERVER: on all sides
	local side words
	servers=()
	for side in $sides; do
		IFS=' ' read -ra words <<<"${1//SIDE/$side}"
		words=("${words[@]/#EMPTY/}")
		# shellcheck disable=SC2086
		${srv[$side]} "${words[@]}" >"$side.log" 2>&1 </dev/null &
		servers+=($!)
	done
	net_pid "${servers[@]}"
}
serve_end() {
	local p
	for p in "${servers[@]}"; do
		net_end "$p"
	done
}
up() { # KIND: answers on every side
	local side i
	for side in $sides; do
		for ((i = 0; i < 100; i++)); do
			[ $side != switch ] || addr[switch]=$("$JCTL" switch bench 2>/dev/null | awk '$NF == "server" { print $3 }')
			"$1_up" $side "${addr[$side]}" 2>>up.log && continue 2
			sleep 0.1
		done
		echo "no $1 over $side"
		cat "$side.log"
		exit 1
	done
}
print_rows() { # NAME METRICS
	local f=0 m a b c what=() list
	IFS=, read -ra list <<<"$2"
	for m in "${list[@]}"; do
		f=$((f + 1)) what=()
		for s in $sides; do
			what+=("$(median "$1.$s" $f)")
		done
		a=${what[0]} b=${what[1]} c=${what[2]}
		[[ " ${what[*]} " != *" - "* ]] || failed=1
		if [ "$part_now" = a ]; then
			printf '%-28s %11s %11s %11s %9s %9s\n' "$1 $m" "$a" "$b" "$c" "$(ratio "$c" "$a")" "$(ratio "$c" "$b")"
		else
			printf '%-28s %11s %11s %11s %9s %9s\n' "$1 $m" "$a" "$b" "$c" "$(ratio "$b" "$a")" "$(ratio "$c" "$a")"
		fi
	done
}
table() { # KIND
	local kind=$1 k server name opts i side metrics=$1_metrics
	local -n list=$1_servers
	for server in "${list[@]}"; do
		serve "$server"
		up "$kind"
		while read -r name opts; do
			rm -f "$name".*
			for ((i = 0; i < n; i++)); do
				for side in $sides; do
					# shellcheck disable=SC2086
					${kind}_row $side $opts >>"$name.$side"
				done
			done
			print_rows "$name" "${!metrics}"
		done < <(${kind}_rows "$server")
		serve_end
	done
}
run_part() { # a|b TITLE...
	part_now=$1
	shift
	printf '%-28s %11s %11s %11s %9s %9s\n' "$@"
	for side in $sides; do
		nginx_conf $side
	done
	for kind in $kinds; do
		table "$kind"
	done
	uptime
}

echo "$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), Linux $(uname -r); medians of $n"
uptime
side_veth
if [[ $part = *a* ]]; then
	side_lo
	side_switch
	sides="lo veth switch"
	run_part a "(a) over the switch" loopback veth switch /loopback /veth
fi
if [[ $part = *b* ]]; then
	side_tap
	side_xdp
	sides="veth tap xdp"
	run_part b "(b) to Linux" veth TAP AF_XDP TAP/veth XDP/veth
	grep -h '^jctl' tap.log xdp.log
fi
[ $failed = 0 ] || { echo "some clients gave no figure:"; tail -20 clients.log; }
exit $failed
