#!/usr/bin/env python3
"""mutate.py: are the tests any good? Break the core in small ways and see whether a test notices.

    tools/mutate.py [--count 500] [--seed 1] [--jobs 2] [--only REGEX] [--list]

A mutant is the core with one operator, constant or statement changed (DeMillo, Lipton, Sayward
1978: "Hints on test data selection"). From all that the rules below can make, `count` are drawn
with `seed`. Each is compiled, linked into a copy of the core as a shared library, and given to the
test programs until one fails, crashes or hangs: killed. What no test notices survives, and is a
question: is a test missing, or does the change make no difference? tests/mutants.txt holds the
answers for survivors that were looked at.

Lines of checks and audits are left alone: they only speak when something else is wrong.
Uses the preset `mutants` (the core as a shared library). Exit: 0 if at least 90 % are killed.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "mutants"
ANSWERS = ROOT / "tests" / "mutants.txt"
WANTED = 0.90
TEST_SECONDS = 30
MUTANT_SIM = ["tests/sim/sim", "--steps", "60000", "--jobs", "1"]

# (what it is called, what it looks for, what it puts there); on text without comments and strings.
RULES = [
    ("<  to <=", r"(?<=\s)<(?=\s)", "<="), ("<= to <", r"(?<=\s)<=(?=\s)", "<"),
    (">  to >=", r"(?<=\s)>(?=\s)", ">="), (">= to >", r"(?<=\s)>=(?=\s)", ">"),
    ("== to !=", r"(?<=\s)==(?=\s)", "!="), ("!= to ==", r"(?<=\s)!=(?=\s)", "=="),
    ("&& to ||", r"&&", "||"), ("|| to &&", r"\|\|", "&&"),
    ("+ to -", r"(?<=\s)\+(?=\s)", "-"), ("- to +", r"(?<=[\w\])] )-(?=\s)", "+"),
    ("& to |", r"(?<=\s)&(?=\s)", "|"), ("+= to -=", r"\+=", "-="), ("-= to +=", r"-=", "+="),
    ("++ to --", r"\+\+", "--"), ("-- to ++", r"--", "++"),
    ("drop a not", r"!(?=[\w(])", ""),
    ("true to false", r"\btrue\b", "false"), ("false to true", r"\bfalse\b", "true"),
    ("0 to 1", r"(?<=[\s(])0(?=[;,)\s])", "1"), ("1 to 0", r"(?<=[\s(])1(?=[;,)\s])", "0"),
    ("QUIRE_OK to QUIRE_NOMEM", r"(?<=return )QUIRE_OK(?=;)", "QUIRE_NOMEM"),
    ("QUIRE_NOMEM to QUIRE_OK", r"(?<=return )QUIRE_NOMEM(?=;)", "QUIRE_OK"),
    ("no call", r"^\s+\w+\([^{}]*\);$", ";"),
    ("no assignment", r"^\s+[\w.\[\]>*()-]+ [-+|&]?= [^{}]*;$", ";"),
    ("no return of a failure", r"^\s+return (?:NULL|QUIRE_[A-Z]+);$", ";"),
]
SKIP = re.compile(r"\b(CHECK|AUDIT|SOFT_CHECK|_Static_assert|PANIC)\b|^\s*#|^\s*(static )?const "
                  r"|quire_trace\(|__builtin_prefetch")
SKIP_FILES = re.compile(r"audit\.c$|src/base/status\.c$")


def blank(text):
    """The text with comments and strings as spaces, so that places stay the same."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', spaces, text, flags=re.S)


def mutants_of(path):
    lines = path.read_text().split("\n")
    plain = blank(path.read_text()).split("\n")
    inside = 0
    for number, line in enumerate(plain):
        depth = inside
        inside += line.count("{") - line.count("}")
        if depth == 0 or SKIP.search(line):
            continue
        for name, pattern, new in RULES:
            for match in re.finditer(pattern, line):
                made = lines[number][:match.start()] + new + lines[number][match.end():]
                yield {"file": str(path.relative_to(ROOT)), "line": number + 1, "rule": name,
                       "column": match.start(), "old": lines[number].strip(), "new": made.strip(),
                       "text": made}


def key(mutant):
    """How an answer names it: not by line number, which changes with every edit above it."""
    return f'{mutant["file"]} | {mutant["old"]} | {mutant["new"]}'


def answers():
    if not ANSWERS.exists():
        return {}
    found = {}
    for line in ANSWERS.read_text().split("\n"):
        if line and not line.startswith("#"):
            what, _, why = line.rpartition(" | ")
            found[what] = why
    return found


def build():
    env = dict(os.environ)
    subprocess.run(["cmake", "--preset", "mutants"], cwd=ROOT, check=True, env=env,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", "mutants"], cwd=ROOT, check=True, env=env,
                   stdout=subprocess.DEVNULL)
    commands = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        commands[str(pathlib.Path(entry["file"]).resolve().relative_to(ROOT))] = entry
    return commands


def objects(commands):
    found = {}
    for name, entry in commands.items():
        if name.startswith("src/"):
            found[name] = str(BUILD / re.search(r" -o (\S+)", entry["command"]).group(1))
    return found


