# Built on Linux before, the same static binary runs on both sides.
$RUN "$GOBIN_DIR/httpd"
echo "rc $?"
$RUN "$GOBIN_DIR/runtime"
echo "rc $?"
