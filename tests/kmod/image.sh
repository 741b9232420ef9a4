#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Prints a directory with boot/vmlinuz-VERSION and lib/modules of Debian's kernel that the installed headers belong to. The image package is
# unpacked under ${JUNCTION_CACHE:-~/.cache/junction}, not installed: no initramfs, no boot loader, nothing of the machine changes.
set -eu
headers=$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1.*-amd64' 2>/dev/null | sort -V | tail -1)
[ -n "$headers" ] || { echo "no kernel headers: apt-get install linux-headers-amd64" >&2; exit 1; }
version=${headers##*/linux-headers-}
dir=${JUNCTION_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/junction}/kernel-$version
if [ ! -e "$dir/boot/vmlinuz-$version" ]; then
	mkdir -p "${dir%/*}"
	tmp=$(mktemp -d "$dir.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	chmod 755 "$tmp"
	(cd "$tmp" && apt-get download -q "linux-image-$version" >&2) || { apt-get update -q >&2 && cd "$tmp" && apt-get download -q "linux-image-$version" >&2; }
	dpkg-deb -x "$tmp"/linux-image-*.deb "$tmp/root"
	[ -e "$dir" ] || mv "$tmp/root" "$dir"
fi
echo "$dir"
