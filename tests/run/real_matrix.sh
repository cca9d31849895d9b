#!/bin/sh
# real_matrix.sh: the same output whatever memory there is: each program with ample RAM, half and a
# quarter of its peak, under two policies, with three kinds of swap: a disk, compressed RAM alone,
# both. QUIRE_FULL=1: all programs, QUIRE_FULL=large: those of hundreds of megabytes, else the
# small ones.
#
# Each program meets each amount of memory, each policy and each kind of swap, in three combinations
# beside the ample one; four programs in a row meet all twelve. QUIRE_MATRIX=all gives each program
# all twelve: hours.
#
# Compressed RAM alone may be too little for what does not shrink: then the OOM killer says so, and
# the combination counts as one that does not fit. It takes all processes then: python3's pool waits
# for ever for a worker that was killed. Any other end, or other output, is a failure.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
ran=0 fitted_not=0 combinations=0

run() { # OPTIONS... : the command in "$@" of the caller is in $scratch/command
    rm -rf "$scratch/work" && mkdir "$scratch/work"
    sh "$scratch/command" "$@" >"$scratch/output" 2>"$scratch/log" </dev/null
}

one() { # OF_PEAK POLICY SWAP
    ram=$((peak / $1 / 4096 * 4096))
    [ $ram -ge 4194304 ] || ram=4194304
    case $3 in
    disk) swap='--swap 2G' ;;
    compressed) swap='--swap 0 --zswap lz4:60 --overcommit 1 --oom group' ;;
    both) swap='--swap 2G --zswap zstd:30' ;;
    esac
    run --ram $ram --policy "$2" $swap
    status=$?
    if [ "$3" = compressed ] && grep -q 'out of memory: killed' "$scratch/log"; then
        fitted_not=$((fitted_not + 1))
        return
    fi
    [ $status = 0 ] || fail "$what, 1/$1 of $peak, $2, $3: status $status: \
$(tail -n 20 "$scratch/log")"
    same_output || fail "$what, 1/$1 of $peak bytes, $2, $3: wrong output"
    combinations=$((combinations + 1))
}

expect() { # WHAT OUTPUT COMMAND...
    what=$1
    printf '%s\n' "$2" >"$scratch/expected"
    shift 2
    # The command as a script, so that it can be run with other options again and again.
    {
        printf 'exec "%s" run --root "%s" --bind "%s/work:/w" "$@" --' "$QUIRE" "$root" "$scratch"
        for word; do
            printf " '%s'" "$(printf '%s\n' "$word" | sed "s/'/'\\\\''/g")"
        done
        echo
    } >"$scratch/command"
    run --ram "${ample:-1G}" --swap 0 || fail "$what with ample RAM: $(tail -n 20 "$scratch/log")"
    same_output || fail "$what: wrong output with ample RAM"
    peak=$(peak_bytes "$scratch/log")
    [ "${peak:-0}" -gt 0 ] || fail "$what: no peak in the summary"
    at=0
    for kind in disk compressed both; do
        for part in 2 4; do
            for policy in linux sieve; do
                # Neighbours in the row of kinds, and of programs, have the other part and policy.
                mine=$(((at / 4 + ran + at / 2) % 2 + (at / 4 + ran / 2 + at) % 2))
                [ "${QUIRE_MATRIX:-}" != all ] && [ $mine != 0 ] || one $part $policy $kind
                at=$((at + 1))
            done
        done
    done
    ran=$((ran + 1))
    echo "$what: peak $((peak / 1024)) KiB"
}

programs
echo "$ran programs, $combinations combinations with the right output; $fitted_not had too little" \
    "compressed RAM"
