for s in TERM INT HUP KILL SEGV ABRT PIPE USR1; do
	( $RUN sh -c "kill -$s \$\$; sleep 1" ) 2>/dev/null; echo "$s $?"
done
$RUN sleep 30 & p=$!
sleep 0.7; kill -TERM $p; wait $p 2>/dev/null; echo "forwarded TERM $?"
$RUN sh -c 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.1; done' >out & p=$!
n=0; while ! grep -q ready out && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
kill -TERM $p; wait $p; echo "handled $?"; cat out
