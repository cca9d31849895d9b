#!/bin/sh
# check.sh: libquire-check.so names the function and the line of each planted mistake; says nothing
# of programs without any; and finds no more leaks in real programs than valgrind does.
. "$(dirname "$0")/../run/lib.sh"
here=$(dirname "$0")
library=$QUIRE_BUILD/libquire-check.so
[ -e "$library" ] || skip "no libquire-check.so was built"
unset QUIRE_CHECK DEBUGINFOD_URLS

cc -g -O1 -w -o "$scratch/c" "$here/mistakes.c" || fail "does not compile"
planted=0

# Where a mark is: "function at FILE:LINE" must stand in the report.
place() { # SOURCE FUNCTION:MARK
    line=$(grep -n "LINE(${2#*:})" "$here/$1" | cut -d: -f1)
    [ -n "$line" ] || fail "no mark $2 in $1"
    grep -Eq "#[0-9]+ +${2%%:*}(\(.*\))? at .*/$1:$line\$" "$scratch/report"
}

find_mistake() { # PROGRAM SOURCE MISTAKE OPTIONS STATUS WHAT PLACE...
    program=$1 source=$2 mistake=$3 options=$4 status=$5 what=$6
    shift 6
    QUIRE_CHECK=$options LD_PRELOAD=$library "$program" "$mistake" \
        >"$scratch/output" 2>"$scratch/report"
    got=$?
    [ $got = "$status" ] ||
        fail "$mistake $options: status $got, not $status: $(cat "$scratch/report")"
    head -n 1 "$scratch/report" | grep -Eq "^quire-check: [0-9]+: $what" ||
        fail "$mistake $options: not called '$what': $(head -n 3 "$scratch/report")"
    for p in "$@"; do
        place "$source" "$p" || fail "$mistake $options: $p is not named: $(cat "$scratch/report")"
    done
    planted=$((planted + 1))
}
c() { find_mistake "$scratch/c" mistakes.c "$@"; }

if command -v nm >/dev/null && nm -D "$library" | grep -q ' U dwfl_begin'; then
    c leak '' 99 'memory that nothing points at' make:made
    grep -q '1234 bytes in 1 blocks, allocated by' "$scratch/report" || fail "leak: no figures"
    c leak_list '' 99 'memory that nothing points at' leak_list:node
    grep -q '48 bytes in 1 blocks, and 432 in 9' "$scratch/report" || fail "list: other figures"
    c double_free '' 99 'freed twice' double_free:double_free release:first_free make:made
    c overflow '' 99 'written past the end' overflow:overflow_free make:made
    c overflow_kept '' 99 'written past the end' make:made
    c underflow '' 99 'written before the start' underflow:underflow_free make:made
    c write_freed '' 99 'written to after it was freed' release:first_free make:made
    c realloc_stale '' 99 'freed twice' realloc_stale:realloc_stale make:made
    c free_inside '' 99 'freed what is not a block' free_inside:free_inside make:made
    grep -q 'points 40 bytes behind the start of a block' "$scratch/report" || fail "inside: where?"
    c free_stack '' 99 'freed what is not a block' free_stack:free_stack
    grep -q "this thread's stack" "$scratch/report" || fail "stack: not said"
    c free_data '' 99 'freed what is not a block' free_data:free_data
    c free_wild '' 99 'freed what is not a block' free_wild:free_wild
    c free_unset '' 99 'freed what is not a block' free_unset:free_unset
    grep -q 'nobody had set' "$scratch/report" || fail "unset: not said"
    # 128 + SIGSEGV: it dies as it would have, after the report.
    c use_wild '' 139 'access to what is not there' use_wild:use_wild
    c use_unset '' 139 'access by a pointer that was never set' use_unset:use_unset
    # With guard pages, the access itself.
    c read_past guard=1 99 'access past the end' read_past:read_past make:made
    c read_freed guard=1 99 'access to a block that was freed' \
        read_freed:read_freed release:first_free make:made
    c write_freed guard=1 99 'access to a block that was freed' write_freed:write_freed make:made
    c overflow guard=1 99 'written past the end' overflow:overflow_free
    # Every call looks at everything: the write is found before anybody frees.
    c overflow_kept every=1 99 'written past the end' make:made
    if command -v g++ >/dev/null; then
        g++ -g -O1 -w -std=c++17 -o "$scratch/x" "$here/mistakes.cpp" || fail "does not compile"
        x() { find_mistake "$scratch/x" mistakes.cpp "$@"; }
        x new_free '' 99 'freed by the wrong function' new_free:new_free
        x malloc_delete '' 99 'freed by the wrong function' malloc_delete:malloc_delete
        x array_delete '' 99 'freed by the wrong function' array_delete:array_delete
        grep -q 'had by new\[\], freed by delete, here' "$scratch/report" || fail "kinds: not said"
        x delete_twice '' 99 'freed twice' delete_twice:delete_twice
        x leak_object '' 99 'memory that nothing points at' leak_object:leak_object
    fi
