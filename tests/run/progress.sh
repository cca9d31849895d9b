#!/bin/sh
# progress.sh: the line of progress: there on a terminal after a while, gone before anybody writes
# and at the end; not there with --quiet, behind a prompt, or after the program used the terminal.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
$cross -O1 "$here/live_guest.c" -o "$scratch/guest" -static || fail "live_guest.c does not compile"
cd "$scratch" || exit 1
cat >terminal.py <<'END'
"""A run with a terminal of its own as standard error, watched byte by byte."""
import fcntl, os, pty, re, select, struct, subprocess, sys, termios, time

LIMIT_S = 120 # for what must come
SILENT_S = 4  # in which what must not come would have come

class Run:
    def __init__(self, *options, columns=80, stdin=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        self.read, out = os.pipe()
        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen(
            [os.environ['QUIRE'], 'run', '--ram', '16M', *options, '--', './guest', 'wait', '4'],
            stdin=slave if stdin == 'terminal' else subprocess.PIPE, stdout=out, stderr=slave,
            env=dict(os.environ, TERM='xterm'), preexec_fn=own_terminal)
        os.close(out)
        os.close(slave)
        self.seen = b''
        self.answer()
    def tell(self, letter):
        if self.process.stdin:
            self.process.stdin.write(letter + b'\n')
            self.process.stdin.flush()
        else:
            os.write(self.master, letter + b'\n')
    def answer(self):
        while not (line := os.read(self.read, 100)).endswith(b'\n'):
            assert line, 'the guest is gone: %r' % self.seen
    def look(self, seconds):
        """Take what comes; False if nothing did."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            piece = os.read(self.master, 4096)
        except OSError: # the other side is closed
            return False
        self.seen += piece
        return piece != b''
    def until(self, pattern):
        end = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, 'no %r in %r' % (pattern, self.seen)
            self.look(1)
    def silent(self):
        end = time.monotonic() + SILENT_S
        while time.monotonic() < end:
            assert not self.look(0.5), 'there came %r' % self.seen
    def end(self):
        self.tell(b'q')
        assert self.process.wait(LIMIT_S) == 0
        while self.look(1):
            pass

def screen(raw):
    """The lines that a terminal shows after these bytes."""
    lines, column = [''], 0
    for piece in re.findall(rb'\x1b\[K|\r|\n|[^\x1b\r\n]+', raw):
        if piece == b'\x1b[K':
            lines[-1] = lines[-1][:column]
        elif piece == b'\r':
            column = 0
        elif piece == b'\n':
            lines.append('')
        else:
            lines[-1] = lines[-1][:column] + piece.decode() + lines[-1][column + len(piece):]
            column += len(piece)
    return lines

LINE = rb'quire: [0-9.]+ s, RAM [0-9.]+ [KM]iB of 16 MiB'

# It comes, comes again, and is gone before the summary and what the program writes.
run = Run()
run.until(LINE + rb'.*instructions')
assert re.match(rb'^' + LINE, run.seen), run.seen
run.until(LINE + rb'.*\r\x1b\[K' + LINE)
run.tell(b'e') # a line on standard error
run.answer()
run.until(rb'\r\x1b\[Khello\r\n')
run.seen, before = b'', run.seen
run.until(LINE) # and comes again
run.end()
shown = screen(before + run.seen)
assert shown[0] == 'hello' and shown[1] == 'quire: guest ended with status 0', shown
assert not any('RAM' in line and 'instructions' in line for line in shown), shown

# A narrow terminal: never wider than it, and no part is cut.
run = Run(columns=40)
run.until(LINE)
run.end()
assert all(len(line) < 40 for line in re.findall(rb'quire: [0-9.]+ s[^\r]*', run.seen)), run.seen

# A prompt: a line that has not ended.
run = Run()
run.tell(b'p')
run.answer()
run.until(rb'prompt> ')
run.seen = b''
run.silent()
run.end()

# Said to be quiet; and a program that reads from the terminal has it for itself.
run = Run('--quiet')
run.silent()
run.end()
assert run.seen == b'', run.seen
run = Run(stdin='terminal')
run.tell(b'f')
run.answer()
run.until(rb'f\r\n') # the echo
run.seen = b''
run.silent()
run.end()
assert b'instructions,' not in run.seen.split(b'ended with status')[0], run.seen
END
python3 terminal.py || fail "see above"
echo "the line comes, goes before others write, and stays away where it would be in the way"
