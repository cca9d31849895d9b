"""web_check.py URL QUIRE CHROMIUM SCRATCH PICTURES: the page of a machine that stands still.

Descriptors 3 and 4 are the program's input and output. Exit: 0; 77 if there is no browser (all else
was checked); 1 with a line that says what is wrong.
"""
import faulthandler
import http.client
import json
import os
import re
import subprocess
import sys
import time
from urllib.parse import urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402

faulthandler.dump_traceback_later(600, exit=True)  # it says where it hangs
url, quire, chromium, scratch, pictures = sys.argv[1:]
place = urlsplit(url)
word = place.path


def request(path, method="GET", host=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=120)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or place.netloc)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode()


def text(path):
    return subprocess.run([quire, "proc", path], check=True, capture_output=True,
                          text=True).stdout


def tell(letter):
    os.write(3, letter + b"\n")
    assert os.read(4, 6) == b"done \n"


# ---- who may ask --------------------------------------------------------------------------------

def security():
    assert re.fullmatch(r"/[0-9a-f]{32}/", word), word
    status, headers, page = request(word)
    assert status == 200 and headers["Content-Type"].startswith("text/html"), (status, headers)
    rule = headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert part in rule, rule
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    for foreign in (" src=", "@import", "url(http", "XMLHttpRequest"):
        assert foreign not in page, foreign
    other = word[:-2] + ("0" if word[-2] != "0" else "1") + "/"
    for path in ("/", word[:-1], other, other + "moment", "/" + "0" * 32 + "/", word + "../", "//"):
        status, _, body = request(path)
        assert status == 404 and len(body) < 200, (path, status)
    for host in ("", "evil.example", f"evil.example:{place.port}", "127.0.0.1", "localhost:1",
                 f"127.0.0.1:{place.port}.evil.example"):
        assert request(word + "moment", host=host)[0] in (400, 403), host
    assert request(word + "moment", host=f"localhost:{place.port}")[0] == 200
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{place.port}",
                   f"http://127.0.0.1:{place.port + 1}"):
        assert request(word + "moment", Origin=origin)[0] == 403, origin
    assert request(word + "moment", Origin=f"http://{place.netloc}")[0] == 200
    for method, path in (("POST", "step?n=1"), ("POST", "moment"), ("PUT", ""), ("POST", ""),
                         ("DELETE", "moment")):
        status, _, _ = request(word + path, method, Content_Length="0",
                               Origin=f"http://{place.netloc}")
        assert status == 405, (method, path, status)
    assert request(word + "step?n=1", "POST", Content_Length="0")[0] == 403  # from no page
    for path in ("moment?pid=x", "moment?pid=-1", "walk?pid=1", "walk?at=zz", "walk?at=1&access=q",
                 "walk?at=11111111111111111", "walk?at=1&access=", "text", "text?path=",
                 "text?path=meminfo%20vmstat", "text?path=*/stat", "text?path=meminfo%0a"):
        expected = 200 if path.endswith("access=") else 400
        assert request(word + path)[0] == expected, (path, request(word + path))
    for path in ("step", "nothing", "moment/", "text?path=../../etc/passwd", "text?path=1/pagemap",
                 "text?path=quire/1/walk/zz/r"):
        assert request(word + path)[0] == 404, path
    # Nobody but this host is listened to.
    listeners = [line.split()[1] for line in open("/proc/net/tcp").readlines()[1:]
                 if line.split()[3] == "0A" and line.split()[1].endswith(f":{place.port:04X}")]
    assert listeners == [f"0100007F:{place.port:04X}"], listeners


# ---- what the texts say -------------------------------------------------------------------------

def names_and_numbers(prefix, path, unit_of):
    return {prefix + name: (int(number), unit_of(name)) for name, number in
            re.findall(r"^([\w()]+):?\s+(\d+)(?: kB)?$", text(path), re.M)}


def of_zones(expected):
    for zone, numbers in re.findall(r"^Node 0, zone\s+(\w+)((?:\s+\d+)+)\s*$", text("buddyinfo"),
                                    re.M):
        for order, number in enumerate(numbers.split()):
            expected[f"buddyinfo.{zone}.{order}"] = (int(number), "count")
    for part in re.split(r"^Node 0, zone\s+", text("zoneinfo"), flags=re.M)[1:]:
        for key, pattern in (("free", r"pages free"), ("min", "min"), ("low", "low"),
                             ("high", "high"), ("managed", "managed")):
            number = re.search(rf"^ +{pattern} +(\d+)$", part, re.M).group(1)
            expected[f"zones.{part.split()[0]}.{key}"] = (int(number), "pages")


