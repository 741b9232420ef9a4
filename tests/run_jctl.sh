#!/bin/bash
# SPDX-License-Identifier: MIT
#
# jctl as its user sees it: bad input gives one line and exit code 125 and leaves nothing behind; exit codes, options, configuration
# file, terminal, signals and an ordinary user behave as the README says. Needs build/jctl and build/junction-kernel; some cases need root.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
work=$(mktemp -d /tmp/jctl.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
name=jt$$

verdict() { # NAME OK(0/1) DETAIL
	if [ "$2" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1: $3"
	fi
}

# refused NAME PATTERN OPTION...: exit 125, one line on stderr that matches, nothing on stdout
refused() {
	local what=$1 pattern=$2 rc ok=0
	shift 2
	timeout 20 "$jctl" run --name $name "$@" >"$work/out" 2>"$work/err" </dev/null
	rc=$?
	[ $rc = 125 ] && [ "$(wc -l <"$work/err")" = 1 ] && [ ! -s "$work/out" ] && grep -q "$pattern" "$work/err" || ok=1
	verdict "$what" $ok "rc $rc, $(head -3 "$work/err")"
}

# gives NAME RC STDOUT OPTION...
gives() {
	local what=$1 want=$2 text=$3 rc ok=0
	shift 3
	timeout 20 "$jctl" run --name $name "$@" >"$work/out" 2>"$work/err" </dev/null
	rc=$?
	[ $rc = "$want" ] && [ "$(cat "$work/out")" = "$text" ] || ok=1
	verdict "$what" $ok "rc $rc, out $(head -c 200 "$work/out"), err $(head -3 "$work/err")"
}

links() { ip -br link show type tun 2>/dev/null | wc -l; }
kernels() { pgrep -fc "^junction: $name\$" || true; } # ours only: other tests may run
links_before=$(links)
kernels_before=$(kernels)

refused no_program 'no program' --cores 1
refused unknown_option 'unknown option --frob' --frob true
refused cores_zero 'not a number of cores' --cores 0 true
refused mem_small 'out of range' --mem 1 true
refused mem_junk 'not a size' --mem lots true
refused root_missing 'No such file' --root "$work/none" true
refused root_is_file 'Not a directory' --root /etc/passwd true
refused volume_missing 'No such file' -v "$work/none:/x" true
refused volume_syntax 'bad volume' -v /x true
refused workdir_relative 'not absolute' -w tmp true
refused net_unknown 'bad network' --net bridge true
refused tap_without_ip 'without an address' --net tap true
refused ip_syntax 'bad address' --net tap --ip 10.0.0.300/24 true
refused gw_elsewhere 'not reachable' --net tap --ip 10.0.0.2/24 --gw 10.0.1.1 true
refused strace_unwritable 'No such file' --strace="$work/none/x" true
refused config_missing 'No such file' --config "$work/none" true
echo '{ "cores": 1, "program": ["true"] }' >"$work/bad.json"
refused config_type 'wrong type\|not an option' --config "$work/bad.json"
echo '{ "cores": ' >"$work/bad.json"
refused config_syntax 'not JSON' --config "$work/bad.json"
(ulimit -f 1000; refused arena_limit 'no memory for the arena' true; [ $failed = 0 ]) || failed=$((failed + 1))

gives exit_zero 0 '' true
gives exit_code 7 '' sh -c 'exit 7'
gives not_found 127 '' "$work/no-such-program"
printf 'text' >"$work/plain"
gives not_executable 126 '' "$work/plain"
gives killed 143 '' sh -c 'kill -TERM $$; sleep 5'
gives environment 0 'a b' -e 'X=a b' sh -c 'echo "$X"'
gives workdir 0 /usr -w /usr pwd
gives hostname 0 box --hostname box uname -n
gives cores 0 1 --cores 1 nproc
echo content >"$work/file"
gives volume_file 0 content -v "$work/file:/mnt/f:ro" cat /mnt/f
mkdir -p "$work/vol"
gives volume_write 0 '' -v "$work/vol:/mnt" sh -c 'echo x >/mnt/new'
verdict volume_reached "$([ "$(cat "$work/vol/new" 2>/dev/null)" = x ]; echo $?)" 'file not on the host'
gives overlay_write 0 y sh -c "echo y >$work/over && cat $work/over"
verdict overlay_kept "$([ ! -e "$work/over" ]; echo $?)" 'overlay write reached the host'
echo '{ "env": { "X": "json" }, "workdir": "/usr", "program": "sh", "args": ["-c", "echo $X; pwd"] }' >"$work/ok.json"
gives config 0 "$(printf 'json\n/usr')" --config "$work/ok.json"

echo input | timeout 20 "$jctl" run --name $name cat >"$work/out" 2>/dev/null
verdict stdin "$([ "$(cat "$work/out")" = input ]; echo $?)" 'pipe to stdin'
timeout 20 "$jctl" run --name $name sh -c 'echo out; echo err >&2' >"$work/out" 2>"$work/err"
verdict streams "$([ "$(cat "$work/out")" = out ] && [ "$(cat "$work/err")" = err ]; echo $?)" 'stdout and stderr apart'
if command -v script >/dev/null; then # a terminal stays a terminal, and its Ctrl-C arrives
	timeout 20 script -qec "$jctl run --name $name sh -c 'test -t 0 && test -t 1 && echo terminal'" /dev/null </dev/null >"$work/out"
	verdict terminal "$(grep -q terminal "$work/out"; echo $?)" "$(head -3 "$work/out")"
	(sleep 1; printf '\003'; sleep 2) | timeout 20 script -qec "$jctl run --name $name sleep 60" /dev/null >/dev/null
	verdict ctrl_c "$([ $? = 130 ]; echo $?)" 'exit code after Ctrl-C is not 130'
fi
timeout 20 "$jctl" run --name $name sleep 60 2>/dev/null &
sleep 1
kill -TERM $! && wait $!
verdict sigterm_forwarded "$([ $? = 143 ]; echo $?)" 'SIGTERM to jctl'
# timeout(1) passes SIGKILL to jctl alone: its instance must follow
(timeout -s KILL 1 "$jctl" run --name $name sleep 61; true) 2>/dev/null
for _ in $(seq 50); do
	[ "$(kernels)" = "$kernels_before" ] && break
	sleep 0.1
done
verdict launcher_killed "$([ "$(kernels)" = "$kernels_before" ]; echo $?)" 'instance outlives a killed launcher'

# An executable overwritten in place runs its new text; one that was too fresh to be patched is patched when it is run again later.
for l in A B; do
	printf '#include <unistd.h>\nint main(void) { volatile char s[2]; s[0] = %s; s[1] = 10; for (int i = 0; i < 500; i++) getppid(); write(1, (void *)s, 2); }' \
		"'$l'" >"$work/x.c"
	cc -w -static -o "$work/$l" "$work/x.c" || exit 1
done
trapped() { sed -n 's/^junction: .* calls, \([0-9]*\) of them trapped.*/\1/p' "$work/err"; }
mkdir "$work/bin" && cp "$work/A" "$work/bin/x" && sleep 0.3
timeout 20 "$jctl" run --name $name --stats -v "$work:/mnt" -w /mnt sh -c 'bin/x; cp B bin/x; bin/x; sleep 0.3; bin/x' >"$work/out" 2>"$work/err"
verdict patched_overwritten "$([ "$(tr -d '\n' <"$work/out")" = ABB ]; echo $?)" "$(head -3 "$work/out")"
verdict patched_when_settled "$([ "$(trapped)" -lt 1000 ]; echo $?)" "$(trapped) trapped calls"

# Reads that wait for the disk: the rest of the instance goes on meanwhile, through the host's io_uring where there is one.
ring_count() { sed -n "s/^junction: \(.* \)\?\([0-9][0-9]*\) $1.* through the ring\$/\2/p" "$work/err" | head -1; }
went_on() { sed -n 's/.*the counter went on in \([0-9]*\) of.*/\1/p' "$work/out"; }
cold() { # NAME MODE OPTION...: a cold file read or synced by the guest program; stdout in $work/out. Again if the disk was faster than we.
	local what=$1 mode=$2 rc=1
	shift 2
	for _ in 1 2 3 4 5 6 7 8; do
		"$work/misses" make "$data/file"
		[ $? = 77 ] && return 77
		timeout 60 "$jctl" run --name $name --stats "$@" -- "$work/misses" "$mode" "$data/file" >"$work/out" 2>"$work/err" </dev/null
		rc=$?
		[ $rc = 0 ] && [ "$(ring_count reads)" = 0 ] && [ "$(ring_count syncs)" = 0 ] && continue
		break
	done
	verdict "$what" $rc "$(head -1 "$work/out") $(grep -v "^junction" "$work/err" | head -1)"
}
data=$(mktemp -d "${TEST_DISK_DIR:-/var/tmp}/jctl.XXXXXX") || exit 1
trap 'rm -rf "$work" "$data"' EXIT
cc -std=gnu11 -O1 -pthread -Wno-unused-result -o "$work/misses" "$top/tests/guest/misses.c" || exit 1
if ! "$jctl" doctor | grep -q '^yes *io_uring'; then
	echo "note: no io_uring on this host: reads that wait for the disk are not tested"
elif cold ring_read read --cores 1; then
	verdict ring_read_used "$([ "$(ring_count reads)" -gt 0 ]; echo $?)" "$(ring_count reads) reads through the ring"
	# How many are needed depends on how fast the disk is; the counter goes on in each of them.
	verdict ring_read_parks "$([ "$(went_on)" -ge $(($(ring_count reads) / 2)) ]; echo $?)" "$(cat "$work/out"), $(ring_count reads) through the ring"
	cold ring_fork fork --cores 2
	verdict ring_fork_used "$([ "$(ring_count reads)" -gt 0 ]; echo $?)" "$(ring_count reads) reads through the ring"
	cold ring_sync sync --cores 1 --rw
	verdict ring_sync_parks "$([ "$(went_on)" -ge 15 ]; echo $?)" "$(cat "$work/out")"
	verdict ring_sync_used "$([ "$(ring_count syncs)" -ge 20 ]; echo $?)" "$(ring_count syncs) syncs through the ring"
	"$work/misses" make "$data/file"
	timeout 60 "$jctl" run --name $name --stats -- cksum <"$data/file" >"$work/out" 2>"$work/err"
	verdict ring_stdin "$([ "$(cat "$work/out")" = "$(cksum <"$data/file")" ]; echo $?)" "$(head -1 "$work/out")"
else
	echo "note: $data is on a file system without RWF_NOWAIT: set TEST_DISK_DIR to test reads that wait for the disk"
fi

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir "$work/public" # the clone may stand where an ordinary user cannot go
	chmod 755 "$work" "$work/public"
	install -m 755 "$jctl" "$(dirname "$jctl")/junction-kernel" "$work/public"
	as_user() { (cd / && HOME=$work/none exec timeout 20 setpriv --reuid 65534 --regid 65534 --clear-groups "$@"); }
	as_user "$work/public/jctl" run --name $name id -u >"$work/out" 2>"$work/err"
	verdict as_user "$([ "$(cat "$work/out")" = 65534 ]; echo $?)" "$(head -3 "$work/err")"
	as_user "$work/public/jctl" run --name $name --net tap:jtnone --ip 10.0.0.2/24 true >"$work/out" 2>"$work/err"
	verdict tap_without_right "$([ $? = 125 ] && [ "$(wc -l <"$work/err")" = 1 ]; echo $?)" "$(head -3 "$work/err")"
fi
verdict no_interface_left "$([ "$(links)" = "$links_before" ]; echo $?)" 'an interface is left'
verdict no_process_left "$([ "$(kernels)" = "$kernels_before" ]; echo $?)" 'a process is left'
echo "jctl: $passed passed, $failed failed"
[ $failed = 0 ]