else
    echo "no libdw: functions only"
    for m in double_free overflow underflow free_inside free_wild; do
        LD_PRELOAD=$library "$scratch/c" $m >/dev/null 2>"$scratch/report"
        [ $? = 99 ] && grep -q '^quire-check' "$scratch/report" || fail "$m: not found"
        planted=$((planted + 1))
    done
fi

# ---- options ------------------------------------------------------------------------------------

for wrong in guards=1 leaks leaks=2 depth=0 depth=65 redzone=8 exitcode=256 log= =1 depth=1X; do
    QUIRE_CHECK=leaks=0:$wrong LD_PRELOAD=$library "$scratch/c" none >/dev/null 2>"$scratch/log"
    [ $? = 2 ] || fail "$wrong is accepted"
    grep -q "QUIRE_CHECK: '$wrong' is not an option; they are leaks=0|1" "$scratch/log" ||
        fail "$wrong: $(cat "$scratch/log")"
done
QUIRE_CHECK=log=/nowhere/at/all LD_PRELOAD=$library "$scratch/c" none 2>"$scratch/log" >/dev/null
[ $? = 2 ] && grep -q 'cannot be opened: /nowhere/at/all' "$scratch/log" || fail "a log in no place"
run() { # OPTIONS MISTAKE: prints the status
    QUIRE_CHECK=$1 LD_PRELOAD=$library "$scratch/c" "$2" >"$scratch/output" 2>"$scratch/report"
    echo $?
}
[ "$(run exitcode=3 double_free)" = 3 ] || fail "exitcode is not taken"
[ "$(run leaks=0 leak)" = 0 ] && [ ! -s "$scratch/report" ] || fail "leaks=0 reports a leak"
[ "$(run abort=1 double_free)" = 134 ] || fail "abort=1 does not abort"
[ "$(run segv=0 use_wild)" = 139 ] && ! grep -q quire-check "$scratch/report" || fail "segv=0"
[ "$(run "stop=0:log=$scratch/file" free_inside)" = 99 ] || fail "stop=0: status"
grep -q 'freed what is not a block' "$scratch/file" && [ ! -s "$scratch/report" ] || fail "log"
for m in overflow write_freed double_free; do
    [ "$(run stop=0:every=1 $m)" = 99 ] || fail "stop=0: $m: status"
    [ "$(grep -c '^quire-check' "$scratch/report")" = 1 ] || fail "stop=0: $m is told again"
done
[ "$(run depth=1 double_free)" = 99 ] && ! grep -q '#1 ' "$scratch/report" || fail "depth=1"

# ---- programs without mistakes ------------------------------------------------------------------

