# The grammar of OpenMetrics 1.0, as far as counters, gauges and information go.
"""openmetrics.py FILE [RUN.json]: is it OpenMetrics text, and what its report says?"""
import json, re, sys
raw = open(sys.argv[1], newline="").read()
assert raw.endswith("# EOF\n") and raw.count("# EOF") == 1 and "\r" not in raw
NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{(?:{LABEL}(?:,{LABEL})*)?\}})? (-?[0-9]+(?:\.[0-9]+)?)$")
families, now, values = {}, None, {}
for line in raw.split("\n")[:-2]:
    meta = re.match(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)$", line)
    if meta:
        what, name, text = meta.groups()
        if now != name:
            assert name not in families, "families must not be interleaved: " + name
            now = name
            families[name] = {"samples": 0}
        family = families[name]
        assert what not in family and family["samples"] == 0, line
        family[what] = text
        if what == "TYPE":
            assert text in ("counter", "gauge", "info"), line
        if what == "UNIT":
            assert name.endswith("_" + text), line
        continue
    match = SAMPLE.match(line)
    assert match, "not a sample: " + line
    name, labels, value = match.groups()
    suffix = {"counter": "_total", "gauge": "", "info": "_info"}[families[now]["TYPE"]]
    assert name == now + suffix, (line, now)
    assert name + (labels or "") not in values, "twice: " + line
    values[name + (labels or "")] = float(value)
    families[now]["samples"] += 1
    assert float(value) >= 0
for name, family in families.items():
    assert family["samples"] > 0 and family["HELP"], name
if len(sys.argv) > 2:
    report = json.load(open(sys.argv[2]))
    totals = report["totals"]
    for key, wanted in (("page_faults_total{type=\"minor\"}", totals["minor_faults"]),
                        ("page_faults_total{type=\"major\"}", totals["major_faults"]),
                        ("swapped_in_bytes_total", totals["swapped_in_pages"] * 4096),
                        ("swapped_out_bytes_total", totals["swapped_out_pages"] * 4096),
                        ("oom_kills_total", totals["oom_kills"]),
                        ("tlb_misses_total", totals["tlb_misses"]),
                        ("time_seconds_total", totals["time_ns"] / 1e9),
                        ("memory_peak_demand_bytes", totals["peak_demand_bytes"]),
                        ("memory_total_bytes", report["machine"]["usable_bytes"]),
                        ("swap_size_bytes", report["machine"]["swap_bytes"])):
        assert values["quire_" + key] == wanted, (key, values["quire_" + key], wanted)
print(sys.argv[1] + ":", len(families), "families,", len(values), "samples")
