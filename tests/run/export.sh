#!/bin/sh
# export.sh: a run in the formats of other tools, each read back by a reader of its own and compared
# with the report it was made of: the same at once (--export) and from a saved run (quire export).
# Then what can go wrong: names, files, full disks, reports that are none.
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
need_report --json
for name in thrashing leak; do
    $cross -O1 -g -fno-omit-frame-pointer -static -o "$name" "$guests/$name.c" || fail "no $name"
done

formats=$("$QUIRE" help export | sed -n '/^Formats:/,/^$/s/^  \([a-z.]*\) .*/\1/p')
[ "$(echo "$formats" | wc -l)" -ge 10 ] || fail "quire help export names no formats: $formats"
case $("$QUIRE" export probe.json pprof 2>&1) in
*zlib*) formats=$(echo "$formats" | grep -v pprof) ;;
esac

# saved NAME STATUS OPTIONS...: run it with all formats at once, then make them again of the JSON.
saved() {
    name=$1 wanted=$2
    shift 2
    exports=
    for format in $formats; do
        exports="$exports --export $format:$name.$format"
    done
    # shellcheck disable=SC2086 # words without spaces
    "$QUIRE" run --quiet --json "$name.json" $exports "$@" -- "./$name" 'a "b\' >out 2>err
    status=$?
    [ "$status" = "$wanted" ] || fail "$name: status $status: $(cat err)"
    for format in $formats; do
        "$QUIRE" export "$name.json" "$format" >again || fail "export $format"
        cmp "$name.$format" again || fail "$name: $format is another from the saved run"
        "$QUIRE" export - "$format:again2" <"$name.json" || fail "export $format from a pipe"
        cmp again again2 || fail "$name: $format to a file is another"
    done
}

cat >check.py <<'END'
"""check.py NAME: every format of the run NAME says what its report says."""
import csv, gzip, json, os, sys
name = sys.argv[1]
report = json.load(open(name + ".json"))
series, totals, page = report["series"], report["totals"], report["machine"]["page_bytes"]


def total(kind):  # of the processes and the background: what call paths must add up to
    return sum(row.get(kind, 0) for row in report["processes"] + [report["background"]])


# ---- CSV ----
rows = list(csv.DictReader(open(name + ".csv")))
assert [int(row["end_ns"]) for row in rows] == series["end_ns"]
for key, values in series.items():
    if isinstance(values, list):
        assert [int(row[key]) for row in rows] == values, key

# ---- collapsed ----
KINDS = {"": ("minor_faults", "major_faults"), ".minor": ("minor_faults",), ".tlb": ("tlb_misses",),
         ".major": ("major_faults",), ".wait": ("wait_ns",), ".swap": ("swapped_in_pages",),
         ".fresh": ("fresh_pages",), ".copied": ("copied_pages",), ".file": ("file_in_pages",)}
for suffix, kinds in KINDS.items():
    folded, paths = 0, {}
    for line in open(name + ".collapsed" + suffix):
        path, space, count = line.rstrip("\n").rpartition(" ")
        assert space and " " not in path and all(path.split(";")) and int(count) > 0, line
        paths[path] = paths.get(path, 0) + int(count)
    assert sum(paths.values()) == sum(map(total, kinds)), suffix
    if name == "thrashing" and suffix == ".wait":
        assert max(paths, key=paths.get).endswith("main;read_round"), paths


# ---- pprof: a decoder of protocol buffers, by the encoding's own document ----
def varint(raw, at):
    value = shift = 0
    while True:
        value |= (raw[at] & 0x7f) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 0x80:
            return value, at


