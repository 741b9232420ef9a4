#!/bin/bash
# SPDX-License-Identifier: MIT
# make layers: every undefined symbol of a module's objects must be defined in a module its row in layers.txt names. Prints offenders.
set -u
o=${1:-build}/obj
top=$(cd "$(dirname "$0")" && pwd)
rc=0
defs=$(mktemp -d) || exit 1
trap 'rm -rf "$defs"' EXIT
mapfile -t rows < <(grep -v '^#' "$top/layers.txt")
# asm that enters the kernel (entry.S) and the linker script's labels belong to nobody below
outside='^(syscall_dispatch|uintr_handle|uintr_more|exit_work|kernel_main|return_to_user|kernel_entry_syscall|trap_run_.*|exit_(check|jmp|iret|end)|__kernel_text_.*|__(start|stop)_ex_table|_DYNAMIC|__image_start|__data_.*|_GLOBAL_OFFSET_TABLE_|trap_fault_hook|alloc_should_fail|spin_.*_slow)$'
for row in "${rows[@]}"; do
	m=${row%%:*}
	find "$o/$m" -name '*.o' -print0 2>/dev/null | xargs -0 -r nm -g --defined-only 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$defs/${m//\//_}"
done
for row in "${rows[@]}"; do
	m=${row%%:*}
	allowed=("$defs/${m//\//_}")
	for d in ${row#*:}; do allowed+=("$defs/${d//\//_}"); done
	bad=$(find "$o/$m" -name '*.o' -print0 2>/dev/null | xargs -0 -r nm -u 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u |
		grep -vxFf <(cat "${allowed[@]}") | grep -vE "$outside")
	for s in $bad; do
		echo "$m: uses $s, which no layer below defines"
		rc=1
	done
done
[ $rc = 0 ] && echo "layers: clean"
exit $rc
