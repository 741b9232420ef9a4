#!/bin/bash
# SPDX-License-Identifier: MIT
#
# redis in an instance, clients behind an impairing relay:
#   clients (namespace cli, rtap) <-> relay <-> rt2, bridged with jtap0 (namespace srv) <-> instance
# On Linux (-l) the server has its address on rt2 itself. TAP devices on both
# sides of the relay: the kernel completes checksums on what it hands to a TAP.
#   tests/redis_loss.sh [-l LINUX] [SECONDS] [relay options...]
# No error and no stall over 2 s is a pass.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
side=inst
if [ "${1:-}" = -l ]; then
	side=linux
	shift
fi
secs=${1:-60}
shift
impair=("$@")
[ ${#impair[@]} -gt 0 ] || impair=(--loss 1 --delay 1 --seed 7)
[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 1; }
mkdir -p "$top/build"
gcc -O2 -std=gnu11 -Wall -Wextra -o "$top/build/relay" "$top/tests/lib/relay.c" || exit 1
work=$(mktemp -d /tmp/jloss.XXXXXX) || exit 1
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
ip -n "$srv" tuntap add dev rt2 mode tap
ip -n "$srv" link set rt2 up
redis=(redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0)
if [ $side = inst ]; then
	ip -n "$srv" link add br0 type bridge
	ip -n "$srv" tuntap add dev jtap0 mode tap vnet_hdr
	ip -n "$srv" link set rt2 master br0
	ip -n "$srv" link set jtap0 master br0
	ip -n "$srv" link set jtap0 up
	ip -n "$srv" link set br0 up
	ip netns exec "$srv" "$JCTL" run --net tap:jtap0 --ip 10.99.3.2/24 -- "${redis[@]}" >"$work/log" 2>&1 &
else
	ip -n "$srv" addr add 10.99.3.2/24 dev rt2
	ip netns exec "$srv" "${redis[@]}" >"$work/log" 2>&1 &
fi
net_pid $!
"$top/build/relay" "${impair[@]}" --stats "tap:rtap@/run/netns/$cli" "tap:rt2@/run/netns/$srv" \
	2>"$work/relay" &
relay=$!
net_pid $relay
if ! net_redis_up "$cli" 10.99.3.2; then
	echo "FAIL: redis did not come up"
	tail -5 "$work/log"
	exit 1
fi
cat >"$work/c.py" <<'P'
import socket, sys, threading, time
end = time.time() + float(sys.argv[1]); worst = [0.0]; ops = [0]; errors = []
def client(n):
    try:
        s = socket.create_connection(('10.99.3.2', 6379), 10); s.settimeout(10); f = s.makefile('rwb'); i = 0
        v = b'v' * (n * 137 % 3000 + 1)
        while time.time() < end:
            t = time.time(); i += 1
            f.write(b'*3\r\n$3\r\nSET\r\n$2\r\n%02d\r\n$%d\r\n%s\r\n*2\r\n$3\r\nGET\r\n$2\r\n%02d\r\n' % (n, len(v), v, n)); f.flush()
            if f.readline() != b'+OK\r\n': raise Exception('bad SET answer')
            if f.readline() != b'$%d\r\n' % len(v) or f.read(len(v) + 2) != v + b'\r\n': raise Exception('bad GET answer')
            worst[0] = max(worst[0], time.time() - t); ops[0] += 2
    except Exception as e: errors.append('client %d: %r' % (n, e))
ts = [threading.Thread(target=client, args=(n,)) for n in range(20)]
[t.start() for t in ts]; [t.join() for t in ts]
print('operations %d, errors %d, longest wait %.2f s' % (ops[0], len(errors), worst[0])); [print(e) for e in errors[:5]]
sys.exit(bool(errors) or worst[0] > 2 or ops[0] == 0)
P
ip netns exec "$cli" timeout $((secs + 40)) /usr/bin/python3 "$work/c.py" "$secs"
rc=$?
net_end $relay
cat "$work/relay"
[ $rc = 0 ] && echo PASS || echo FAIL
exit $rc
