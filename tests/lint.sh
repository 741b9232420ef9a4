#!/bin/bash
# SPDX-License-Identifier: MIT
# make lint: every freestanding source compiles cleanly with clang too; no file over 800 lines; shell scripts parse.
set -u
cd "$(dirname "$0")/.." || exit 1
rc=0
flags="-std=gnu11 -O2 -ffreestanding -fPIE -mgeneral-regs-only -mfsgsbase -fno-stack-protector -mno-red-zone -fno-strict-aliasing
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror -Iinclude -I. -fsyntax-only"
for o in "$@"; do
	s=${o%.o}.c
	[ -f "$s" ] || continue
	# shellcheck disable=SC2086
	clang $flags "$s" || { echo "clang: $s"; rc=1; }
done
while read -r n f; do
	[ "$f" = total ] || [ "$n" -le 800 ] || { echo "$f: $n lines"; rc=1; }
done < <(git ls-files '*.c' '*.h' '*.S' | tr '\n' '\0' | xargs -0 wc -l)
for f in $(git ls-files '*.sh') .ci/run; do bash -n "$f" || rc=1; done
[ $rc = 0 ] && echo "lint: clean"
exit $rc
