#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# /init of the test VM: runs /tests/* one after the other, looks at the kernel log after each, prints TAP.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys/kernel/debug 2>/dev/null
mkdir -p /tmp /mnt
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts && mount -t devpts pts /dev/pts 2>/dev/null
for m in /modules/*.ko; do
	[ ! -e "$m" ] || [ "$m" = /modules/junction.ko ] || insmod "$m" 2>/dev/null
done
ip link set lo up 2>/dev/null
. /settings
dmesg -n "${LOGLEVEL:-1}"
dmesg -c >/dev/null
bad='WARNING|BUG|Oops|general protection|leak|blocked for more|soft lockup|stall|UBSAN|KASAN|possible recursive|lockdep|unreferenced|refcount_t|INFO: '
check_log() { # NAME
	dmesg -c >/tmp/log
	if grep -E "$bad" /tmp/log >/dev/null; then
		echo "not ok $1: kernel log"
		grep -v '^$' /tmp/log | head -60 | sed 's/^/# /'
	else
		echo "ok $1: kernel log is clean"
	fi
}
leaks() {
	[ -e /sys/kernel/debug/kmemleak ] || return 0
	# twice: what is young is not judged the first time
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	# The boot's own (ACPI's caches, say) are found now and then only, after all "clear"s.
	awk '/^unreferenced/ { head = $0; next } /comm / { ours = !/"swapper\/0", pid 0/; if (ours) print head } ours' /sys/kernel/debug/kmemleak >/tmp/leaks
	if [ -s /tmp/leaks ]; then
		echo "not ok kmemleak"
		head -40 /tmp/leaks | sed 's/^/# /'
	else
		echo "ok kmemleak"
	fi
}
if [ -e /sys/kernel/debug/kmemleak ]; then # what the boot has left is not ours
	echo scan=off >/sys/kernel/debug/kmemleak # only when asked
	echo scan >/sys/kernel/debug/kmemleak
	echo scan >/sys/kernel/debug/kmemleak
	echo clear >/sys/kernel/debug/kmemleak
	dmesg -c >/dev/null
fi
if insmod /modules/junction.ko; then echo "ok insmod"; else echo "not ok insmod"; fi
for t in /tests/*; do
	n=${t##*/}
	echo "# $n $(cut -d' ' -f1 /proc/uptime)"
	timeout -s KILL "$LIMIT" "$t"
	r=$?
	[ $r = 0 ] || [ $r = 1 ] || echo "not ok $n: ended with $r"
	check_log "$n"
done
for i in 1 2 3 4 5 6 7 8 9 10; do
	rmmod junction 2>/dev/null && break
	sleep 0.2
done
if grep -q ^junction /proc/modules || [ -e /dev/junction ]; then
	echo "not ok rmmod at the end"
	cat /proc/modules | sed 's/^/# /'
else
	echo "ok rmmod at the end"
fi
check_log "rmmod"
leaks
echo "# end of tests"
reboot -f
