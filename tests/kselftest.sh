#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Kernel self-tests of Debian's linux-source-6.1 that ask about what Junction
# offers, built here, run on Linux and in an instance; a table of both. A test
# that does worse in an instance must be explained in docs/SELFTESTS.md.
#   tests/kselftest.sh [TEST...]       (needs: apt-get install linux-source-6.1)
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
out=$top/build/kselftest
tarball=/usr/src/linux-source-6.1.tar.xz
if [ ! -d "$out/src/tools/testing/selftests" ]; then
	if [ ! -r $tarball ]; then
		echo "$tarball is not there (apt-get install linux-source-6.1)"
		exit 1
	fi
	mkdir -p "$out/src"
	tar -C "$out/src" --strip-components=1 --wildcards -xf $tarball \
		'linux-source-6.1/tools/testing/selftests/*' 'linux-source-6.1/tools/include/*' \
		'linux-source-6.1/tools/arch/x86/include/*' 'linux-source-6.1/include/uapi/*' 'linux-source-6.1/arch/x86/include/asm/*' || exit 1
fi
st=$out/src/tools/testing/selftests
mkdir -p "$out/bin"
# What asks for the destruction of the host's clock, for sleep of the machine, for 32-bit code or for I/O ports is not in the list.
list="timers/posix_timers timers/nanosleep timers/nsleep-lat timers/set-timer-lat timers/inconsistency-check timers/threadtest
timers/mqueue-lat
futex/functional/futex_requeue_pi futex/functional/futex_requeue_pi_mismatched_ops
futex/functional/futex_requeue_pi_signal_restart futex/functional/futex_wait_timeout
futex/functional/futex_wait_wouldblock futex/functional/futex_wait_uninitialized_heap
futex/functional/futex_wait_private_mapped_file futex/functional/futex_wait futex/functional/futex_requeue
futex/functional/futex_waitv
filesystems/epoll/epoll_wakeup_test sigaltstack/sas
vDSO/vdso_test_gettimeofday vDSO/vdso_test_getcpu vDSO/vdso_test_abi vDSO/vdso_test_clock_getres
vDSO/vdso_standalone_test_x86 vDSO/vdso_test_correctness
clone3/clone3 clone3/clone3_set_tid clone3/clone3_clear_sighand clone3/clone3_cap_checkpoint_restore
openat2/openat2_test openat2/resolve_test openat2/rename_attack_test
mqueue/mq_open_tests mqueue/mq_perf_tests
x86/fsgsbase x86/fsgsbase_restore x86/sigreturn x86/sigaltstack x86/sysret_rip x86/sysret_ss_attrs x86/syscall_nt
x86/syscall_numbering x86/syscall_arg_fault x86/single_step_syscall x86/mov_ss_trap x86/sigtrap_loop
x86/check_initial_reg_state x86/corrupt_xstate_header x86/amx x86/test_mremap_vdso x86/test_vsyscall"
# tests/lib/clean.sh: both sides in the same state
# shellcheck source=tests/lib/clean.sh
. "$top/tests/lib/clean.sh"
clean_build "$top" || exit 1

