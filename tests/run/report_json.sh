#!/bin/sh
# report_json.sh: what --json says: the same run with and without it, sums that agree, the function
# that a planted cause lies in first, and in the answer; a kill for want of memory, a full disk.
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
need_report --json

# watched NAME RAM CODE: build a guest, run it plainly and watched: one trace, one summary.
watched() {
    name=$1
    flags='-O1 -g -fno-omit-frame-pointer -static'
    [ -f "$name" ] || $cross $flags -o "$name" "$guests/$name.c" ||
        fail "$name.c does not compile"
    "$QUIRE" run --ram "$2" -- "./$name" >plain.out 2>plain.err
    plain=$?
    "$QUIRE" run --ram "$2" --json "$name.json" -- "./$name" >watched.out \
        2>watched.err
    status=$?
    [ "$status" = "$3" ] || fail "$name: status $status, not $3: $(cat watched.err)"
    [ "$plain" = "$status" ] || fail "$name: status $plain plainly, $status watched"
    diff plain.err watched.err || fail "$name: watching changed the run"
}

cat >check.py <<'END'
"""check.py NAME FUNCTION CAUSE BLAMED KIND...: sums agree, FUNCTION leads with most of each KIND,
and the first line of the answer names the CAUSE and the function to BLAME, with its line."""
import json, sys
name, function, cause, blamed, kinds = *sys.argv[1:5], sys.argv[5:]
report = json.load(open(name + ".json"))
assert report["schema"] == "quire-report" and report["version"] == 1
totals, background = report["totals"], report["background"]
for kind in ("minor_faults", "major_faults", "copied_pages", "swapped_in_pages", "file_in_pages",
             "wait_ns", "tlb_misses"):
    by_process = sum(row.get(kind, 0) for row in report["processes"])
    assert by_process + background.get(kind, 0) == totals[kind], (kind, by_process, totals[kind])
for kind in ("minor_faults", "major_faults", "tlb_misses", "wait_ns"):
    assert sum(report["series"][kind]) == totals[kind], kind
ends = report["series"]["end_ns"]
assert ends == sorted(ends) and ends[-1] == totals["time_ns"]
rows = report["map"]["rows"]
assert sum(map(len, (row["counts"] for row in rows))) and len(rows) <= 160
first = report["functions"][0]
assert first["function"] == function, [row["function"] for row in report["functions"][:5]]
for kind in kinds:
    key, _, least = kind.partition("=")
    if least:
        assert first[key] == int(least), (key, first)
    else:
        assert first[key] * 2 > totals[key], (key, first[key], totals[key])
if first["image"].endswith(name) and "source" in first:
    assert first["source"].endswith(name + ".c") and first["line"] > 0
answer = report["answer"]
assert answer["cause"] == cause and answer["function"] == blamed, answer
assert answer["lines"][0].startswith(f"{blamed} ({name}.c:{answer['line']}): "), answer
assert answer["enough_ram_bytes"] > totals["peak_demand_bytes"]
print(name + ":", function, "leads;", len(ends), "samples")
END
check() {
    python3 check.py "$@" || fail "$1: the report is wrong"
}

watched strided 64M 0
check strided sum_columns stride sum_columns tlb_misses stride_bytes=4096
watched thrashing 8M 0
check thrashing read_round thrashing read_round swapped_in_pages wait_ns
watched forkstorm 64M 0
check forkstorm write_all 'copy-on-write storm' write_all copied_pages minor_faults
watched sparse 64M 0
check sparse enter sparse enter fresh_pages
watched leak 64M 0
check leak _int_malloc leak remember fresh_pages
python3 - <<'END' || fail "the leak's path does not lead through its function"
import json
frames = max(json.load(open("leak.json"))["stacks"], key=lambda row: row.get("fresh_pages", 0))
assert "remember" in frames["frames"], frames
END

# With the RAM that it calls enough, the same program does not wait for swap.
enough=$(python3 -c 'import json
print(json.load(open("thrashing.json"))["answer"]["enough_ram_bytes"])')
"$QUIRE" run --ram "$enough" --quiet --json again.json -- ./thrashing || fail "status $?"
python3 -c 'import json; assert json.load(open("again.json"))["totals"]["swapped_in_pages"] == 0' ||
    fail "with $enough bytes of RAM, called enough, thrashing still swaps"

# Killed for want of memory: the report says whom and why, with the state of that moment.
"$QUIRE" run --ram 8M --swap 0 --quiet --json oom.json -- ./leak 2>/dev/null
status=$?
[ "$status" = 137 ] || fail "leak in 8M without swap: status $status, not 137"
python3 - <<'END' || fail "the report of the kill is wrong"
import json
report = json.load(open("oom.json"))
oom = report["oom"]
assert report["program"]["status"] == 137 and oom["kills"] == 1 and oom["name"] == "leak", oom
assert oom["anon_pages"] > 1000 and oom["why"], oom
assert [v["name"] for v in oom["victims"]] == ["leak"], oom
lines, answer = report["answer"]["lines"], report["answer"]
assert any(line.startswith("Killed for want of memory at ") and "(process 1)" in line and
           line.endswith("there was no swap.") for line in lines), lines
assert answer["enough_ram_bytes"] == 0 and any("--ram 16M" in line for line in lines), answer
END

# Files that cannot take it.
if [ -w /dev/full ]; then
    "$QUIRE" run --quiet --json /dev/full -- ./sparse 2>full.err
    status=$?
    [ "$status" = 125 ] || fail "a full disk under the report: status $status, not 125"
    grep -q '^quire: --json /dev/full: No space left' full.err || fail "said: $(cat full.err)"
fi
exit 0