def of_kernel(expected):
    for line in text("slabinfo").splitlines()[2:]:
        name, *numbers = line.split()
        for i, (key, unit) in enumerate((("active", "count"), ("objects", "count"),
                                         ("object_bytes", "bytes"))):
            expected[f"slabs.{name}.{key}"] = (int(numbers[i]), unit)
    for i, line in enumerate(text("swaps").splitlines()[1:]):
        expected[f"swaps.{i}.size_kb"] = (int(line.split()[2]), "kb")
        expected[f"swaps.{i}.used_kb"] = (int(line.split()[3]), "kb")


def of_processes(expected, pids, chosen):
    keys = (("virtual", "VmSize"), ("anon", "RssAnon"), ("file", "RssFile"), ("shmem", "RssShmem"),
            ("resident", "VmRSS"), ("swapped", "VmSwap"), ("tables", "VmPTE"))
    for pid in pids:
        status = text(f"{pid}/status")
        for key, name in keys:
            number = int(re.search(rf"^{name}:\s+(\d+) kB$", status, re.M).group(1))
            expected[f"processes.{pid}.{key}_kb"] = (number, "kb")
    for start, rest in re.findall(r"^([0-9a-f]+)-[0-9a-f]+ [-rwxps]{4} (.*?)^VmFlags",
                                  text(f"{chosen}/smaps"), re.M | re.S):
        for key, name in (("size", "Size"), ("resident", "Rss"), ("swapped", "Swap")):
            number = int(re.search(rf"^{name}:\s+(\d+) kB$", rest, re.M).group(1))
            expected[f"areas.{start}.{key}_kb"] = (number, "kb")
    for level, tables, mapped in re.findall(r"^level (\d)\s+(\d+) tables, (\d+) entries",
                                            text(f"quire/{chosen}/tables"), re.M):
        expected[f"tables.{level}.tables"] = (int(tables), "count")
        expected[f"tables.{level}.mapped"] = (int(mapped), "count")


def of_frames(expected):
    """Not from the map of frames, but from the texts that count the same."""
    pages = {name.split(".")[1]: value[0] // 4 for name, value in expected.items()
             if name.startswith("meminfo.")}
    free = sum(value[0] << int(name.split(".")[2]) for name, value in expected.items()
               if name.startswith("buddyinfo."))
    zones = text("zoneinfo")
    cached = sum(map(int, re.findall(r"^ +count: +(\d+)$", zones, re.M)))
    spanned = sum(map(int, re.findall(r"^ +spanned +(\d+)$", zones, re.M)))
    assert free + cached == pages["MemFree"]
    nr_file = int(re.search(r"nr_file_pages +(\d+)", zones).group(1))
    for kind, number in (("anon", pages["AnonPages"]), ("table", pages["PageTables"]),
                         ("slab", pages["Slab"]), ("free", free), ("cached", cached),
                         ("shmem", pages["Shmem"]), ("file", nr_file - pages["Shmem"])):
        expected["frames." + kind] = (number, "pages")
    expected["frames.frames"] = (spanned, "count")
    cells = text("quire/frames")
    for kind in ("reserved", "kernel"):  # no text of Linux's has these
        expected["frames." + kind] = (sum(
            int(line.split()[0]) * int(number) for line in cells.splitlines()[1:]
            for number in re.findall(rf" {kind} (\d+)", line)), "pages")
    assert sum(expected["frames." + kind][0] for kind in
               ("anon", "table", "slab", "free", "cached", "shmem", "file", "reserved",
                "kernel")) == spanned


def expectation(pids, chosen):
    expected = names_and_numbers("meminfo.", "meminfo", lambda name: "kb")
    expected.update(names_and_numbers("vmstat.", "vmstat", lambda name: "count"))
    expected.update(names_and_numbers("quire.", "quire",
                                      lambda name: "bytes" if "bytes" in name else "count"))
    of_zones(expected)
    of_kernel(expected)
    of_processes(expected, pids, chosen)
    of_frames(expected)
    return expected


# ---- the JSON -----------------------------------------------------------------------------------

