#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make bench-ports: redis between two instances of a switch, alone and beside 1,000 idle ports, in turns (N=5): throughput, p99, and what an
# idle port costs in memory (of junctiond and of shared memory together).
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
n=${N:-5} ports=${PORTS:-1000}
work=$(mktemp -d /tmp/jports.XXXXXX) || exit 1
export XDG_RUNTIME_DIR=$work
cd "$work" || exit 1
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null && wait "$p" 2>/dev/null; done; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
${CC:-gcc} -O2 -std=gnu11 -D_GNU_SOURCE -Wall -I"$top/include" -I"$top" -o portclient "$top/tests/lib/portclient.c" "$top/tools/jctl/switch_client.c" || exit 1

"$jctl" run --net switch:ports --name server -- redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0 >server.log 2>&1 </dev/null &
pids+=($!)
for _ in $(seq 100); do
	grep -q 'Ready to accept' server.log && break
	sleep 0.1
done
addr=$("$jctl" switch ports | awk '$NF == "server" { print $3 }')
[ -n "$addr" ] || { echo "no server"; cat server.log; exit 1; }
daemon=$(for p in /proc/[0-9]*; do [[ $(readlink "$p/exe" 2>/dev/null) == "$top/build/junctiond"* ]] && grep -q "$work" "$p/cmdline" && echo "${p#/proc/}"; done | head -1)

idle_on() {
	mkfifo hold.$1
	./portclient "$work/junction/switch-ports" idle "$ports" <hold.$1 >idle.log 2>&1 &
	idle=$!
	pids+=("$idle")
	exec 9>hold.$1
	for _ in $(seq 200); do
		[ "$("$jctl" switch ports | grep -c ' client$')" = "$ports" ] && return
		sleep 0.1
	done
	echo "the idle ports did not come up"
	cat idle.log
	exit 1
}
idle_off() {
	exec 9>&-
	wait "$idle"
}
row() { # FILE: requests/s and p99 in ms of GET
	timeout 120 "$jctl" run --net switch:ports -- redis-benchmark -h "$addr" -c 50 -n 200000 -t get --csv 2>/dev/null </dev/null |
		awk -F'"' '$2 == "GET" { print $4, $14 }' >>"$1"
}
memory() { # KiB of junctiond, and of all shared memory
	awk '/^Pss_Anon/ { a = $2 } END { print a }' "/proc/$daemon/smaps_rollup"
	awk '/^Shmem:/ { print $2 }' /proc/meminfo
}
median() { awk -v f="$2" '{ print $f }' "$1" | sort -g | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'; }

row warm
for ((i = 0; i < n; i++)); do
	row alone
	mapfile -t before < <(memory)
	idle_on $i
	mapfile -t after < <(memory)
	echo $((after[0] - before[0])) $((after[1] - before[1])) >>mem
	row beside
	idle_off
done
echo "$(nproc) CPUs, $ports idle ports, medians of $n, taken in turns"
printf '%-26s %12s %12s %8s\n' "" alone beside ratio
for f in 1 2; do
	a=$(median alone $f) b=$(median beside $f)
	[ $f = 1 ] && what="GET -c 50 requests/s" || what="GET -c 50 p99 ms"
	printf '%-26s %12s %12s %8s\n' "$what" "$a" "$b" "$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", b / a }')"
done
awk -v d="$(median mem 1)" -v s="$(median mem 2)" -v p="$ports" 'BEGIN { printf "memory per idle port: %.1f KiB (junctiond %.1f, shared %.1f)\n", (d + s) / p, d / p, s / p }'
