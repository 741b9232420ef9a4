$RUN sh -c 'echo hello from sh; exit 3'
echo "rc $?"
echo input | $RUN cat
$RUN sh -c 'echo out; echo err >&2' 2>/dev/null
$RUN sh -c 'echo out; echo err >&2' 2>&1 >/dev/null