def json_figures(moment):
    """The same names for what the JSON says."""
    seen = {}
    for part in ("meminfo", "vmstat"):
        seen.update({f"{part}.{name}": value for name, value in moment[part].items()})
    seen.update({f"quire.{name}": value for name, value in moment["machine"].items()})
    for zone in moment["buddyinfo"]:
        seen.update({f"buddyinfo.{zone['zone']}.{i}": n for i, n in enumerate(zone["blocks"])})
    for part, key in (("zones", "zone"), ("slabs", "name"), ("processes", "pid")):
        for row in moment[part]:
            seen.update({f"{part}.{row[key]}.{name}": value for name, value in row.items()})
    for i, row in enumerate(moment["swaps"]):
        seen.update({f"swaps.{i}.{name}": value for name, value in row.items()})
    for row in moment["space"]["areas"]:
        seen.update({f"areas.{row['start']}.{name}": value for name, value in row.items()})
    for row in moment["space"]["tables"]:
        seen.update({f"tables.{row['level']}.{name}": value for name, value in row.items()})
    seen["frames.frames"] = moment["frames"]["frames"]
    for run in moment["frames"]["runs"]:
        for kind, n in zip(run[1::2], run[2::2]):
            kind = "free" if kind.startswith("free") else kind
            seen["frames." + kind] = seen.get("frames." + kind, 0) + run[0] * n
    return seen


def settle():
    """Wait until background work has nothing left to do: object caches give back for some seconds
    what they have not needed (src/kmem/magazine.c), while the program waits for its input."""
    before, since = None, time.monotonic()
    while time.monotonic() - since < 3:
        now = text("slabinfo")
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.2)


