#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Instances behind a TAP device and behind AF_XDP on a veth pair, seen from a Linux network namespace: both families, addresses by hand and
# from router advertisements; then what is AF_XDP's alone. Each check is one line; ends with "net: N passed, N failed".
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
		echo "PASS $kind: $name"
	else
		fail=$((fail + 1))
		echo "FAIL $kind: $name"
		tail -5 log
	fi
}
on() { ip netns exec "$N" timeout 30 "$@"; }

# Each of these sets N, where Linux is; S, where the instance is; NIC, the interface at N; NET, the option.
link_tap() { # [multi_queue]
	net_ns "tap$*" || exit 1
	N=$NS_NAME S=$NS_NAME NIC=jtap0 NET=tap:jtap0
	ip -n "$N" tuntap add dev jtap0 mode tap vnet_hdr "$@" || exit 1
}
link_xdp() {
	net_ns xdps || exit 1
	S=$NS_NAME NIC=x1 NET=xdp:x0
	net_ns xdpn || exit 1
	N=$NS_NAME
	ip -n "$S" link add x0 numtxqueues 2 numrxqueues 2 type veth peer name x1 netns "$N" numtxqueues 2 numrxqueues 2 || exit 1
}
address() {
	ip netns exec "$N" sysctl -qw "net.ipv6.conf.$NIC.accept_dad=0"
	ip -n "$N" addr add 10.99.3.1/24 dev "$NIC"
	ip -n "$N" -6 addr add 2001:db8:3::1/64 dev "$NIC" nodad
	ip -n "$N" link set "$NIC" up
}
server() { # NET: redis in an instance, answering
	ip netns exec "$S" "$JCTL" run --verbose --net "$1" --ip 10.99.3.2/24 --ip 2001:db8:3::2/64 --gw 2001:db8:3::1 -- \
		redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0 :: >server.log 2>&1 &
	srv=$!
	net_pid $srv
	net_redis_up "$N" 2001:db8:3::2 || { cat server.log; echo "net: $pass passed, $((fail + 1)) failed"; exit 1; }
}

lossless() { on ping "$@" | grep -q ' 0% packet loss'; }
redis_both() {
	on redis-cli -h 2001:db8:3::2 set k 66 | grep -q OK && [ "$(on redis-cli -h 10.99.3.2 incr k)" = 67 ]
}
bulk() {
	head -c 20000000 /dev/urandom >blob
	on redis-cli -h 2001:db8:3::2 -x set blob <blob | grep -q OK || return 1
	on redis-cli -h 2001:db8:3::2 --raw get blob | head -c 20000000 | cmp - blob
}
closed() { # an answer, not silence: refused at once
	! on bash -c "exec 3<>/dev/tcp/$1/81" 2>err && grep -q refused err
}
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
seen_from_outside() {
	server "$NET"
	check "ping, IPv4" lossless -c 3 -i 0.2 10.99.3.2
	check "ping, IPv6" lossless -c 3 -i 0.2 -6 2001:db8:3::2
	check "ping, IPv4, in fragments" lossless -c 2 -i 0.2 -s 20000 10.99.3.2
	check "ping, IPv6, in fragments" lossless -c 2 -i 0.2 -s 20000 -6 2001:db8:3::2
	check "ping, all nodes" on ping -c 2 -i 0.2 -6 "ff02::1%$NIC"
	check "redis, both families, one store" redis_both
	check "20 MB there and back over IPv6" bulk
	check "closed port refuses, IPv6" closed 2001:db8:3::2
	check "UDP to a closed port is answered, IPv4" udp_closed 10.99.3.2
	check "UDP to a closed port is answered, IPv6" udp_closed 2001:db8:3::2
	net_end $srv
}
# From inside outwards, and router advertisements: one made by hand, as from a router.
cat >ra.py <<'S'
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('NIC'))
pio = struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 3600, 1800, 0) + socket.inet_pton(socket.AF_INET6, '2001:db8:3::')
s.sendto(struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0) + pio, ('ff02::1', 0))
S
cat >inside.sh <<'S'
ip monitor link address route neigh >notices &
n=0; until ip -6 addr show dev eth0 | grep -q 2001:db8:3; do n=$((n+1)); [ $n -gt 100 ] && exit 1; sleep 0.1; done
ip -6 route | grep -q 'default via fe80' || exit 2
ip route get 10.99.3.1 | grep -q 'src 10.99.3.2' || exit 3
curl -6 -s -g -o /dev/null http://[2001:db8:3::1]:8085/ || exit 4
curl -4 -s -o /dev/null http://10.99.3.1:8085/ || exit 5
ping -6 -c 2 -i 0.2 2001:db8:3::1 | grep -q ' 0% packet loss' || exit 6
ss -tan >/dev/null || exit 7
grep -q 'inet6 2001:db8:3:.* scope global' notices || exit 8
grep -q '^default via fe80' notices || exit 9
grep -q '^2001:db8:3::1 dev eth0 lladdr .* REACHABLE' notices || exit 10
kill $!
S
seen_from_inside() {
	sed -i "s/if_nametoindex('[a-z0-9A-Z]*')/if_nametoindex('$NIC')/" ra.py
	on python3 -m http.server --bind :: 8085 >http.log 2>&1 &
	net_pid $!
	for _ in 1 2 3 4 5 6; do sleep 0.5; on python3 ra.py; done 2>/dev/null &
	net_pid $!
	check "autoconfiguration, routes, curl and ping from inside" \
		ip netns exec "$S" timeout 30 "$JCTL" run --net "$NET" --ip 10.99.3.2/24 --gw 10.99.3.1 -- bash inside.sh
}

