#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Instances behind a TAP device, seen from a Linux network namespace: both families, addresses by hand and from router advertisements. Each
# check is one line; ends with "net: N passed, N failed".
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
JCTL=${JCTL:-$top/build/jctl}
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
work=$(mktemp -d) || exit 1
trap 'net_cleanup; rm -rf "$work"' EXIT
cd "$work" || exit 1
pass=0 fail=0
check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@" >log 2>&1; then
		pass=$((pass + 1))
		echo "PASS $name"
	else
		fail=$((fail + 1))
		echo "FAIL $name"
		tail -5 log
	fi
}
on() { ip netns exec "$N" timeout 30 "$@"; }

net_ns v6 || exit 1
N=$NS_NAME
ip -n "$N" tuntap add dev jtap0 mode tap vnet_hdr || exit 1
on sysctl -qw net.ipv6.conf.jtap0.accept_dad=0
ip -n "$N" addr add 10.99.3.1/24 dev jtap0
ip -n "$N" -6 addr add 2001:db8:3::1/64 dev jtap0 nodad
ip -n "$N" link set jtap0 up
ip netns exec "$N" "$JCTL" run --net tap:jtap0 --ip 10.99.3.2/24 --ip 2001:db8:3::2/64 --gw 2001:db8:3::1 -- \
	redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0 :: >server.log 2>&1 &
srv=$!
net_pid $srv
net_redis_up "$N" 2001:db8:3::2 || { cat server.log; echo "net: 0 passed, 1 failed"; exit 1; }

lossless() { on ping "$@" | grep -q ' 0% packet loss'; }
check "ping, IPv4" lossless -c 3 -i 0.2 10.99.3.2
check "ping, IPv6" lossless -c 3 -i 0.2 -6 2001:db8:3::2
check "ping, IPv4, in fragments" lossless -c 2 -i 0.2 -s 20000 10.99.3.2
check "ping, IPv6, in fragments" lossless -c 2 -i 0.2 -s 20000 -6 2001:db8:3::2
check "ping, all nodes" on ping -c 2 -i 0.2 -6 ff02::1%jtap0
redis_both() {
	on redis-cli -h 2001:db8:3::2 set k 66 | grep -q OK && [ "$(on redis-cli -h 10.99.3.2 incr k)" = 67 ]
}
check "redis, both families, one store" redis_both
bulk() {
	head -c 20000000 /dev/urandom >blob
	on redis-cli -h 2001:db8:3::2 -x set blob <blob | grep -q OK || return 1
	on redis-cli -h 2001:db8:3::2 --raw get blob | head -c 20000000 | cmp - blob
}
check "20 MB there and back over IPv6" bulk
closed() { # an answer, not silence: refused at once
	! on bash -c "exec 3<>/dev/tcp/$1/81" 2>err && grep -q refused err
}
check "closed port refuses, IPv6" closed 2001:db8:3::2
udp_closed() {
	on python3 -c "
import socket
s = socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(('$1', 9))
s.send(b'x')
try: s.recv(1)
except ConnectionRefusedError: raise SystemExit(0)
raise SystemExit(1)"
}
check "UDP to a closed port is answered, IPv4" udp_closed 10.99.3.2
check "UDP to a closed port is answered, IPv6" udp_closed 2001:db8:3::2
net_end $srv

# From inside outwards, and router advertisements: one made by hand, as from a router.
cat >ra.py <<'S'
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('jtap0'))
pio = struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 3600, 1800, 0) + socket.inet_pton(socket.AF_INET6, '2001:db8:3::')
s.sendto(struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + pio, ('ff02::1', 0))
S
on python3 -m http.server --bind :: 8085 >http.log 2>&1 &
net_pid $!
cat >inside.sh <<'S'
n=0; until ip -6 addr show dev eth0 | grep -q 2001:db8:3; do n=$((n+1)); [ $n -gt 100 ] && exit 1; sleep 0.1; done
ip -6 route | grep -q 'default via fe80' || exit 2
ip route get 10.99.3.1 | grep -q 'src 10.99.3.2' || exit 3
curl -6 -s -g -o /dev/null http://[2001:db8:3::1]:8085/ || exit 4
curl -4 -s -o /dev/null http://10.99.3.1:8085/ || exit 5
ping -6 -c 2 -i 0.2 2001:db8:3::1 | grep -q ' 0% packet loss' || exit 6
ss -tan >/dev/null || exit 7
S
for _ in 1 2 3 4 5 6; do sleep 0.5; on python3 ra.py; done 2>/dev/null &
net_pid $!
check "autoconfiguration, routes, curl and ping from inside" \
	ip netns exec "$N" timeout 30 "$JCTL" run --net tap:jtap0 --ip 10.99.3.2/24 --gw 10.99.3.1 -- bash inside.sh
echo "net: $pass passed, $fail failed"
[ "$fail" = 0 ]
