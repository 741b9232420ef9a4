#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Kernel self-tests of Debian's linux-source-6.1 that ask about what Junction
# offers, built here, run on Linux and in an instance; a table of both.
#   tests/kselftest.sh [-r] [TEST...]       (needs: apt-get install linux-source-6.1)
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
ref=0
if [ "${1:-}" = -r ]; then
	ref=1
	shift
fi
out=$top/build/kselftest
tarball=/usr/src/linux-source-6.1.tar.xz
if [ ! -d "$out/src/tools/testing/selftests" ]; then
	if [ ! -r $tarball ]; then
		echo "SKIP: $tarball is not there (apt-get install linux-source-6.1)"
		exit 77
	fi
	mkdir -p "$out/src"
	tar -C "$out/src" --strip-components=1 --wildcards -xf $tarball \
		'linux-source-6.1/tools/testing/selftests/*' 'linux-source-6.1/tools/include/*' \
		'linux-source-6.1/tools/arch/x86/include/*' 'linux-source-6.1/include/uapi/*' 'linux-source-6.1/arch/x86/include/asm/*' || exit 1
fi
st=$out/src/tools/testing/selftests
mkdir -p "$out/bin"
list="timers/posix_timers timers/nanosleep timers/inconsistency-check timers/threadtest timers/mqueue-lat
futex/functional/futex_requeue_pi futex/functional/futex_requeue_pi_mismatched_ops
futex/functional/futex_requeue_pi_signal_restart futex/functional/futex_wait_timeout
futex/functional/futex_wait_wouldblock futex/functional/futex_wait_uninitialized_heap
futex/functional/futex_wait_private_mapped_file futex/functional/futex_wait futex/functional/futex_requeue
futex/functional/futex_waitv
filesystems/epoll/epoll_wakeup_test sigaltstack/sas
vDSO/vdso_test_gettimeofday vDSO/vdso_test_getcpu vDSO/vdso_test_abi vDSO/vdso_test_clock_getres
clone3/clone3 clone3/clone3_set_tid clone3/clone3_clear_sighand
openat2/openat2_test openat2/resolve_test openat2/rename_attack_test
mqueue/mq_open_tests
x86/fsgsbase x86/sigreturn x86/sysret_rip x86/syscall_nt x86/syscall_numbering x86/mov_ss_trap
x86/sigaltstack x86/fsgsbase_restore x86/test_vsyscall"

build() { # DIR/NAME
	local bin=$out/bin/${1//\//_} d=$st/${1%/*} src=$st/$1.c extra=
	[ -x "$bin" ] && return 0
	[ -r "$src" ] || return 1
	case $1 in
	openat2/*) extra="$d/helpers.c" ;;
	vDSO/*) extra=$([ -r "$d/parse_vdso.c" ] && echo "$d/parse_vdso.c") ;;
	esac
	# shellcheck disable=SC2086
	gcc -O2 -g -w -D_GNU_SOURCE -I"$d" -I"$d/../include" -I"$st/futex/include" -I"$st" \
		-idirafter "$out/src/include/uapi" -DKTEST -pthread -o "$bin" "$src" $extra \
		-lm -lrt -lcap 2>"$bin.err" ||
		gcc -O2 -g -w -D_GNU_SOURCE -I"$d" -I"$d/../include" -I"$st/futex/include" -I"$st" \
			-DKTEST -pthread -o "$bin" "$src" $extra -lm -lrt 2>"$bin.err"
}

verdict() { # COMMAND...
	local rc n
	timeout -k 3 25 "$@" >"$out/last" 2>&1 </dev/null
	rc=$?
	n=$(grep -c '^not ok\|^\[FAIL\]' "$out/last")
	case $rc in
	0) [ "$n" = 0 ] && echo pass || echo "pass,$n bad" ;;
	4) echo skip ;;
	124 | 137) echo timeout ;;
	*) echo "fail($rc,$n)" ;;
	esac
}

printf '%-52s %-12s %-12s\n' test Linux instance
same=0 differ=0
for t in $list; do
	if [ $# -gt 0 ]; then
		case " $* " in *" $t "*) ;; *) continue ;; esac
	fi
	if ! build "$t"; then
		printf '%-52s %s\n' "$t" "does not build"
		continue
	fi
	bin=$out/bin/${t//\//_}
	cd "$out/bin" || exit 1
	args=()
	case $t in
	*/inconsistency-check) args=(-t 1) ;;
	*/threadtest) args=(-t 5) ;;
	esac
	l=$(verdict "$bin" "${args[@]}")
	i=-
	[ $ref = 1 ] || i=$(verdict "$jctl" run -- "$bin" "${args[@]}")
	printf '%-52s %-12s %-12s\n' "$t" "$l" "$i"
	if [ "$i" = "$l" ] || [ "$i" = pass ] || [ $ref = 1 ]; then
		same=$((same + 1))
	else
		differ=$((differ + 1))
	fi
done
echo "$same passed, $differ failed"
[ $differ = 0 ]
