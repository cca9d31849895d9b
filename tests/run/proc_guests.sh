#!/bin/sh
# Processes, signals, threads, exec, memory calls: small C programs with the real glibc, which check
# themselves. Each runs natively first, if it can, to know that what it expects is Linux; then on
# the machine, static and dynamic; what it prints must be the same.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
libraries=/usr/riscv64-linux-gnu

build() { # COMPILER OUTPUT NAME FLAGS...
    compiler=$1 output=$2 name=$3
    shift 3
    $compiler -O1 -D_GNU_SOURCE "$here/proc_$name.c" -o "$output" -pthread -lm "$@" ||
        fail "proc_$name.c does not compile"
}

run() { # WHAT EXPECTED OUTPUT COMMAND...
    what=$1 expected=$2 output=$3
    shift 3
    timeout 120 "$QUIRE" run --quiet "$@" >"$output" 2>"$scratch/error"
    status=$?
    [ $status = "$expected" ] ||
        fail "$what: status $status instead of $expected: $(tail -n 5 "$output" "$scratch/error")"
}

for name in fork signal memory vma shm ipc layout thread stack exec view timer event float kept; do
    build $cross "$scratch/static" $name -static
    run "proc_$name, static" 0 "$scratch/static.out" -- "$scratch/static"
    run "proc_$name again" 0 "$scratch/again.out" -- "$scratch/static"
    cmp "$scratch/static.out" "$scratch/again.out" || fail "proc_$name: two runs differ"
    if [ -d $libraries/lib ]; then
        build $cross "$scratch/dynamic" $name
        run "proc_$name, dynamic" 0 "$scratch/dynamic.out" --root $libraries --bind "$scratch" \
            --bind /tmp -- "$scratch/dynamic"
    fi
    if [ "$(uname -s)" = Linux ] && command -v cc >/dev/null; then
        build cc "$scratch/native" $name
        if timeout 120 "$scratch/native" >"$scratch/native.out" 2>&1; then
            diff "$scratch/native.out" "$scratch/static.out" ||
                fail "proc_$name: other than on this Linux"
        else
            echo "proc_$name: does not hold on this Linux itself, not compared"
        fi
    fi
    tail -n 1 "$scratch/static.out"
done

# Out of memory at awkward places, on a machine just large enough.
build $cross "$scratch/oom" oom -static
for ram in 16M ${QUIRE_FULL:+17M 18M}; do
    run "proc_oom with $ram" 0 "$scratch/out" --ram $ram --swap 0 --overcommit 1 -- "$scratch/oom"
done
run "proc_oom with swap" 0 "$scratch/out" --ram 8M --swap 8M --overcommit 1 -- "$scratch/oom"
tail -n 2 "$scratch/out"

# The codecs of compressed swap, and an observer, leave the program's floating point alone.
build $cross "$scratch/float" float -static
for codec in lz4 zstd; do
    run "proc_float with $codec" 0 "$scratch/out" --ram 8M --swap 32M --zswap $codec \
        --json "$scratch/report" -- "$scratch/float"
done

# Random calls with random arguments, in a root of their own: the machine goes on.
mkdir -p "$scratch/calls/tmp"
build $cross "$scratch/calls/proc_calls" calls -static
for seed in 1 2 ${QUIRE_FULL:+3 4 5 6 7 8 9 10}; do
    run "random calls, seed $seed" 0 "$scratch/out" --ram 8M --swap 8M --root "$scratch/calls" \
        -- /proc_calls $seed 200
done

# A file that nobody maps changes on the host: who maps it again sees what it is now.
build $cross "$scratch/kept" kept -static
mkfifo "$scratch/line"
echo first >"$scratch/file"
timeout 120 "$QUIRE" run --quiet -- "$scratch/kept" other "$scratch/file" \
    <"$scratch/line" >"$scratch/out" 2>"$scratch/error" &
exec 3>"$scratch/line"
until grep -q first "$scratch/out" || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
echo later >"$scratch/file"
echo go >&3
exec 3>&-
wait $! || fail "proc_kept other: status $?: $(cat "$scratch/out" "$scratch/error")"
[ "$(sed -n 2p "$scratch/out")" = 'later later' ] ||
    fail "a file changed by the host: $(cat "$scratch/out")"

# A page of a file costs time when it is read again because it had to leave, and only then.
for passes in 1 2; do
    "$QUIRE" run --ram 6M --swap 0 -- "$scratch/kept" passes $passes \
        >"$scratch/out" 2>"$scratch/log" ||
        fail "proc_kept passes: $(cat "$scratch/out" "$scratch/log")"
    grep -o '[0-9.]* s of it waiting' "$scratch/log"
done >"$scratch/waits"
awk '{ waited[NR] = $1 } END { exit !(NR == 2 && waited[1] == 0 && waited[2] > 0.1) }' \
    "$scratch/waits" || fail "reading again: $(cat "$scratch/waits")"

# How a program dies, and what is said of it.
build $cross "$scratch/stack" stack -static
for way in literal overflow; do
    run "$way" 139 "$scratch/out" -- "$scratch/stack" $way
    grep -q 'Segmentation fault at 0x' "$scratch/error" || fail "$way: no line about the fault"
done
run "malloc" 0 "$scratch/out" -- "$scratch/stack" heap
grep -q '^after free: not mapped' "$scratch/out" || fail "malloc(200 KiB) is not gone after free"
grep -q '^malloc(1): 0x2[0-9a-f]000 rw-p \[heap\]' "$scratch/out" ||
    fail "malloc(1): $(cat "$scratch/out")"
