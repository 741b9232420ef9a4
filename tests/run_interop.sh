#!/bin/bash
# SPDX-License-Identifier: MIT
#
# An instance and Linux's own stack, with the programs people use, over each link and each kind of bad path. The far side is Linux:
#   far (rtap) <-> relay, which impairs <-> rt2, bridged in mid with: jtap0 (TAP), x1 of a veth pair (AF_XDP), or the switch's uplink
# Every byte is compared; what cannot lose (TCP, HTTP, SSH) must succeed on every path. Both sides are client once and server once.
#   tests/run_interop.sh [-l] [-k tap|xdp|switch]... [-p "RELAY OPTIONS"]...
#     -l  1 GiB over the good path (else 64 MiB)
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
size=64 kinds=() paths=()
while getopts lk:p: o; do
	case $o in
	l) size=1024 ;;
	k) kinds+=("$OPTARG") ;;
	p) paths+=("$OPTARG") ;;
	*) exit 2 ;;
	esac
done
[ ${#kinds[@]} -gt 0 ] || kinds=(tap xdp switch)
[ ${#paths[@]} -gt 0 ] || paths=("" "--loss 0.1" "--loss 1" "--loss 5" "--reorder 5 --jitter 2" "--dup 3" "--corrupt 0.5" "--delay 25")
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 1; }
mkdir -p "$top/build"
${CC:-gcc} -O2 -std=gnu11 -Wall -Wextra -o "$top/build/relay" "$top/tests/lib/relay.c" || exit 1
work=$(mktemp -d /tmp/jinterop.XXXXXX) || exit 1
chmod 755 "$work"
export XDG_RUNTIME_DIR=$work
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
trap 'net_cleanup; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work" || exit 1
pass=0 fail=0
check() { # NAME COMMAND...
	local name="$kind${path:+, $path}: $1"
	shift
	if "$@" >log 2>&1; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
		echo "FAIL $name"
		tail -5 log | cut -c1-300
	fi
}
A=10.99.7.2 A6=2001:db8:7::2 L=10.99.7.1 L6=2001:db8:7::1

net_ns far
far=$NS_NAME
ip -n "$far" tuntap add dev rtap mode tap
ip netns exec "$far" sysctl -qw net.ipv6.conf.rtap.accept_dad=0
ip -n "$far" addr add $L/24 dev rtap
ip -n "$far" -6 addr add $L6/64 dev rtap nodad
ip -n "$far" link set rtap up
on() { ip netns exec "$far" timeout "${T:-60}" "$@"; }
# A server of iperf3 serves one at a time, and on a bad path it ends later than its client: who comes in between is told that it is busy, or reset.
cat >iperf.sh <<'S'
for _ in 1 2 3 4 5 6 7 8; do
	iperf3 "$@" >iperf-try.$$ 2>&1 && r=0 || r=$?
	[ $r != 0 ] && grep -qE 'server is busy|control message: Connection reset' iperf-try.$$ || break
	sleep 1
done
cat iperf-try.$$
exit $r
S

# ---- servers on the Linux side ----
head -c $((size << 20)) /dev/urandom >big
head -c 8000000 /dev/urandom >some
for f in big some; do sha256sum <$f >$f.sum; done
nginx_conf() { # DIR
	mkdir -p "$1"
	printf 'daemon off; master_process off; pid %s/pid; error_log %s/err; events {} http { access_log off; client_body_temp_path %s; server { listen 8080; listen [::]:8080; root %s; } }' \
		"$1" "$1" "$1" "$work" >"$1/conf"
}
nginx_conf "$work/fn"
nginx_conf "$work/in"
ip netns exec "$far" nginx -c "$work/fn/conf" >/dev/null 2>&1 &
net_pid $!
ip netns exec "$far" iperf3 -s >iperf.log 2>&1 &
net_pid $!
ip netns exec "$far" dnsmasq -k -C /dev/null --no-resolv --no-hosts --address=/some.test/10.1.2.3 --listen-address=$L --bind-interfaces --pid-file= >dns.log 2>&1 &
net_pid $!
ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -t ed25519 -N '' -f host && cp key.pub allowed
mkdir -p /run/sshd
printf 'Port 2222\nHostKey %s/host\nAuthorizedKeysFile %s/allowed\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\n' "$work" "$work" >sshd.conf
ip netns exec "$far" /usr/sbin/sshd -D -f sshd.conf >sshd.log 2>&1 &
net_pid $!

cat >server.sh <<S
nginx -c $work/in/conf &
iperf3 -s >/dev/null &
wait
S
# What the instance does as a client; FILE is big or some, LOSSY is set where datagrams may be lost. One line for each failure.
cat >client.sh <<S
cd $work
try() { local n=\$1; shift; "\$@" >c.log 2>&1 || { echo "client: \$n"; tail -3 c.log; bad=1; }; }
same() { curl -sS -g -m 110 "http://\$1:8080/\$FILE" | sha256sum | cmp - \$FILE.sum; }
try "curl, IPv4" same $L
try "curl, IPv6" same [$L6]
try "iperf3" timeout 60 sh iperf.sh -c $L -t 1
try "iperf3 -R" timeout 60 sh iperf.sh -c $L -t 1 -R
shell() { head -c 300000 some >part; ssh -q -i key -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@$L cat <part | cmp - part; }
try "ssh with a pipe" shell
term() { ssh -tt -q -i key -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@$L 'stty size; tty; echo done' </dev/null | grep -q done; }
try "ssh with a terminal" term
if [ -z "\$LOSSY" ]; then
	try "iperf3 -P 8 -6" timeout 60 sh iperf.sh -c $L6 -t 1 -P 8
	udp() { timeout 60 sh iperf.sh -c $L -t 1 -u -b 20M && timeout 60 sh iperf.sh -c $L6 -t 1 -u -b 20M -R; }
	try "iperf3 -u, both ways" udp
	try "ping" ping -c 3 -i 0.2 $L
	try "ping -6" ping -6 -c 3 -i 0.2 $L6
	try "traceroute" sh -c 'traceroute -n -w 2 -q 1 $L | grep -q " $L "'
	try "traceroute -6" sh -c 'traceroute -6 -n -w 2 -q 1 $L6 | grep -q " $L6 "'
	try "dig" sh -c 'dig +short +time=2 +tries=2 @$L some.test | grep -qx 10.1.2.3'
	try "dig +tcp" sh -c 'dig +tcp +short +time=2 +tries=2 @$L some.test | grep -qx 10.1.2.3'
fi
[ -z "\$bad" ]
S

# ---- the links: `(inst COMMAND...)` is an instance on it ----
link_up() {
	net_ns "mid$kind"
	mid=$NS_NAME
	ip -n "$mid" link add br0 type bridge
	ip -n "$mid" tuntap add dev rt2 mode tap
	ip -n "$mid" link set rt2 master br0
	args=(--ip $A/24 --ip $A6/64 --gw $L --gw $L6)
	where=$mid
	case $kind in
	tap)
		ip -n "$mid" tuntap add dev jtap0 mode tap vnet_hdr
		port=jtap0 args+=(--net tap:jtap0)
		;;
	xdp)
		net_ns near
		where=$NS_NAME
		ip -n "$where" link add x0 type veth peer name x1 netns "$mid"
		port=x1 args+=(--net xdp:x0)
		;;
	switch)
		ip netns exec "$mid" "$top/build/junctiond" --socket "$work/sock" --tap jsw0 --subnet 10.99.7.0/24 --gw $L >switch.log 2>&1 &
		net_pid $!
		mkdir -p "$work/junction"
		for _ in $(seq 50); do [ -S "$work/sock" ] && break; sleep 0.1; done
		ln -sf "$work/sock" "$work/junction/switch-interop"
		port=jsw0 args=(--ip $A/24 --ip $A6/64 --net switch:interop)
		;;
	esac
	ip -n "$mid" link set $port master br0
	for d in rt2 $port br0; do ip -n "$mid" link set "$d" up; done
}
inst() { exec ip netns exec "$where" timeout 400 "$JCTL" run "${args[@]}" -- "$@"; }

