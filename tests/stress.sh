#!/bin/bash
# SPDX-License-Identifier: MIT
#
# stress-ng classes, each on Linux and in an instance with --verify; a table.
# The note names system calls that the class tried and the instance lacks.
#   tests/stress.sh [-r] [-w] [-n WORKERS] [-t SECONDS] [CLASS...]
#     -r  Linux only    -w  the wide list: one class for every part of the system interface
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
jctl=${JCTL:-$top/build/jctl}
secs=10 ref=0 workers=2 wide=0
while getopts rwn:t: o; do
	case $o in
	r) ref=1 ;;
	w) wide=1 ;;
	n) workers=$OPTARG ;;
	t) secs=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
classes=("$@")
if [ ${#classes[@]} -eq 0 ] && [ $wide = 1 ]; then
	classes=(affinity alarm bigheap brk chdir chmod chown clock clone close copy-file daemon dev dir dirdeep dnotify dup env eventfd
		exec fallocate fault fcntl fiemap fifo flock fork fp-error full get getdent handle hsearch inotify io itimer kill link
		locka lockf lockofd madvise membarrier memfd mergesort mincore mknod mlock mmapfork mq mremap msg msync nanosleep nice
		null open personality pidfd pipe pipeherd poll prctl procfs pthread pty readahead rename resources rseq rtc schedpolicy
		seccomp sem sem-sysv sendfile session set shm shm-sysv sigabrt sigchld sigfd sigfpe sigio sigpending sigpipe sigq
		sigrt sigsegv sigsuspend sigtrap sockabuse sockfd sockmany sockpair spawn splice stack switch symlink sysfs sysinfo tee
		timer touch tsearch udp-flood unshare urandom userfaultfd utime vfork vforkmany vm-splice wait xattr yield zombie)
fi
[ ${#classes[@]} -gt 0 ] || classes=(cpu vm memcpy memrate pthread futex pipe eventfd epoll timer timerfd sigq
	signal sigsegv sem mutex sock udp dentry file-ioctl hdd iomix fork mmap poll switch)
work=$(mktemp -d /tmp/jstress.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

one() { # COMMAND... : a word for the result
	local rc
	timeout -k 5 $((secs * 2 + 20)) "$@" >out 2>&1 </dev/null
	rc=$?
	cp out last
	grep -v '^junction: ' last >out
	if grep -q 'unsuccessful run\|aborted\|fail:' out; then
		echo fail
	elif grep -q 'not implemented\|skipped' out && ! grep -q 'passed' out; then
		echo skip
	elif [ $rc = 0 ]; then
		echo pass
	else
		echo "exit$rc"
	fi
}

passed=0 failed=0
printf '%-12s %-8s %-8s %s\n' class Linux instance note
for c in "${classes[@]}"; do
	s=$c
	case $c in signal) s=sigfpe ;; esac
	stress-ng --help 2>/dev/null | grep -q -- "--$s N" || { printf '%-12s no such class\n' "$c"; continue; }
	args=(stress-ng --"$s" "$workers" --verify --timeout "$secs" --temp-path "$work")
	l=$(one "${args[@]}")
	i=-
	note=
	if [ $ref = 0 ]; then
		i=$(one "$jctl" run -v "$work:$work" -- "${args[@]}")
		if [ "$i" = pass ]; then
			note=$(sed -n 's/^junction: system call \([0-9]*\) is not implemented.*/\1/p' last | sort -un | tr '\n' ' ')
			[ -z "$note" ] || note="ENOSYS: ${note% }"
		else
			note=$(grep -E 'fail|errno|error' last | head -1 | cut -c1-70)
		fi
	fi
	printf '%-12s %-8s %-8s %s\n' "$c" "$l" "$i" "$note"
	if [ "$i" = "$l" ] || [ "$i" = pass ] || [ "$ref" = 1 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
