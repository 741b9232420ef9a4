bb=$(command -v busybox)
$RUN "$bb" echo hello
$RUN "$bb" ls -d /etc /usr
$RUN "$bb" sha256sum /etc/passwd
$RUN "$bb" sh -c 'for i in 1 2 3; do echo $i; done | busybox wc -l'
$RUN "$bb" seq 10 | $RUN "$bb" sort -rn
$RUN "$bb" find /usr/share/common-licenses -type f | sort
$RUN "$bb" awk 'BEGIN { for (i = 0; i < 5; i++) print i * i }'
$RUN "$bb" sed -n 1p /etc/passwd
$RUN "$bb" vi --nothere </dev/null >/dev/null 2>&1; echo "rc $?"
