# Waits until its standard input ends, which it does when the runner drops the folder or dies, then ends every server
# whose data folder lies below $1 and removes $1. The word "keep" on standard input leaves all as it is.
read -r word && [ "$word" = keep ] && exit 0
servers() {
    find "$1" -name postmaster.pid 2>/dev/null | while read -r file; do
        pid=$(head -n 1 "$file" 2>/dev/null) || continue
        [ "$(readlink "/proc/$pid/cwd")" = "$(dirname "$file")" ] && echo "$pid"
    done
}
rounds=0
while [ "$rounds" -lt 300 ]; do
    pids=$(servers "$1")
    [ -z "$pids" ] && break
    signal=QUIT
    [ "$rounds" -gt 200 ] && signal=KILL
    for pid in $pids; do
        kill -CONT "$pid" 2>/dev/null
        kill "-$signal" "$pid" 2>/dev/null
    done
    sleep 0.02
    rounds=$((rounds + 1))
done
for _ in 1 2 3 4 5; do
    rm -rf "$1" && exit 0
    sleep 0.1
done
exit 1