def json_is_the_texts():
    status, headers, body = request(word + "moment?pid=1")
    assert status == 200 and headers["Content-Type"] == "application/json"
    moment = json.loads(body)
    pids = [p["pid"] for p in moment["processes"]]
    assert moment["kind"] == "run" and moment["steps"] is False and len(pids) == 2
    seen, expected = json_figures(moment), expectation(pids, 1)
    compared = 0
    for name, (number, _) in expected.items():
        if name.split(".")[1] in ("machine_ns", "idle_ns"):
            continue  # the host's time goes on while the program waits for its input
        assert seen.get(name, 0 if name.startswith("frames.") else None) == number, \
            (name, seen.get(name), number)
        compared += 1
    cells = sum(run[0] for run in moment["frames"]["runs"])
    assert cells == -(-moment["frames"]["frames"] // moment["frames"]["cell"]) <= 4096
    for area in moment["space"]["areas"]:
        for i, name in ((1, "anon_kb"), (3, "swapped_kb")):
            assert sum(c[0] * c[i] for c in area["cells"]) * 4 == area[name], area
    assert moment["space"]["areas"] and expected["meminfo.SwapFree"] != \
        expected["meminfo.SwapTotal"]
    gone = json.loads(request(word + "moment?pid=77")[2])
    assert gone["space"]["areas"] == [] and len(gone["processes"]) == 2
    print(compared, "figures of the JSON are those of the texts;", len(body), "bytes")
    return pids


# ---- the page -----------------------------------------------------------------------------------

def shown(number, unit):
    """As machine_draw.js writes it."""
    if unit == "count":
        return f"{number:,}"
    number *= {"kb": 1024, "pages": 4096, "bytes": 1}[unit]
    units = ["B", "KiB", "MiB", "GiB"]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop(0)
    if number >= 100 or units[0] == "B":
        return f"{int(number + .5)} {units[0]}"
    places = 2 if number < 10 else 1
    if number == 0:
        return f"0 {units[0]}"
    return f"{number:.{places}f} {units[0]}"


def page_is_the_texts(page, pids):
    chosen = page.value("quireMachine.now().space.pid")
    expected = expectation(pids, chosen)
    figures = page.value("""[...document.querySelectorAll("[data-src]")].map(f =>
        [f.dataset.src, +f.dataset.value, f.dataset.unit, f.textContent])""")
    assert len(figures) > 120, len(figures)
    for name, number, unit, written in figures:
        assert (number, unit) == expected[name], (name, number, unit, expected.get(name))
        assert written == shown(number, unit), (name, written, shown(number, unit))
    parts = {name.split(".")[0] for name, *_ in figures}
    assert parts >= {"meminfo", "vmstat", "quire", "buddyinfo", "zones", "slabs", "swaps", "frames",
                     "processes", "areas", "tables"}, parts
    # Nothing is left out of what has a row for each.
    for part in ("areas", "buddyinfo", "processes", "tables"):
        missing = {n for n in expected if n.startswith(part + ".")} - {f[0] for f in figures}
        assert not {n for n in missing if not (n.endswith(".mapped") and expected[n][0] == 0)}, \
            missing
    print(len(figures), "figures of the page are those of the texts")


def frames_are_drawn(page):
    """Each square's colour against the text's kind."""
    pixels = page.value("""(() => {
        const canvas = document.getElementById("frames"), paint = canvas.getContext("2d");
        const {size, columns, cells} = frameMap, dpr = devicePixelRatio;
        const middle = n => Math.floor((n + .4) * size * dpr);
        return cells.map((_, i) => [...paint.getImageData(
          middle(i % columns), middle(Math.floor(i / columns)), 1, 1).data.slice(0, 3)]); })()""")
    colours = page.value("""Object.fromEntries(Object.entries(palette).map(([kind, parts]) =>
        [kind, parts.map(Math.round)]))""")
    cells = []
    for line in text("quire/frames").splitlines()[1:]:
        count, kind, *rest = line.split()
        assert len(rest) == 1, "a square of this small machine is one frame"
        cells += [kind] * int(count)
    assert len(pixels) == len(cells)
    for i, (pixel, kind) in enumerate(zip(pixels, cells)):
        assert max(abs(a - b) for a, b in zip(pixel, colours[kind])) <= 1, (i, kind, pixel)
    assert len(set(cells)) >= 6, set(cells)
    print(len(cells), "frames have their owner's colour")


def walks_are_drawn(page):
    pid = page.value("quireMachine.now().space.pid")
    for area in page.value("quireMachine.now().space.areas.map(a => a.start)"):
        for access in "rwx":
            page.value(f"""(() => {{
                document.documentElement.dataset.walk = "";
                document.getElementById("address").value = "0x{area}";
                document.querySelector("[name=access][value={access}]").checked = true;
                document.getElementById("walk-form").requestSubmit(); }})()""")
            page.until(f"document.documentElement.dataset.walk === '{int(area, 16):x}'")
            lines = text(f"quire/{pid}/walk/{area}/{access}").splitlines()
            seen = page.value("""({levels: [...document.querySelectorAll("#walk .level")].map(l =>
                [l.innerText.replace(/\\s+/g, " "), [...l.querySelectorAll(".bits i")].map(b =>
                   b.className ? b.textContent.toLowerCase() : "-").join("")]),
                outcome: document.getElementById("outcome").textContent})""")
            levels = [line for line in lines if line.startswith("level")]
            assert len(levels) == len(seen["levels"]) > 0
            for line, (row, bits) in zip(levels, seen["levels"]):
                level, index, at, value, flags = re.match(
                    r"level (\d)\s+entry\s+(\d+) at (\w+)\s+(\w+)\s+(\S+)", line).groups()
                assert row.startswith(f"Level {level} entry {index} at {at}"), (line, row)
                assert bits == flags and value in row, (line, bits, row)
            assert lines[-1] in seen["outcome"], (lines, seen["outcome"])
            last = lines[-2]
            if last.startswith("fault"):
                assert last.split(None, 1)[1] in seen["outcome"], seen["outcome"]
            else:
                assert "physical " + last.split()[-1] in seen["outcome"], seen["outcome"]
    page.value("""document.getElementById("address").value = "nonsense";
                  document.getElementById("walk-form").requestSubmit()""")
    page.until("document.getElementById('walk').textContent.includes('hexadecimal')")


def time_goes_both_ways(page):
    """By keys: hold, back, on; what the program does meanwhile is in the new moments only."""
    page.until("quireMachine.seen.length >= 3")
    page.key(" ")
    page.until("document.getElementById('state').dataset.is === 'held'")
    page.until("document.getElementById('when').value == quireMachine.seen.length - 1")
    before = page.value("quireMachine.now().meminfo.SwapFree")
    count = page.value("quireMachine.seen.length")
    tell(b"a")
    page.key("ArrowLeft")
    assert page.value("+document.getElementById('when').value") == count - 2
    for _ in range(2):  # to the last that was seen, and one beyond: a new one
        page.key("ArrowRight")
    page.until(f"quireMachine.seen.length > {count}")
    page.until("document.getElementById('when').value == quireMachine.seen.length - 1")
    assert page.value("quireMachine.now().meminfo.SwapFree") < before - 1024
    drawn = "document.querySelector('[data-src=\"meminfo.SwapFree\"]').dataset.value"
    assert page.value(f"+{drawn} === quireMachine.now().meminfo.SwapFree")
    page.key("ArrowLeft")
    page.key("ArrowLeft")
    page.until(f"{drawn} == {before}")
    page.key(" ")
    page.until("document.getElementById('state').dataset.is === 'live'")


def curves_are_moments(page):
    seen, plots, n = page.value("""[quireMachine.seen,
        Object.fromEntries(Object.entries(quirePlots).map(([id, p]) => [id, p.data])),
        +document.getElementById("when").value + 1]""")
    memory = plots["plot-memory"]
    assert memory[0] == [m["machine"]["machine_ns"] / 1e9 for m in seen[:n]]
    for line, name in ((1, "MemFree"), (2, "AnonPages"), (3, "Cached")):
        assert memory[line] == [m["meminfo"][name] * 1024 for m in seen[:n]], name
    for i in range(1, n):
        span = (seen[i]["machine"]["machine_ns"] - seen[i - 1]["machine"]["machine_ns"]) / 1e9
        faults = seen[i]["vmstat"]["pgfault"] - seen[i - 1]["vmstat"]["pgfault"]
        drawn = plots["plot-faults"][2][i]
        assert (drawn is None and span <= 0) or abs(drawn * span - faults) < 1e-6 * faults + 1e-6


def take_pictures(page):
    area = page.value("""(() => { const areas = quireMachine.now().space.areas;
        return areas.reduce((a, b) => b.resident_kb > a.resident_kb ? b : a).start; })()""")
    page.value("document.querySelector('[name=access][value=w]').checked = true")
    for scheme, name in (("light", "web-light.png"), ("dark", "web-dark.png")):
        page.scheme(scheme)
        page.size(1500, 1000)
        page.until("document.documentElement.dataset.size === '1500x1000'")
        page.value(f"quireMachine.walk(0x{area}n + 0x3123n)")
        height = page.value("document.documentElement.scrollHeight")
        page.value("document.documentElement.dataset.walk = ''")
        page.size(1500, height)
        page.until(f"document.documentElement.dataset.size === '1500x{height}' && "
                   "document.documentElement.dataset.walk !== ''")
        assert page.value("document.querySelectorAll('#walk .level').length") == 4
        page.picture(os.path.join(pictures or scratch, name))
        size = os.path.getsize(os.path.join(pictures or scratch, name))
        assert size > 50000, f"{name} has {size} bytes: an empty page?"


def look_with_browser(pids):
    browser = Browser(chromium, os.path.join(scratch, "profile"))
    try:
        page = browser.page(url)
        page.size(1500, 1000)
        page.scheme("light")
        page.until("document.documentElement.dataset.ready")
        page_is_the_texts(page, pids)
        frames_are_drawn(page)
        walks_are_drawn(page)
        time_goes_both_ways(page)
        curves_are_moments(page)
        other = page.value("""quireMachine.now().processes.find(p =>
            p.pid !== quireMachine.now().space.pid).pid""")
        page.key("p")
        page.until(f"quireMachine.now().space.pid === {other}")
        page_is_the_texts(page, pids)
        page.value("quireMachine.choose(1)")
        page.until("quireMachine.now().space.pid === 1 && quireMachine.seen.length > 8")
        take_pictures(page)
        page.key("?")
        page.until("document.getElementById('box').open")
        assert not browser.errors, browser.errors
        foreign = [u for u in browser.requests if not u.startswith((url, "data:", "about:"))]
        assert not foreign, foreign
        # A page that is open when the run ends says so.
        os.write(3, b"q\n")
        page.until("document.getElementById('state').dataset.is === 'ended'")
        banner = page.value("document.getElementById('banner').textContent")
        assert re.match(r"The run \d+ has ended\. What was seen", banner), banner
        assert not page.value("document.getElementById('back').disabled")
    finally:
        browser.close()


security()
settle()
everyone = json_is_the_texts()
if not chromium:
    sys.exit(77)
look_with_browser(everyone)
