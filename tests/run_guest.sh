#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Differential guest tests: build every tests/guest/*.c twice (dynamic and
# static), run each binary on Linux and in an instance, compare stdout, stderr
# and exit code. Without build/jctl only the Linux side runs ("reference").
#
#   tests/run_guest.sh [-r] [-s|-d] [-v] [NAME...]
#     -r  Linux only    -s  static only    -d  dynamic only    -v  show whole differences
#
# A source may carry lines:  /* guest: args=... */  arguments
#                            /* guest: opts=... */  options for jctl run
#                            /* guest: nostderr */  do not compare stderr
#                            /* guest: cflags=... */ extra compiler flags
#                            /* guest: time=SECONDS */ bound of one run (default 20)
#                            /* guest: only=static|dynamic */
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
out=${GUEST_BUILD:-$top/build/guest}
cc=${CC:-gcc}
kinds="dynamic static"
ref=0 verbose=0
while getopts rsdv o; do
	case $o in
	r) ref=1 ;;
	s) kinds=static ;;
	d) kinds=dynamic ;;
	v) verbose=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ -x "$jctl" ] || ref=1
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	for f in "$top"/tests/guest/*.c; do
		n=${f##*/}
		names+=("${n%.c}")
	done
fi
mkdir -p "$out/dynamic" "$out/static"
# shellcheck source=tests/lib/clean.sh
. "$top/tests/lib/clean.sh"
clean_build "$top" || exit 1

mark() { # NAME KEY: the value of a guest mark, or nothing
	sed -n "s|^/\\* guest: $2=\\(.*\\) \\*/\$|\\1|p" "$top/tests/guest/$1.c" | head -1
}

build() { # KIND NAME
	local src=$top/tests/guest/$2.c bin=$out/$1/$2 flags=
	[ "$bin" -nt "$src" ] && [ "$bin" -nt "$top/tests/guest/t.h" ] && return 0
	[ "$1" = static ] && flags=-static
	# shellcheck disable=SC2046,SC2086
	$cc -std=gnu11 -O1 -g -Wall -Wextra -Wno-unused-result -Wno-stringop-overflow -Wno-stringop-overread -Wno-nonnull -pthread $flags $(mark "$2" cflags) \
		-o "$bin.tmp$$" "$src" -lm 2>"$bin.err" && mv "$bin.tmp$$" "$bin" && return 0
	cat "$bin.err" >&2
	return 1
}

work=$(mktemp -d /tmp/jguest.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT

run_side() { # SIDE BIN NAME: fills $work/SIDE.{out,err,rc}
	local side=$1 bin=$2 name=$3 bound dir=$work/dir args=() opts=()
	bound=$(mark "$name" time)
	eval "args=($(mark "$name" args))"
	eval "opts=($(mark "$name" opts))"
	rm -rf "$dir"
	mkdir "$dir"
	[ "$side" = linux ] && opts=() || opts=("$jctl" run "${opts[@]}" --)
	(cd "$dir" && exec env -i "${CLEAN_ENV[@]}" T_GUEST=yes "$CLEAN_RUN" timeout -k 2 "${bound:-20}" "${opts[@]}" "$bin" "${args[@]}") \
		<"$work/in" >"$work/$side.out" 2>"$work/$side.err"
	echo $? >"$work/$side.rc"
}

compare() { # NAME: true when both sides agree
	cmp -s "$work/linux.rc" "$work/inst.rc" || return 1
	cmp -s "$work/linux.out" "$work/inst.out" || return 1
	grep -q '^/\* guest: nostderr \*/' "$top/tests/guest/$1.c" && return 0
	cmp -s "$work/linux.err" "$work/inst.err"
}

printf 'some standard input\nsecond line\n' >"$work/in"
passed=0 failed=0
for name in "${names[@]}"; do
	only=$(mark "$name" only)
	for kind in $kinds; do
		[ -n "$only" ] && [ "$only" != "$kind" ] && continue
		if ! build "$kind" "$name"; then
			echo "FAIL $name ($kind): does not build"
			failed=$((failed + 1))
			continue
		fi
		bin=$out/$kind/$name
		run_side linux "$bin" "$name"
		rc=$(cat "$work/linux.rc")
		if [ "$rc" = 124 ]; then # the machine was held up
			echo "-- $name ($kind): Linux did not come to an end in its time; once more"
			run_side linux "$bin" "$name"
			rc=$(cat "$work/linux.rc")
		fi
		if [ "$rc" -ge 124 ]; then
			echo "FAIL $name ($kind): exit $rc on Linux itself"
			failed=$((failed + 1))
			continue
		fi
		if [ $ref = 1 ]; then
			mv "$work/linux.out" "$work/first.out"
			run_side linux "$bin" "$name"
			if cmp -s "$work/first.out" "$work/linux.out"; then
				passed=$((passed + 1))
			else
				echo "FAIL $name ($kind): not deterministic on Linux"
				diff "$work/first.out" "$work/linux.out" | head -8
				failed=$((failed + 1))
			fi
			continue
		fi
		run_side inst "$bin" "$name"
		if compare "$name"; then
			passed=$((passed + 1))
			continue
		fi
		failed=$((failed + 1))
		echo "FAIL $name ($kind): exit $(cat "$work/inst.rc"), on Linux $rc"
		lines=12
		[ $verbose = 1 ] && lines=1000
		diff "$work/linux.out" "$work/inst.out" | head -$lines
		diff "$work/linux.err" "$work/inst.err" | head -$lines
	done
done
[ $ref = 1 ] && echo "(reference run on Linux only)"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