# What a program that ends has sent goes out all the same, as from Linux: data that a slow reader has no room for yet, a first datagram that
# waits for the neighbour's address, the FIN of a process that the first one's end takes with it.
cat >sink.py <<'S'
import socket, sys, time
l = socket.create_server(('10.99.3.1', 8086))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('10.99.3.1', 8087))
l.settimeout(20); u.settimeout(20)
print('up', flush=True)
how = sys.argv[1]
if how == 'udp':
    assert u.recv(100) == b'hello\n'
    sys.exit(0)
c, _ = l.accept()
c.settimeout(8)
n = 0
while True:
    if how == 'slow': time.sleep(0.02)
    b = c.recv(65536)
    if not b: break
    n += len(b)
assert n == int(sys.argv[2]), n
S
ends() { # HOW BYTES COMMAND...: of an instance, which is to end with 7
	local how=$1 bytes=$2 r
	shift 2
	ip -n "$N" neigh flush all
	on python3 sink.py "$how" "$bytes" >sink.log 2>&1 &
	local sink=$!
	for _ in $(seq 50); do grep -q up sink.log && break; sleep 0.1; done
	ip netns exec "$S" timeout 40 "$JCTL" run --net "$NET" --ip 10.99.3.2/24 -- bash -c "$*; exit 7"
	r=$?
	wait $sink && [ $r = 7 ] || { cat sink.log; echo "status $r"; return 1; }
}
ends_alone() { # nobody answers: it ends all the same, and not much later
	local t=$SECONDS
	on python3 -c "
import socket, time
l = socket.create_server(('10.99.3.1', 8086)); print('up', flush=True)
c, _ = l.accept(); time.sleep(15)" >sink.log 2>&1 &
	local sink=$!
	net_pid $sink
	for _ in $(seq 50); do grep -q up sink.log && break; sleep 0.1; done
	ip netns exec "$S" timeout 40 "$JCTL" run --net "$NET" --ip 10.99.3.2/24 -- \
		python3 -c "
import socket, os
s = socket.create_connection(('10.99.3.1', 8086)); s.setblocking(False)
try:
    while True: s.send(bytes(65536))
except BlockingIOError: os._exit(7)"
	[ $? = 7 ] && [ $((SECONDS - t)) -lt 14 ]
}
ending() {
	check "an ending program: its data arrives" ends slow 3000000 'head -c 3000000 /dev/zero >/dev/tcp/10.99.3.1/8086'
	check "an ending program: its first datagram arrives" ends udp 0 'echo hello >/dev/udp/10.99.3.1/8087'
	check "an ending program: another's connection ends" ends fast 3 '(exec 3<>/dev/tcp/10.99.3.1/8086; echo -n abc >&3; sleep 60) & sleep 0.5'
	check "an ending program: waits only so long" ends_alone
}

kind="TAP"
link_tap
address
seen_from_outside
seen_from_inside
ending
kind="TAP, several queues"
link_tap multi_queue
address
server "$NET"
check "is attached to with a queue for each core" grep -q "queues" server.log
check "redis, both families, one store" redis_both
check "20 MB there and back over IPv6" bulk
net_end $srv

