#!/bin/sh
# lab_terminal.sh: quire lab at a terminal: names are completed, lines come back from the history, a
# lab asks and waits. Waits for what must appear, never for a time.
. "$(dirname "$0")/lib.sh"

# libedit keeps copies of a command's name and help (EL_ADDFN) to the end, whatever is called.
echo 'leak:wcsdup' >"$scratch/leaks"
LSAN_OPTIONS=suppressions=$scratch/leaks:print_suppressions=0
export LSAN_OPTIONS
"$QUIRE" help lab | grep -q 'by libedit' || skip "quire was built without libedit"
python3 - "$QUIRE" <<'END' || fail "at a terminal"
import os, pty, select, sys

def start(*arguments):
    pid, end = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.argv[1], [sys.argv[1], "lab", *arguments])
    return pid, end

def until(end, *words):
    seen = b""
    for word in words:
        while word not in seen:
            if not select.select([end], [], [], 120)[0]:
                sys.exit(f"no {word} in {seen}")
            try:
                seen += os.read(end, 4096)
            except OSError:
                sys.exit(f"no {word} in {seen}")
        seen = seen[seen.index(word) + len(word):]

def done(pid):
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0, status

pid, end = start()
until(end, b"quire> ")
os.write(end, b"pro\tone\n")                # proc, and a blank
until(end, b"(one) begins", b"quire> ")
os.write(end, b"p = kmallo\t100\n")          # a command after NAME =
until(end, b"0x", b"quire> ")
os.write(end, b"print proc.r\tss\n")        # two candidates: both are shown
until(end, b"proc.regions  proc.rss", b"quire> ")
os.write(end, b"let x = 41+1\n")
until(end, b"quire> ")
os.write(end, b"print x\n")
until(end, b"  42  0x2a", b"quire> ")
os.write(end, b"print 7\n")
until(end, b"  7  0x7", b"quire> ")
os.write(end, b"\x1b[A\x1b[A\n")            # the line before the last
until(end, b"  42  0x2a", b"quire> ")
os.write(end, b"quit\n")
done(pid)

pid, end = start("fork", "--lang", "zh")
until(end, "你的预测".encode())
os.write(end, b"many\n")                    # no number: asked again
until(end, "请输入一个数".encode(), "你的预测".encode())
os.write(end, b"0\n")
for answer in (b"3\n", b"0\n"):
    until(end, "你的预测".encode())
    os.write(end, answer)
os.write(end, b"\n" * 60)                   # Enter, for each command
until(end, b"3 right, 0 wrong")
done(pid)
END
echo "completion, history and questions at a terminal"
