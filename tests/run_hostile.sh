#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a hostile program gets: tests/hostile/ jumps into the host-call stubs,
# uses every other gate of the CPU, and puts listed calls to bad use. Each
# attempt is an instance of its own; all it did and got is printed. A pass is:
# the words expected here, the launcher not killed, and nothing changed outside.
#   tests/run_hostile.sh [ATTEMPT...]
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
kernel=$(dirname "$jctl")/junction-kernel
out=$top/build/hostile
mkdir -p "$out"
# shellcheck source=tests/lib/clean.sh
. "$top/tests/lib/clean.sh"
clean_build "$top" || exit 1
work=$(mktemp -d /tmp/jhostile.XXXXXX) || exit 1
victim=
trap '[ -z "$victim" ] || kill "$victim" 2>/dev/null; rm -rf "$work"' EXIT

"$jctl" doctor --host-calls | sed '/^Only with/,$d' | sed -n 's/^  \([a-z0-9_]\+\)  .*/SYS_\1,/p' | sort -u >"$out/listed.new"
cmp -s "$out/listed.new" "$out/listed.h" || mv "$out/listed.new" "$out/listed.h"
[ -s "$out/listed.h" ] || exit 1
"${CC:-gcc}" -O1 -std=gnu11 -D_GNU_SOURCE -DSYS_cachestat=451 -Wall -Wextra -Werror -static -fno-stack-protector -mfsgsbase \
	-fcf-protection=none -I"$top/include" -I"$top" -I"$out" -o "$out/jail" "$top"/tests/hostile/*.c || exit 1

offset() { # SYMBOL: where it is in the kernel image
	echo $((16#$(nm "$kernel" | awk -v n="$1" '$3 == n { print $1 }')))
}
entry=$(offset kernel_entry_syscall)
stubs=
for s in host_syscall6 host_syscall_ret host_restorer_ret host_clone_ret; do
	stubs=$stubs$(($(offset $s) - entry)),
done
mkdir -p "$work/root/tmp" "$work/vol"
cp "$out/jail" "$work/root/jail"
echo secret >"$work/secret"
echo canary >"$work/root/canary"
echo "kept" >"$work/vol/file"
chmod 600 "$work/secret"
sleep 300 &
victim=$!
fingerprint() { (cd "$work" && find root vol secret -printf '%p %y %m %s %T@\n' | sort && cat root/canary vol/file secret); }
before=$(fingerprint)

passed=0 failed=0
only=("$@")
# try NAME "WORDS OF THE END" "REFUSED PATTERN" [ARG...]: REFUSED matches every line of the program. LAUNCHER_OPTS, INSIDE as set.
try() {
	local name=$1 end=$2 pattern=$3 why=
	shift 3
	if [ ${#only[@]} -gt 0 ]; then
		case " ${only[*]} " in *" $name "*) ;; *) return ;; esac
	fi
	(cd "$work" && exec env -i "${CLEAN_ENV[@]}" "$CLEAN_RUN" "$out/jail" watch 20 "$jctl" run -e "STUBS=$stubs" \
		--name "jh$$" --root "$work/root" -v "$work/vol:/vol:ro" -- /jail "$name" "$@") >"$work/out" 2>"$work/err" </dev/null
	echo "-- $name"
	sed 's/^/   /' "$work/out" "$work/err"
	tail -1 "$work/out" | grep -qE "^launcher exited ($end)\$" || why="the end is not 'launcher exited $end'"
	sed '$d' "$work/out" | grep -vE '^still here$' | grep -vqE "$pattern" && why="a line is not of $pattern"
	[ "$(fingerprint)" = "$before" ] || why="files of the host have changed"
	kill -0 "$victim" 2>/dev/null || why="a process outside was killed"
	grep -q "State:.T" "/proc/$victim/status" && why="a process outside was stopped"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		pgrep -f "^junction: jh$$\$" >/dev/null || break
		sleep 0.2
	done
	pgrep -f "^junction: jh$$\$" >/dev/null && why="processes are left"
	if [ -z "$why" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $name: $why"
	fi
}

# Through the stub as a function.
try sweep 0 '^listed [0-9]+, refused all others$'
try arguments 0 ': -EPERM$' "$victim"
try files 0 '^(read (canary|\.\./vol/file): opened|.*: refused)$' canary ../secret ../../../../etc/shadow ../vol/file tmp/new "$work/secret"
if "$jctl" doctor | grep -q 'Landlock.*\[ABI \([6-9]\|[1-9][0-9]\)'; then
	try signals 0 ': -EPERM$' "$victim" @LAUNCHER
else
	echo "-- signals: left out, Landlock before ABI 6 does not hold them"
fi
try patch_garbage 0 '^sent some$'
try strays 0 '^clone: (done|refused)$' # processes of the same instance: gone at its end
try ring 0 ': refused$' $(($(offset geo) - entry)) $(($(offset rings) - entry)) $(($(offset sqes) - entry))
# The instance destroys itself; the launcher says so and ends.
try arena_garbage '125|139|137|134' '^$' 0
try arena_garbage '125|139|137|134' '^$' 0xffffffffffffffff
try lost_gs 139 '^$'
# Through the middle of the stubs.
try middle 0 ': -EPERM$'
try x32 125 '^$' /by-x32
try uretprobe '125|0' '^(uretprobe: -EPERM)?$'
try clone_stub 0 ': -EPERM$'
try restorer 125 '^$' /by-restorer
try sigreturn 0 '^execve after a forged sigreturn: -EPERM$'
try handler 0 '^(rt_sigaction: 0|own handler: signal 31 for call 83)$' /by-handler
# Other gates. Where the host has no 32-bit calls they fault instead.
try int80 '0|139' ': -ENOSYS$' /by-int80
try sysenter 0 '^sysenter exit\(9\): SIG(SEGV|SYS|ILL|BUS)$'
try compat 0 '^32-bit exit\(9\): SIG(SEGV|SYS|ILL|BUS)$'
# Calls from wherever else: the instance's own kernel answers.
try site 0 '^(site: (patched|not patched)|getpid there is ours: 1|unshare there: refused)$'
try own_code 0 '^(getpid is ours: 1|kill of a host process: -ESRCH|ptrace: refused|x32 getpid: -ENOSYS)$' "$victim"
try vsyscall '0|139' '^vsyscall time: the time$'
echo "$passed passed, $failed failed"
[ $failed = 0 ]
