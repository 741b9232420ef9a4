#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Goodput over a bad path: one bulk connection through the impairing relay,
# Linux and an instance in turn, the same seed for both, the other end always
# Linux:
#   other end (namespace cli, rtap) <-> relay <-> rt2, bridged with jtap0 (srv)
# "send" is the instance (or Linux in its place) sending, "recv" receiving.
#   tests/net_goodput.sh [-n ROUNDS] [-t SECONDS] [-c CONGESTION] [relay options...]
# Prints KB/s per run and the ratio of the medians; a ratio of "send" under
# 0.9 fails (rounds of 10 s at 1 % loss differ by some percent by themselves).
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
rounds=3 secs=10 cc=cubic
while getopts n:t:c: o; do
	case $o in
	n) rounds=$OPTARG ;;
	t) secs=$OPTARG ;;
	c) cc=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
impair=("$@")
[ ${#impair[@]} -gt 0 ] || impair=(--loss 1 --delay 5)
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 1; }
mkdir -p "$top/build"
gcc -O2 -std=gnu11 -Wall -Wextra -o "$top/build/relay" "$top/tests/lib/relay.c" || exit 1
gcc -O2 -std=gnu11 -Wall -Wextra -o "$top/build/bulk" "$top/tests/lib/bulk.c" || exit 1
bulk=$top/build/bulk
work=$(mktemp -d /tmp/jgood.XXXXXX) || exit 1
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
trap 'net_cleanup; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

net_ns srv
srv=$NS_NAME
net_ns cli
cli=$NS_NAME
ip -n "$cli" tuntap add dev rtap mode tap
ip -n "$cli" addr add 10.99.3.1/24 dev rtap
ip -n "$cli" link set rtap up
ip -n "$srv" link add br0 type bridge
ip -n "$srv" tuntap add dev rt2 mode tap
ip -n "$srv" tuntap add dev jtap0 mode tap vnet_hdr
ip -n "$srv" link set rt2 master br0
ip -n "$srv" link set jtap0 master br0
ip -n "$srv" addr add 10.99.3.3/24 dev br0
for d in rt2 jtap0 br0; do ip -n "$srv" link set $d up; done

run() { # SIDE ROLE SEED: KB/s, or 0
	local side=$1 role=$2 seed=$3 other=recv addr=10.99.3.3 cmd relay far near
	[ "$role" = send ] || other=send
	"$top/build/relay" "${impair[@]}" --seed "$seed" "tap:rtap@/run/netns/$cli" "tap:rt2@/run/netns/$srv" 2>/dev/null &
	relay=$!
	net_pid $relay
	cmd=(ip netns exec "$srv")
	if [ "$side" = inst ]; then
		addr=10.99.3.2
		cmd+=("$JCTL" run --net tap:jtap0 --ip $addr/24 --)
	fi
	: >"$work/near" >"$work/far"
	timeout $((secs + 30)) "${cmd[@]}" "$bulk" listen 5001 "$role" "$secs" "$cc" >"$work/near" 2>>"$work/log" &
	near=$!
	net_pid $near
	sleep 1
	timeout $((secs + 30)) ip netns exec "$cli" "$bulk" connect $addr 5001 "$other" "$secs" "$cc" >"$work/far" 2>>"$work/log" &
	far=$!
	wait $far $near
	net_end $relay
	cat "$work/near" "$work/far" | awk 'NF == 2 && $2 > 0 { r = $1 / $2 * 1e6 } END { printf "%d\n", r }'
}
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

echo "congestion control: $cc, Linux and instance; relay: ${impair[*]}"
rc=0
for role in send recv; do
	linux=() inst=()
	for i in $(seq "$rounds"); do
		linux+=("$(run linux $role "$i")")
		inst+=("$(run inst $role "$i")")
	done
	l=$(median "${linux[@]}") j=$(median "${inst[@]}")
	echo "$role: Linux ${linux[*]} KB/s, instance ${inst[*]} KB/s; medians' ratio $(awk "BEGIN { printf \"%.2f\", $l ? $j / $l : 0 }")"
	[ "$j" -gt 0 ] && [ "$l" -gt 0 ] || rc=1
	if [ $role = send ] && [ $((j * 10)) -lt $((l * 9)) ]; then rc=1; fi
done
[ $rc = 0 ] || tail -5 "$work/log"
[ $rc = 0 ] && echo "1 passed, 0 failed" || echo "0 passed, 1 failed"
exit $rc
