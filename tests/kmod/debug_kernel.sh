#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds the debug kernel of make check-kmod-debug from Debian's linux-source-6.1 with tests/kmod/debug.config, once: what was built is kept in
# ${JUNCTION_CACHE:-~/.cache/junction}/kernel-debug until the source package or the config changes. Prints the build directory, which has
# arch/x86/boot/bzImage and serves as KDIR= of make kmod.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tarball=/usr/src/linux-source-6.1.tar.xz
dir=${JUNCTION_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/junction}/kernel-debug
[ -r $tarball ] || { echo "$tarball is not there: apt-get install linux-source-6.1" >&2; exit 1; }
version=$(dpkg-query -W -f '${Version}' linux-source-6.1)
key=$version-$(sha256sum <"$here/debug.config" | cut -c1-16)
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
if [ "$(cat "$dir/key" 2>/dev/null)" != "$key" ]; then
	echo "building the debug kernel in $dir (minutes)" >&2
	if [ "$(cat "$dir/src/.version-of-package" 2>/dev/null)" != "$version" ]; then
		rm -rf "$dir/src"
		mkdir -p "$dir/src"
		tar -C "$dir/src" --strip-components=1 -xf $tarball
		echo "$version" >"$dir/src/.version-of-package"
	fi
	cd "$dir/src"
	make -s KCONFIG_ALLCONFIG="$here/debug.config" allnoconfig >"$dir/config.log" 2>&1 || { tail -n 30 "$dir/config.log" >&2; exit 1; }
	for want in PREEMPT_NOTIFIERS KASAN PROVE_LOCKING DEBUG_KMEMLEAK DEBUG_ATOMIC_SLEEP UBSAN EXT4_FS; do
		grep -q "^CONFIG_$want=y" .config || { echo "the debug kernel's config lost $want" >&2; exit 1; }
	done
	nice -n 10 make -s -j2 bzImage modules_prepare >"$dir/build.log" 2>&1 || { tail -n 30 "$dir/build.log" >&2; exit 1; }
	cp vmlinux.symvers Module.symvers
	echo "$key" >"$dir/key"
fi
echo "$dir/src"
