#!/usr/bin/env python3
"""sites.py SITES [arguments]: does every call in src/ that may fail, fail in the loop of sites.c?

Runs SITES, which notes for each call of an allocator or of a swap transfer how often it was made
and how often it failed, by its return address; then finds all such calls in the program's text
(objdump) and prints those that never failed. A call in tail position is a jump and has no return
address of its own: its function is looked at instead, under the address of who called that.
"""
import collections
import re
import subprocess
import sys
import tempfile

# Calls that cannot be reached by the loop, each with the reason.
EXCUSED = {
    # Frames of reclaim's own reserve, which the switch spares: tests/unit/zswap.c takes them all.
    ("quire_zpool_alloc", "quire_page_alloc"): "(reserve)",
    # Areas of kernel addresses are rare in the loop's few steps: tests/unit/vmalloc.c fails each.
    ("alloc_area", "quire_kmalloc"): "(unit test)",
    ("alloc_area", "quire_page_alloc"): "(unit test)",
    ("quire_area_take", "quire_kzalloc"): "(unit test)",
    ("quire_kvmalloc", "quire_kmalloc"): "(unit test)",
    ("quire_vmap", "quire_kmalloc"): "(unit test)",
}

# Calls that are made only where the host has a codec for pages that are packed in RAM.
NEED_CODEC = {"quire_swap_set_store", "quire_zpool_alloc"}


def text_of_calls(program):
    """Return address -> (function, callee) of each wrapped call; and the functions that jump."""
    run = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], check=True,
                         capture_output=True, text=True)
    calls, jumps, function, pending = {}, collections.Counter(), None, None
    for line in run.stdout.split("\n"):
        head = re.match(r"^[0-9a-f]+ <(.+)>:", line)
        if head:
            function = head.group(1)
            continue
        instruction = re.match(r"^\s+([0-9a-f]+):\s+(\S+)\s*(.*)", line)
        if not instruction:
            continue
        if pending:
            calls[int(instruction.group(1), 16)] = pending
            pending = None
        target = re.search(r"<__wrap_(\w+)>", instruction.group(3))
        if not target or function.startswith(("sim_", "__wrap_")):
            continue
        if instruction.group(2).startswith("call"):
            pending = (function, target.group(1))
        else:
            jumps[function, target.group(1)] += 1
    return calls, jumps


def main():
    program = sys.argv[1]
    with tempfile.NamedTemporaryFile("r") as listing:
        status = subprocess.call([program, *sys.argv[2:], "--list", listing.name])
        if status != 0:
            return 1
        noted = {}
        for line in listing:
            address, asked, failed = line.split()
            noted[int(address, 16)] = (int(asked), int(failed))
        has_codec = noted.pop(0)[0] > 0
    calls, jumps = text_of_calls(program)
    missing = 0
    print(f"{'calls':>10} {'failed':>9}")
    for address, (function, callee) in sorted(calls.items()):
        asked, failed = noted.get(address, (0, 0))
        excuse = EXCUSED.get((function, callee), "")
        if not has_codec and function in NEED_CODEC:
            excuse = "(no codec on this host)"
        missing += failed == 0 and not excuse
        print(f"{asked:10} {failed:9}  {callee} in {function}"
              f"{'' if failed else '   NEVER FAILED ' + excuse}")
    for address, (asked, failed) in sorted(noted.items()):
        if address not in calls:
            print(f"{asked:10} {failed:9}  behind {address:#x}, by a pointer or a jump")
    print(f"sites: {len(calls)} calls, {sum(n for n in jumps.values())} jumps in src/; "
          f"{missing} never failed")
    return 1 if missing or not calls else 0


if __name__ == "__main__":
    sys.exit(main())
