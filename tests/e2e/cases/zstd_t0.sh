seq 1 20000000 >d
$RUN zstd -q -T0 -9 -c d | sha256sum
$RUN xz -T0 -0 -c d | $RUN xz -T0 -dc | sha256sum
