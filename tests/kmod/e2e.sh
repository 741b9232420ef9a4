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

# Two instances share the one core that junctiond grants; both go on when it is killed.
export XDG_RUNTIME_DIR=/tmp
loop='i=0; while [ $i -lt LIMIT ]; do i=$((i + 1)); [ $((i % 4000)) != 0 ] || x=$(echo fork); done; echo done $x'
daemon() {
	/opt/junctiond --cores 1 2>/tmp/junctiond.log &
	daemon=$!
	for i in $(seq 50); do
		$jctl doctor 2>/dev/null | grep '^yes.*core grants.*granted by junctiond and the module' && return
		sleep 0.2
	done
	sed 's/^/# /' /tmp/junctiond.log
	return 1
}
check "junctiond --cores, jctl doctor tells" daemon
pair() { # LIMIT
	timeout 100 $jctl run --net switch -- /bin/bash -c "${loop/LIMIT/$1}" >/tmp/one 2>/dev/null &
	one=$!
	timeout 100 $jctl run --net switch -- /bin/bash -c "${loop/LIMIT/$1}" >/tmp/two 2>/dev/null &
	two=$!
}
ended() {
	wait $one && wait $two && [ "$(cat /tmp/one /tmp/two | sort -u)" = "done fork" ]
}
# Threads of the two instance kernels that are held on the granted core now.
on_core() {
	grep -l '^Cpus_allowed_list:[[:space:]]*1$' $(grep -lsE '^Name:.*(junction-kernel|bash|exe)' /proc/[0-9]*/task/*/status) 2>/dev/null | wc -l
}
shared() {
	local i most=0 n
	pair 12000
	for i in $(seq 100); do
		n=$(on_core)
		[ "$n" -le "$most" ] || most=$n
		kill -0 $one 2>/dev/null && kill -0 $two 2>/dev/null || break
		sleep 0.1
	done
	echo "# threads on the core at once, at most: $most"
	ended && [ "$most" -ge 1 ]
}
check "two instances on one granted core" shared
killed() {
	pair 30000
	sleep 5
	kill -0 $one && kill -0 $two && kill -9 $daemon || return 1
	wait $daemon
	sleep 0.5
	[ "$(on_core)" = 0 ] && ended
}
check "the daemon is killed, both go on without" killed 2>/dev/null

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
