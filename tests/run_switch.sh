#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The switch: instances reach each other over it, a foreign source is dropped and counted, garbage in a ring harms only its writer, the end
# of the daemon is a link that is down and no hang, and it ends with its last port. Then the links of other kinds: passt, and ports
# published through it and through TAP. Cases that need network namespaces are left out when not root.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
daemon=$top/build/junctiond
work=$(mktemp -d /tmp/jswitch.XXXXXX) || exit 1
export XDG_RUNTIME_DIR=$work
cd "$work" || exit 1
# shellcheck source=tests/lib/netlib.sh
. "$top/tests/lib/netlib.sh"
pids=()
finish() {
	local p
	for p in "${pids[@]}"; do
		kill "$p" 2>/dev/null && wait "$p" 2>/dev/null
	done
	net_cleanup
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
passed=0 failed=0
verdict() { # NAME OK(0/1) DETAIL
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1: $3"
	fi
}
${CC:-gcc} -O2 -std=gnu11 -D_GNU_SOURCE -Wall -Werror -I"$top/include" -I"$top" -o "$work/portclient" \
	"$top/tests/lib/portclient.c" "$top/tools/jctl/switch_client.c" || exit 1

sock() { echo "$work/junction/switch-$1"; }
column() { # SWITCH NAME FIELD: of the port called NAME
	"$jctl" switch "$1" 2>/dev/null | awk -v n="$2" -v f="$3" '$NF == n { print $f; exit }'
}
wait_for() { # SECONDS COMMAND...
	local i n=$(($1 * 20))
	shift
	for ((i = 0; i < n; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}
daemon_pid() { # SWITCH: who listens there
	local p
	for p in /proc/[0-9]*; do
		[[ $(readlink "$p/exe" 2>/dev/null) == "$daemon"* ]] || continue
		if tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -qx -e "$1" -e "$(sock "$1")"; then echo "${p#/proc/}"; fi
	done | head -1
}
inst() { # SWITCH NAME COMMAND...: in the background
	local s=$1 n=$2
	shift 2
	timeout 60 "$jctl" run --net "switch:$s" --name "$n" -- "$@" >"$work/$n.out" 2>"$work/$n.err" </dev/null &
	INST=$!
	pids+=($INST)
}
server() { # SWITCH NAME: redis-server in an instance; sets ADDR
	inst "$1" "$2" redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0
	wait_for 10 grep -q 'Ready to accept' "$work/$2.out"
	ADDR=$(column "$1" "$2" 3)
}
client() { # SWITCH COMMAND...
	local s=$1
	shift
	timeout 30 "$jctl" run --net "switch:$s" --name client -- "$@" 2>&1 </dev/null
}

# started by itself, addresses given, traffic both ways, direct and through the switch
server t1 srv
srv=$INST
verdict address "$([[ $ADDR == 10.119.* ]]; echo $?)" "address of the server: '$ADDR'"
out=$(client t1 redis-cli -h "$ADDR" ping)
verdict redis_ping "$([ "$out" = PONG ]; echo $?)" "$out"
out=$(client t1 redis-benchmark -h "$ADDR" -c 20 -n 20000 -t set,get --csv)
verdict redis_benchmark "$([[ $out == *GET* ]]; echo $?)" "$out"
out=$(client t1 sh -c "head -c 30000000 /dev/urandom >/tmp/f; redis-cli -h $ADDR -x set big </tmp/f; redis-cli -h $ADDR --raw get big | head -c 30000000 | cmp - /tmp/f && echo same")
verdict bulk_both_ways "$([[ $out == *OK*same* ]]; echo $?)" "$out"
out=$(client t1 python3 -c "
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(3)
ok = 0
for i in range(5):
    s.sendto(struct.pack('!BBHHH', 8, 0, 0, 0, i) + b'x' * 56, ('$ADDR', 0))
    ok += len(s.recv(2048)) >= 64
print('replies', ok)")
verdict ping "$([ "$out" = "replies 5" ]; echo $?)" "$out"

# what a client may not do
out=$("$work/portclient" "$(sock t1)" spoof)
rc=$?
verdict spoof_dropped $rc "$out"
"$work/portclient" "$(sock t1)" idle 1 >"$work/one.out" < <(sleep 30) &
pids+=($!)
out=$(timeout 60 "$work/portclient" "$(sock t1)" garbage)
rc=$?
verdict garbage_harms_itself $rc "$out"
out=$(client t1 redis-cli -h "$ADDR" ping)
verdict alive_after_garbage "$([ "$out" = PONG ]; echo $?)" "$out"

# what passes is captured, in a form that tshark reads
out=$(timeout 30 "$jctl" run --net switch:t1 --pcap "$work/cap" -- redis-cli -h "$ADDR" ping 2>&1 </dev/null)
out="$out $(tshark -r "$work/cap" -Y 'tcp.port == 6379' -T fields -e ip.dst -e tcp.flags.str 2>/dev/null | head -2 | tr '\n' ' ')"
verdict pcap "$([[ $out == "PONG $ADDR"*S* && $(capinfos -Tr "$work/cap" 2>&1 | cut -f2) == *pcapng* ]]; echo $?)" "$out; $(capinfos -Tr "$work/cap" 2>&1)"

# a hundred idle ports
mkfifo "$work/hold"
"$work/portclient" "$(sock t1)" idle 100 <"$work/hold" >"$work/idle.out" &
pids+=($!)
exec 9>"$work/hold"
wait_for 10 grep -q ready "$work/idle.out"
verdict hundred_ports "$([ "$("$jctl" switch t1 | grep -c ' client$')" -ge 100 ]; echo $?)" "$("$jctl" switch t1 | wc -l) ports"
d=$(daemon_pid t1)
cpu() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
before=$(cpu "$d")
sleep 1
verdict idle_costs_nothing "$([ $(($(cpu "$d") - before)) -le 1 ]; echo $?)" "daemon $d: $(($(cpu "$d") - before)) ticks in a second"
out=$(client t1 redis-cli -h "$ADDR" ping)
verdict alive_beside_idle "$([ "$out" = PONG ]; echo $?)" "$out"
exec 9>&-

# the daemon dies: errors, no hang
inst t1 blocked redis-cli -h "$ADDR" subscribe none
blocked=$INST
wait_for 5 grep -q subscribe "$work/blocked.out"
kill -9 "$d"
rc=0
wait_for 5 sh -c "! kill -0 $blocked" || rc=1
verdict daemon_death_is_noticed $rc "a client that waits hangs"
kill $srv 2>/dev/null
wait $srv 2>/dev/null

# ends with its last port; a spoofed source is counted
timeout 20 "$jctl" run --net switch:t2 true
wait_for 3 sh -c "! [ -e '$(sock t2)' ]"
verdict ends_with_last_port "$([ ! -e "$(sock t2)" ]; echo $?)" "socket is still there"
"$daemon" --socket "$(sock t3)" --no-direct --subnet 10.50.0.0/24 &
pids+=($!)
wait_for 5 test -S "$(sock t3)"
server t3 srv3
verdict own_subnet "$([[ $ADDR == 10.50.0.* ]]; echo $?)" "$ADDR"
out=$(client t3 redis-benchmark -h "$ADDR" -c 20 -n 5000 -t get --csv)
verdict through_the_switch "$([[ $out == *GET* && $(column t3 srv3 9) -gt 1000 ]]; echo $?)" "$out; $(column t3 srv3 9) frames"
out=$(timeout 20 "$jctl" run --net switch:t3 --ip "$ADDR/24" true 2>&1)
verdict taken_address "$([[ $? = 125 && $out == *taken* ]]; echo $?)" "$out"

# uplink: the host's own stack is the other side
if [ "$(id -u)" = 0 ]; then
	net_ns up
	ip netns exec "$NS_NAME" "$daemon" --socket "$(sock t4)" --tap jsw0 --subnet 10.51.0.0/24 --gw 10.51.0.1 &
	pids+=($!)
	wait_for 5 test -S "$(sock t4)"
	ip -n "$NS_NAME" addr add 10.51.0.1/24 dev jsw0
	server t4 srv4
	out=$(ip netns exec "$NS_NAME" timeout 20 redis-benchmark -h "$ADDR" -c 20 -n 5000 -t set,get --csv 2>&1)
	verdict uplink_tap "$([[ $out == *GET* ]]; echo $?)" "$out"
	out=$(ip netns exec "$NS_NAME" timeout 20 sh -c "head -c 20000000 /dev/urandom >$work/f; redis-cli -h $ADDR -x set big <$work/f; redis-cli -h $ADDR --raw get big | head -c 20000000 | cmp - $work/f && echo same")
	verdict uplink_bulk "$([[ $out == *OK*same* ]]; echo $?)" "$out"
fi
# uplink by AF_XDP: segments are cut and checksums completed by the switch
if [ "$(id -u)" = 0 ]; then
	net_ns xup
	xup=$NS_NAME
	net_ns xfar
	far=$NS_NAME
	ip -n "$xup" link add x0 numtxqueues 2 numrxqueues 2 type veth peer name x1 netns "$far" numtxqueues 2 numrxqueues 2
	ip -n "$far" addr add 10.54.0.1/24 dev x1
	ip -n "$far" link set x1 up
	ip netns exec "$xup" "$daemon" --socket "$(sock t5)" --xdp x0 --subnet 10.54.0.0/24 --gw 10.54.0.1 &
	xd=$!
	pids+=($xd)
	wait_for 5 test -S "$(sock t5)"
	server t5 srv5
	addr5=$ADDR
	out=$(ip netns exec "$far" timeout 20 redis-benchmark -h "$ADDR" -c 20 -n 5000 -t set,get --csv 2>&1)
	verdict uplink_xdp "$([[ $out == *GET* ]]; echo $?)" "$out"
	out=$(ip netns exec "$far" timeout 20 sh -c "head -c 20000000 /dev/urandom >$work/f; redis-cli -h $ADDR -x set big <$work/f; redis-cli -h $ADDR --raw get big | head -c 20000000 | cmp - $work/f && echo same")
	verdict uplink_xdp_bulk "$([[ $out == *OK*same* ]]; echo $?)" "$out"
	mac=$(ip netns exec "$far" ip neigh show "$ADDR" | sed 's/.*lladdr \([^ ]*\).*/\1/')
	far6=$(ip -n "$far" -6 addr show dev x1 scope link | awk '/inet6/ { print $2; exit }' | cut -d/ -f1)
	out=$(client t5 sh -c "redis-cli -h $addr5 ping; ping -6 -c 2 -i 0.2 $far6%eth0 | tail -2")
	verdict uplink_xdp_between "$([[ $out == *PONG*' 0% packet loss'* ]]; echo $?)" "$mac $out"
	ip netns exec "$far" timeout 20 python3 -c "
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('x1', 0))
me = bytes(int(x, 16) for x in '$mac'.split(':'))
for f in (b'', b'x', b'\xff' * 6 + me + b'\x08\x00', me + b'\x02' * 6 + b'\x08\x00' + b'E' * 40, b'\xff' * 12 + b'\x86\xdd' + b'\xff' * 1400):
    for i in range(200):
        try: s.send(f.ljust(14, b'\0'))
        except OSError: pass"
	out=$(ip netns exec "$far" timeout 20 redis-cli -h "$addr5" ping 2>&1)
	verdict uplink_xdp_garbage "$([ "$out" = PONG ]; echo $?)" "$out"
	ip -n "$far" link del x1
	out=$(client t5 redis-cli -h "$addr5" ping)
	verdict uplink_xdp_lost "$([ "$out" = PONG ] && kill -0 $xd; echo $?)" "$out"
	out=$(ip netns exec "$xup" timeout 20 "$daemon" --socket "$work/never" --xdp nosuch0 2>&1)
	verdict uplink_xdp_refused "$([[ $? = 1 && $out == *"no such interface"* ]]; echo $?)" "$out"
fi
# passt: the network of an ordinary user; -p through it and, for TAP, through jctl
if [ "$(id -u)" = 0 ]; then
	net_ns host
	host=$NS_NAME
	net_ns world
	ip -n "$host" link add v0 type veth peer name v1 netns "$NS_NAME"
	ip -n "$host" addr add 10.52.0.2/24 dev v0
	ip -n "$NS_NAME" addr add 10.52.0.1/24 dev v1
	ip -n "$host" link set v0 up
	ip -n "$NS_NAME" link set v1 up
	ip -n "$host" route add default via 10.52.0.1
	head -c 20000000 /dev/urandom >"$work/www"
	(cd "$work" && exec ip netns exec "$NS_NAME" timeout 60 python3 -m http.server 8000 >/dev/null 2>&1) &
	pids+=($!)
	wait_for 5 ip netns exec "$NS_NAME" curl -sI http://10.52.0.1:8000/www
	sum=$(sha256sum <"$work/www")
	out=$(ip netns exec "$host" setpriv --reuid 65534 --regid 65534 --clear-groups timeout 20 "$jctl" run --net passt -w /tmp -- \
		sh -c 'curl -s http://10.52.0.1:8000/www | sha256sum' 2>&1)
	verdict passt_out "$([ "$out" = "$sum" ]; echo $?)" "$out"
	out=$(ip netns exec "$host" timeout 20 "$jctl" run --net auto -- true 2>&1)
	verdict auto_says_which "$([[ $out == 'jctl: --net auto: passt'* ]]; echo $?)" "$out"
	# by default the same, but passt comes with the first frame only
	mkdir -p "$work/fake"
	printf '#!/bin/sh\n: >%s/started\necho no such luck >&2\nexit 3\n' "$work" >"$work/fake/passt"
	chmod 755 "$work/fake/passt"
	out=$(ip netns exec "$host" env PATH="$work/fake:$PATH" timeout 20 "$jctl" run -- sh -c 'ip addr show eth0 | grep -c 10.0.2.15; sleep 0.2' 2>&1)
	verdict default_costs_nothing "$([[ $out == 1 && ! -e $work/started ]]; echo $?)" "$out"
	out=$(ip netns exec "$host" env PATH="$work/fake:$PATH" timeout 20 "$jctl" run -- sh -c 'curl -s -m 2 http://10.52.0.1:8000/www; echo curl $?' 2>&1)
	verdict default_says_why "$([[ $out == *'the network is gone: passt: no such luck'* && $out == *'curl '[1-9]* && -e $work/started ]]; echo $?)" "$out"
	out=$(ip netns exec "$host" setpriv --reuid 65534 --regid 65534 --clear-groups timeout 20 "$jctl" run -w /tmp -- \
		sh -c 'curl -s http://10.52.0.1:8000/www | sha256sum' 2>&1)
	verdict default_out "$([ "$out" = "$sum" ]; echo $?)" "$out"
	out=$(ip netns exec "$host" timeout 20 "$jctl" run -- sh -c 'curl -s http://10.52.0.1:8000/www | wc -c; kill -9 $$' 2>&1)
	rc=$?
	verdict default_ends "$([[ $rc = 137 && $out == *20000000* ]] && ! ip netns pids "$host" | xargs -r ps -o comm= -p | grep -q passt; echo $?)" "$rc $out"
	out=$("$jctl" run --net none -- ip -o link | wc -l)
	verdict none_is_loopback_only "$([ "$out" = 1 ]; echo $?)" "$out"
	through() { # NAME: redis behind port 6400 of the host
		local out
		wait_for 10 ip netns exec "$host" redis-cli -p 6400 ping
		out=$(ip netns exec "$host" timeout 20 sh -c "redis-cli -p 6400 -x set big <$work/www; redis-cli -p 6400 --raw get big | head -c 20000000 | sha256sum" 2>&1)
		verdict "$1" "$([[ $out == *OK*"$sum" ]]; echo $?)" "$out"
		kill $INST 2>/dev/null
		wait $INST 2>/dev/null
		rc=0
		wait_for 5 sh -c "! ip netns exec $host ss -tln | grep -q :6400" || rc=1
		verdict "$1_ends" $rc "port 6400 is still taken"
	}
	args=(redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0)
	ip netns exec "$host" timeout 60 "$jctl" run --net passt -p 6400:6379 -- "${args[@]}" >/dev/null 2>&1 &
	INST=$!
	through publish_passt
	ip -n "$host" tuntap add dev jsw1 mode tap vnet_hdr
	ip -n "$host" addr add 10.53.0.1/24 dev jsw1
	ip netns exec "$host" timeout 60 "$jctl" run --net tap:jsw1 --ip 10.53.0.2/24 -p 127.0.0.1:6400:6379 -- "${args[@]}" >/dev/null 2>&1 &
	INST=$!
	through publish_tap
fi
out=$(timeout 20 "$jctl" run --net none -p 80:80 true 2>&1)
verdict publish_needs_net "$([[ $? = 125 && $out == *network* ]]; echo $?)" "$out"
out=$(timeout 20 "$jctl" run --net passt -p 80:x true 2>&1)
verdict publish_syntax "$([[ $? = 125 && $out == *"bad port"* ]]; echo $?)" "$out"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
