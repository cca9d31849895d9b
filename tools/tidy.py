#!/usr/bin/env python3
"""tidy.py: the house rules that a machine can check, as a test that fails.

    tools/tidy.py [--statistics] [ROOT]

Checked: who includes whom, lengths of functions, files and lines, what src/ must not use, story
comments, READMEs, unfinished work, and words that say where a text was written. Each finding is one
line, "file:line: what". The files are those that git tracks (and new ones that it would track).

The C is not parsed but scanned: comments and strings are blanked first, then braces at the left
margin are functions. That is enough because .clang-format puts them there, and it keeps this file
short enough to be read.
"""
import os
import re
import subprocess
import sys

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70   # the style guide's hard end; most are under 40
FILE_LINES_MAX = 700

# An interpreter's loop is one function by its nature: labels as values do not leave it.
LONG_FUNCTIONS = {
    "machine/soft/interp.c",
}

# src/: each room with those that it may include, itself and base/ apart. Left to right in
# docs/TOUR.md: core, view, reclaim, vm, swap, kmem, page, base.
CORE_ROOMS = ["core", "view", "reclaim", "vm", "swap", "segment", "kmem", "page", "base"]
# view/ reads and changes nothing, so it may look at reclaim's figures although it stands beside it.

# Everything outside src/: path prefix of the includer, and the prefixes that it may include.
# Public headers (<quire/...>) are open to all.
OUTER_ROOMS = {
    "include/": [],
    "machine/radix/": ["machine/radix/"],
    "machine/soft/": ["machine/soft/", "machine/radix/"],
    "os/": ["os/", "machine/soft/soft.h", "machine/soft/walk.h"],
    "heap/classic/": ["heap/classic/"],
    "heap/pool/": [],
    "heap/host/": ["heap/host/"],
    "heap/check/": ["heap/check/"],
    "live/": ["live/", "os/os.h"],
    "watch/": ["watch/", "os/os.h"],
    "export/": ["export/"],
    # mmu.h: its programs have no code, so their loads and stores are the memory unit's own.
    "lab/": ["lab/", "machine/soft/soft.h", "machine/soft/walk.h", "machine/soft/segment.h",
             "machine/soft/segpage.h", "machine/soft/dma.h", "machine/soft/mmu.h"],
    "web/": ["web/"],
    "cli/": ["cli/", "os/os.h", "live/live.h", "watch/watch.h", "export/export.h", "lab/lab.h",
             "web/web.h"],
}

# What the freestanding core may take from the compiler.
CORE_SYSTEM_HEADERS = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "limits.h", "stdatomic.h"}
CORE_BANNED_CALLS = (r"(?<![>.\w])(malloc|calloc|realloc|free|printf|fprintf|snprintf|abort|exit"
                     r"|assert)\s*\(")
# While a program runs the host's floating-point flags are the program's (machine/soft/cpu_float.c).
# So it is when the machine calls who watches; only what is written afterwards may use fractions.
INTEGERS_ONLY = ("src/", "machine/", "os/", "watch/")
FLOAT_FILES = re.compile(r"machine/soft/(cpu_float|fp)\.[ch]$|watch/(advice|json|sizes)\.[ch]$")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|not implemented")
# Names of packages' hosts and of places on one person's machine don't belong into the project.
FOREIGN = re.compile(r"/home/[a-z]|\b[a-z]+\.(debian|ubuntu)\.(org|com)\b")

findings = []
function_lengths = []


def find(path, line, what):
    findings.append((path, line, what))


def tracked_files(root):
    command = ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "--cached", "--others",
               "--exclude-standard"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:  # an unpacked archive has no .git
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if not f.startswith("build") and f != ".git"]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
        return sorted(names)
    return sorted(n for n in run.stdout.split("\n") if n and os.path.exists(os.path.join(root, n)))


def blank(text):
    """The text with comments, strings and characters replaced by spaces, lines kept."""
    pattern = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


# ---- every text ---------------------------------------------------------------------------------

def check_text(path, text):
    generated = path.endswith(".svg") or path == "LICENSE"
    for number, line in enumerate(text.split("\n"), 1):
        if path == "tools/tidy.py":
            break
        if UNFINISHED.search(line):
            find(path, number, "unfinished work: " + UNFINISHED.search(line).group())
        if FOREIGN.search(line):
            find(path, number, "names a place outside the project: " + FOREIGN.search(line).group())
        if generated:
            continue
        if line.rstrip() != line:
            find(path, number, "spaces at the end of the line")
        if "\t" in line and not path.endswith("Makefile") and not path.endswith((".py", ".sh")):
            find(path, number, "a tab")
    if path.endswith((".c", ".h", ".sh", ".py", ".S")):
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > COLUMNS_MAX:
                find(path, number, f"{len(line)} columns; {COLUMNS_MAX} are the end")
        if text.count("\n") >= FILE_LINES_MAX:
            length = text.count("\n")
            find(path, length, f"{length} lines; {FILE_LINES_MAX} are the end")


# ---- C ------------------------------------------------------------------------------------------

def room_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_core_include(path, number, target):
    room, other = room_of(path), target.split("/")[0]
    if other not in CORE_ROOMS:
        find(path, number, f'includes "{target}", which is in no room of src/')
    elif room is not None and CORE_ROOMS.index(other) < CORE_ROOMS.index(room):
        find(path, number, f'includes "{target}": {room}/ stands below {other}/')


def resolved(root, path, target):
    """An include as a path from the root: quotes look beside the includer first."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return beside if os.path.exists(os.path.join(root, beside)) else target


def check_includes(root, path, code, text):
    # The blanked text has no strings, so the directives are found there and read from the original.
    for number, (line, original) in enumerate(zip(code.split("\n"), text.split("\n")), 1):
        if not re.match(r"\s*#\s*include", line):
            continue
        system = re.search(r"<([^>]+)>", original)
        own = re.search(r'"([^"]+)"', original)
        in_core = path.startswith("src/")
        if system and in_core and not system.group(1).startswith("quire/") \
                and system.group(1) not in CORE_SYSTEM_HEADERS:
            find(path, number, f"src/ is freestanding and must not include <{system.group(1)}>")
        if not own:
            continue
        target = resolved(root, path, own.group(1))
        if in_core:
            check_core_include(path, number, target.removeprefix("src/"))
        for prefix, allowed in OUTER_ROOMS.items():
            if path.startswith(prefix) and not target.startswith(tuple(allowed) or "\0"):
                find(path, number, f'{prefix} must not include "{target}"')


def check_functions(path, code):
    lines = code.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        opens = re.match(r"[A-Za-z_].*\)\s*\{$", line) or \
            (line == "{" and number > 1 and lines[number - 2].endswith(")"))
        # A signature over several lines ends in ") {" at an indentation.
        opens = opens or (start is None and re.match(r"\s+\S.*\)\s*\{$", line)
                          and re.match(r"[A-Za-z_][\w\s*]*\w\(", signature_start(lines, number)))
        if opens and start is None:
            start = number
        if line.startswith("}") and start is not None:
            length = number - start + 1
            function_lengths.append((length, path, start))
            if length > FUNCTION_LINES_MAX and path not in LONG_FUNCTIONS:
                find(path, start, f"a function of {length} lines; {FUNCTION_LINES_MAX} are the end")
            start = None


def signature_start(lines, number):
    for back in range(number - 1, max(0, number - 8), -1):
        if lines[back - 1] and not lines[back - 1][0].isspace():
            return lines[back - 1]
    return ""


def check_core(path, code):
    depth = 0
    for number, line in enumerate(code.split("\n"), 1):
        found = re.search(CORE_BANNED_CALLS, line)
        if found:
            find(path, number, f"src/ must not call {found.group(1)}")
        directive = re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b(.*)", line)
        if directive and "QUIRE_AUDIT" not in directive.group(2) and \
                not (path.endswith(".h") and re.match(r"\s*\w+_H\b", directive.group(2))):
            find(path, number, "src/ has no #if but header guards and QUIRE_AUDIT")
        # A definition at the left margin that is neither const nor a function is a global.
        if depth == 0 \
                and re.match(r"(static\s+)?[A-Za-z_][\w\s*]*\b\w+(\[[^\]]*\])*\s*(=|;)", line) \
                and not re.match(r"\s*(static\s+)?(inline\s+)?(typedef|struct \w+;|union \w+;|enum"
                                 r"|extern|_Static_assert|return)", line) \
                and "const" not in line and "(" not in line.split("=")[0]:
            find(path, number, "a global that can change")
        depth += line.count("{") - line.count("}")


def check_integers(path, code):
    for number, line in enumerate(code.split("\n"), 1):
        if re.search(r"\b(double|float)\b", line):
            find(path, number, "floating point, whose flags are the running program's")


def check_c(root, path, text):
    code = blank(text)
    check_includes(root, path, code, text)
    check_functions(path, code)
    if path.startswith("src/"):
        check_core(path, code)
    if path.startswith(INTEGERS_ONLY) and not FLOAT_FILES.match(path):
        check_integers(path, code)
    product = path.startswith(
        ("src/", "machine/", "os/", "live/", "watch/", "export/", "lab/", "web/", "cli/", "heap/",
         "include/"))
    if product and not text.lstrip().startswith("/*"):
        find(path, 1, "no comment on top that says what this file owns")


# ---- folders ------------------------------------------------------------------------------------

def check_folders(names):
    folders = {os.path.dirname(n) for n in names if n.endswith((".c", ".h", ".py", ".sh"))}
    for folder in sorted(folders):
        if folder and folder + "/README.md" not in names:
            find(folder, 0, "this folder has no README.md")


def main():
    arguments = [a for a in sys.argv[1:] if a != "--statistics"]
    here = os.path.dirname(os.path.abspath(__file__))
    root = arguments[0] if arguments else os.path.dirname(here)
    names = tracked_files(root)
    nfiles = 0
    for name in names:
        with open(os.path.join(root, name), "rb") as file:
            raw = file.read()
        if b"\0" in raw or os.path.islink(os.path.join(root, name)):
            continue
        text = raw.decode("utf-8", "replace")
        nfiles += 1
        check_text(name, text)
        if name.endswith((".c", ".h")):
            check_c(root, name, text)
    check_folders(set(names))
    for path, line, what in findings:
        print(f"{path}:{line}: {what}")
    lengths = sorted(n for n, path, _ in function_lengths if not path.startswith("tests/"))
    if lengths:
        share = 100 * sum(n <= 40 for n in lengths) // len(lengths)
        print(f"{nfiles} files, {len(lengths)} functions: "
              f"median {lengths[len(lengths) // 2]} lines, {share} % of them at most 40, "
              f"longest {lengths[-1]}; {len(findings)} findings")
    if "--statistics" in sys.argv:
        for length, path, line in sorted(function_lengths, reverse=True)[:20]:
            print(f"{length:5} {path}:{line}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