def programs():
    """All test programs, the short ones first; the simulation last."""
    units = sorted(BUILD.glob("tests/unit_*"))
    units = [[str(u)] for u in units if u.is_file() and os.access(u, os.X_OK)]
    return units + [[str(BUILD / "embed")], [str(BUILD / MUTANT_SIM[0])] + MUTANT_SIM[1:]]


def run(command, library_dir):
    env = dict(os.environ, LD_LIBRARY_PATH=str(library_dir))
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=TEST_SECONDS, cwd=library_dir)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Bench:
    def __init__(self, commands, tests):
        self.commands, self.objects, self.tests = commands, objects(commands), tests
        self.local = threading.local()

    def place(self):
        if not hasattr(self.local, "dir"):
            self.local.dir = pathlib.Path(tempfile.mkdtemp(prefix="quire-mutants-"))
        return self.local.dir

    def link(self, objects_now, place):
        library = place / "libquire_core.so"
        subprocess.run(["cc", "-shared", "-o", str(library), *objects_now], check=True)

    def order(self, file):
        """Tests named like the file or its room come first: they know it best."""
        stem, room = pathlib.Path(file).stem, pathlib.Path(file).parts[1]
        def rank(test):
            name = pathlib.Path(test[0]).name
            return (stem not in name, room not in name)
        return sorted(self.tests, key=rank)

    def judge(self, mutant):
        place = self.place()
        lines = (ROOT / mutant["file"]).read_text().split("\n")
        lines[mutant["line"] - 1] = mutant["text"]
        source = place / "mutant.c"
        source.write_text("\n".join(lines))
        entry = self.commands[mutant["file"]]
        command = re.sub(r" -o \S+ -c \S+", f" -o {place}/mutant.o -c {source}", entry["command"])
        command = command.replace("-Werror", "-w")
        folder = (ROOT / mutant["file"]).parent
        if subprocess.run(f"{command} -iquote {folder}", shell=True, cwd=entry["directory"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            return "does not compile"
        now = dict(self.objects)
        original = pathlib.Path(now[mutant["file"]]).read_bytes()
        if (place / "mutant.o").read_bytes() == original:
            return "the same code"
        now[mutant["file"]] = str(place / "mutant.o")
        self.link(now.values(), place)
        for test in self.order(mutant["file"]):
            if not run(test, place):
                return pathlib.Path(test[0]).name
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="regular expression on the file's path")
    parser.add_argument("--list", action="store_true", help="print the mutants, try none")
    options = parser.parse_args()

    pool = []
    for path in sorted((ROOT / "src").rglob("*.c")):
        if not SKIP_FILES.search(str(path)) and re.search(options.only, str(path)):
            pool += mutants_of(path)
    random.Random(options.seed).shuffle(pool)
    if options.list:
        for mutant in pool[:options.count]:
            print(f'{mutant["file"]}:{mutant["line"]}: {mutant["rule"]}: {mutant["new"]}')
        return 0
    commands = build()
    bench = Bench(commands, programs())
    clean = bench.place()
    bench.link(bench.objects.values(), clean)
    for test in bench.tests:
        if not run(test, clean):
            sys.exit(f"mutate.py: {test[0]} fails without any mutant: mend that first")
    known = answers()
    killed, survivors, void, done = {}, [], 0, 0
    drawn = iter(pool)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as workers:
        pending = {}
        def feed():
            for mutant in drawn:
                pending[workers.submit(bench.judge, mutant)] = mutant
                return
        for _ in range(options.jobs * 2):
            feed()
        while pending and done < options.count:
            ready, _ = concurrent.futures.wait(pending, return_when="FIRST_COMPLETED")
            for future in ready:
                mutant, verdict = pending.pop(future), future.result()
                feed()
                if verdict in ("does not compile", "the same code"):
                    void += 1
                    continue
                done += 1
                if verdict:
                    killed[verdict] = killed.get(verdict, 0) + 1
                else:
                    survivors.append(mutant)
                    why = known.get(key(mutant), "NOT LOOKED AT")
                    print(f'survives: {mutant["file"]}:{mutant["line"]}: {mutant["rule"]}\n'
                          f'    {mutant["old"]}\n    {mutant["new"]}\n    {why}', flush=True)
                if done % 50 == 0:
                    print(f"{done} tried, {len(survivors)} survive", file=sys.stderr, flush=True)
        for future in pending:
            future.cancel()
    print("killed by: " + ", ".join(f"{name} {n}" for name, n in
                                    sorted(killed.items(), key=lambda item: -item[1])))
    total = sum(killed.values())
    print(f"{done} mutants of {len(pool)} possible (seed {options.seed}; {void} more were no "
          f"change or no C): {total} killed, {len(survivors)} survive: "
          f"{100 * total / max(done, 1):.1f} %")
    return 0 if total >= WANTED * done else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        for leftover in pathlib.Path(tempfile.gettempdir()).glob("quire-mutants-*"):
            shutil.rmtree(leftover, ignore_errors=True)
