#!/bin/sh
# real_many.sh: programs of the distribution, many and small, give what they should: interpreters,
# compilers, a version control, servers with clients, a terminal. With QUIRE_FULL=1 only: the tree
# has 200 packages.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
[ -n "${QUIRE_FULL:-}" ] || skip "200 packages: with QUIRE_FULL=1 only"
ran=0

expect() { # WHAT OUTPUT COMMAND...
    what=$1
    printf '%s\n' "$2" >"$scratch/expected"
    shift 2
    "$QUIRE" run --ram "${ram:-512M}" --root "$root" \
        --bind "$scratch:/w" -- "$@" >"$scratch/output" 2>"$scratch/log" </dev/null ||
        fail "$what: status $?: $(tail -n 20 "$scratch/log")"
    same_output || fail "$what: wrong output; $(grep -v '^ ' "$scratch/log" | head -n 5)"
    ran=$((ran + 1))
}

programs
echo "$ran programs and groups of programs"
