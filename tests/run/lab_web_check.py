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


def alone(name, language, *predictions):
    """What `quire lab NAME --json` says, as the page's list of events."""
    words = [quire, "lab", name, "--check", "--json", "--lang", language, "--ram", "8M", "--swap",
             "32M", *(w for p in predictions for w in ("--answer", "=".join(p)))]
    said = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, capture_output=True)
    return [json.loads(line) for line in said.stdout.splitlines()]


def lab(**parts):
    status, body = ask("lab?" + urllib.parse.urlencode(parts), post=True)
    assert status == 200, (parts, status, body)
    return json.loads(body)


def every_lab_is_as_alone():
    """All of them, in both languages, at once and step by step, with the last step undone."""
    labs = json.loads(ask("labs")[1])
    listed = subprocess.run([quire, "lab", "--list"], text=True, capture_output=True, check=True)
    assert [one["name"] for one in labs] == [line.split()[0] for line in
                                             listed.stdout.splitlines()]
    steps = 0
    for i, one in enumerate(labs):
        language = ("en", "zh")[i % 2]
        expected = alone(one["name"], language)
        begun = lab(name=one["name"], lang=language)
        assert begun["place"] == 2 and begun["events"][0]["text"] == one[language], begun
        if i % 10 == 0:
            while begun["place"] < begun["length"]:
                begun = lab(n=1)
                steps += 1
            assert begun["events"] == expected, one
            lab(n=-1)
            assert lab(n=1) == begun
        done = lab(n=1000)
        assert done["events"] == expected and done["failed"] == 0, one
        assert done["place"] == done["length"] and done["unanswered"] == done["questions"] > 0
        assert lab(lang="en" if language == "zh" else "zh")["facts"] == done["facts"]
    return len(labs), steps


def predictions_are_explained():
    """Where a lab asks; too late; changed after going back; and a machine touched meanwhile."""
    predicted = [("forked", "100"), ("wrote", "3")]
    begun = lab(name="20-fork", lang="en")
    while begun["events"][-1].get("name") != "forked":
        begun = lab(n=1)
    for value in ("many", "", "%s", "1e9", "9" * 400):
        status, body = ask("lab?" + urllib.parse.urlencode({"question": "forked", "value": value}),
                           post=True)
        assert status == 409 and "A number" in body, (value, status, body)
    begun = lab(question="forked", value="100", n=1)
    while begun["events"][-1].get("name") != "wrote":
        begun = lab(n=1)
    lab(question="wrote", value="3", n=1)
    assert run("proc stranger")["ok"]  # the lab goes on with a machine of its own
    done = lab(n=1000)
    assert done["events"] == alone("20-fork", "en", *predicted), done["events"][-3:]
    wrong = [e for e in done["events"] if e.get("event") == "answer" and e["name"] == "forked"]
    assert wrong[0]["given"] == 100 and "first Unix" in wrong[0]["explained"] and done["wrong"]
    status, body = ask("lab?question=forked&value=0", post=True)
    assert status == 409, body
    back = lab(n=-1000)
    assert back["place"] == 1 and back["questions"] == 0
    while back["events"][-1].get("name") != "forked":
        back = lab(n=1)
    lab(question="forked", value="0")
    assert lab(n=1000)["wrong"] == done["wrong"] - 1
    for words, status in (("name=frok", 409), ("n=x", 400), ("n=99999999999", 400),
                          ("question=none&value=1", 409)):
        assert ask("lab?" + words, post=True)[0] == status, words
    assert "did you mean" in ask("lab?name=21-who", post=True)[1]
    assert ask("lab?n=1", post=True, origin="http://evil.example")[0] == 403
    assert ask("lab?n=1")[0] == 405 and ask("labs", post=True)[0] == 405


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


def at_step(page, *what):
    page.until("document.documentElement.dataset.lab === %s" % json.dumps(" ".join(map(str, what))))


