#!/usr/bin/env python3
"""picture.py: draw docs/paging.svg from real runs: one program, less and less RAM.

    tools/picture.py build/quire > docs/paging.svg

The program is the distribution's sort, as in `make run`. Because a run on the virtual clock is a
function of its input, the same tree and the same commit draw the same picture.
"""
import os
import re
import subprocess
import sys
import tempfile

SHARES = [1.25, 1.0, 0.75, 0.5, 0.35, 0.25, 0.18]  # of the peak demand
LINES = 500000

WIDTH, HEIGHT = 760, 340
LEFT, TOP, BOTTOM = 70, 70, 60
SCALE = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def make_input(path):
    x = 20
    with open(path, "w", encoding="ascii") as file:
        for i in range(LINES):
            x = x * 16807 % 2147483647
            file.write(f"{x:08x} {i:08x}\n")


def size(text):
    number, unit = text.split()
    return float(number) * SCALE[unit]


def run(quire, root, folder, ram_bytes):
    command = [quire, "run", "--ram", str(int(ram_bytes)), "--swap", "1G", "--root", root,
               "--bind", folder, "--", "sort", "-S", "64M", folder + "/big.txt"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, check=True)
    text = done.stderr

    def number(pattern, default="0"):
        found = re.search(pattern, text)
        return found.group(1) if found else default
    return {
        "ram": size(number(r"memory +([\d.]+ \w+) RAM")),
        "peak": size(number(r"programs wanted ([\d.]+ \w+) at once")),
        "slowdown": float(number(r"slowdown +about ([\d.]+)", "1")),
        "out": size(number(r"swap +([\d.]+ \w+) out", "0 B")),
        "in": size(number(r"out, ([\d.]+ \w+) in", "0 B")),
    }


def mib(nbytes):
    return f"{nbytes / 2**20:.0f} MiB"


def draw(runs, peak):
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13" role="img" '
        f'aria-label="sort in less and less RAM: slowdown and pages swapped">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fbfaf7"/>',
        f'<text x="{LEFT}" y="28" font-size="16" font-weight="600" fill="#222">'
        f'One sort that wants {mib(peak)}, in less and less RAM: same output each time</text>',
        f'<text x="{LEFT}" y="48" fill="#555">bars: time against having RAM enough; '
        f'below: read back from swap</text>',
    ]
    floor = HEIGHT - BOTTOM
    top = max(r["slowdown"] for r in runs)
    step = (WIDTH - LEFT - 30) / len(runs)
    for i, r in enumerate(runs):
        x = LEFT + i * step
        height = max(3.0, (floor - TOP - 18) * r["slowdown"] / top)
        # From calm to hot with the share of RAM that is missing.
        missing = max(0.0, min(1.0, 1 - r["ram"] / peak))
        colour = f"hsl({205 - 190 * missing:.0f} 60% 52%)"
        parts += [
            f'<rect x="{x:.1f}" y="{floor - height:.1f}" width="{step * 0.62:.1f}" '
            f'height="{height:.1f}" rx="3" fill="{colour}"/>',
            f'<text x="{x + step * 0.31:.1f}" y="{floor - height - 6:.1f}" text-anchor="middle" '
            f'fill="#222">{r["slowdown"]:.1f} x</text>',
            f'<text x="{x + step * 0.31:.1f}" y="{floor + 18}" text-anchor="middle" '
            f'font-weight="600" fill="#222">{mib(r["ram"])}</text>',
            f'<text x="{x + step * 0.31:.1f}" y="{floor + 36}" text-anchor="middle" '
            f'fill="#555">{mib(r["in"]) if r["in"] else "none"}</text>',
        ]
    parts += [
        f'<line x1="{LEFT - 8}" y1="{floor}" x2="{WIDTH - 24}" y2="{floor}" stroke="#999"/>',
        f'<text x="{LEFT - 14}" y="{floor + 18}" text-anchor="end" fill="#222">RAM</text>',
        f'<text x="{LEFT - 14}" y="{floor + 36}" text-anchor="end" fill="#555">read</text>',
        "</svg>",
    ]
    return "\n".join(parts)


def main():
    quire = os.path.abspath(sys.argv[1])
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = os.path.join(cache, "quire", "roots", "demo")
    if not os.path.exists(os.path.join(root, ".quire-root")):
        os.makedirs(os.path.dirname(root), exist_ok=True)
        subprocess.run([quire, "root", "create", root, "coreutils"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        make_input(os.path.join(folder, "big.txt"))
        peak = run(quire, root, folder, 1 << 30)["peak"]
        runs = []
        for share in SHARES:
            runs.append(run(quire, root, folder, peak * share))
            print(f"{share:5.2f}  {runs[-1]}", file=sys.stderr)
    print(draw(runs, peak))


if __name__ == "__main__":
    main()
