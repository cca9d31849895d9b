# lib.sh: what the tests of the command share. Sourced with QUIRE set to the command.
#
#   scratch     a directory that is gone at the end
#   skip WHY    nothing can be said here: counts as skipped
#   fail WHY    the test has failed, and stops
set -u
: "${QUIRE:?the command under test}"
LC_ALL=C
export LC_ALL

scratch=$(mktemp -d "${TMPDIR:-/tmp}/quire-test.XXXXXX")
# A guest may have taken permissions away, which stops all but root.
trap 'chmod -R u+rwX "$scratch" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP

skip() {
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# need_report OPTION: quire can write what --json or --report wants, python3 read it, and a compiler
# ($cross) make guests of the sources in $guests.
need_report() {
    cross=riscv64-linux-gnu-gcc
    guests=${QUIRE_SOURCE:?}/tests/watch/guests
    command -v $cross >/dev/null || skip "no $cross"
    command -v python3 >/dev/null || skip "no python3"
    case $("$QUIRE" run "$1" "$scratch/probe.${1#--}" -- /nonexistent 2>&1) in
    *libjansson* | *uPlot*) skip "this quire was built without libjansson or uPlot" ;;
    esac
}

# need_root [NAME]: $root is a tree with the packages that the tests of real programs use. From the
# cache, or made now; without a network and a cache, skipped.
test_packages='coreutils busybox xz-utils python3-minimal'
need_root() {
    roots=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/quire/roots
    root=$roots/${1:-tests}
    mkdir -p "$roots" 2>/dev/null || skip "no cache directory can be made at $roots"
    # Tests run side by side: one makes the tree, the others wait for it.
    (
        flock 9
        "$QUIRE" root create "$root" $test_packages 2>"$scratch/root.log"
    ) 9>"$roots/lock" || skip "no RISC-V packages: $(tail -n 1 "$scratch/root.log")"
}

# peak_bytes FILE: what the summary in FILE says that the programs wanted at once, in bytes.
peak_bytes() {
    sed -n 's/.*the programs wanted \([0-9.]*\) \([KMGT]*\)i*B at once.*/\1 \2/p' "$1" |
        awk '{ n = $1; u = $2
               if (u == "K") n *= 1024; if (u == "M") n *= 1048576; if (u == "G") n *= 1073741824
               printf "%d\n", n }'
}

# same_output: if not, the first lines that differ.
same_output() {
    cmp -s "$scratch/expected" "$scratch/output" && return 0
    diff -a "$scratch/expected" "$scratch/output" | head -n 10 >&2
    return 1
}

# at_a_quarter NAME COMMAND...: run it with ample RAM, then with a quarter of the peak that the
# first run showed; both outputs must be $scratch/expected. The command reads $scratch/input if it
# is there.
ample=${QUIRE_AMPLE:-1G}
at_a_quarter() {
    name=$1
    shift
    input=/dev/null
    [ ! -f "$scratch/input" ] || input=$scratch/input
    "$QUIRE" run --ram "$ample" --root "$root" --bind "$scratch:/scratch" -- "$@" \
        <"$input" >"$scratch/output" 2>"$scratch/ample.log" ||
        fail "$name with $ample of RAM: status $?: $(tail -n 12 "$scratch/ample.log")"
    same_output || fail "$name: wrong output with ample RAM"
    peak=$(peak_bytes "$scratch/ample.log")
    [ "${peak:-0}" -gt 0 ] || fail "$name: the summary names no peak demand"
    quarter=$((peak / 4 / 4096 * 4096))
    [ "$quarter" -ge 4194304 ] || quarter=4194304
    "$QUIRE" run --ram "$quarter" --swap 4G --root "$root" --bind "$scratch:/scratch" -- "$@" \
        <"$input" >"$scratch/output" 2>"$scratch/quarter.log" ||
        fail "$name with $quarter bytes of RAM: status $?: $(tail -n 12 "$scratch/quarter.log")"
    same_output || fail "$name: wrong output in a quarter of its peak"
    echo "$name: peak $((peak / 1048576)) MiB, right output with $ample and with" \
        "$((quarter / 1048576)) MiB"
    sed -n '2,$p' "$scratch/quarter.log"
}
