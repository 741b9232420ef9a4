#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What make check (tests/check.sh) and make check-long (tests/check.sh long)
# run after building. Ends with one line per part, what failed again, and a total.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
rc=0
sum=()
bad=()
part() { # TITLE COMMAND...
	local t=$1 last r start=$SECONDS
	shift
	echo "== $t"
	"$@" 2>&1 | tee "$log"
	r=${PIPESTATUS[0]}
	[ "$r" = 0 ] || rc=1
	last=$(grep -aE '[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
	[ -n "$last" ] || last="no result, exit $r: $(tail -1 "$log")"
	sum+=("$t: $last ($((SECONDS - start)) s)")
	if [ "$r" != 0 ]; then
		bad+=("-- $t: exit $r")
		mapfile -t -O ${#bad[@]} bad < <(grep -aE '^ *(FAIL|not ok)|:[FE]:|Assertion|runtime error|no result' "$log" | cut -c1-300 | head -30)
	fi
	if [[ $last =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		pass=$((pass + BASH_REMATCH[1])) fail=$((fail + BASH_REMATCH[2]))
		[ "${BASH_REMATCH[2]}" != 0 ] || [ "$r" = 0 ] || fail=$((fail + 1))
	elif [ "$r" != 0 ]; then
		fail=$((fail + 1))
	fi
}
pass=0 fail=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
part "unit tests" make -s --no-print-directory -C "$top" unit
part "guest programs" "$top/tests/run_guest.sh"
part "jctl" "$top/tests/run_jctl.sh"
part "looking into an instance" "$top/tests/run_look.sh"
part "switch" "$top/tests/run_switch.sh"
[ "$(id -u)" != 0 ] || part "network over TAP, both families" "$top/tests/run_net.sh"
part "hostile program" "$top/tests/run_hostile.sh"
part "end to end, quick" "$top/tests/run_e2e.sh" -c quick
part "kernel module in a VM" "$top/tests/run_kmod.sh"
part "programs on the module in a VM" "$top/tests/run_kmod_e2e.sh"
[ "${1:-}" = long ] || part "redis over TAP" "$top/tests/redis_matrix.sh" 10000
if [ "${1:-}" = long ]; then
	part "end to end, heavy" "$top/tests/run_e2e.sh" -c heavy
	part "stress-ng" "$top/tests/stress.sh"
	part "kernel self-tests" "$top/tests/kselftest.sh"
	part "redis over TAP" "$top/tests/redis_matrix.sh" -l
	part "TCP link, 3000 seeds" env UNIT_TIMEOUT=3600 NET_SEEDS=3000 CK_RUN_SUITE=tcp_link "$top/tests/run_unit.sh" "$top/build/unit/net"
	part "third parties' suites" "$top/tests/run_suites.sh"
	part "kernel module, builds" "$top/tests/run_kmod_build.sh"
	part "kernel module, debug kernel" "$top/tests/run_kmod.sh" -d
	part "fuzzing" "$top/tests/run_fuzz.sh" 600
	[ "$(id -u)" != 0 ] || part "interoperability" "$top/tests/run_interop.sh" -l
	[ "$(id -u)" != 0 ] || part "goodput, 1 % loss" "$top/tests/net_goodput.sh"
	[ "$(id -u)" != 0 ] || part "redis, 1 % loss" "$top/tests/redis_loss.sh" 60
fi
echo "== summary"
printf '%s\n' "${sum[@]}"
if [ ${#bad[@]} != 0 ]; then
	echo "== what failed"
	printf '%s\n' "${bad[@]}"
fi
echo "$pass passed, $fail failed"
exit $rc
