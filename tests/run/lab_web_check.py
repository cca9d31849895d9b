"""lab_web_check.py URL QUIRE CHROMIUM SCRATCH: the page of a lab.

Exit: 0; 77 if there is no browser (all else was checked); 1 with what is wrong.
"""
import faulthandler
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser  # noqa: E402

faulthandler.dump_traceback_later(600, exit=True)  # it says where it hangs
url, quire, chromium, scratch = sys.argv[1:]
ORIGIN = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
LINES = ["proc a", "p = malloc 100", "write p 7", "q = mmap 12M", "touch q 12M", "fork", "proc 2",
         "touch q 1M"]


def ask(path, post=False, origin=ORIGIN):
    request = urllib.request.Request(url + path, data=b"" if post else None,
                                     headers={"Origin": origin} if origin else {})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def moment(pid=2):
    return json.loads(ask(f"moment?pid={pid}")[1])


def run(line):
    status, body = ask("run?line=" + urllib.parse.quote(line), post=True)
    assert status == 200, (line, status, body)
    return json.loads(body)


def shell(lines, view):
    """What the shell says to the last line, in a session of its own."""
    def session(words):
        return subprocess.run([quire, "lab", "--ram", "8M", "--swap", "32M"], text=True,
                              input="\n".join(words) + "\n", capture_output=True,
                              check=True).stdout
    before = session(lines) if lines else ""
    return session(lines + [view])[len(before):]


def numbers(text):
    return {name: int(number) for name, number in
            re.findall(r"^([\w()]+):?\s+(\d+)(?: kB)?$", text, re.M)}


def texts_are_the_shells():
    moments = [moment()]
    assert moments[0]["kind"] == "lab" and moments[0]["steps"] is True
    for i, line in enumerate(LINES):
        answer = run(line)
        assert answer["ok"], answer
        now = moment()
        assert now["history"] == {"place": i + 1, "lines": LINES[:i + 1]}, now["history"]
        moments.append(now)
    done = moments[-1]
    for view in ("meminfo", "vmstat"):
        expected = numbers(shell(LINES, view))
        assert len(expected) > 20 and {name: done[view][name] for name in expected} == expected
    for view in ("buddyinfo", "slabinfo", "swaps", "zoneinfo"):
        assert ask("text?path=" + view)[1] == shell(LINES, view), view
    assert ask("text?path=2/smaps")[1] == shell(LINES, "smaps")
    areas = re.findall(r"^([0-9a-f]+)-", shell(LINES, "maps"), re.M)
    assert [a["start"] for a in done["space"]["areas"]] == areas and len(areas) > 3
    assert sum(a["swapped_kb"] for a in done["space"]["areas"]) > 1024
    start = int(areas[-1], 16)
    walk = json.loads(ask(f"walk?pid=2&at={start:x}&access=r")[1])
    said = [line.strip() for line in shell(LINES, f"walk 0x{start:x}").splitlines()]
    for step in walk["steps"]:
        assert step["text"].strip() in said, (step, said)
    return moments


def every_moment_comes_back(moments):
    for i in range(len(LINES) - 1, -1, -1):
        assert ask("step?n=-1", post=True)[0] == 200
        now = moment()
        assert now["history"] == {"place": i, "lines": LINES}
        now["history"] = moments[i]["history"]
        assert now == moments[i], i
    status, body = ask("step?n=-1", post=True)
    assert status == 409 and "beginning" in body, (status, body)
    assert ask(f"step?n={len(LINES)}", post=True)[0] == 200
    assert moment() == moments[-1]
    status, body = ask("step?n=1", post=True)
    assert status == 409 and "type a line" in body, (status, body)


def wrong_is_answered():
    place = moment()["history"]["place"]
    for line, words in (("mallok 5", "malloc"), ("malloc", "malloc"), ("write zz 1", "zz"),
                        ("a" * 3000, "")):
        answer = run(line)
        assert not answer["ok"] and words in answer["error"], answer
    assert moment()["history"]["place"] == place
    for path in ("run", "run?line=", "run?line=a%0ab", "step", "step?n=0", "step?n=x",
                 "step?n=99999999999"):
        assert ask(path, post=True)[0] == 400, path
    for origin in (None, "http://evil.example", "null"):
        assert ask("run?line=proc", post=True, origin=origin)[0] == 403, origin
    assert ask("run?line=proc")[0] == 405 and ask("step?n=1")[0] == 405
    assert moment()["history"]["place"] == place


def figures_are_the_texts(page):
    figures = dict(page.value("""[...document.querySelectorAll("[data-src]")].map(f =>
        [f.dataset.src, +f.dataset.value])"""))
    for view in ("meminfo", "vmstat"):
        for name, number in numbers(ask("text?path=" + view)[1]).items():
            assert figures.get(f"{view}.{name}", number) == number, (view, name)
    smaps = ask("text?path=%d/smaps" % page.value("quireMachine.now().space.pid"))[1]
    for start, size in re.findall(r"^([0-9a-f]+)-.*\nSize:\s+(\d+)", smaps, re.M):
        assert figures[f"areas.{start}.size_kb"] == int(size), start
    assert "meminfo.MemFree" in figures and "frames.anon" in figures


def lines_are_typed(browser):
    page = browser.page(url)
    page.size(1500, 1000)
    page.scheme("light")
    page.until("document.documentElement.dataset.ready")
    assert page.value("document.getElementById('state').dataset.is") == "stands"
    before = page.value("quireMachine.now().machine.step")
    figures_are_the_texts(page)
    page.value("""(() => { document.getElementById("line").value = "r = mmap 1M";
        document.getElementById("line-form").requestSubmit(); })()""")
    page.until("document.documentElement.dataset.said === 'r = mmap 1M'")
    assert page.value("quireMachine.now().machine.step") == before + 1
    figures_are_the_texts(page)
    lines = page.value("[...document.querySelectorAll('#history button')].map(b => b.textContent)")
    assert lines == ["the beginning"] + LINES + ["r = mmap 1M"], lines
    page.value("document.activeElement.blur()")
    page.key("ArrowLeft")
    page.until(f"quireMachine.now().machine.step === {before}")
    assert page.value("document.querySelector('#history .here').textContent") == LINES[-1]
    figures_are_the_texts(page)
    page.value("document.querySelectorAll('#history button')[1].click()")
    page.until("quireMachine.now().machine.step === 1")
    figures_are_the_texts(page)
    page.key("ArrowRight")
    page.until("quireMachine.now().machine.step === 2")
    page.value("""(() => { document.getElementById("line").value = "mallok";
        document.getElementById("line-form").requestSubmit(); })()""")
    page.until("document.getElementById('said').className === 'wrong'")
    assert "malloc" in page.value("document.getElementById('said').textContent")
    assert not browser.errors, browser.errors


kept = texts_are_the_shells()
every_moment_comes_back(kept)
wrong_is_answered()
print(len(kept), "moments come back exactly; texts are those of the shell")
if not chromium:
    sys.exit(77)
chrome = Browser(chromium, os.path.join(scratch, "profile"))
try:
    lines_are_typed(chrome)
finally:
    chrome.close()
