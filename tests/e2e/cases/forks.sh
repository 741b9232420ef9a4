$RUN bash -c 'n=0; for ((i = 0; i < 200; i++)); do (exit $((i % 7))); [ $? = $((i % 7)) ] && ((n++)); done; echo $n'
$RUN bash -c 'for ((i = 0; i < 50; i++)); do (sleep 0.2; exit $i) & p[i]=$!; done; s=0; for ((i = 0; i < 50; i++)); do wait ${p[i]}; ((s += $?)); done; echo $s'
$RUN dash -c 'i=0; while [ $i -lt 100 ]; do x=$(echo $i); i=$((i + 1)); done; echo $x'
$RUN sh -c 'seq 100 | cat | cat | cat | cat | sort -n | tail -1'
