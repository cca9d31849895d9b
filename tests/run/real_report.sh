#!/bin/sh
# real_report.sh: the reports of sort and of python3 under pressure, opened in Chromium: the plots
# have the values of --json, and the answer is what cost them most.
#
# QUIRE_PICTURES=DIR has it take the pictures of docs/ too: docs/report.png, docs/report-dark.png.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/page.sh"
command -v python3 >/dev/null || skip "no python3"
cd "$scratch" || exit 1
case $("$QUIRE" run --report probe.html -- /nonexistent 2>&1) in
*libjansson* | *uPlot*) skip "this quire was built without libjansson or uPlot" ;;
esac
need_browser
need_root

python3 -c 'import random
random.seed(1)
print("\n".join(str(n) for n in random.sample(range(600000), 600000)))' >big.txt
cat >job.py <<'END'
import random
random.seed(1)
rows = {i: "row %d" % i for i in range(60000)}
total = 0
for _ in range(60000):
    total += len(rows[random.randrange(60000)])
print(total)
END

# report NAME RAM CAUSES COMMAND...: its page; one of the CAUSES (parted by commas) is the answer.
report() {
    name=$1 ram=$2 causes=$3
    shift 3
    "$QUIRE" run --ram "$ram" --swap 128M --quiet --report "$name.html" --json "$name.json" \
        --root "$root" --bind . -- "$@" >"$name.out" || fail "$name: $?"
    page_shows "$name"
    python3 - "$name" "$causes" <<'END' || fail "$name: the report does not say what it waits for"
import json, sys
report = json.load(open(sys.argv[1] + ".json"))
totals, answer = report["totals"], report["answer"]
assert totals["swapped_in_pages"] > 1000
assert totals["peak_demand_bytes"] > report["machine"]["ram_bytes"]
assert answer["cause"] in sys.argv[2].split(","), answer
END
}
report sort 12M thrashing sort -S 60M big.txt
LC_ALL=C sort big.txt | cmp - sort.out || fail "sort: wrong output"
report python 9M 'thrashing,scattered accesses' python3 job.py
python3 job.py | cmp - python.out || fail "python3: wrong output"

[ -n "${QUIRE_PICTURES:-}" ] || exit 0
look 1 1280,880 --screenshot="$QUIRE_PICTURES/report.png" "file://$scratch/sort.html" &&
    look 0 1280,880 --screenshot="$QUIRE_PICTURES/report-dark.png" "file://$scratch/sort.html" ||
    fail "no pictures: $(cat browser.log)"
echo "pictures in $QUIRE_PICTURES"
