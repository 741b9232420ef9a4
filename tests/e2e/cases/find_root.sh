$RUN find / -xdev -path "$PWD" -prune -o -path /tmp -prune -o -path /var -prune -o -path /run -prune -o -path /root -prune -o -path /work -prune -o -print | sort | sha256sum
$RUN find /usr/share/doc -type f | sort | sha256sum
