#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs unit-test programs one after the other, each bounded; ends with "N passed, N failed" over the programs' own check counts.
set -u
rc=0 pass=0 fail=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for t in "$@"; do
	timeout "${UNIT_TIMEOUT:-900}" "$t" >"$log" 2>&1
	r=$?
	line=$(grep -E '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$log" | tail -1)
	n=$(sed -E 's/.*Checks: ([0-9]+).*/\1/' <<<"${line:-Checks: 0}")
	bad=$(sed -E 's/.*Failures: ([0-9]+), Errors: ([0-9]+).*/\1 \2/' <<<"${line:-Failures: 0, Errors: 0}" | awk '{ print $1 + $2 }')
	[ $r = 0 ] || { rc=1; [ "$bad" -gt 0 ] || bad=1; }
	printf '%-8s %s\n' "$(basename "$t")" "${line:-no result, exit $r}"
	if [ $r != 0 ]; then grep -E ':[FE]:|ERROR|Assertion|runtime error' "$log" | head -20; fi
	pass=$((pass + n - bad > 0 ? pass + n - bad : pass)) fail=$((fail + bad))
done
echo "$pass passed, $fail failed"
exit $rc
