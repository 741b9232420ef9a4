#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make bench: the same binaries on Linux and in an instance, with the ratio.
#   tests/run_bench.sh [-r] [-n] [NAME...]   -r Linux only, -n without redis
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
out=$top/build/bench
ref=0 redis=1
while getopts rn o; do
	case $o in
	r) ref=1 ;;
	n) redis=0 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ -x "$JCTL" ] || ref=1
mkdir -p "$out"
for k in dynamic static; do
	f=
	[ $k = static ] && f=-static
	${CC:-gcc} -O2 -std=gnu11 -Wall -Wno-unused-result -pthread $f -o "$out/bench-$k" \
		"$top/tests/bench/bench.c" || exit 1
done
work=$(mktemp -d /tmp/jbench.XXXXXX) || exit 1
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
trap 'net_cleanup; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1

line() { # NAME LINUX JUNCTION UNIT BETTER(low|high)
	awk -v n="$1" -v l="$2" -v j="$3" -v u="$4" 'BEGIN {
		r = (l > 0 && j > 0) ? sprintf("%.2f", j / l) : "-"
		printf "%-28s %12s %12s %8s  %s\n", n, l, j, r, u }'
}

med3() { # the median of three runs' last lines
	local i
	for i in 1 2 3; do timeout 60 "$@" 2>/dev/null </dev/null | tail -1; done | sort -g | sed -n 2p
}

start_us() { # microseconds from start to exit of "$@", median of 9
	local i t0 t1
	for i in 1 2 3 4 5 6 7 8 9; do
		t0=${EPOCHREALTIME/./}
		timeout 20 "$@" >/dev/null 2>&1 </dev/null || echo bad
		t1=${EPOCHREALTIME/./}
		echo $((t1 - t0))
	done | sort -g | sed -n 5p
}

descendants() { # PID: it and all below it
	local c
	echo "$1"
	for c in $(cat /proc/"$1"/task/*/children 2>/dev/null); do descendants "$c"; done
}

pss_kib() { # PID: sum of PSS of the process and all below it
	local p
	for p in $(descendants "$1"); do
		grep '^Pss:' /proc/"$p"/smaps_rollup 2>/dev/null
	done | awk '{ s += $2 } END { print s + 0 }'
}

cpu_ticks() { # PID: user + system ticks of it and all below it
	local p
	for p in $(descendants "$1"); do
		awk '{ print $14 + $15 }' /proc/"$p"/stat 2>/dev/null
	done | awk '{ s += $1 } END { print s + 0 }'
}

echo "$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), Linux $(uname -r)"
printf '%-28s %12s %12s %8s\n' "" Linux Junction ratio
names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <("$out/bench-static" -l)
for n in "${names[@]}"; do
	for k in dynamic static; do
		[ $k = static ] && [ "$n" != getppid ] && continue
		l=$(med3 "$out/bench-$k" "$n")
		j=-
		[ $ref = 1 ] || j=$(med3 "$JCTL" run -- "$out/bench-$k" "$n")
		s=
		[ $k = static ] && s=" (static)"
		line "$n$s" "$l" "${j:-failed}" ns
	done
done
# The same between two threads that share one core: what a switch costs when no other core is waited for.
for n in pipe-ping-pong futex-ping-pong thread-switch-yield; do
	[ $# -gt 0 ] && break
	l=$(med3 taskset -c 0 "$out/bench-dynamic" "$n")
	j=-
	[ $ref = 1 ] || j=$(med3 "$JCTL" run --cores 1 -- "$out/bench-dynamic" "$n")
	line "$n, one core" "$l" "${j:-failed}" ns
done
[ $# -gt 0 ] && exit 0
l=$(start_us /bin/true)
j=-
[ $ref = 1 ] || j=$(start_us "$JCTL" run -- /bin/true)
line "start-up of /bin/true" "$l" "$j" us

sleep 60 &
net_pid $!
sleep 0.5
l=$(pss_kib $!)
j=-
if [ $ref = 0 ]; then
	"$JCTL" run -- sleep 60 >/dev/null 2>&1 &
	net_pid $!
	sleep 1.5
	j=$(pss_kib $!)
fi
line "PSS of an idle sleep" "$l" "$j" KiB

[ $redis = 1 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v redis-benchmark >/dev/null; then
	echo "redis rows left out: they need root and redis-tools"
	exit 0
fi

rps() { # CLIENTS REQUESTS: requests per second of GET
	ip netns exec "$REDIS_NS" timeout 120 redis-benchmark -h "$REDIS_ADDR" -c "$1" -n "$2" -t get --csv \
		2>/dev/null | awk -F'"' '$2 == "GET" { print $4 }'
}

declare -A res
for side in linux inst; do
	[ $side = inst ] && [ $ref = 1 ] && continue
	if ! net_redis_$side; then
		echo "redis on $side did not come up"
		continue
	fi
	sleep 1
	res[$side-pss]=$(pss_kib "$REDIS_PID")
	c0=$(cpu_ticks "$REDIS_PID")
	sleep 5
	res[$side-idle]=$(($(cpu_ticks "$REDIS_PID") - c0))
	res[$side-c50]=$(for i in 1 2 3; do rps 50 100000; done | sort -g | sed -n 2p)
	res[$side-c1]=$(for i in 1 2 3; do rps 1 20000; done | sort -g | sed -n 2p)
done
line "redis GET -c 50" "${res[linux-c50]:--}" "${res[inst-c50]:--}" "requests/s (more is better)"
line "redis GET -c 1" "${res[linux-c1]:--}" "${res[inst-c1]:--}" "requests/s (more is better)"
line "idle redis PSS" "${res[linux-pss]:--}" "${res[inst-pss]:--}" KiB
line "idle redis CPU in 5 s" "${res[linux-idle]:--}" "${res[inst-idle]:--}" "ticks of 10 ms"
