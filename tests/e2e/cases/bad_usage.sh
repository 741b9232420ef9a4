# Not differential: the words of Junction's own refusals. Linux side prints what is wanted.
t() { want=$1; shift; if [ -z "$RUN" ]; then echo "$want 1"; else "$@" >o 2>e </dev/null; echo "$? $(wc -l <e)"; fi; }
t 127 "${JCTL:-x}" run -- /nothere/at/all
t 127 "${JCTL:-x}" run -- no-such-program-name
t 126 "${JCTL:-x}" run -- /etc/passwd
t 126 "${JCTL:-x}" run -- /usr
t 125 "${JCTL:-x}" run --no-such-option -- /bin/true
t 125 "${JCTL:-x}" run --cores banana -- /bin/true
t 125 "${JCTL:-x}" run --mem -5 -- /bin/true
t 125 "${JCTL:-x}" run --root /nothere -- /bin/true
t 125 "${JCTL:-x}" run --net banana -- /bin/true
t 125 "${JCTL:-x}" run --config /nothere.json -- /bin/true
t 125 "${JCTL:-x}" run
