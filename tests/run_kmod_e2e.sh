#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Programs on junction.ko in a VM: jctl, bash, redis (tests/kmod/e2e.sh). Debian's 6.1 kernel under QEMU (TCG, 2 CPUs).
#   tests/run_kmod_e2e.sh [-v] [SCRIPT]     SCRIPT runs in the VM instead
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
o=$top/build verbose=''
[ "${1:-}" != -v ] || { verbose=1; shift; }
script=${1:-$top/tests/kmod/e2e.sh}
fail() {
	echo "$1"
	echo "0 passed, 1 failed"
	exit 1
}
for t in qemu-system-x86_64 busybox cpio redis-server redis-benchmark ldd; do
	command -v $t >/dev/null || fail "not there: $t (tests/install_deps.sh)"
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
r=$work/root
image=$("$top/tests/kmod/image.sh") || fail "no kernel image"
version=$(basename "$image"/lib/modules/*)
make -s -C "$top" KDIR="/usr/src/linux-headers-$version" kmod >"$work/build" 2>&1 || { cat "$work/build"; fail "junction.ko does not build"; }

mkdir -p "$r"/{bin,dev,proc,sys,tmp,etc,root,run,opt,modules,data,var/cache,usr/bin,lib64}
cp "$(command -v busybox)" "$r/bin/busybox"
cp "$o/jctl" "$o/junctiond" "$o/junction-kernel" "$r/opt/"
cp "$o/kmod/junction.ko" "$image/lib/modules/$version/kernel/drivers/net/tun.ko" "$r/modules/"
for b in /bin/bash /usr/bin/sha256sum "$(command -v redis-server)" "$(command -v redis-benchmark)" "$o/jctl" "$o/junctiond"; do
	[[ $b = "$o"/* ]] || { mkdir -p "$r/$(dirname "$b")" && cp -L "$b" "$r$b"; }
	ldd "$b" | grep -o '/[^ ]*' | while read -r l; do
		mkdir -p "$r/$(dirname "$l")"
		[ -e "$r$l" ] || cp -L "$l" "$r$l"
	done
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$r/etc/passwd"
echo 'root:x:0:' >"$r/etc/group"
seq 300000 >"$r/data/file"
cp "$script" "$r/run.sh"
cat >"$r/init" <<'X'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
mount -t tmpfs t /tmp
mkdir -p /dev/pts
mount -t devpts p /dev/pts
export PATH=/bin:/usr/bin:/sbin HOME=/root
insmod /modules/tun.ko
ip link set lo up
dmesg -n 1
/bin/bash /run.sh
poweroff -f
X
chmod +x "$r/init"
(cd "$r" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd" || fail "no initramfs"
# As in run_kmod.sh; and with a TSC, for the vDSO.
timeout -k 5 400 qemu-system-x86_64 -accel tcg,thread=multi -cpu max,smap=off -smp 2 -m 1500 -display none -monitor none -nic none \
	-no-reboot -serial stdio -kernel "$image/boot/vmlinuz-$version" -initrd "$work/initrd" \
	-append "console=ttyS0 panic=-1 quiet oops=panic nokaslr tsc=reliable clocksource=tsc" </dev/null 2>"$work/qemu" |
	tee "$work/out" | if [ -n "$verbose" ]; then sed -u 's,\r,,g'; else cat >/dev/null; fi
s=${PIPESTATUS[0]}
tr -d '\r' <"$work/out" | grep -aE '^(not )?ok |^# ' >"$work/tap"
pass=$(grep -cE '^ok ' "$work/tap") fail=$(grep -cE '^not ok ' "$work/tap")
if [ "$s" != 0 ] || ! grep -q '^# end of tests' "$work/tap"; then
	echo "FAIL: the VM did not come to its end (qemu: $s)"
	tail -n 20 "$work/out"
	cat "$work/qemu"
	fail=$((fail + 1))
fi
[ -n "$verbose" ] || grep -E '^(not ok|#)' "$work/tap" | grep -v '^# end'
echo "$pass passed, $fail failed"
[ "$fail" = 0 ]
