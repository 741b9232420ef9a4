#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Looking into a running instance: `jctl net` shows its interfaces, sockets with owners and drops, `jctl pcap` captures its packets, readable
# by tshark, ends with Ctrl-C and with the instance, counts what it must drop and costs nothing afterwards; Debian's ss works inside.
# Needs build/jctl, build/junction-kernel, tshark, python3, ss. Loopback only.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
for tool in tshark capinfos python3 ss; do
	command -v $tool >/dev/null || { echo "FAIL: $tool is missing: tests/install_deps.sh"; exit 1; }
done
work=$(mktemp -d /tmp/look.XXXXXX) || exit 1
pids=()
cleanup() {
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
export XDG_RUNTIME_DIR=$work
passed=0 failed=0

verdict() { # NAME OK(0/1) DETAIL
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1: $3"
	fi
}
wait_for() { # SECONDS COMMAND...
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.05
	done
}

cat >"$work/talk.py" <<'EOP'
import socket, sys, threading, time
l = socket.create_server(("127.0.0.1", 8000))
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(("::", 5353))
u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(50):
    v.sendto(b"x" * 1000, ("127.0.0.1", 5353))
c = socket.create_connection(("127.0.0.1", 8000))
s, _ = l.accept()
c.sendall(b"unread")
print("ready", flush=True)
def eat():
    while s.recv(1 << 20):
        pass
for line in sys.stdin:
    if line == "bulk\n":
        threading.Thread(target=eat, daemon=True).start()
        for _ in range(64):
            c.sendall(bytes(1 << 20))
        print("sent", flush=True)
    elif line == "talk\n":
        for _ in range(20):
            c.sendall(b"word")
            time.sleep(0.02)
        print("talked", flush=True)
    else:
        break
EOP

mkfifo "$work/say"
timeout 100 "$jctl" run --name look --net none -- python3 "$work/talk.py" <"$work/say" >>"$work/talk.out" 2>&1 &
instance=$!
pids+=("$instance")
exec 8>"$work/say"
wait_for 20 grep -q ready "$work/talk.out"

# jctl net
timeout 20 "$jctl" net look >"$work/net" 2>&1
verdict net_answers $? "$(head -3 "$work/net")"
verdict net_interface "$(grep -q '^1: lo (loopback) up mtu' "$work/net"; echo $?)" "$(head -1 "$work/net")"
verdict net_listener "$(grep -Eq '^tcp +LISTEN +0 +[0-9]+ +127.0.0.1:8000 .*users:\(\("python3",pid=[0-9]+,fd=[0-9]+\)\)$' "$work/net"; echo $?)" "$(grep LISTEN "$work/net")"
verdict net_connection "$(grep -Eq '^tcp +ESTAB +6 +0 +127.0.0.1:8000 ' "$work/net"; echo $?)" "$(grep ESTAB "$work/net")"
verdict net_info "$(grep -q 'bytes_received:6 ' "$work/net"; echo $?)" "$(grep bytes_ "$work/net")"
verdict net_drops "$(grep -Eq '^drops: .*rcvbuf [0-9]+' "$work/net" && grep -Eq '^udp +UNCONN .*drops:[0-9]+' "$work/net"; echo $?)" "$(grep drops "$work/net")"
verdict net_only_one "$([ "$(timeout 20 "$jctl" net | head -1)" = "$(head -1 "$work/net")" ]; echo $?)" 'without a name'
timeout 20 "$jctl" net nobody >"$work/out" 2>&1
verdict net_unknown "$([ $? = 125 ] && [ "$(wc -l <"$work/out")" = 1 ]; echo $?)" "$(cat "$work/out")"
if [ "$(id -u)" = 0 ]; then
	mkdir "$work/public"
	chmod 755 "$work" "$work/public"
	install -m 755 "$jctl" "$work/public"
	chmod 777 "$work/junction/instance-look"
	python3 - "$work/junction/instance-look" >"$work/out" 2>&1 <<'EOP'
import os, socket, sys
os.setuid(65534)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
data, fds, _, _ = socket.recv_fds(s, 100, 4)
print(len(data), len(fds))
EOP
	verdict others_refused "$([ "$(cat "$work/out")" = '0 0' ]; echo $?)" "$(tail -1 "$work/out")"
fi

# jctl pcap: to a file, ended by Ctrl-C
"$jctl" pcap look -w "$work/cap" 2>"$work/cap.err" &
capture=$!
wait_for 10 test -s "$work/cap"
timeout 10 "$jctl" pcap look -w "$work/second" >"$work/out" 2>&1
verdict pcap_one_at_a_time "$([ $? = 125 ] && grep -q already "$work/out"; echo $?)" "$(cat "$work/out")"
timeout 10 "$jctl" net look >"$work/out" 2>&1
verdict net_beside_pcap $? "$(head -3 "$work/out")"
echo talk >&8
wait_for 10 grep -q talked "$work/talk.out"
kill -INT $capture
wait $capture
verdict pcap_ends $? "$(cat "$work/cap.err")"
n=$(tshark -r "$work/cap" -Y 'tcp.dstport == 8000' -T fields -e tcp.len 2>"$work/err" | awk '{ n += $1 } END { print n + 0 }')
verdict pcap_tshark "$([ "$n" = 80 ] && ! grep -qi 'malformed\|cut short\|damaged' "$work/err"; echo $?)" "$n of 80 bytes, $(tail -1 "$work/err")"
verdict pcap_says "$(grep -Eq '^[0-9]+ packets captured, 0 dropped: stopped$' "$work/cap.err"; echo $?)" "$(cat "$work/cap.err")"

# a pipe; -c
n=$( (sleep 0.5; echo talk >&8) & timeout 20 "$jctl" pcap look -c 10 2>"$work/err" | tshark -r - 2>/dev/null | wc -l)
verdict pcap_pipe "$([ "$n" -ge 10 ]; echo $?)" "$n packets, $(cat "$work/err")"

# a reader that is too slow loses packets, which are counted; the traffic goes on
: >"$work/talk.out"
(timeout 60 "$jctl" pcap look 2>"$work/slow.err" | (wait_for 30 grep -q sent "$work/talk.out"; cat >"$work/slow")) &
slow=$!
sleep 0.5
echo bulk >&8
wait_for 30 grep -q sent "$work/talk.out"
sent=$?
verdict pcap_bulk_goes_on $sent "$(cat "$work/talk.out")"
pkill -INT -P "$(pgrep -P $slow | head -1)" jctl 2>/dev/null || kill -INT "$(pgrep -P $slow jctl)" 2>/dev/null
wait_for 10 test -s "$work/slow.err"
wait $slow
verdict pcap_counts_drops "$(grep -Eq 'captured, [1-9][0-9]* dropped' "$work/slow.err"; echo $?)" "$(cat "$work/slow.err")"
drops=$(sed -n 's/.*captured, \([0-9]*\) dropped.*/\1/p' "$work/slow.err")
verdict pcap_drops_in_file "$(capinfos "$work/slow" 2>&1 | grep -q 'Number of stat entries = 1'; echo $?)" "$drops"

# a reader that was killed is forgotten; the next one captures
"$jctl" pcap look -w "$work/killed" 2>/dev/null &
capture=$!
wait_for 10 test -s "$work/killed"
kill -KILL $capture
wait $capture 2>/dev/null
# ... and the instance's end ends a capture
"$jctl" pcap look -w "$work/last" 2>"$work/last.err" &
capture=$!
wait_for 10 test -s "$work/last"
echo end >&8
wait $instance
verdict instance_ends $? "$(cat "$work/talk.out")"
wait $capture
rc=$?
verdict pcap_instance_end "$([ $rc = 0 ] && grep -q 'the instance has ended$' "$work/last.err"; echo $?)" "$(cat "$work/last.err")"
n=$(tshark -r "$work/last" -Y 'tcp.flags.fin == 1 || tcp.flags.reset == 1' 2>/dev/null | wc -l)
verdict pcap_last_packets "$([ "$n" -ge 1 ]; echo $?)" "$n segments with FIN or RST"
verdict no_socket_left "$([ -z "$(ls "$work/junction")" ]; echo $?)" "$(ls "$work/junction")"
timeout 10 "$jctl" net >"$work/out" 2>&1
verdict net_none_runs "$([ $? = 125 ] && grep -q 'no instance' "$work/out"; echo $?)" "$(cat "$work/out")"

# two of one name are both reachable; one whose launcher was killed is replaced
timeout 60 "$jctl" run --name twin --net none -- sleep 30 &
pids+=($!)
wait_for 10 test -S "$work/junction/instance-twin"
timeout 60 "$jctl" run --name twin --net none -- sleep 30 &
pids+=($!)
wait_for 10 sh -c "ls $work/junction/instance-twin-*"
n=0
for s in "$work"/junction/instance-twin*; do timeout 10 "$jctl" net "${s##*/instance-}" >/dev/null && n=$((n + 1)); done
verdict twins "$([ $n = 2 ]; echo $?)" "$n of 2 answer"
timeout 10 "$jctl" net >"$work/out" 2>&1
verdict net_which "$([ $? = 125 ] && grep -q '2 instances' "$work/out"; echo $?)" "$(cat "$work/out")"

echo "look: $passed passed, $failed failed"
[ $failed = 0 ]
