#!/bin/bash
# SPDX-License-Identifier: MIT
#
# End-to-end tests: each script tests/e2e/cases/NAME.sh runs once on Linux
# (RUN empty) and once with RUN="jctl run ... --"; stdout and exit code must be
# the same. Classes, bounds and needed programs stand in tests/e2e/list.
#
#   tests/run_e2e.sh [-c quick|heavy|all] [-r] [-v] [NAME...]
#     -r  Linux only    -v  show whole differences and stderr
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
export JCTL=${JCTL:-$top/build/jctl}
class=quick ref=0 verbose=0
while getopts c:rv o; do
	case $o in
	c) class=$OPTARG ;;
	r) ref=1 ;;
	v) verbose=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ -x "$JCTL" ] || ref=1
work=$(mktemp -d /tmp/je2e.XXXXXX) || exit 1
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
export GOBIN_DIR=$top/build/e2e-go
# shellcheck source=tests/lib/clean.sh
. "$top/tests/lib/clean.sh"
clean_build "$top" || exit 1

build_go() {
	local go=/usr/lib/go-1.19/bin/go f
	mkdir -p "$GOBIN_DIR"
	for f in "$top"/tests/e2e/go/*.go; do
		local bin=${f##*/}
		bin=$GOBIN_DIR/${bin%.go}
		[ "$bin" -nt "$f" ] && continue
		CGO_ENABLED=0 GOFLAGS=-mod=mod GO111MODULE=off GOCACHE=$top/build/e2e-go/cache \
			"$go" build -o "$bin" "$f" || return 1
	done
}

# Processes of the product that this run started (by executable and by a mark
# in the environment, never by name: others may use the same build).
export JUNCTION_E2E=$work
ours() {
	local p
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in
		"$top"/build/junction-kernel* | "$top"/build/jctl*) ;;
		*) continue ;;
		esac
		if tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qx "JUNCTION_E2E=$work" ||
			[[ $(readlink "$p/cwd" 2>/dev/null) == "$work"* ]]; then
			echo "${p#/proc/}"
		fi
	done
}

side() { # SIDE NAME SECONDS
	rm -rf "$work/dir"
	mkdir "$work/dir"
	local run=""
	[ "$1" = inst ] && run="$JCTL run ${JCTL_OPTS:-} -v $work/dir:$work/dir --"
	(cd "$work/dir" && exec env -i "${CLEAN_ENV[@]}" RUN="$run" JCTL="$JCTL" GOBIN_DIR="$GOBIN_DIR" JUNCTION_E2E="$work" \
		"$CLEAN_RUN" timeout -k 3 "$3" bash "$top/tests/e2e/cases/$2.sh") \
		>"$work/$1.out" 2>"$work/$1.err" </dev/null
	echo "exit $?" >>"$work/$1.out"
}

passed=0 failed=0 skipped=0
while read -r cls name secs needs; do
	case $cls in '' | '#'*) continue ;; esac
	if [ $# -gt 0 ]; then
		case " $* " in *" $name "*) ;; *) continue ;; esac
	else
		[ "$class" = all ] || [ "$class" = "$cls" ] || continue
	fi
	if ! command -v "$needs" >/dev/null; then
		echo "SKIP $name: no $needs"
		skipped=$((skipped + 1))
		continue
	fi
	if [ "$name" = go_http ] && ! build_go; then
		echo "FAIL $name: go build"
		failed=$((failed + 1))
		continue
	fi
	t0=$EPOCHREALTIME
	side linux "$name" "$secs"
	t1=$EPOCHREALTIME
	if [ $ref = 1 ]; then
		mv "$work/linux.out" "$work/inst.out"
		side linux "$name" "$secs"
	else
		side inst "$name" "$secs"
	fi
	t2=$EPOCHREALTIME
	times=$(echo "$t0 $t1 $t2" | awk '{ printf "%.1f s, %.1f s", $2 - $1, $3 - $2 }')
	if cmp -s "$work/linux.out" "$work/inst.out"; then
		echo "PASS $name ($times)"
		passed=$((passed + 1))
	else
		echo "FAIL $name ($times)"
		failed=$((failed + 1))
		lines=14
		[ $verbose = 1 ] && lines=1000
		diff "$work/linux.out" "$work/inst.out" | head -$lines
		diff "$work/linux.err" "$work/inst.err" 2>/dev/null | grep '^>' | head -$lines
	fi
	stray=$(ours)
	if [ -n "$stray" ]; then
		sleep 0.5
		stray=$(ours)
	fi
	if [ -n "$stray" ]; then
		echo "FAIL $name: stray processes left: $(echo $stray)"
		failed=$((failed + 1))
		# shellcheck disable=SC2086
		[ -n "${KEEP_STRAY:-}" ] || kill -9 $stray 2>/dev/null
	fi
done <"$top/tests/e2e/list"
[ $ref = 1 ] && echo "(reference run on Linux only)"
[ $skipped = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
