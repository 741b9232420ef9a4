# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Both sides of a comparison run in the same known state, whoever started the
# tests: env -i "${CLEAN_ENV[@]}" "$CLEAN_RUN" COMMAND... Sourced by the runners.

# shellcheck disable=SC2034
CLEAN_ENV=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="${HOME:-/}" LC_ALL=C TERM=dumb
	XDG_CACHE_HOME="${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}")

clean_build() { # TOP: makes $CLEAN_RUN
	CLEAN_RUN=$1/build/cleanrun
	[ "$CLEAN_RUN" -nt "$1/tests/lib/cleanrun.c" ] && return 0
	mkdir -p "$1/build"
	"${CC:-gcc}" -O2 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o "$CLEAN_RUN.$$" "$1/tests/lib/cleanrun.c" &&
		mv "$CLEAN_RUN.$$" "$CLEAN_RUN"
}
