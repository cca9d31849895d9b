#!/bin/sh
# report_html.sh: the page of --report, opened in Chromium: it draws the values of --json, asks the
# network for nothing, is small, works by keyboard, can be read in dark and light and on a narrow
# screen. How long it took to open is said.
#
# QUIRE_PICTURES=DIR has it take the pictures of docs/ too: docs/report.png, docs/report-dark.png.
. "$(dirname "$0")/lib.sh"
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
command -v python3 >/dev/null || skip "no python3"
cd "$scratch" || exit 1
case $("$QUIRE" run --report probe.html -- /nonexistent 2>&1) in
*libjansson* | *uPlot*) skip "this quire was built without libjansson or uPlot" ;;
esac
guest=${QUIRE_SOURCE:?}/tests/watch/guests/thrashing.c
$cross -O1 -g -fno-omit-frame-pointer -static -o thrashing "$guest" || fail "no guest"

# A name that looks like the end of the page's data, as an argument.
"$QUIRE" run --ram 8M --quiet --report run.html --json run.json -- ./thrashing '</script><b>' ||
    fail "status $?"
[ "$(wc -c <run.html)" -le 3145728 ] || fail "the page has $(wc -c <run.html) bytes"
for foreign in 'src=' '@import' 'fetch(' 'XMLHttpRequest' 'url(http'; do
    ! grep -q -F "$foreign" run.html || fail "the page has $foreign"
done
if [ -w /dev/full ]; then
    "$QUIRE" run --quiet --report /dev/full -- ./thrashing 2>full.err
    [ $? = 125 ] || fail "a full disk under the page: no 125"
    grep -q '^quire: --report /dev/full: No space left' full.err || fail "said: $(cat full.err)"
fi