clean() { # OPTIONS COMMAND...: nothing is reported, the output is as without
    options=$1
    shift
    "$@" >"$scratch/expected" 2>&1 || fail "$*: status $? without the library"
    rm -f "$scratch/said"
    QUIRE_CHECK=log=$scratch/said:$options LD_PRELOAD=$library "$@" >"$scratch/output" 2>&1 ||
        fail "$*: status $?: $(cat "$scratch/said")"
    [ ! -s "$scratch/said" ] || fail "$*: $(cat "$scratch/said")"
    same_output || fail "$*: another output"
}
clean every=1 "$scratch/c" none
clean guard=1 "$scratch/c" none
[ ! -e "$scratch/x" ] || clean '' "$scratch/x" none
[ ! -e "$scratch/x" ] || clean guard=1 "$scratch/x" none
awk 'BEGIN { for (i = 0; i < 20000; i++) print (i * 7919) % 20011, "line" }' >"$scratch/lines"
clean '' cat "$scratch/lines"
clean leaks=0 sort -n "$scratch/lines"
clean leaks=0 sort --parallel=4 -S 1M "$scratch/lines"
clean '' sh -c 'for i in 1 2 3; do echo $(echo $i); done'
if command -v python3 >/dev/null; then
    clean '' python3 -c 'import json, re, subprocess, threading
l = []
t = [threading.Thread(target=lambda: l.extend(str(i) for i in range(5000))) for _ in range(3)]
[x.start() for x in t]; [x.join() for x in t]
print(len(l), len(json.dumps(l)), subprocess.run(["true"]).returncode)'
fi
if command -v gcc >/dev/null; then
    clean leaks=0 gcc -O1 -S -o - -I"$QUIRE_SOURCE" -I"$QUIRE_SOURCE/include" \
        "$QUIRE_SOURCE/heap/classic/lists.c"
fi

# sort and gcc do lose memory: main's own array; the driver's specs. Not more than valgrind says.
no_more_than_valgrind() {
    valgrind --leak-check=full "$@" 2>&1 >/dev/null |
        sed -n 's/.*definitely lost: \([0-9,]*\) bytes.*/\1/p' | tr -d , >"$scratch/theirs"
    theirs=$(cat "$scratch/theirs")
    rm -f "$scratch/said"
    QUIRE_CHECK=log=$scratch/said LD_PRELOAD=$library "$@" >/dev/null 2>&1
    ours=$(sed -n 's/^  \([0-9]*\) bytes in [0-9]* blocks\(, and.*\)*$/\1/p' "$scratch/said" \
        2>/dev/null | tail -n 1)
    [ "${ours:-0}" -le "${theirs:-0}" ] || fail "$1 loses ${theirs:-0} bytes, reported: $ours"
    echo "$1: ${ours:-0} bytes reported as lost, valgrind says ${theirs:-0}"
}
if command -v valgrind >/dev/null; then
    no_more_than_valgrind sort -n "$scratch/lines"
    command -v gcc >/dev/null && no_more_than_valgrind gcc -E "$here/mistakes.c"
fi

# ---- inside quire run ---------------------------------------------------------------------------

riscv=$QUIRE_BUILD/riscv64
roots=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/quire/roots
if [ -e "$riscv/libquire-check.so" ] && (need_root) >/dev/null 2>&1; then
    riscv64-linux-gnu-gcc -g -O1 -w -rdynamic -o "$scratch/c" "$here/mistakes.c" || fail "riscv"
    for m in double_free overflow underflow write_freed free_inside free_wild leak; do
        "$QUIRE" run --quiet --ram 64M --root "$roots/tests" --bind "$scratch:/w" \
            --bind "$riscv:/q" -- env LD_PRELOAD=/q/libquire-check.so /w/c $m >/dev/null \
            2>"$scratch/report"
        got=$?
        [ $got = 99 ] || fail "inside: $m: status $got: $(cat "$scratch/report")"
        grep -q '^quire-check' "$scratch/report" || fail "inside: $m: no report"
        planted=$((planted + 1))
    done
    "$QUIRE" run --quiet --ram 64M --root "$roots/tests" --bind "$scratch:/w" \
        --bind "$riscv:/q" -- env LD_PRELOAD=/q/libquire-check.so /w/c none \
        >"$scratch/output" 2>&1 &&
        grep -qx 'nothing wrong' "$scratch/output" || fail "inside: none: $(cat "$scratch/output")"
fi
echo "$planted planted mistakes found; nothing said of programs without"
