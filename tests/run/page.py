"""page.py NAME SCHEME: does the page of the run NAME, opened by page.sh, show what its JSON has?"""
import base64, json, re, sys
name, scheme = sys.argv[1:]
run = json.load(open(name + ".json"))
found = re.search("SEEN([A-Za-z0-9+/=]*)END", open(f"{name}.dom.{scheme}").read())
assert found, "the page's script did not come to its end"
seen = json.loads(base64.b64decode(found.group(1)))
series, page = run["series"], run["machine"]["page_bytes"]
memory = seen["plots"]["memory"]
assert memory[0] == [t / 1e9 for t in series["end_ns"]]
for drawn, key in zip(memory[1:], ("resident_pages", "cache_pages", "swapped_pages", "free_pages")):
    assert drawn == [n * page for n in series[key]], key
curves = run["curves"]
again = [n - curves["new_pages"] for n in curves["misses"]]
assert seen["plots"]["lru"] == [[n * page for n in curves["ram_pages"]], again], "LRU's curve"
assert seen["plots"]["set"] == [curves["span_instructions"], curves["working_set_bytes"]]
assert again == sorted(again, reverse=True) and again[-1] == 0
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
first = max(run["functions"], key=lambda row: row["cost_ns"])["function"]
assert seen["table"][0].startswith(first), (first, seen["table"][:3])
assert seen["answer"] == run["answer"]["lines"][0]
assert seen["command"] == " ".join(run["program"]["argv"]), seen["command"]
assert seen["requests"] == 0
assert seen["chosen"] == "Flame: faults"
last, keyboard = len(series["end_ns"]) - 1, seen["keyboard"]
assert keyboard["focus"] and keyboard["at"] == keyboard["synced"] == last - 1, keyboard
assert keyboard["unseen"].startswith("max ") and keyboard["legend"] != keyboard["unseen"], keyboard
assert seen["unreached"] == [] and seen["wide"] <= 0, (seen["unreached"], seen["wide"])
assert seen["dark"] == (scheme == "dark")
for colour, ratio in seen["contrasts"].items():
    assert ratio >= (3 if len(colour) == 3 else 4.5), (scheme, colour, ratio)
assert any(title.startswith(run["stacks"][0]["frames"][-1] + ": ") for title in seen["flame"])
print(name, scheme + ":", len(memory[0]), "samples drawn,", seen["lit"], "cells lit,",
      len(seen["flame"]), "flames; open after", round(seen["opened"]), "ms")
