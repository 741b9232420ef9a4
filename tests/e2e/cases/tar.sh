src=/usr/share/common-licenses
$RUN tar -C $src --sort=name --mtime=@0 --owner=0 --group=0 -cf - . | sha256sum
$RUN tar -C $src --sort=name --mtime=@0 --owner=0 --group=0 -czf - . | $RUN tar -tzf - | sort
$RUN sh -c "mkdir x && cp -a $src x/ && tar -cf x.tar x && mkdir y && tar -C y -xf x.tar && diff -r x y/x && find y | sort | sha256sum"