browser=$(command -v chromium || command -v chromium-browser) || skip "no chromium to open the page"
cat >probe.js <<'END'
<script>
const opened = performance.now(); // since the navigation began: all is drawn
/* WCAG 2.1, 1.4.3: contrast of colours, by relative luminance. */
function contrasts() {
  const style = getComputedStyle(document.documentElement), ground = ["--bg", "--card"];
  const light = name => {
    const hex = style.getPropertyValue(name).trim().slice(1).match(/../g);
    const [r, g, b] = hex.map(h => parseInt(h, 16) / 255)
      .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  return Object.fromEntries(["--ink", "--soft", "--warn", "--a", "--b", "--c", "--d"].map(name =>
    [name, Math.min(...ground.map(on => {
      const [low, high] = [light(name), light(on)].sort((x, y) => x - y);
      return (high + .05) / (low + .05);
    }))]));
}
const pixels = document.getElementById("map").getContext("2d");
const image = pixels.getImageData(0, 0, pixels.canvas.width, pixels.canvas.height).data;
let lit = 0;
for (let i = 0; i < image.length; i += 4) lit += image[i] > 20;
const tabs = [...document.querySelectorAll("#tabs button")];
const table = [...document.querySelectorAll("#who tbody tr")].map(r => r.cells[0].innerText);
const plot = document.getElementById("memory"), curves = quirePlots.memory;
const press = key => plot.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const legend = () => plot.querySelector(".u-series:nth-child(2) .u-value").textContent;
const unseen = legend();
plot.focus();
press("End");
press("ArrowLeft");
const keyboard = {focus: document.activeElement === plot, at: curves.cursor.idx, legend: legend(),
                  unseen, synced: quirePlots.swap.cursor.idx};
press("Escape");
const unreached = [...document.querySelectorAll("button, .scroll, .plot, #map")]
  .filter(e => e.tabIndex < 0 && e.getAttribute("role") !== "tab")
  .map(e => e.outerHTML.slice(0, 80));
tabs[0].focus();
tabs[0].dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
const seen = {
  plots: Object.fromEntries(Object.entries(quirePlots).map(([id, p]) => [id, p.data])),
  rows: pixels.canvas.height, columns: pixels.canvas.width, lit, table,
  flame: [...document.querySelectorAll(".flame button")].map(b => b.title),
  chosen: document.activeElement.textContent,
  answer: document.querySelector("#answer p").textContent,
  command: document.getElementById("command").textContent,
  requests: performance.getEntriesByType("resource").length,
  keyboard, unreached, wide: document.documentElement.scrollWidth - innerWidth,
  contrasts: contrasts(), dark: matchMedia("(prefers-color-scheme: dark)").matches, opened,
};
document.body.innerHTML = "";
document.body.append(Object.assign(document.createElement("pre"),
  {textContent: "SEEN" + btoa(unescape(encodeURIComponent(JSON.stringify(seen)))) + "END"}));
</script>
END
python3 - <<'END'
page, probe = open("run.html").read(), open("probe.js").read()
assert page.count("</body>") == 1
open("probe.html", "w").write(page.replace("</body>", probe + "</body>"))
END
look() { # SCHEME SIZE OPTIONS...: what Chromium does with a page; 0 is dark, 1 light
    scheme=$1 size=$2
    shift 2
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$scratch/profile" --blink-settings=preferredColorScheme="$scheme" \
        --window-size="$size" "$@" 2>browser.log
}
look 1 1440,1000 --dump-dom "file://$scratch/probe.html" >dom.light ||
    skip "chromium does not start: $(tail -n 1 browser.log)"
look 0 500,900 --dump-dom "file://$scratch/probe.html" >dom.dark || fail "$(cat browser.log)"
cat >check.py <<'END'
import base64, json, re, sys
run = json.load(open("run.json"))
found = re.search("SEEN([A-Za-z0-9+/=]*)END", open("dom." + sys.argv[1]).read())
assert found, "the page's script did not come to its end"
seen = json.loads(base64.b64decode(found.group(1)))
series, page = run["series"], run["machine"]["page_bytes"]
memory = seen["plots"]["memory"]
assert memory[0] == [t / 1e9 for t in series["end_ns"]]
for drawn, key in zip(memory[1:], ("resident_pages", "cache_pages", "swapped_pages", "free_pages")):
    assert drawn == [n * page for n in series[key]], key
spans = [b - a for a, b in zip([0] + series["end_ns"], series["end_ns"])]
for plot, line, key, scale in (("faults", 1, "major_faults", 1), ("faults", 2, "minor_faults", 1),
                               ("misses", 1, "tlb_misses", 1),
                               ("misses", 2, "reclaimed_pages", 1),
                               ("swap", 1, "swapped_in_pages", page),
                               ("swap", 2, "swapped_out_pages", page)):
    drawn = sum(rate * ns / 1e9 for rate, ns in zip(seen["plots"][plot][line], spans))
    assert abs(drawn - sum(series[key]) * scale) <= 1e-6 * drawn + 1e-6, (key, drawn)
cells = [row["counts"] for row in run["map"]["rows"]]
assert (seen["rows"], seen["columns"]) == (len(cells), len(cells[0]))
assert seen["lit"] == sum(n > 0 for row in cells for n in row), (seen["lit"])
assert seen["table"][0].startswith("read_round"), seen["table"][:3]
assert seen["answer"] == run["answer"]["lines"][0]
assert seen["command"] == "./thrashing </script><b>", seen["command"]
assert seen["requests"] == 0
assert seen["chosen"] == "Flame: faults"
last, keyboard = len(series["end_ns"]) - 1, seen["keyboard"]
assert keyboard["focus"] and keyboard["at"] == keyboard["synced"] == last - 1, keyboard
assert keyboard["unseen"].startswith("max ") and keyboard["legend"] != keyboard["unseen"], keyboard
assert seen["unreached"] == [] and seen["wide"] <= 0, (seen["unreached"], seen["wide"])
assert seen["dark"] == (sys.argv[1] == "dark")
for colour, ratio in seen["contrasts"].items():
    assert ratio >= (3 if len(colour) == 3 else 4.5), (sys.argv[1], colour, ratio)
assert any(title.startswith("read_round: ") for title in seen["flame"]), seen["flame"]
print(sys.argv[1] + ":", len(memory[0]), "samples drawn,", seen["lit"], "cells lit,",
      len(seen["flame"]), "flames; open after", round(seen["opened"]), "ms")
END
for scheme in light dark; do
    python3 check.py $scheme || fail "the page does not show the run ($scheme)"
done

# After a kill that is what the page says first.
$cross -O1 -g -fno-omit-frame-pointer -static -o leak "$(dirname "$guest")/leak.c" || fail "leak"
"$QUIRE" run --ram 8M --swap 0 --quiet --report kill.html -- ./leak 2>/dev/null
[ $? = 137 ] || fail "leak in 8M: not killed"
look 1 800,600 --dump-dom "file://$scratch/kill.html" >dom.kill || fail "$(cat browser.log)"
grep -q 'id="answer"[^>]*><p class="kill">Killed for want of memory at [^<]*: leak (process 1)' \
    dom.kill || fail "the page does not begin with the kill"

# The pictures of docs/, of a real program.
[ -n "${QUIRE_PICTURES:-}" ] || exit 0
need_root
python3 -c 'import random
random.seed(1)
print("\n".join(str(n) for n in random.sample(range(600000), 600000)))' >big.txt
"$QUIRE" run --ram 12M --swap 128M --quiet --report sort.html --root "$root" --bind . -- \
    sort -S 60M big.txt >/dev/null || fail "sort: $?"
look 1 1280,880 --screenshot="$QUIRE_PICTURES/report.png" "file://$scratch/sort.html" &&
    look 0 1280,880 --screenshot="$QUIRE_PICTURES/report-dark.png" "file://$scratch/sort.html" ||
    fail "no pictures: $(cat browser.log)"
echo "pictures in $QUIRE_PICTURES"
