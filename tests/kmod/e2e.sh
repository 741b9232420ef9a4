#!/bin/bash
# SPDX-License-Identifier: MIT
# Inside the VM of tests/run_kmod_e2e.sh: real programs on junction.ko, as a user starts them. Prints TAP.
n=0
check() { # NAME COMMAND...: ok if it succeeds
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n $name"; else echo "not ok $n $name"; fi
}
jctl=/opt/jctl

# The host timers of an instance that computes: with the module its ticks are not signals of a timer.
host_timers() {
	$jctl run -- /bin/bash -c 'while :; do :; done' &
	local p=$! i
	for i in $(seq 40); do
		cat /proc/[0-9]*/timers 2>/dev/null | grep -q . && break
		sleep 0.1
	done
	cat /proc/[0-9]*/timers 2>/dev/null | grep -c '^ID'
	kill $p
	wait $p
} 2>/dev/null
refuse_without() { # without the module nothing needs it
	$jctl doctor >/tmp/doctor0 2>&1
	! lsmod | grep -q ^junction && [ "$($jctl run -- /bin/bash -c 'echo $((6 * 7))')" = 42 ]
}
check "jctl run without the module" refuse_without
without=$(host_timers)
check "insmod" insmod /modules/junction.ko
doctor() {
	$jctl doctor >/tmp/doctor 2>&1
	grep '/dev/junction' /tmp/doctor0 /tmp/doctor | sed 's/^/# /'
	grep -q '^no .*/dev/junction' /tmp/doctor0 && grep -q '^yes .*/dev/junction' /tmp/doctor
}
check "jctl doctor tells" doctor
slices() {
	local with
	with=$(host_timers)
	echo "# host timers without the module: $without, with it: $with"
	[ "$without" -gt 0 ] && [ "$with" = 0 ] || return 1
	$jctl run --stats -- /bin/bash -c 'i=0; while [ $i -lt 15000 ]; do i=$((i + 1)); done; echo done' >/tmp/out 2>/tmp/stats
	sed -n 's/.*\( [0-9]* ticks\).*/#\1 in a loop/p' /tmp/stats
	grep -q '^done' /tmp/out && ! grep -q ' 0 ticks' /tmp/stats
}
check "time slices by user interrupts" slices
files() {
	$jctl run -- /bin/bash -c 'for i in 1 2 3 4 5; do sha256sum </data/file; done' >/tmp/sums 2>/tmp/err
	[ "$(sort -u /tmp/sums)" = "$(sha256sum </data/file)" ] || { cat /tmp/sums /tmp/err | sed 's/^/# /'; return 1; }
}
check "a host file through the page cache" files

$jctl run --net tap --ip 10.9.0.2/24 -- redis-server --save '' --protected-mode no --bind 0.0.0.0 >/tmp/redis.log 2>&1 &
redis=$!
ready() {
	for i in $(seq 120); do
		grep -q 'Ready to accept' /tmp/redis.log && break
		sleep 0.5
	done
	grep -q 'Ready to accept' /tmp/redis.log || { sed 's/^/# /' /tmp/redis.log; return 1; }
	tap=$(ls /sys/class/net | grep -v '^lo$' | head -1)
	ip addr add 10.9.0.1/24 dev "$tap"
	ip link set "$tap" up
}
check "redis-server over TAP" ready
refused() { ! rmmod junction 2>/dev/null; }
check "rmmod is refused while in use" refused
bench() {
	timeout 150 redis-benchmark -h 10.9.0.2 -c 4 -n 1000 -t set,get --csv >/tmp/bench 2>/tmp/bench.err || { sed 's/^/# /' /tmp/bench /tmp/bench.err; return 1; }
	! grep -qi err /tmp/bench /tmp/bench.err && grep -q '"GET"' /tmp/bench
}
check "redis-benchmark from Linux, no error" bench
kill $redis
wait $redis
check "rmmod after" rmmod junction
clean() { ! dmesg | grep -E 'WARNING|BUG|Oops|general protection|refcount_t|stall' | sed 's/^/# /' | grep .; }
check "kernel log is clean" clean
echo "# end of tests"