kind="AF_XDP"
link_xdp
address
seen_from_outside
seen_from_inside
ending
attached() { ip -n "$S" -d link show x0 | grep -q 'prog/xdp'; }
refused() { # WORDS OF THE MESSAGE: in the answer to --net $NET, status 125
	ip netns exec "$S" timeout 20 "$JCTL" run --net "$NET" --ip 10.99.3.3/24 -- true >refused.log 2>&1
	[ $? = 125 ] && grep -q "$1" refused.log
}
features() { # FEATURE on|off...: of Linux's end
	ip netns exec "$N" ethtool -K x1 "$@" >/dev/null || exit 1
}
# A link that verifies gets complete checksums. In generic mode the host's frames come as large as it made them, in several chunks.
for NET in xdp:x0,csum=verify,zerocopy=no xdp:x0,mode=generic; do
	kind="AF_XDP, $NET"
	[ "$NET" = xdp:x0,mode=generic ] && features tx on || features tx off
	server "$NET"
	check "redis, both families, one store" redis_both
	check "20 MB there and back over IPv6" bulk
	[ "$NET" != xdp:x0,mode=generic ] || check "a second instance on its queues is refused" refused "another"
	net_end $srv
done
kind="AF_XDP, MTU of 9000"
ip -n "$S" link set x0 mtu 9000 && ip -n "$N" link set x1 mtu 9000 || exit 1
server xdp:x0
check "redis, both families, one store" redis_both
check "20 MB there and back over IPv6" bulk
check "a packet of 9000 bytes there and back" on ping -c 2 -i 0.2 -W 5 -M do -s 8972 10.99.3.2
net_end $srv
ip -n "$S" link set x0 mtu 1500 && ip -n "$N" link set x1 mtu 1500 || exit 1
kind="AF_XDP"
one_queue() {
	ip netns exec "$S" timeout 20 "$JCTL" run --net xdp:x0,queues=1 --ip 10.99.3.3/24 -- true >one.log 2>&1 && grep -q "1 of 2 queues" one.log
}
check "that frames of other queues stay the host's is said" one_queue
NET=xdp:nosuch0 check "an interface that is not there is refused" refused "no such interface"
NET=xdp:x0,queues=3 check "more queues than there are are refused" refused "more queues"
NET=xdp:x0,speed=9 check "a setting that is not known is refused" refused "bad network"
NET=xdp:lo check "an MTU that does not fit is refused" refused "MTU"
NET=xdp:x0,zerocopy=yes check "zero-copy where the driver has none is refused" refused "driver cannot"
server xdp:x0
check "the program is attached while the instance runs" attached
forged() { # a wrong checksum is not taken for one that was left to the hardware
	on python3 -c "
import socket, struct
src, dst = socket.inet_aton('10.99.3.1'), socket.inet_aton('10.99.3.2')
mac = lambda t: bytes(int(x, 16) for x in t.split(':'))
def add(b): 
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    while s >> 16: s = (s & 65535) + (s >> 16)
    return s
def frame(udp_sum):
    u = struct.pack('!HHHH', 4000, 9, 12, udp_sum) + b'abcd'
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 32, 1, 0, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack('!H', 65535 ^ add(ip)) + ip[12:]
    return mac('$(ip netns exec "$S" cat /sys/class/net/x0/address)') + mac('$(ip netns exec "$N" cat /sys/class/net/x1/address)') + b'\\x08\\0' + ip + u
pseudo = src + dst + struct.pack('!HH', 17, 12)
body = struct.pack('!HHHH', 4000, 9, 12, 0) + b'abcd'
good, partial = 65535 ^ add(pseudo + body), add(pseudo)
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(('x1', 0))
icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
icmp.settimeout(1.5)
def answered(s):
    raw.send(frame(s))
    try:
        while True:
            if icmp.recv(2000)[20] == 3: return True
    except TimeoutError: return False
assert answered(good), 'good'
assert answered(partial), 'partial'
assert not answered(good ^ 0x5555), 'wrong'
"
}
check "wrong checksums are dropped, those left to the hardware are not" forged
survives() { # the link goes, the instance stays
	ip -n "$N" link del x1 && sleep 1 && grep -q 'eth0 is down' server.log && kill -0 $srv
}
killed() {
	pkill -KILL -P $srv
	kill -9 $srv
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		attached || return 0
		sleep 0.2
	done
	return 1
}
check "killed, the interface is Linux's again" killed
server xdp:x0
check "and can be had again; the link goes, the instance stays" survives
net_end $srv
echo "net: $pass passed, $fail failed"
[ "$fail" = 0 ]
