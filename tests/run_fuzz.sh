#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Fuzzes each target tests/fuzz/fuzz_NAME.c with libFuzzer for a while (10
# minutes each by default), starting from and adding to a copy of its corpus.
#   tests/run_fuzz.sh [-k] [SECONDS [NAME...]]
#     -k  keep: what is new and smallest goes back to tests/fuzz/corpus/NAME
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
keep=0
if [ "${1:-}" = -k ]; then
	keep=1
	shift
fi
secs=${1:-600}
[ $# = 0 ] || shift
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(tcp eth frag filter netlink switch merge)
work=$(mktemp -d /tmp/jfuzz.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
pass=0 fail=0
net_srcs=$(make -s --no-print-directory -C "$top" print-fuzz-net-srcs)
declare -A more=([netlink]="userlib/file/sock_netlink.c userlib/file/sock_netlink_route.c userlib/file/sock_netlink_diag.c")
declare -A own=([switch]="scheduler/port.c scheduler/forward.c scheduler/direct.c scheduler/control.c scheduler/core.c scheduler/core_kmod.c scheduler/core_serve.c")
for n in "${names[@]}"; do
	bin=$top/build/fuzz/$n
	mkdir -p "$top/build/fuzz" "$work/$n" "$top/tests/fuzz/corpus/$n"
	# shellcheck disable=SC2086
	if ! (cd "$top" && clang -std=gnu11 -O1 -g -D_GNU_SOURCE -fno-strict-aliasing -w -Iinclude -I. \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -Wl,--wrap=net_loop_queue \
		-o "$bin" "tests/fuzz/fuzz_$n.c" ${more[$n]:-} ${own[$n]:-$net_srcs}); then
		echo "FAIL $n: does not build"
		fail=$((fail + 1))
		continue
	fi
	if (cd "$work" && timeout $((secs + 120)) "$bin" -max_total_time="$secs" -rss_limit_mb=1024 -max_len=2000 -timeout=20 \
		-print_final_stats=1 "$work/$n" "$top/tests/fuzz/corpus/$n") >"$work/log" 2>&1; then
		echo "PASS $n: $(grep -E 'number_of_executed_units' "$work/log" | awk '{ print $2 }') inputs in $secs s," \
			"$(grep -oE 'cov: [0-9]+' "$work/log" | tail -1)"
		pass=$((pass + 1))
	else
		echo "FAIL $n"
		grep -E 'ERROR|SUMMARY|runtime error|Assertion' "$work/log" | head -5
		mkdir -p "$top/build/fuzz/found"
		cp "$work"/crash-* "$work"/timeout-* "$work"/leak-* "$top/build/fuzz/found/" 2>/dev/null
		fail=$((fail + 1))
	fi
	[ $keep = 0 ] || "$bin" -merge=1 "$top/tests/fuzz/corpus/$n" "$work/$n" >/dev/null 2>&1
done
echo "$pass passed, $fail failed"
[ $fail = 0 ]