same_from_instance() { # ADDRESS FILE
	on curl -sS -g -m 110 "http://$1:8080/$2" | sha256sum | cmp - "$2.sum"
}
client() { (inst env FILE=$file LOSSY=$lossy bash client.sh); }
hears() { on ping -c 3 -i 0.2 "$@" | grep -q ' 0% packet loss'; }
reaches() { on traceroute -n -w 2 -q 1 "$@" | grep -q " ${*: -1} "; }
for kind in "${kinds[@]}"; do
	path=
	link_up
	for path in "${paths[@]}"; do
		# shellcheck disable=SC2086
		"$top/build/relay" $path --seed 7 "tap:rtap@/run/netns/$far" "tap:rt2@/run/netns/$mid" 2>relay.log &
		relay=$!
		net_pid $relay
		file=some lossy=yes
		[ -n "$path" ] || file=big lossy=
		(inst sh server.sh >server.log 2>&1) &
		srv=$!
		net_pid $srv
		for _ in $(seq 100); do on curl -s -o /dev/null "http://$A:8080/some.sum" && break; sleep 0.1; done
		T=120
		check "curl from Linux, IPv4" same_from_instance $A $file
		check "curl from Linux, IPv6" same_from_instance "[$A6]" $file
		check "iperf3 from Linux" on sh iperf.sh -c $A -t 1
		check "iperf3 -R from Linux" on sh iperf.sh -c $A6 -t 1 -R
		if [ -z "$lossy" ]; then
			check "iperf3 -P 8 from Linux" on sh iperf.sh -c $A -t 1 -P 8
			check "iperf3 -u from Linux" on sh iperf.sh -c $A6 -t 1 -u -b 20M
			check "ping from Linux" hears $A
			check "ping -6 from Linux" hears -6 $A6
			check "traceroute from Linux" reaches $A
			check "traceroute -6 from Linux" reaches -6 $A6
		fi
		net_end $srv
		check "the instance as a client" client
		net_end $relay
	done
done
echo "interop: $pass passed, $fail failed"
[ "$fail" = 0 ]
