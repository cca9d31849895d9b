#!/bin/sh
# lab.sh: quire lab from outside: all labs hold their facts, in both languages, twice alike; wrong
# predictions are explained; a session goes back and forth to the same states; JSON is JSON.
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1

for lang in en zh; do
    "$QUIRE" lab --all --check --lang $lang >"$lang" </dev/null ||
        fail "quire lab --all --check --lang $lang: $(grep FAILED "$lang" | head -n 5)"
done
"$QUIRE" lab --all --check >again </dev/null
cmp -s en again || fail "two runs of all labs differ: $(diff en again | head -n 5)"
labs=$(tail -n 1 en | cut -d ' ' -f 1)

# A wrong prediction is told what it came from; a right one is right.
"$QUIRE" lab fork --check --answer forked=100 --answer wrote=3 --answer last=0 >graded </dev/null
[ $? -eq 1 ] || fail "a wrong prediction does not end in 1"
grep -q 'forked: not 100 but 0' graded || fail "not graded: $(grep '^=' graded)"
grep -q 'first Unix' graded || fail "100 copies are not explained"
grep -q '2 right, 1 wrong' graded || fail "not counted: $(grep '^--' graded)"
printf '4M\n400M\n843776\n' | "$QUIRE" lab 1 --check >graded || fail "right predictions are not"
grep -q '3 right, 0 wrong' graded || fail "answers from stdin: $(grep '^--' graded)"

# Back, and there again: the same state each time.
cat >script <<'END'
machine --ram 4M --swap 16M --policy sieve
proc a
p = mmap 6M
touch p 6M
fork b
wander p 6M 500 write
proc b
q = malloc 200K
write q 9 200K
tick 20
swapoff
END
for place in 0 3 5 8 11; do
    { head -n "$place" script; echo hash; } | "$QUIRE" lab | tail -n 1 >hash.$place
    { cat script; echo "goto $place"; echo hash; } | "$QUIRE" lab | tail -n 1 >back.$place
    { cat script; echo "goto 2"; [ "$place" -lt 2 ] || echo "step $((place - 2))"
        [ "$place" -ge 2 ] || echo "back $((2 - place))"; echo hash; } |
        "$QUIRE" lab | tail -n 1 >there.$place
    [ -s hash.$place ] || fail "no hash at $place"
    cmp -s hash.$place back.$place || fail "back to $place is another state"
    cmp -s hash.$place there.$place || fail "back and forth to $place is another state"
done
[ "$(cat hash.* | sort -u | wc -l)" -eq 5 ] || fail "different states have the same hash"

# docs/SYSTEM.md and the labs know each other.
"$QUIRE" lab --list >list
system=$QUIRE_SOURCE/docs/SYSTEM.md
for name in $(grep -o '`[0-9][0-9]-[a-z0-9-]*`' "$system" | tr -d '`' | sort -u); do
    grep -q "^$name " list || fail "docs/SYSTEM.md names $name, which is no lab"
done
for row in $(sed 's/^[^ ]* *\(\([A-Z][0-9]* \)*\).*/\1/' list | tr ' ' '\n' | sort -u); do
    grep -q "^| $row |" "$system" || fail "a lab shows $row: no such row"
done
for row in $(sed -n 's/^| \([VLFPRMT][0-9]*\) |.*/\1/p' "$system" | sort -u); do
    [ "$row" = T4 ] || # files for other programs: nothing that a machine does
        grep -q "^[^ ]* .*\b$row\b" list || fail "no lab shows $row"
done

# Guesses.
echo 'mallco 1' | "$QUIRE" lab | grep -q "did you mean 'malloc'" || fail "no guess at a command"
printf 'proc a\nprint proc.rs\n' | "$QUIRE" lab | grep -q "did you mean 'proc.rss'" ||
    fail "no guess at a fact"

if "$QUIRE" lab --json </dev/null 2>json.err; then
    { cat script; echo 'walk q'; echo 'nonsense'; } | "$QUIRE" lab --json >json
    "$QUIRE" lab fork --json --check </dev/null >>json
    python3 - <<'END' || fail "the JSON is not as lab/README.md says"
import json
lines = [json.loads(line) for line in open("json")]
walk = next(line for line in lines if line.get("command") == "walk")
assert walk["walk"]["accesses"] == 5 and walk["walk"]["steps"][-1]["kind"] == "datum"
assert any(not line["ok"] and line["error"] for line in lines if "ok" in line)
assert any("mem.free" in line.get("changes", {}) for line in lines)
assert sum(line.get("event") == "answer" for line in lines) == 3
END
fi
echo "$labs labs, in two languages; 5 states by three ways"