def press(page, name):
    page.value(f"document.getElementById('{name}').click()")


def pick(page, name, value):
    page.value("""(() => { const s = document.getElementById(%s); s.value = %s;
        s.dispatchEvent(new Event("change")); })()""" % (json.dumps(name), json.dumps(value)))


def seen(page, selector):
    return page.value("[...document.querySelectorAll('#course-text %s')].map(e => e.innerText)"
                      % selector)


def a_lab_is_played(browser):
    """Chosen, predicted, gone through, explained; back; and the same in Chinese."""
    page = browser.page(url)
    page.size(1500, 1250)
    page.scheme("light")
    page.until("document.documentElement.dataset.ready")
    options = page.value("[...document.getElementById('lab').options].map(o => o.value)")
    assert len(options) > 50 and "60-malloc-one" in options
    pick(page, "lab", "60-malloc-one")
    at_step(page, "60-malloc-one", "en", 2)
    press(page, "lab-next")
    at_step(page, "60-malloc-one", "en", 3)
    page.value("""(() => { const f = document.querySelector("#course-text form.prediction");
        f.querySelector("input").value = "4096"; f.requestSubmit(); })()""")
    at_step(page, "60-malloc-one", "en", 4)
    page.value("document.activeElement.blur()")
    for place in range(5, 11):  # the tenth answers
        page.key("n")
        at_step(page, "60-malloc-one", "en", place)
    figures_are_the_texts(page)
    expected = alone("60-malloc-one", "en", ("heap", "4096"))
    told = [e for e in expected if e.get("event") == "answer" and e["name"] == "heap"][0]
    assert seen(page, ".answer.not .explained") == [told["explained"]], seen(page, ".answer")
    assert seen(page, ".answer.not .verdict") == ["Not 4,096 but 135,168"]
    assert seen(page, ".answer.not p:last-child") == [told["text"]]
    assert seen(page, "p.fact") == ["✓ heap.system == 0x21000", "✓ heap.system == 132K"]
    picture = os.path.join(os.environ.get("QUIRE_PICTURES") or scratch, "web-lab.png")
    page.picture(picture)
    assert os.path.getsize(picture) > 50000
    page.key("b")
    at_step(page, "60-malloc-one", "en", 9)
    assert not seen(page, ".answer")
    page.key("n")
    at_step(page, "60-malloc-one", "en", 10)
    pick(page, "lab-language", "zh")
    at_step(page, "60-malloc-one", "zh", 10)
    chinese = [e for e in alone("60-malloc-one", "zh", ("heap", "4096"))]
    told = [e for e in chinese if e.get("event") == "answer" and e["name"] == "heap"][0]
    assert seen(page, ".answer.not .explained") == [told["explained"]]
    assert seen(page, ".answer.not .verdict") == ["不是 4,096，而是 135,168"]
    assert seen(page, "p.question") == [e["text"] for e in chinese if e.get("event") == "question"]
    length = page.value("document.getElementById('course-place').textContent")
    length = int(re.findall(r"\d+", length)[1])
    for place in range(11, length + 1):
        press(page, "lab-next")
        at_step(page, "60-malloc-one", "zh", place)
    assert page.value("document.getElementById('lab-next').disabled")
    assert "0 个正确，1 个错误，2 个没有预测" in seen(page, ".over")[0]
    assert not browser.errors, browser.errors


kept = texts_are_the_shells()
every_moment_comes_back(kept)
wrong_is_answered()
print(len(kept), "moments come back exactly; texts are those of the shell")
chrome = Browser(chromium, os.path.join(scratch, "profile")) if chromium else None
try:
    if chrome:
        lines_are_typed(chrome)
    print("%d labs as in the shell, %d steps of them one by one" % every_lab_is_as_alone())
    predictions_are_explained()
    if chrome:
        a_lab_is_played(chrome)
finally:
    if chrome:
        chrome.close()
sys.exit(0 if chrome else 77)
