#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make check-kmod: boots Debian's 6.1 kernel under QEMU (TCG, 2 and 4 CPUs) with junction.ko and the self-tests of tests/kmod, reads TAP from
# the serial line. Needs no /dev/kvm and no root.
#   tests/run_kmod.sh [-b] [-d] [-n CPUS]... [-v] [TEST...]
#     -b  make bench-kmod: tests/kmod/bench_*.c on 2 CPUs
#     -d  the debug kernel of tests/kmod/debug_kernel.sh instead (KASAN, lockdep, kmemleak ...); fewer rounds
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
o=$top/build
debug='' kind=test cpus=() verbose='' scale=100 limit=120 total=280
while getopts bdn:v opt; do
	case $opt in
	b) kind=bench cpus=(2) verbose=1 ;;
	d) debug=1 ;;
	n) cpus+=("$OPTARG") ;;
	v) verbose=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
for t in qemu-system-x86_64 busybox cpio gcc; do
	command -v $t >/dev/null || { echo "not there: $t (tests/install_deps.sh)"; echo "0 passed, 1 failed"; exit 1; }
done
fail() {
	echo "$1"
	echo "0 passed, 1 failed"
	exit 1
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# the kernel, and the module built for it
if [ -n "$debug" ]; then
	dir=$("$top/tests/kmod/debug_kernel.sh") || fail "the debug kernel could not be built"
	kernel=$dir/arch/x86/boot/bzImage mods=''
	ko=$o/kmod-debug
	[ ${#cpus[@]} -gt 0 ] || cpus=(2)
	scale=10 limit=600 total=1500
else
	image=$("$top/tests/kmod/image.sh") || fail "no kernel image"
	version=$(basename "$image"/lib/modules/*)
	kernel=$image/boot/vmlinuz-$version mods=$image/lib/modules/$version/kernel dir=/usr/src/linux-headers-$version
	ko=$o
	[ ${#cpus[@]} -gt 0 ] || cpus=(2 4)
fi
make -s -C "$top" O="$ko" KDIR="$dir" kmod >"$work/build" 2>&1 || { cat "$work/build"; fail "junction.ko does not build"; }
module=$ko/kmod/junction.ko

# the tests
mkdir -p "$o/kmod-tests" "$work/root/"{bin,dev,proc,sys,tmp,mnt,modules,tests,data}
for s in "$top/tests/kmod/$kind"_*.c; do
	n=$(basename "${s%.c}")
	[ $# = 0 ] || [[ " $* " == *" ${n#"$kind"_} "* ]] || continue
	b=$o/kmod-tests/$n
	if [ ! "$b" -nt "$s" ] || [ ! "$b" -nt "$top/include/jabi/jabi_kmod.h" ] || [ -n "$(find "$top"/tests/kmod/*.h -newer "$b")" ]; then
		gcc -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -Wextra -Werror -fno-strict-aliasing -static -I"$top" -o "$b" "$s" -lpthread || fail "$n does not build"
	fi
	cp "$b" "$work/root/tests/"
done
cp "$module" "$work/root/modules/" || fail "no junction.ko"
cp "$(command -v busybox)" "$work/root/bin/busybox"
cp "$top/tests/kmod/init.sh" "$work/root/init"
i=0
# in the order in which they are loaded
for m in ${mods:+crypto/crc32c_generic lib/crc16 lib/libcrc32c fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4 drivers/block/loop}; do
	[ ! -e "$mods/$m.ko" ] || cp "$mods/$m.ko" "$work/root/modules/$(printf %02d $i)-${m##*/}.ko"
	i=$((i + 1))
done
printf 'LOGLEVEL=%s\nLIMIT=%s\nexport KT_SCALE=%s KT_FUZZ_S=%s KT_SEED=%s\n' "${KT_LOGLEVEL:-1}" "$limit" "$scale" \
	"${KT_FUZZ_S:-60}" "${KT_SEED:-}" >"$work/root/settings"

# One VM: CPUS, how QEMU runs them, the tests that are not to be in it.
vm() {
	local n=$1 threads=$2 t p f r try
	shift 2
	echo "-- $(basename "$kernel"), $n CPUs"
	rm -rf "$work/vm"
	cp -a "$work/root" "$work/vm"
	for t; do rm -f "$work/vm/tests/test_$t"; done
	[ -n "$(ls "$work/vm/tests")" ] || return
	(cd "$work/vm" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd" || fail "no initramfs"
	for try in first last; do
		run_qemu "$n" "$threads"
		r=$?
		p=$(grep -cE '^ok ' "$work/tap") f=$(grep -cE '^not ok ' "$work/tap")
		# Loading, unloading and the first thread's notifier patch running code on all CPUs: see below what QEMU 7.2 makes of that with a
		# thread per CPU. What stands still twice is ours.
		[ "$r" = 124 ] && [ "$f" = 0 ] && [ "$threads" = multi ] && [ $try = first ] || break
		echo "-- it stood still after: $(grep . "$work/tap" | tail -1 | cut -c1-100); once more"
	done
	if [ "$r" != 0 ] || ! grep -q '^# end of tests' "$work/tap" || [ "$p" = 0 ]; then
		echo "FAIL: the VM did not come to its end (qemu: $r)"
		[ -n "$verbose" ] || tail -40 "$work/tap"
		cat "$work/qemu"
		f=$((f + 1))
	fi
	[ -n "$verbose" ] || grep -E '^(not ok|# .*(:[0-9]+: |report|seed))' "$work/tap" | head -40
	[ -n "$verbose" ] || [ "$f" = 0 ] || grep -A60 -E 'kernel log$' "$work/tap" | grep '^# ' | head -60
	pass=$((pass + p)) fail=$((fail + f))
}

run_qemu() { # CPUS THREADS: its exit; what the VM said in $work/tap
	local r
	# smap=off: QEMU 7.2 emulates IRET at CPL 3 with the kernel's rights to the stack, which SMAP then refuses.
	timeout -k 5 "$total" qemu-system-x86_64 -accel tcg,thread="$2" -cpu max,smap=off -smp "$1" -m 768 -display none -monitor none \
		-nic none -no-reboot -serial stdio -kernel "$kernel" -initrd "$work/initrd" \
		-append "console=ttyS0 panic=-1 quiet oops=panic tsc=reliable clocksource=tsc nokaslr ${KT_APPEND:-}" </dev/null 2>"$work/qemu" |
		tee "$work/out" | if [ -n "$verbose" ]; then sed -u 's,\r,,g'; else cat >/dev/null; fi
	r=${PIPESTATUS[0]}
	tr -d '\r' <"$work/out" >"$work/tap"
	return "$r"
}

pass=0 fail=0
if [ $kind = bench ]; then
	vm 2 multi
	echo "$pass passed, $fail failed"
	[ "$fail" = 0 ]
	exit
fi
for n in "${cpus[@]}"; do
	vm "$n" multi unload
	# Loading and unloading patches running code on all CPUs, and QEMU 7.2 sometimes goes on executing the breakpoint of the patching that is
	# no longer there, for ever. Not when it runs all CPUs in one thread.
	vm "$n" single fuzz grant ioctl pagecache uintr
done
echo "$pass passed, $fail failed"
[ "$fail" = 0 ]
