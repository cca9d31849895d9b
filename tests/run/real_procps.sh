#!/bin/sh
# real_procps.sh: free, ps, top, vmstat, pmap, uptime of the distribution show the machine's
# numbers: those of /proc, and /proc those of the command line.
. "$(dirname "$0")/lib.sh"
test_packages="$test_packages procps grep"
need_root procps

cat >"$scratch/inside.sh" <<'EOS'
export TERM=dumb LC_ALL=C
# The cache is warm, so that what they read is what they leave behind.
for once in 1 2; do
    exec >/w/output.$once
    cat /proc/meminfo | grep -E '^(MemTotal|MemFree|SwapTotal|SwapFree|MemAvailable):'
    free -k
    grep -E '^(VmSize|VmRSS|PPid|State):' /proc/$$/status
    echo "ps $(ps -o vsz=,rss=,ppid=,stat=,comm= -p $$)"
    echo "pmap $(pmap $$ | tail -n 1)"
    vmstat -s -S k | grep -E 'total memory|total swap|boot time'
    vmstat 1 2 | tail -n 1
    uptime
    ps aux --sort -rss
    top -b -n1
    sleep 30 & sleep 31 &
    pgrep sleep | wc -l
    pkill sleep; wait
    pgrep sleep | wc -l
done
EOS
"$QUIRE" run --quiet --ram 64M --swap 96M --root "$root" --bind "$scratch:/w" -- \
    sh /w/inside.sh sentinel 2>"$scratch/log" </dev/null ||
    fail "status $?: $(tail -n 5 "$scratch/log")"
[ ! -s "$scratch/log" ] || fail "said: $(head -n 5 "$scratch/log")"
cd "$scratch" || exit 1
field() { sed -n "s/$1/\\1/p" output.2 | head -n 1; }
same() { # WHAT ONE OTHER TOLERANCE
    [ -n "$2" ] && [ -n "$3" ] &&
        [ $(($2 - $3)) -le "${4:-0}" ] && [ $(($3 - $2)) -le "${4:-0}" ] ||
        fail "$1: $2 and $3 in $(cat output.2)"
}
total=$(field 'MemTotal: *\([0-9]*\) kB') free=$(field 'MemFree: *\([0-9]*\) kB')
same "RAM that was given" "$total" 65536
same "free's total" "$(field 'Mem: *\([0-9]*\) .*')" "$total"
same "free's free" "$(field 'Mem: *[0-9]* *[0-9]* *\([0-9]*\) .*')" "$free" 1500
swap=$(field 'SwapTotal: *\([0-9]*\) kB')
same "swap that was given" "$swap" 98304 8
same "free's swap" "$(field 'Swap: *\([0-9]*\) .*')" "$swap"
same "vmstat's total" "$(field ' *\([0-9]*\) k total memory')" $((total * 1024 / 1000)) 1
same "top's total" "$(field 'MiB Mem : *\([0-9]*\)\..*')" $((total / 1024))
size=$(field 'VmSize:[^0-9]*\([0-9]*\) kB') rss=$(field 'VmRSS:[^0-9]*\([0-9]*\) kB')
same "ps's VSZ" "$(field 'ps *\([0-9]*\) .*')" "$size" 16
same "ps's RSS" "$(field 'ps *[0-9]* *\([0-9]*\) .*')" "$rss" 200
same "pmap's total" "$(field 'pmap *total *\([0-9]*\)K')" "$size" 16
grep -q '^ps .* Ss*+* *sh$' output.2 || fail "state and name: $(grep '^ps' output.2)"
grep -q 'load average: [0-9]' output.2 || fail "uptime: $(grep load output.2)"
grep -Eq '^root +1 .* sh /w/inside.sh sentinel|^[^ ]+ +1 .* sh /w/inside.sh sentinel' output.2 ||
    fail "ps aux lacks process 1"
[ "$(grep -c '^[0-9]$' output.2)" = 2 ] && grep -q '^2$' output.2 && grep -q '^0$' output.2 ||
    fail "pgrep and pkill"
ps_order=$(sed -n '/^USER/,/^top/p' output.2 | awk 'NR > 1 && NF > 9 { print $6 }')
[ "$ps_order" = "$(echo "$ps_order" | sort -rn)" ] || fail "not sorted by RSS: $ps_order"
echo "free, ps, top, vmstat, pmap, uptime, pgrep, pkill agree with /proc"
