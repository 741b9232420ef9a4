$RUN openssl speed -seconds 1 -bytes 1024 sha256 2>/dev/null | grep -c sha256
$RUN openssl speed -seconds 1 -multi 2 aes-128-cbc 2>/dev/null | grep -c -i aes-128
$RUN openssl dgst -sha512 /etc/passwd
