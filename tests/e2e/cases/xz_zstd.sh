seq 1 300000 >d
$RUN xz -T0 -1 -c d | $RUN xz -dc | sha256sum
$RUN zstd -q -T0 -c d | $RUN zstd -dc | sha256sum
$RUN gzip -c d | $RUN gzip -dc | sha256sum
$RUN xz -t /etc/passwd 2>/dev/null; echo "rc $?"
