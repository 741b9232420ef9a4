#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Third parties' own network tests, run on Linux and in an instance of the same machine: Python's (Debian's libpython3.11-testsuite), Go's net and
# net/http, stress-ng's network class with --verify, and servers under the load generators that come for them. Each test's outcome is
# compared; a difference that tests/lib/suites.known does not list fails. Prints one line per suite and every difference.
#   tests/run_suites.sh [SUITE...]
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
known=$top/tests/lib/suites.known
work=$(mktemp -d /tmp/jsuites.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
go=/usr/lib/go-1.19
passed=0 failed=0
only=("$@")

wanted() {
	[ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $1 "* ]]
}
both() { # DIR COMMAND...: output of each in $work/linux and $work/inst
	local dir=$1
	shift
	(cd "$dir" && timeout 600 "$@") >"$work/linux" 2>&1 </dev/null
	(cd "$dir" && timeout 600 "$jctl" run -- "$@") >"$work/inst" 2>&1 </dev/null
}
# Outcomes as "TEST ok|fail|skip", one a line, sorted.
python_outcomes() {
	# A warning may stand between a test's name and its outcome, which then begins a line.
	grep -oE '^(test[A-Za-z0-9_]* \([A-Za-z0-9_.]*\)).* \.\.\. .*|^(ok|ERROR|FAIL)$|^skipped .*' "$1" | awk '
		/^test/ { name = $1 " " $2; rest = $0; sub(/.* \.\.\. /, "", rest) }
		!/^test/ { rest = $0 }
		name != "" && rest ~ /^(ok|ERROR|FAIL|skipped)/ { print name, rest ~ /^ok/ ? "ok" : rest ~ /^skip/ ? "skip" : "fail"; name = "" }' | sort
}
go_outcomes() { grep -oE -- '--- (PASS|FAIL|SKIP): [^ ]+' "$1" | awk '{ print $3, $2 == "PASS:" ? "ok" : $2 == "SKIP:" ? "skip" : "fail" }' | sort; }
compare() { # SUITE OUTCOMES-FUNCTION
	local l i d k
	"$2" "$work/linux" >"$work/l"
	"$2" "$work/inst" >"$work/i"
	l=$(grep -c ' ok$' "$work/l") i=$(grep -c ' ok$' "$work/i")
	d=$(join -a1 -a2 -e none -o 0,1.2,2.2 -t'|' <(sed 's/ \([a-z]*\)$/|\1/' "$work/l" | sort -t'|' -k1,1 -u) <(sed 's/ \([a-z]*\)$/|\1/' "$work/i" | sort -t'|' -k1,1 -u) |
		awk -F'|' '$2 != $3 { print $1 ": " $2 " on Linux, " $3 " here" }')
	k=$(grep -v '^#' "$known" | grep "^$1 " | cut -d' ' -f2- | tr '\n' '|')
	d=$(printf '%s' "$d" | if [ -n "$k" ]; then grep -vE "${k%|}"; else cat; fi)
	printf '%-22s ok on Linux %5s, ok here %5s, tests %5s\n' "$1" "$l" "$i" "$(wc -l <"$work/l")"
	if [ "$l" -gt 0 ] && [ -z "$d" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1"
		printf '%s\n' "$d" | head -40
		[ "$l" -gt 0 ] && [ "$i" -gt 0 ] || tail -15 "$work/inst"
	fi
}

for t in test_socket test_asyncio test_ssl test_httplib test_selectors test_socketserver test_ftplib test_smtplib test_urllib2_localnet test_xmlrpc; do
	wanted $t || continue
	# The host's VSOCK may have nobody at the other end. What needs the resource "network" goes elsewhere, but for test_socketserver.
	# shellcheck disable=SC2046
	both "$work" python3 -m test -v -i '*VSOCK*' $([ $t != test_socketserver ] || echo -u network) $t
	compare $t python_outcomes
done
for p in net net/http net/rpc net/textproto net/smtp; do
	wanted "go:$p" || continue
	(cd $go/src/$p && GOCACHE=$work/cache $go/bin/go test -c -o "$work/go.test" .) >"$work/linux" 2>&1 || cat "$work/linux"
	both $go/src/$p "$work/go.test" -test.v -test.short
	compare "go:$p" go_outcomes
done
# In a network of its own: on Linux a namespace, here an instance. Servers have their load generator beside them; every request must be answered.
serve() { # NAME SCRIPT: must end with the words "all answered"
	wanted "$1" || return
	for side in linux inst; do
		if [ $side = linux ]; then
			(cd "$work" && timeout 120 unshare -n bash -c "ip link set lo up; $2") >"$work/$side" 2>&1 </dev/null
		else
			(cd "$work" && timeout 120 "$jctl" run -- bash -c "$2") >"$work/$side" 2>&1 </dev/null
		fi
		if grep -q '^all answered' "$work/$side"; then
			passed=$((passed + 1))
			printf '%-22s %s: %s\n' "$1" $side "$(grep '^all answered' "$work/$side")"
		else
			failed=$((failed + 1))
			echo "FAIL $1 on $side"
			tail -5 "$work/$side"
		fi
	done
}
serve stress-ng 'stress-ng --class network --seq 1 --timeout 2 --verify -x sctp >w 2>&1; r=$?; grep -E "fail:|error:" w
	[ $r = 0 ] && ! grep -q "fail:" w && echo "all answered, verified"'
serve redis 'redis-server --port 6390 --save "" --daemonize no >/dev/null & s=$!
	for i in $(seq 50); do redis-cli -p 6390 ping 2>/dev/null | grep -q PONG && break; sleep 0.1; done
	redis-benchmark -p 6390 -n 20000 -q --csv >r || exit 1; kill $s; wait $s
	! grep -qi error r && echo "all answered, $(grep -c , r) rows"'
serve memcached 'memcached -u nobody -l 127.0.0.1 -p 11290 & s=$!; sleep 0.5
	python3 -c "
import socket
s = socket.create_connection((\"127.0.0.1\", 11290)); f = s.makefile(\"rb\"); n = 0
for i in range(20000):
    v = b\"x\" * (i % 900)
    s.sendall(b\"set k%d 0 0 %d\r\n%s\r\nget k%d\r\n\" % (i, len(v), v, i))
    assert f.readline() == b\"STORED\r\n\" and f.readline().startswith(b\"VALUE\") and f.readline() == v + b\"\r\n\" and f.readline() == b\"END\r\n\"
    n += 1
print(\"all answered,\", n)"; kill $s; wait $s'
serve wrk-nginx 'mkdir -p t; head -c 1024 /dev/urandom >t/f
	printf "daemon off; master_process off; pid $PWD/t/pid; error_log $PWD/t/err; events { worker_connections 512; } http { access_log off; server { listen 127.0.0.1:8290; root $PWD/t; } }" >t/conf
	nginx -c $PWD/t/conf & s=$!; sleep 0.7
	wrk -t2 -c50 -d4 http://127.0.0.1:8290/f >w; kill $s; wait $s
	cat w; ! grep -qE "Socket errors|Non-2xx" w && grep -q "requests in" w && echo "all answered,$(grep "requests in" w | cut -c1-30)"'
echo "$passed passed, $failed failed"
[ $failed = 0 ]
