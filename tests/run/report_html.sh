#!/bin/sh
# report_html.sh: the page of --report, opened in Chromium: it draws the values of --json, asks the
# network for nothing, is small, works by keyboard, can be read in dark and light and on a narrow
# screen. How long it took to open is said. (real_report.sh: those of real programs.)
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/page.sh"
cd "$scratch" || exit 1
need_report --report
for name in thrashing leak; do
    $cross -O1 -g -fno-omit-frame-pointer -static -o "$name" "$guests/$name.c" || fail "no $name"
done

# A name that looks like the end of the page's data, as an argument.
"$QUIRE" run --ram 8M --quiet --report run.html --json run.json -- ./thrashing '</script><b>' ||
    fail "status $?"
page_small run
if [ -w /dev/full ]; then
    "$QUIRE" run --quiet --report /dev/full -- ./thrashing 2>full.err
    [ $? = 125 ] || fail "a full disk under the page: no 125"
    grep -q '^quire: --report /dev/full: No space left' full.err || fail "said: $(cat full.err)"
fi
need_browser
page_shows run
python3 -c 'import json
assert json.load(open("run.json"))["functions"][0]["function"] == "read_round"' ||
    fail "the planted cause does not lead"

# After a kill that is what the page says first.
"$QUIRE" run --ram 8M --swap 0 --quiet --report kill.html -- ./leak 2>/dev/null
[ $? = 137 ] || fail "leak in 8M: not killed"
look 1 800,600 --dump-dom "file://$scratch/kill.html" >dom.kill || fail "$(cat browser.log)"
grep -q 'id="answer"[^>]*><p class="kill">Killed for want of memory at [^<]*: leak (process 1)' \
    dom.kill || fail "the page does not begin with the kill"
