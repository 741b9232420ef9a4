#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What the build and the tests need on a bare Debian 12. Does nothing when all
# of it is there. "--build" asks for the build's needs only, "--demo" for those
# of make demo, "--heavy" for those of make check-long too, "--kmod" for those of
# make check-kmod.
set -eu
build="gcc clang make pkg-config libc6-dev linux-libc-dev libseccomp-dev libbpf-dev libcap-dev liburing-dev libjson-c-dev
	libzydis-dev"
demo="iproute2 redis-server redis-tools gawk"
tests="check busybox-static bash dash coreutils tar xz-utils zstd gzip sqlite3 python3 perl lua5.4
	iperf3 nodejs golang-1.19-go openjdk-17-jdk-headless openssl memcached nginx-light curl redis-server
	redis-tools wrk passt tshark stress-ng iproute2 ethtool iputils-ping procps diffutils findutils binutils gawk util-linux shellcheck clang-format"
kmod="linux-headers-amd64 qemu-system-x86 busybox-static cpio gzip"
# The newest kernel that the distribution offers besides its first one.
newest() {
	apt-cache search --names-only '^linux-headers-[0-9.]+[+]deb12-amd64$' | awk '{ print $1 }' | sort -V | tail -1
}
case ${1:-} in
--build) want=$build ;;
--demo) want="$build $demo" ;;
--heavy) want="$build $tests $kmod sparse dkms kmod $(newest) libelf-dev libssl-dev flex bison bc libclang-rt-14-dev libpython3.11-testsuite golang-1.19-src iperf3 openssh-server openssh-client traceroute bind9-dnsutils dnsmasq-base linux-source-6.1 libcap-dev libmnl-dev libpopt-dev" ;;
--kmod) want="gcc make libc6-dev $kmod" ;;
*) want="$build $tests $kmod" ;;
esac
missing=
for p in $want; do
	state=$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true)
	[ "$state" = "install ok installed" ] && continue
	case $p in # any of several packages will do
	busybox-static) command -v busybox >/dev/null && continue ;;
	nginx-light) command -v nginx >/dev/null && continue ;;
	gawk) command -v awk >/dev/null && continue ;;
	golang-1.19-go) [ -x /usr/lib/go-1.19/bin/go ] && continue ;;
	esac
	missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "missing packages:$missing" >&2
	echo "run as root: apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Packages must not start their daemons on the machine that runs the tests.
made_policy=
if [ ! -e /usr/sbin/policy-rc.d ]; then
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	made_policy=yes
fi
trap '[ -z "$made_policy" ] || rm -f /usr/sbin/policy-rc.d' EXIT
apt-get update -q
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing
