#!/usr/bin/env python3
"""mutate.py: are the tests any good? Break the core in small ways and see whether a test notices.

    tools/mutate.py [--count 500] [--seed 1 2 ...] [--jobs 2] [--only REGEX] [--list]
    tools/mutate.py --again [--only REGEX]     those that survived so far, once more

A mutant is the core with one operator, constant or statement changed (DeMillo, Lipton, Sayward
1978: "Hints on test data selection"). From all that the rules below can make, `count` are drawn
with each seed. Each is compiled, linked into a copy of the core as a shared library, and given to
the test programs until one fails, crashes or hangs: killed. What no test notices survives, and is
a question: is a test missing, or does the change make no difference? One that the compiler's best
level makes the same code of makes none, and does not count (Papadakis et al. 2015: "Trivial
compiler equivalence"). For others tests/mutants.txt holds the answers, a line each:

    file | old | new | why it makes no difference

Survivors that have one do not count either: the score is what was killed of those that a test could
kill.

Verdicts stay in build/mutants/results.txt, fields separated by tabs: file, line, rule, old, new,
and the name of the test that killed it, or "survives". A run replaces what it tries.

Tests run in the order of their chance of a kill for each second of processor time, which is the
fastest there is if they are independent. The times are measured on the core as it is; the chances
are learned while it runs, file by file, from a first guess that knows names.

Lines of checks and audits are left alone: they only speak when something else is wrong.
Uses the preset `mutants` (the core as a shared library). Exit: 0 if the score is 90 % at least.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "mutants"
RESULTS = BUILD / "results.txt"
ANSWERS = ROOT / "tests" / "mutants.txt"
WANTED = 0.90
SURVIVES = "survives"
# A test hangs when it has used this many times its usual processor time, and some seconds; the
# clock's limit is for one that sleeps, on a host that may be busy with other things.
HANG_TIMES, HANG_SECONDS, CLOCK_SECONDS = 4, 2, 120
# Beside the programs of tests/unit and tests/port. Short worlds first: most mutants die young.
SIMULATIONS = [
    ("sim 3000", "sim", "--steps", "3000"),
    ("sim 20000", "sim", "--steps", "20000", "--seed", "2"),
    ("sim 80000", "sim", "--steps", "80000", "--world-steps", "8000", "--seed", "100"),
    ("sim_blocks", "sim_blocks", "--steps", "20000", "--seed", "200"),
]
# The targets that make all of these.
NEEDED = r"embed|unit_\w+|port_\w+|sim|sim_blocks"
# First guesses at the chance of a kill, worth as many tried mutants as WEIGHT says.
GUESS_FILE, GUESS_ROOM, GUESS_SIM, GUESS_OTHER, WEIGHT = 0.5, 0.25, 0.3, 0.02, 4

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


def identity(mutant):
    return tuple(str(mutant[field]) for field in ("file", "line", "rule", "old", "new"))


def answers():
    found = {}
    for line in ANSWERS.read_text().split("\n") if ANSWERS.exists() else []:
        if line and not line.startswith("#"):
            what, _, why = line.rpartition(" | ")
            found[what] = why
    return found


def build():
    env = dict(os.environ)
    subprocess.run(["cmake", "--preset", "mutants"], cwd=ROOT, check=True, env=env,
                   stdout=subprocess.DEVNULL)
    listed = subprocess.run(["ninja", "-C", BUILD, "-t", "targets", "all"], check=True, env=env,
                            capture_output=True, text=True).stdout
    wanted = [name for name in re.findall(r"^([^:\n]+): phony$", listed, re.M)
              if re.fullmatch(NEEDED, name)]
    subprocess.run(["cmake", "--build", "--preset", "mutants", "--target", *wanted], cwd=ROOT,
                   check=True, env=env, stdout=subprocess.DEVNULL)
    commands = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if "/quire_core.dir/" in entry["command"]:  # the library that installs has them, too
            commands[str(pathlib.Path(entry["file"]).resolve().relative_to(ROOT))] = entry
    return commands


def objects(commands):
    found = {}
    for name, entry in commands.items():
        if name.startswith("src/"):
            found[name] = str(BUILD / re.search(r" -o (\S+)", entry["command"]).group(1))
    return found


class Test:
    """A program, its name, and what it usually takes of the processor."""

    def __init__(self, name, command):
        self.name, self.command, self.seconds = name, [str(part) for part in command], 1000

    def run(self, library_dir):
        """Whether it passes with the library of that folder. No child of it is left over."""
        cpu = int(HANG_TIMES * self.seconds + HANG_SECONDS)
        env = dict(os.environ, LD_LIBRARY_PATH=str(library_dir))
        process = subprocess.Popen(["prlimit", "--core=0", f"--cpu={cpu}", *self.command], env=env,
                                   cwd=library_dir, start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            return process.wait(CLOCK_SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def measure(self, library_dir):
        before = os.times()
        if not self.run(library_dir):
            sys.exit(f"mutate.py: {self.name} fails without any mutant: mend that first")
        after = os.times()
        self.seconds = max(0.005, after.children_user + after.children_system
                           - before.children_user - before.children_system)


def programs():
    found = [BUILD / "embed", *sorted(BUILD.glob("tests/unit_*")),
             *sorted(BUILD.glob("tests/port/port_*"))]
    found = [Test(p.name, [p]) for p in found if p.is_file() and os.access(p, os.X_OK)]
    return found + [Test(name, [BUILD / "tests" / "sim" / program, "--brief", *arguments])
                    for name, program, *arguments in SIMULATIONS]


class Order:
    """Learns which test kills the mutants of which file and room."""

    def __init__(self, tests):
        self.tests, self.seen, self.lock = tests, {}, threading.Lock()

    def chance(self, file, test):
        stem, room = pathlib.Path(file).stem, pathlib.Path(file).parts[1]
        chance = (GUESS_SIM if test.name.startswith("sim") else
                  GUESS_FILE if stem in test.name else
                  GUESS_ROOM if room in test.name else GUESS_OTHER)
        for place in (room, file):
            tried, killed = self.seen.get((place, test.name), (0, 0))
            chance = (chance * WEIGHT + killed) / (WEIGHT + tried)
        return chance

    def of(self, file):
        with self.lock:
            return sorted(self.tests, key=lambda test: -self.chance(file, test) / test.seconds)

    def learn(self, file, test, killed):
        with self.lock:
            for place in (pathlib.Path(file).parts[1], file):
                tried, kills = self.seen.get((place, test.name), (0, 0))
                self.seen[place, test.name] = (tried + 1, kills + killed)


class Bench:
    def __init__(self, commands, folder):
        self.commands, self.objects, self.folder = commands, objects(commands), folder
        self.tests = programs()
        self.order = Order(self.tests)
        self.local, self.originals, self.lock = threading.local(), {}, threading.Lock()

    def place(self):
        """A folder of this worker's own."""
        if not hasattr(self.local, "dir"):
            self.local.dir = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        return self.local.dir

    def link(self, changed, place):
        library = place / "libquire_core.so"
        subprocess.run(["cc", "-shared", "-o", str(library), *{**self.objects, **changed}.values()],
                       check=True)

    def measure(self):
        self.link({}, self.place())
        for test in self.tests:
            test.measure(self.place())

    def compile(self, file, text, level, name="mutant.o"):
        """The object's bytes, None if it is no C. Without what tells of its place."""
        place, entry = self.place(), self.commands[file]
        (place / "mutant.c").write_text(text)
        command = re.sub(r" -o \S+ -c \S+", f" -o {name} -c mutant.c", entry["command"])
        command = re.sub(r"^\S*ccache ", "", command.replace(" -g ", " "))
        command = command.replace("-Werror", "-Werror=return-type")  # such a mutant is no C either
        done = subprocess.run(f"{command} {level} -iquote {(ROOT / file).parent}", shell=True,
                              cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return (place / name).read_bytes() if done.returncode == 0 else None

    def is_original(self, file, code, level):
        with self.lock:
            if (file, level) not in self.originals:
                self.originals[file, level] = self.compile(file, (ROOT / file).read_text(), level,
                                                           "original.o")
            return code == self.originals[file, level]

    def judge(self, mutant):
        """The name of the test that kills it, SURVIVES, or None if there is nothing to judge."""
        file, place = mutant["file"], self.place()
        lines = (ROOT / file).read_text().split("\n")
        lines[mutant["line"] - 1] = mutant["text"]
        text = "\n".join(lines)
        code = self.compile(file, text, "-O1")
        if code is None or self.is_original(file, code, "-O1"):
            return None
        self.link({file: str(place / "mutant.o")}, place)
        for test in self.order.of(file):
            passed = test.run(place)
            self.order.learn(file, test, not passed)
            if not passed:
                return test.name
        best = self.compile(file, text, "-O3")
        return None if self.is_original(file, best, "-O3") else SURVIVES


class Results:
    """The verdicts of all runs, of mutants that the source can still make."""

    def __init__(self, pool):
        self.identities = {identity(mutant) for mutant in pool}
        keys = {key(mutant) for mutant in pool}
        lines = RESULTS.read_text().split("\n") if RESULTS.exists() else []
        fields = [tuple(line.split("\t")) for line in lines if line.count("\t") == 5]
        self.verdicts = {f[:5]: f[5] for f in fields if self.key(f) in keys}

    @staticmethod
    def key(fields):
        return f"{fields[0]} | {fields[3]} | {fields[4]}"

    def survivors(self):
        return {self.key(f) for f, verdict in self.verdicts.items() if verdict == SURVIVES}

    def note(self, mutant, verdict):
        """One whose line moved since it was judged is replaced by the one that is there now."""
        for old in [f for f in self.verdicts
                    if f not in self.identities and self.key(f) == key(mutant)]:
            del self.verdicts[old]
        self.verdicts.pop(identity(mutant), None)
        if verdict:
            self.verdicts[identity(mutant)] = verdict
        order = sorted(self.verdicts, key=lambda f: (f[0], int(f[1]), f[2:]))
        text = "".join("\t".join((*f, self.verdicts[f])) + "\n" for f in order)
        new = RESULTS.with_suffix(".new")
        new.write_text(text)
        new.replace(RESULTS)


def draw(pool, options, results):
    """The mutants to try, in order, and how many: more follow for those that do not count."""
    if options.again:
        wanted = results.survivors() - set(answers())
        chosen = [mutant for mutant in pool if key(mutant) in wanted]
        return chosen, len(chosen)
    first, rest = [], []
    for seed in options.seed:
        mine = list(pool)
        random.Random(seed).shuffle(mine)
        first += mine[:options.count]
        rest = mine[options.count:]
    unique = {identity(mutant) + (mutant["column"],): mutant for mutant in first + rest}
    return list(unique.values()), options.count * len(options.seed)


def try_all(bench, chosen, count, jobs, results):
    """Judge mutants until `count` counted: yields each that did with its verdict."""
    chosen, done, pending = iter(chosen), 0, {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as workers:
        while True:
            while len(pending) < min(jobs, count - done):
                mutant = next(chosen, None)
                if not mutant:
                    break
                pending[workers.submit(bench.judge, mutant)] = mutant
            if not pending:
                return
            ready, _ = concurrent.futures.wait(pending, return_when="FIRST_COMPLETED")
            for future in ready:
                mutant, verdict = pending.pop(future), future.result()
                results.note(mutant, verdict)
                if verdict:
                    done += 1
                yield mutant, verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=500, help="mutants for each seed")
    parser.add_argument("--seed", type=int, nargs="+", default=[1])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="regular expression on the file's path")
    parser.add_argument("--again", action="store_true", help="judge again what survived so far")
    parser.add_argument("--list", action="store_true", help="print the mutants, try none")
    options = parser.parse_args()

    every = [mutant for path in sorted((ROOT / "src").rglob("*.c"))
             if not SKIP_FILES.search(str(path)) for mutant in mutants_of(path)]
    pool = [mutant for mutant in every if re.search(options.only, mutant["file"])]
    results, known = Results(every), answers()
    chosen, count = draw(pool, options, results)
    if options.list:
        for mutant in chosen[:count]:
            print(f'{mutant["file"]}:{mutant["line"]}: {mutant["rule"]}: {mutant["new"]}')
        return 0
    start, killed, survivors, void = time.monotonic(), {}, [], 0
    with tempfile.TemporaryDirectory(prefix="quire-mutants-") as folder:
        bench = Bench(build(), folder)
        bench.measure()
        for mutant, verdict in try_all(bench, chosen, count, options.jobs, results):
            if not verdict:
                void += 1
            elif verdict != SURVIVES:
                killed[verdict] = killed.get(verdict, 0) + 1
            else:
                survivors.append(mutant)
                print(f'survives: {mutant["file"]}:{mutant["line"]}: {mutant["rule"]}\n'
                      f'    {mutant["old"]}\n    {mutant["new"]}\n'
                      f'    {known.get(key(mutant), "NOT LOOKED AT")}', flush=True)
            done = sum(killed.values()) + len(survivors)
            if verdict and done % 50 == 0:
                print(f"{done} tried, {len(survivors)} survive", file=sys.stderr, flush=True)
    print("killed by: " + ", ".join(f"{name} {n}" for name, n in
                                    sorted(killed.items(), key=lambda item: -item[1])))
    total = sum(killed.values())
    done, explained = total + len(survivors), sum(key(mutant) in known for mutant in survivors)
    real = done - explained
    print(f"{done} mutants of {len(pool)} possible (seeds {options.seed}; {void} more were no "
          f"change or no C): {total} killed; {explained} make no difference, as "
          f"{ANSWERS.relative_to(ROOT)} says; {real - total} survive, not looked at: "
          f"{100 * total / max(real, 1):.1f} %; {time.monotonic() - start:.0f} s")
    return 0 if total >= WANTED * real else 1


if __name__ == "__main__":
    sys.exit(main())
