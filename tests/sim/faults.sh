#!/bin/sh
# faults.sh SIM: each of the sixteen faults that faults.c can switch on must be found within 10^6
# steps, and without any nothing must be found. Prints a line for each. The script
# that is left when such a world is cut down: QUIRE_SIM_FAULT=NAME sim_faulty --seed S --shrink
set -u
sim=${1:?the sim that was built with faults.c}
most=1000000
failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$sim" --steps 100000 --audit-every 0 >"$scratch/none" 2>&1 || {
    echo "a difference without a fault:"
    tail -n 3 "$scratch/none"
    exit 1
}
for fault in lost-page stale-page bit-flip copy-on-write-shared fresh-not-zero protection-ignored \
    munmap-ignored discard-ignored mremap-drops-page shared-made-private shootdown-ignored \
    fit-ignored segment-stale kernel-open kernel-unmapped dma-wrong-page; do
    if QUIRE_SIM_FAULT=$fault "$sim" --brief --steps $most --audit-every 0 \
        >"$scratch/$fault" 2>"$scratch/$fault.errors"; then
        echo "$fault: NOT FOUND in $most steps"
        failed=1
        continue
    fi
    steps=$(sed -n 's/^sim: FAILED after \([0-9]*\) steps.*/\1/p' "$scratch/$fault")
    printf '%-22s found after %7s steps; %s\n' "$fault" "$steps" \
        "$(head -n 1 "$scratch/$fault.errors")"
    [ -n "$steps" ] || failed=1
done
exit $failed