# shellcheck disable=SC2054
build() { # DIR/NAME
	local bin=$out/bin/${1//\//_} d=$st/${1%/*} src=$st/$1.c extra=() headers=
	[ -x "$bin" ] && return 0
	[ -r "$src" ] || return 1
	case $1 in
	openat2/*) extra=("$d/helpers.c") ;;
	vDSO/vdso_standalone_test_x86) extra=("$d/parse_vdso.c" -nostdlib -fno-asynchronous-unwind-tables -fno-stack-protector) ;;
	vDSO/vdso_test_correctness) extra=(-ldl -lgcc_s) ;;
	vDSO/*) extra=("$d/parse_vdso.c") ;;
	x86/sysret_ss_attrs) extra=("$d/thunks.S" -no-pie) ;;
	x86/check_initial_reg_state) extra=(-no-pie -static -Wl,--entry=real_start) ;;
	x86/*) extra=(-no-pie) ;;
	mqueue/mq_perf_tests) extra=(-lpopt) ;;
	esac
	for headers in "-idirafter $out/src/include/uapi" ""; do # the kernel's, or Debian's alone
		# shellcheck disable=SC2086
		gcc -O2 -g -w -D_GNU_SOURCE -DKTEST -DCAN_BUILD_64 -I"$d" -I"$d/../include" -I"$st/futex/include" -I"$st" \
			$headers -pthread -o "$bin" "$src" "${extra[@]}" -lm -lrt -lcap 2>"$bin.err" && return 0
	done
	return 1
}

verdict() { # TAG SECONDS COMMAND...: a word, and how many of its checks were good where it counts them
	local rc n good log=$out/last.$1 secs=$2
	shift 2
	(cd "$out/bin" && exec env -i "${CLEAN_ENV[@]}" "$CLEAN_RUN" timeout -k 3 "$secs" "$@") >"$log" 2>&1 </dev/null
	rc=$?
	n=$(grep -cE '^not ok|^\[FAIL\]' "$log")
	good=$(grep -cE '^ok |^\[OK\]' "$log")
	[ $((n + good)) -gt 1 ] && n=" $good/$((n + good))" || n=
	case $rc in
	0) grep -qE '^not ok|^\[FAIL\]' "$log" && echo "fail$n" || echo "pass$n" ;;
	4) echo skip ;;
	124 | 137) echo "timeout$n" ;;
	*) echo "fail$n" ;;
	esac
}

known() { # TEST: the instance's verdict that docs/SELFTESTS.md explains
	sed -n "s#^| $1 | [^|]* | \\([^|]*[^ |]\\) *|.*#\\1#p" "$top/docs/SELFTESTS.md"
}

at_least() { # INSTANCE LINUX: both failed, of the same checks at least as many are good
	local i=${1#fail } l=${2#fail }
	[[ $1 == fail\ */* && $2 == fail\ */* && ${i#*/} = "${l#*/}" && ${i%/*} -ge ${l%/*} ]]
}

printf '%-52s %-14s %-14s\n' test Linux instance
good=0 bad=0
for t in $list; do
	if [ $# -gt 0 ]; then
		case " $* " in *" $t "*) ;; *) continue ;; esac
	fi
	if ! build "$t"; then
		printf '%-52s %s\n' "$t" "does not build"
		bad=$((bad + 1))
		continue
	fi
	bin=./${t//\//_}
	args=() secs=40
	case $t in
	*/inconsistency-check) args=(-t 1) ;;
	*/threadtest) args=(-t 5) ;;
	*/epoll_wakeup_test | */set-timer-lat | */nsleep-lat | */mq_perf_tests) secs=240 ;;
	x86/syscall_numbering) secs=15 ;;
	esac
	case $t in
	*/epoll_wakeup_test | */set-timer-lat | */nsleep-lat) # they sleep most of the time
		verdict inst "$secs" "$jctl" run -- "$bin" "${args[@]}" >"$out/verdict.inst" &
		l=$(verdict linux "$secs" "$bin" "${args[@]}")
		wait
		i=$(cat "$out/verdict.inst")
		;;
	*)
		l=$(verdict linux "$secs" "$bin" "${args[@]}")
		i=$(verdict inst "$secs" "$jctl" run -- "$bin" "${args[@]}")
		;;
	esac
	note=
	if [ "$i" = "$l" ] || [ "${i%% *}" = pass ] || at_least "$i" "$l"; then
		good=$((good + 1))
	elif [ "$i" = "$(known "$t")" ] || [ "${i%% *}" = "$(known "$t")" ]; then
		good=$((good + 1))
		note="explained"
	else
		bad=$((bad + 1))
		note="NOT EXPLAINED"
	fi
	printf '%-52s %-14s %-14s %s\n' "$t" "$l" "$i" "$note"
done
echo "$good passed, $bad failed"
[ $bad = 0 ]
