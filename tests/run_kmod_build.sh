#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds junction.ko for the kernels that the distribution offers, 6.1 and the newest, with W=1 and sparse, warnings being errors; by DKMS; and
# runs the kernel's checkpatch.pl over it. Needs the packages of install_deps.sh --heavy.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
pass=0 fail=0
check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		echo "ok $name"
		pass=$((pass + 1))
	else
		echo "FAIL $name"
		tail -n 30 "$work/log"
		fail=$((fail + 1))
	fi
}
newest() { find /usr/src -maxdepth 1 -name "linux-headers-$1*-amd64" | sort -V | tail -1; }

old=$(newest 6.1.) new=$(newest '')
for k in "$old" "$new"; do
	check "W=1 and sparse: ${k##*/}" make -s -C "$top" O="$work/o-${k##*/}" KDIR="$k" kmod-check
done
[ "$old" != "$new" ] || { echo "FAIL no headers newer than 6.1"; fail=$((fail + 1)); }

make -s -C "$top" DESTDIR="$work/dkms" dkms_install >/dev/null
mkdir -p "$work/tree"
check "dkms build" dkms build junction/1 -k "${old##*/linux-headers-}" --sourcetree "$work/dkms/usr/src" --dkmstree "$work/tree" --kernelsourcedir "$old"
check "dkms made a module" test -n "$(find "$work/tree" -name 'junction.ko*')"

# LINUX_VERSION_CODE: this module lives outside the kernel's tree. Attributes: uintr_logic.h is compiled for user space too.
tar -C "$work" --strip-components=1 -xJf /usr/src/linux-source-6.1.tar.xz linux-source-6.1/scripts/checkpatch.pl linux-source-6.1/scripts/spelling.txt \
	linux-source-6.1/scripts/const_structs.checkpatch
checkpatch() {
	perl "$work/scripts/checkpatch.pl" --no-tree --terse --show-types --no-summary --max-line-length=140 \
		--ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON,PREFER_DEFINED_ATTRIBUTE_MACRO -f "$top"/kmod/*.[ch]
}
check "checkpatch" checkpatch
echo "$pass passed, $fail failed"
[ "$fail" = 0 ]