def fields(raw):  # of a message: field number -> values
    at, found = 0, {}
    while at < len(raw):
        key, at = varint(raw, at)
        if key & 7 == 0:
            value, at = varint(raw, at)
        else:
            assert key & 7 == 2, "neither a number nor a length"
            size, at = varint(raw, at)
            assert at + size <= len(raw)
            value, at = raw[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def packed(raw):
    at, values = 0, []
    while at < len(raw):
        value, at = varint(raw, at)
        values.append(value)
    return values


if os.path.exists(name + ".pprof"):
    profile = fields(gzip.open(name + ".pprof").read())
    strings = [text.decode() for text in profile[6]]
    assert strings[0] == "" and len(set(strings)) == len(strings)
    types = [(strings[fields(t)[1][0]], strings[fields(t)[2][0]]) for t in profile[1]]
    functions = {fields(f)[1][0]: fields(f) for f in profile[5]}
    locations = {fields(x)[1][0]: fields(x) for x in profile[4]}
    mappings = [fields(m) for m in profile[3]]
    assert [m[1][0] for m in mappings] == [1] and strings[mappings[0][5][0]] == "./" + name
    named = {}
    for id, location in locations.items():
        line = fields(location[4][0])
        assert location[2] == [1]
        function = functions[line[1][0]]
        named[id] = strings[function[2][0]]
        if named[id] == "read_round":
            row = next(r for r in report["functions"] if r["function"] == "read_round")
            assert strings[function[4][0]] == row["source"] and line[2][0] == row["line"]
    sums, paths = [0] * len(types), {}
    for sample in map(fields, profile[2]):
        values = packed(sample[2][0])
        assert len(values) == len(types)
        sums = [a + b for a, b in zip(sums, values)]
        path = ";".join(named[x] for x in reversed(packed(sample[1][0])))
        paths[path] = paths.get(path, 0) + values[0]
    for (kind, unit), value in zip(types, sums):
        assert unit == ("nanoseconds" if kind == "wait" else "count")
        assert value == total("wait_ns" if kind == "wait" else kind), kind
    assert profile[10] == [totals["time_ns"]]
    assert strings[profile[14][0]] == ("wait" if total("wait_ns") else "minor_faults")
    most = max(report["stacks"], key=lambda row: row.get("minor_faults", 0))
    assert paths[";".join(most["frames"])] == most["minor_faults"]

# ---- trace events ----
trace = json.load(open(name + ".chrome"))
events = trace["traceEvents"]
counters = {}
for event in events:
    assert event["ph"] in "MCXi" and isinstance(event["pid"], int) and event["pid"] > 0
    if event["ph"] == "C":
        for part, value in event["args"].items():
            counters.setdefault((event["name"], part), []).append((event["ts"] * 1000, value))
resident = counters["memory (bytes)", "resident"]
assert [round(ts) for ts, _ in resident] == series["end_ns"]
assert [v for _, v in resident] == [n * page for n in series["resident_pages"]]
for counter, key in ((("faults (/s)", "major"), "major_faults"),
                     (("TLB misses (/s)", "misses"), "tlb_misses"),
                     (("swap traffic (pages/s)", "in"), "swapped_in_pages")):
    steps = counters[counter]  # each value holds until the next
    drawn = sum(v * (b - a) / 1e9 for (a, v), (b, _) in zip(steps, steps[1:]))
    assert abs(drawn - sum(series[key])) <= 1e-6 * drawn + 1e-3, (key, drawn, sum(series[key]))
    assert steps[-1][1] == 0
slices = [e for e in events if e["ph"] == "X"]
reclaims = [e["args"]["pages"] for e in slices if e["name"] == "reclaim"]
assert sum(reclaims) == totals["reclaimed_pages"]
programs = [e for e in slices if e["cat"] == "program"]
assert {e["name"] for e in programs} == {p["name"] for p in report["processes"] if p["pid"]}
for e in programs:
    assert 0 <= e["ts"] <= e["ts"] + e["dur"] <= totals["time_ns"] / 1000 + 0.001
kills = [e for e in events if e["ph"] == "i"]
assert len(kills) == totals["oom_kills"]
if kills:
    oom = report["oom"]
    assert kills[-1]["args"] == {"process": oom["name"], "why": oom["why"]}
    assert round(kills[-1]["ts"] * 1000) == oom["at_ns"] and kills[-1]["s"] == "g"

# ---- control groups ----
files = {}
for line in open(name + ".cgroup"):
    file, colon, rest = line.rstrip("\n").partition(":")
    assert colon and file.startswith("memory.")
    files.setdefault(file, []).append(rest)
stat = dict(line.split() for line in files["memory.stat"])
vmstat = dict(line.split() for line in report["proc"]["vmstat"].splitlines())
assert len(stat) == len(files["memory.stat"])
for key in ("pgfault", "pgmajfault", "pgsteal_kswapd", "workingset_refault_anon", "pgactivate"):
    assert stat[key] == vmstat[key], key
assert int(stat["pgsteal"]) == totals["reclaimed_pages"]
assert int(stat["pgfault"]) == totals["minor_faults"] + totals["major_faults"]
assert files["memory.max"] == [str(report["machine"]["usable_bytes"])]
assert files["memory.swap.max"] == [str(report["machine"]["swap_bytes"])]
assert f"oom_kill {totals['oom_kills']}" in files["memory.events"]
assert "\n".join(files["memory.pressure"]) + "\n" == report["proc"]["pressure/memory"]
stalled = int(files["memory.pressure"][0].rpartition("total=")[2])
if name == "thrashing":  # waits for swap are pressure; the first reads of its file are not
    assert 0.9 * totals["wait_ns"] <= stalled * 1000 <= totals["wait_ns"] * 1.2, stalled
print(name + ":", len(events), "events,", len(rows), "rows,", len(files["memory.stat"]), "stats")
END

saved thrashing 0 --ram 8M
saved leak 137 --ram 8M --swap 0
for name in thrashing leak; do
    python3 check.py $name || fail "$name: a format says another thing than the report"
    python3 "$QUIRE_SOURCE/tests/run/openmetrics.py" $name.openmetrics $name.json ||
        fail "$name: no OpenMetrics, or other figures"
    if [ -f $name.pprof ] && command -v go >/dev/null; then
        go tool pprof -top -sample_index=minor_faults $name.pprof >top 2>err &&
            grep -q '100%.*(background)\|read_round\|_int_malloc' top ||
            fail "go tool pprof: $(cat err top)"
        echo "$name: go tool pprof reads it"
    fi
    if [ -f $name.pprof ] && command -v protoc >/dev/null; then
        gzip -dc <$name.pprof | protoc --decode_raw >raw || fail "protoc cannot decode it"
    fi
done

# ---- what can go wrong ---------------------------------------------------------------------------

# refused WORDS ARGUMENTS...: exit code 125, one line on standard error with WORDS.
refused() {
    words=$1
    shift
    "$QUIRE" "$@" >out 2>err </dev/null
    status=$?
    [ "$status" = 125 ] || fail "quire $*: exit code $status: $(cat err)"
    [ "$(wc -l <err)" = 1 ] && grep -q "^quire: .*$words" err || fail "quire $*: said: $(cat err)"
}
refused 'needs a saved run and a format' export
refused 'needs a saved run and a format' export thrashing.json
refused "did you mean chrome" export thrashing.json crome:x
refused "did you mean collapsed.major" export thrashing.json collapsed.mayor
refused 'there are chrome, pprof, collapsed, csv' export thrashing.json svg
refused 'no option --format' export --format csv thrashing.json
refused 'No such file' export nowhere.json csv
refused 'line 1: .*run --json is wanted' export thrashing.csv csv
echo '{"schema":"other"}' >other.json
refused 'not of quire run --json' export other.json csv
echo '{"schema":"quire-report","version":2}' >later.json
refused 'another version' export later.json csv
head -c 3000 thrashing.json >cut.json
refused 'run --json is wanted' export cut.json csv
refused 'only one format can go to standard output' export thrashing.json csv pprof
refused 'to which file' run --export csv -- ./leak
refused "did you mean pprof" run --export prof:x -- ./leak
refused 'file that can be written' run --export csv:/nonexistent/x.csv -- ./leak
refused 'needs a FORMAT:FILE, as in' run --export
if [ -w /dev/full ]; then
    for format in $formats; do
        refused 'No space left on device; the file is not whole' export thrashing.json \
            "$format:/dev/full"
    done
    "$QUIRE" export thrashing.json chrome >/dev/full 2>err
    [ $? = 125 ] && grep -q 'standard output is not whole' err || fail "full: $(cat err)"
    "$QUIRE" run --ram 8M --quiet --export csv:/dev/full --export chrome:good -- ./thrashing 2>err
    [ $? = 125 ] && grep -q -e '--export csv:/dev/full: No space left' err || fail "$(cat err)"
    grep -q '"traceEvents"' good || fail "one full disk took the other file with it"
fi

# A report that somebody wrote: nothing in it is believed, nothing breaks.
cat >strange.json <<'END'
{"schema":"quire-report","version":1,"program":{"argv":[1,null,"a;b c"]},"totals":[],"functions":
[{"function":3},{}],"stacks":[{},{"frames":[null,"a;b c",7],"minor_faults":-4,"major_faults":5},
{"frames":"x","minor_faults":2}],"processes":[{"pid":1,"minor_faults":1},7],"series":
{"end_ns":[5,3,"x"],"minor_faults":[1],"wait_ns":{}},"oom":{"victims":[{},3]},"proc":{"vmstat":3}}
END
for format in $formats; do
    "$QUIRE" export strange.json "$format" >strange.out || fail "a strange report as $format"
done
"$QUIRE" export strange.json collapsed | grep -q '^(unknown);a_b_c;(unknown) 5$' ||
    fail "names are not cleaned: $("$QUIRE" export strange.json collapsed)"
exit 0
