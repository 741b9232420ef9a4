seq 1 20000 | sort -R --random-source=/dev/zero >nums
$RUN sort -n nums | sha256sum
$RUN sort nums | sha256sum
$RUN sha256sum nums
$RUN md5sum nums
$RUN wc nums
$RUN head -n 3 nums
$RUN tail -n 3 nums
$RUN tail -c 30 nums
$RUN cut -c1-2 nums | sha256sum
$RUN uniq -c nums | $RUN tail -n 1
$RUN tr 0-9 a-j <nums | $RUN sha256sum
$RUN cat nums nums | $RUN wc -l
$RUN od -An -tx1 -N 40 nums
$RUN base64 nums | sha256sum
$RUN stat -c '%s %f %h' nums
$RUN ls -d /usr/bin /etc/passwd /dev/null
$RUN sh -c 'cd /usr/share/common-licenses && ls -l | cut -c1-10,40-' | sort | head -5
$RUN cp nums nums2 && echo copied
$RUN expr 3 + 4
$RUN factor 1234567890123
$RUN seq 3
$RUN date -u -d @0
$RUN basename /a/b/c
$RUN dirname /a/b/c
$RUN readlink -f /usr/bin/../lib
$RUN id -u
$RUN test -f nums; echo $?
$RUN cat /nothere; echo "rc $?"
$RUN ls /nothere; echo "rc $?"
$RUN env -i A=1 B=2 env
$RUN printf '%s|%05d\n' x 42
$RUN dd if=/dev/zero bs=4096 count=100 2>/dev/null | sha256sum
$RUN timeout 0.2 sleep 5; echo "rc $?"
$RUN split -l 5000 nums part. && echo split
$RUN sh -c 'mkdir -p t/a/b; touch t/a/x t/a/b/y; ln -s ../x t/a/b/l; find t | sort; mv t/a t/c; find t -type l; rm -r t; ls t' ; echo "rc $?"
$RUN sh -c 'head -c 1000000 /dev/zero >z; truncate -s 500 z; stat -c %s z; shred -n 1 -u z; ls z' ; echo "rc $?"
