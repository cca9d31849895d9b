#!/bin/sh
# metrics.sh: quire metrics, of a machine that runs: OpenMetrics text by its grammar, figures that
# its /proc has too, names of control groups, a run that ends meanwhile, a disk that is full.
. "$(dirname "$0")/lib.sh"
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
command -v python3 >/dev/null || skip "no python3 to read the text"
here=${QUIRE_SOURCE:?}/tests/run
$cross -O1 "$here/live_guest.c" -o "$scratch/guest" -static || fail "live_guest.c does not compile"
XDG_RUNTIME_DIR=$scratch/runtime TMPDIR=$scratch
export XDG_RUNTIME_DIR TMPDIR
mkdir -m 700 "$XDG_RUNTIME_DIR"
cd "$scratch" || exit 1
mkfifo in out
"$QUIRE" run --quiet --ram 16M --swap 64M -- ./guest wait 4 'a "b\' <in >out 2>err 4<&- &
run=$!
exec 3>in 4<out
read -r word <&4 && [ "$word" = ready ] || fail "the guest said '$word': $(cat err)"

# The machine stands still between what the guest is told, so two looks see the same.
"$QUIRE" metrics --run "$run" >text || fail "metrics: $?"
python3 "$here/openmetrics.py" text || fail "not OpenMetrics: $(head -n 5 text)"
grep -qF 'quire_run_info{policy="linux",command="./guest wait 4 a \"b\\"} 1' text ||
    fail "labels: $(head -n 3 text)"
"$QUIRE" proc meminfo >meminfo && "$QUIRE" proc vmstat >vmstat &&
    "$QUIRE" metrics --cgroup >group || fail "looking: $?"
python3 - <<'END' || fail "the figures are others than those of /proc"
import re
metrics = dict(line.rsplit(" ", 1) for line in open("text") if line[0] != "#")
meminfo = {k: int(v.split()[0]) * 1024 for k, v in (line.split(":") for line in open("meminfo"))}
vmstat = dict(line.split() for line in open("vmstat"))
assert metrics["quire_memory_total_bytes"] == f"{16 << 20}\n"
for name, of in (("memory_free", "MemFree"), ("memory_anonymous", "AnonPages"),
                 ("swap_free", "SwapFree"), ("memory_committed", "Committed_AS")):
    assert int(metrics[f"quire_{name}_bytes"]) == meminfo[of] > 0, name
faults = [int(metrics['quire_page_faults_total{type="%s"}' % t]) for t in ("minor", "major")]
assert faults == [int(vmstat["pgfault"]) - int(vmstat["pgmajfault"]), int(vmstat["pgmajfault"])]
assert sum(faults) > 10
group = {}
for line in open("group"):
    name, rest = line.rstrip("\n").split(":")
    group.setdefault(name, []).append(rest)
stat = {k: int(v) for k, v in map(str.split, group["memory.stat"])}
assert stat["anon"] == meminfo["AnonPages"] and stat["pgfault"] == sum(faults)
current = int(group["memory.current"][0])
assert current == sum(stat[k] for k in ("anon", "file", "pagetables", "slab_reclaimable",
                                        "slab_unreclaimable"))
assert 0 < current < meminfo["MemTotal"] - meminfo["MemFree"]
assert group["memory.max"] == [str(16 << 20)]
assert group["memory.swap.max"] == [str(meminfo["SwapTotal"])]
assert re.fullmatch("some avg10=.* total=[0-9]+", group["memory.pressure"][0])
END

# wrong WORDS CODE OPTIONS...: one line
wrong() {
    words=$1 code=$2
    shift 2
    "$QUIRE" metrics "$@" >none 2>wrong.err
    [ $? = "$code" ] && [ ! -s none ] && [ "$(wc -l <wrong.err)" = 1 ] &&
        grep -q "^quire: .*$words" wrong.err || fail "metrics $*: $(cat wrong.err)"
}
wrong 'options only' 125 "$run"
wrong 'did you mean --cgroup' 125 --cgroups
wrong '--run' 125 --run x
if [ -w /dev/full ]; then
    "$QUIRE" metrics >/dev/full 2>full.err
    [ $? = 125 ] && grep -q 'standard output' full.err || fail "a full disk: $(cat full.err)"
fi

# Watched until it ends: whole texts, one behind the other, and 0.
"$QUIRE" metrics --watch 0.05 >watched 2>watch.err &
watcher=$!
until [ -s watched ]; do # as long as it takes: the run waits for us
    kill -0 $watcher 2>/dev/null || fail "it does not watch: $(cat watch.err)"
done
echo q >&3
wait "$run" || fail "the run ended with $?: $(cat err)"
wait $watcher || fail "the watch of a run that ended: $?: $(cat watch.err)"
[ "$(tail -n 1 watched)" = '# EOF' ] || fail "the last text is not whole"
exec 3>&- 4<&-
wrong 'no machine runs' 1
echo "the figures of /proc, by the grammar"
