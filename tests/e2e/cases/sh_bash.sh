cat >s.sh <<'S'
set -e
x=$(echo one; echo two | tr a-z A-Z)
echo "$x"
for i in 1 2 3 4 5; do echo $((i * i)); done | while read v; do echo "v=$v"; done
cat <<EOF
here $x
EOF
(cd /; pwd; exit 3) || echo "sub $?"
trap 'echo trapped' USR1
kill -USR1 $$
sleep 0.1 & wait $!; echo "bg $?"
false || echo no
f() { local a=$1; echo "f $a"; return 7; }
f x || echo "ret $?"
echo a b c | { read p q; echo "$q $p"; }
printf '%s\n' z y x | sort | xargs -n 2 echo
[ -d /usr ] && echo dir
exec 3>out3; echo three >&3; exec 3>&-; cat out3
trap 'echo bye' EXIT
sh -c 'kill -TERM $$' || echo "killed $?"
i=0; while [ $i -lt 30 ]; do i=$((i+1)); : $(true); done; echo $i
exit 5
S
$RUN bash s.sh
echo "rc $?"
cat >b.sh <<'S'
set -o pipefail
a=(3 1 2); printf '%s\n' "${a[@]}" | sort
false | true; echo $?
diff <(seq 3) <(seq 1 3) && echo same
declare -A m=([x]=1 [y]=2); echo ${m[y]}
coproc cat; echo hi >&"${COPROC[1]}"; read -r l <&"${COPROC[0]}"; echo $l; kill $COPROC_PID; wait $COPROC_PID; echo $?
for i in {1..5}; do (exit $i) & p[$i]=$!; done
for i in {1..5}; do wait ${p[$i]}; echo $?; done
echo "${BASH_SUBSHELL} $(echo ${BASH_SUBSHELL})"
time_out() { read -t 0.1 x; echo "read $?"; }; time_out </dev/zero
mapfile -t lines < <(seq 5); echo ${#lines[@]}
S
$RUN bash b.sh 2>&1
