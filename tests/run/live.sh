#!/bin/sh
# live.sh: looking at a machine from outside: list, free, vmstat, ps, maps, proc; what is wrong;
# what is left behind; that the run does not notice.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
$cross -O1 "$here/live_guest.c" -o "$scratch/guest" -static || fail "live_guest.c does not compile"

# ---- the same run --------------------------------------------------------------------------------

"$QUIRE_BUILD/tests/run/live_visit" "$scratch/guest" work 1000 >"$scratch/visits" 2>&1 ||
    fail "visited: $(cat "$scratch/visits")"
tail -n 1 "$scratch/visits"

# ---- a machine that waits ------------------------------------------------------------------------

# Both places where runs are looked for are the test's own: others run beside it. They are names of
# sockets, and no directories are there.
XDG_RUNTIME_DIR=$scratch/runtime TMPDIR=$scratch/private
export XDG_RUNTIME_DIR TMPDIR
cd "$scratch" || exit 1
mkfifo in out

# start [OPTIONS...]: a run of the guest; its number is $run. Say letters to 3, answers come from 4.
extra=
start() {
    "$QUIRE" run --quiet --ram 16M --swap 64M "$@" -- ./guest wait 4 ${extra:+"$extra"} \
        <in >out 2>err 4<&- &
    run=$!
    exec 3>in 4<out
    answer ready
}
answer() { # WORD: what the guest says next; it comes, or the guest is gone
    read -r word <&4 && [ "$word" = "$1" ] || fail "the guest said '$word', not $1: $(cat err)"
}
tell() {
    echo "$1" >&3
    answer done
}
end() {
    echo q >&3
    wait "$run" || fail "the run ended with $?: $(cat err)"
    exec 3>&- 4<&-
    [ ! -s err ] || fail "the run said: $(cat err)"
}
quire() { timeout 120 "$QUIRE" "$@"; }
listens() { # NAME: a socket of that name, of the kernel's list
    awk -v name="@$1" '$8 == name && $4 ~ /1....$/ { n++ } END { exit n != 1 }' /proc/net/unix
}
nobody() { # no socket of this test, no file of a run
    ! grep "@$scratch" /proc/net/unix && [ ! -e "$XDG_RUNTIME_DIR" ] && [ ! -e "$TMPDIR" ]
}
field() { sed -n "s/^$1: *\([0-9]*\).*/\1/p" "$2"; }

start
listens "$XDG_RUNTIME_DIR/quire/$run" || fail "not listening: $(grep "$scratch" /proc/net/unix)"
quire list >list || fail "list: $?"
grep -q "^ *$run *16 MiB .* ./guest wait 4$" list || fail "list shows: $(cat list)"
quire list --json | python3 -c "
import json, sys
(one,) = json.load(sys.stdin)
assert one['run'] == $run and one['command'] == './guest wait 4', one" || fail 'list --json'

# proc: what a program would read, of one moment, and what is not there
quire proc meminfo >meminfo || fail "proc meminfo: $?"
[ "$(field MemTotal meminfo)" = 16384 ] || fail "meminfo: $(head -n 1 meminfo)"
quire proc self/comm 1/comm /proc/1/exe >several || fail "proc of three: $?"
printf '==> self/comm <==\nguest\n\n==> 1/comm <==\nguest\n\n==> 1/exe <==\n%s\n' "$scratch/guest" |
    cmp - several || fail "three files: $(cat several)"
quire proc . | grep -qx meminfo || fail "names of /proc"
quire proc quire | grep -qx 'command ./guest wait 4' || fail "the run's own file"
for there in 1/smaps vmstat zoneinfo slabinfo swaps pressure/memory sys/vm/swappiness mounts; do
    quire proc $there >text && [ -s text ] || fail "proc $there"
done
wrong() { # CODE WORDS COMMAND...: one line that has the words, nothing on standard output
    code=$1 words=$2
    shift 2
    quire "$@" >text 2>message
    status=$?
    [ $status = "$code" ] || fail "quire $*: $status, not $code: $(cat message)"
    [ "$(wc -l <message)" = 1 ] && grep -q "^quire: .*$words" message ||
        fail "quire $*: said $(cat message)"
    [ ! -s text ] || fail "quire $*: wrote $(head -n 1 text)"
}
wrong 1 'No such file' proc nonsense
wrong 1 'No such file' proc 99/maps
wrong 1 'Not a directory' proc meminfo/more
wrong 1 'Permission denied' proc 1/pagemap
wrong 1 'No such file' maps 77
wrong 1 'Permission denied' proc sys/vm/drop_caches
wrong 125 'proc needs a file' proc
wrong 125 'no such name\|has such a name' proc 'mem info'
wrong 125 'one process' maps 1 2
wrong 125 'not a number' maps one
wrong 125 'did you mean --watch' proc --wacth 2 meminfo
wrong 125 'no option -x' free -x
wrong 125 'time in seconds' free -s soon
wrong 125 'needs N' free -s
wrong 125 'once is the least' free -c 0
wrong 125 'takes options only' free all
wrong 125 'not a number' vmstat 1 many
wrong 125 'time in seconds' vmstat often
wrong 125 'as well' vmstat 1 2 3
wrong 125 'there are k, K, m and M' vmstat -S g
wrong 125 'by pid, cpu' ps --sort name
wrong 125 'takes no value' ps --json=yes
wrong 1 'no machine runs as process 1;' free --run 1
wrong 125 'no process has that number' free --run 0

# maps: of the process, with the numbers that Linux's have
quire maps >maps && grep -q "r-xp .* $scratch/guest\$" maps && grep -q '\[stack\]$' maps ||
    fail "maps: $(cat maps)"
quire maps --json >maps.json && quire proc --json meminfo self/maps >proc.json ||
    fail "maps or proc as JSON: $(cat maps.json proc.json)"
python3 - <<'END' || fail "maps and proc as JSON: $(cat maps.json)"
import json
text = open("maps").read()
for r, line in zip(json.load(open("maps.json")), text.splitlines(), strict=True):
    word = f"{r['start']:08x}-{r['start'] + r['bytes']:08x} {r['permissions']} {r['offset']:08x} " \
           f"{r['device']} {r['inode']}"
    assert line.split(None, 5)[:5] == word.split() and line[len(word):].strip() == r["name"], line
memory, maps = json.load(open("proc.json"))
assert memory["path"] == "meminfo" and memory["text"].startswith("MemTotal:"), memory
assert maps["text"] == text, maps
END
quire proc --json meminfo none >proc.json 2>err && fail "no file of that name, and all is well"
grep -q '{"path":"none","error":"No such file or directory"}' proc.json || fail "$(cat proc.json)"
wrong 1 'No such file' maps --json 77

# free, ps and vmstat see what the guest does
before=$(quire free -k | awk '/^Mem/ { print $3 }')
tell a
after=$(quire free -k | awk '/^Mem/ { print $3 }')
[ $((after - before)) -ge 4096 ] && [ $((after - before)) -le 5120 ] ||
    fail "4 MiB more were used: $before, then $after"
for n in 1 2 3 4; do tell a; done
[ "$(quire free -k | awk '/^Swap/ { print $3 }')" -gt 4096 ] || fail "20 MiB in 16 without swap"
[ "$(quire vmstat -n | awk 'NR == 3 { print ($3 > 4096) + ($8 > 0) + NF }')" = 19 ] ||
    fail "vmstat: $(quire vmstat)"
tell f
quire ps >ps || fail "ps: $?"
pids=$(awk '{ print $2 }' ps | tr '\n' ' ')
[ "$pids" = 'PID 1 2 ' ] && [ "$(grep -c '/guest wait 4$' ps)" = 2 ] ||
    fail "ps: $(cat ps)"
quire ps --json | python3 -c "
import json, sys
one, two = json.load(sys.stdin)
assert (one['pid'], two['pid'], two['ppid']) == (1, 2, 1)
assert one['virtual_bytes'] > 20 << 20 and one['state'] == 'S', one
assert one['resident_bytes'] + one['swapped_bytes'] > 20 << 20, one" || fail 'ps --json'
# Nothing changes while the guest waits, so moments agree.
quire proc meminfo >meminfo
quire free -b --json | python3 -c "
import json, sys
free = json.load(sys.stdin)
assert free['free_bytes'] == 1024 * $(field MemFree meminfo)
assert free['swap_total_bytes'] == 1024 * $(field SwapTotal meminfo)
assert free['swap_used_bytes'] == free['swap_total_bytes'] - 1024 * $(field SwapFree meminfo)" ||
    fail 'free --json'

# To the byte what procps makes of the same /proc, where this user may show it to procps.
mkdir -p shown/self && quire proc meminfo >shown/meminfo && quire proc stat >shown/stat &&
    quire proc vmstat >shown/vmstat && quire proc uptime >shown/uptime &&
    quire proc cpuinfo >shown/cpuinfo || fail "no /proc to show"
cat >compare.sh <<'END'
mount --bind shown /proc || exit 77
"$@"
END
if free --version | grep -q 'procps-ng 4.0.[0-3]$' &&
    unshare -m sh ./compare.sh free >expected 2>/dev/null; then
    for options in '' -b -m -g -h -w '-h -w -t' '-h --si' '-m --si' -v '-g -t'; do
        unshare -m sh ./compare.sh free $options >expected
        quire free $options >output
        same_output || fail "free $options is not that of procps"
    done
    # The host's clock goes on, and with it idle time, so vmstat's ticks are left out.
    for options in -s '-s -S M' '-s -S k' ; do
        unshare -m sh ./compare.sh vmstat $options | grep -v 'idle cpu' >expected
        quire vmstat $options | grep -v 'idle cpu' >output
        same_output || fail "vmstat $options is not that of procps"
    done
    for options in '' -w -a '-S m' '-w -a'; do
        case $options in *w*) columns=61 ;; *) columns=33 ;; esac
        unshare -m sh ./compare.sh vmstat $options |
            sed "3s/^\(.\{$columns\}\).*/\1/" >expected
        quire vmstat $options | sed "3s/^\(.\{$columns\}\).*/\1/" >output
        same_output || fail "vmstat $options is not that of procps"
    done
    echo "free and vmstat are those of procps, to the byte"
else
    echo "procps not compared: $(free --version 2>&1)"
fi

# Again and again: so many times; and until the run ends, which is no failure.
[ "$(quire free -s 0.01 -c 3 | grep -c ^Mem)" = 3 ] || fail "free -c 3"
[ "$(quire vmstat 0.01 4 | grep -c '^ *[0-9]')" = 4 ] || fail "vmstat 0.01 4"
[ "$(quire vmstat --json 0.01 2 | python3 -c '
import json, sys
print(len([json.loads(line) for line in sys.stdin]))')" = 2 ] || fail "vmstat --json"
mkfifo seen
timeout 120 "$QUIRE" free --watch 0.01 >seen 2>message &
watcher=$!
exec 5<seen
read -r line <&5 # it is connected
end
cat <&5 >/dev/null # so that it can write
wait $watcher || fail "free --watch ended with $?: $(cat message)"
exec 5<&-
grep -q "^quire: the run $run has ended" message || fail "free --watch said: $(cat message)"
nobody || fail "left behind: $(ls -la)"
wrong 1 'no machine runs' free
wrong 1 'no machine runs' proc meminfo
quire list >text 2>message && [ ! -s text ] && grep -q 'no machine runs' message ||
    fail "list of none"

# ---- two at once, one that is killed, one that is not to be seen ---------------------------------

start
first=$run
mkfifo in2 out2
"$QUIRE" run --quiet --ram 8M -- ./guest wait <in2 >out2 2>err2 3>&- 4<&- &
second=$!
exec 5>in2 6<out2
read -r line <&6
wrong 1 "2 machines run: .*$first (./guest wait.*; say which, as in --run" free
[ "$(quire free --run $second | awk '/^Mem/ { print $2 }')" = 8192 ] || fail "--run $second"
[ "$(quire list | wc -l)" = 3 ] || fail "two runs: $(quire list)"
kill -KILL $second
wait $second 2>/dev/null
exec 5>&- 6<&-
! listens "$XDG_RUNTIME_DIR/quire/$second" || fail "a killed run left its socket"
wrong 1 "no machine runs as process $second" free --run $second
[ "$(quire free | awk '/^Mem/ { print $2 }')" = 16384 ] || fail "the other one"

# Nonsense over the socket: it goes on.
name=$XDG_RUNTIME_DIR/quire/$first
python3 - "$name" <<'END' || fail "nonsense"
import socket, sys
name = '\0' + sys.argv[1]
def talk(data, want):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(120)
        s.connect(name)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR) if not want else None
        got = b''
        while not (want and got.endswith(want)):
            try:
                piece = s.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            got += piece
        return got
assert talk(b'\n', b'end\n').startswith(b'none')
assert talk(b'write meminfo\n', b'end\n').startswith(b'none')
assert talk(b'read\n', b'end\n') == b'end\n'
assert talk(b'read ' + b'../' * 50 + b'etc/passwd\n', b'end\n').startswith(b'none ../')
assert talk(b'read 1/exe/more 1/fd/0/x\n', b'end\n').count(b'none') == 2
one = talk(b'read version\n', b'end\n')
assert talk(b'read version\n' * 2, one + one) == one + one
assert talk(b'x' * 10000, None) == b''         # no end of the line: dropped
assert talk(b'\xff\x00\xfe read\n', b'end\n').startswith(b'none')
crowd = []
for i in range(40):                            # more than there is room for
    s = socket.socket(socket.AF_UNIX)
    s.connect(name)
    crowd.append(s)
for s in crowd[:2]:
    s.sendall(b'read 1/smaps ' * 100 + b'\n')  # and nobody reads the answers
for s in crowd:
    s.close()
END
[ "$(quire free | awk '/^Mem/ { print $2 }')" = 16384 ] || fail "after nonsense"

# Another user is not answered; what he says under a run's name is not believed.
cat >stranger.py <<'END'
import os, socket, sys
name = '\0' + sys.argv[1]
s = socket.socket(socket.AF_UNIX)
s.settimeout(120)
if sys.argv[2] == 'ask':
    os.setuid(65534)
    s.connect(name)
    try:
        s.sendall(b'read version\n')
        sys.exit(s.recv(100) != b'')
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)
pid = os.fork()
if pid == 0:
    os.setuid(65534)
    s.bind(name)
    s.listen(9)
    print('bound', flush=True)
    while True:
        s.accept()[0].sendall(b'file meminfo 4\nlie\nend\n')
os.waitpid(pid, 0)
END
if [ "$(id -u)" = 0 ]; then
    python3 stranger.py "$name" ask || fail "another user was answered"
    python3 stranger.py "$XDG_RUNTIME_DIR/quire/1" lie >bound &
    stranger=$!
    until [ -s bound ]; do kill -0 $stranger || fail "no stranger"; sleep 0.1; done
    listens "$XDG_RUNTIME_DIR/quire/1" || fail "the stranger does not listen"
    wrong 1 'no machine runs as process 1' proc --run 1 meminfo
    [ "$(quire list | wc -l)" = 2 ] || fail "a stranger's run: $(quire list)"
    kill "$(cat /proc/$stranger/task/$stranger/children)"
    wait $stranger
    echo "another user is neither answered nor believed"
else
    echo "other users were not tried: only root can become one"
fi

# Stopped: it does not answer, and says so. (Ten seconds: the limit of live/place.c.)
kill -STOP $first
wrong 1 'does not answer; is it stopped?' free --run $first
kill -CONT $first
end

# A command line that is hostile to terminals, and one that is too long.
extra=$(printf 'a\nb\033[2J')
start
quire proc quire | grep -qx 'command ./guest wait 4 a?b?\[2J' || fail "$(quire proc quire)"
end
extra=$(head -c 5000 /dev/zero | tr '\0' x)
start
[ "$(quire proc quire | grep -c '^command ./guest wait 4 x*$\|^machine_ns ')" = 2 ] ||
    fail "a long command line: $(quire proc quire)"
end
extra=

start --no-live
wrong 1 'no machine runs' free
wrong 1 "no machine runs as process $run" free --run "$run"
end

# The other place: where the first has no name, where its name is too long or somebody has it.
elsewhere() { # HOW
    listens "$TMPDIR/quire-$(id -u)/$run" || fail "$1: no socket in TMPDIR"
    quire free >/dev/null || fail "$1: not found in TMPDIR"
    end
    nobody || fail "$1: left behind: $(ls -la)"
}
taken=$XDG_RUNTIME_DIR
unset XDG_RUNTIME_DIR
start
XDG_RUNTIME_DIR=$taken elsewhere "no XDG_RUNTIME_DIR"
XDG_RUNTIME_DIR=/$(printf '%0200d' 0)
export XDG_RUNTIME_DIR
start
elsewhere "a long name"
XDG_RUNTIME_DIR=$taken
cat >first.py <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(f'\0{sys.argv[1]}/quire/{os.getpid()}')
os.set_inheritable(s.fileno(), True)
os.execv(sys.argv[2], sys.argv[2:])
END
python3 first.py "$XDG_RUNTIME_DIR" "$QUIRE" run --quiet --ram 16M -- ./guest wait 4 \
    <in >out 2>err 4<&- &
run=$!
exec 3>in 4<out
answer ready
elsewhere "a taken name"
TMPDIR=/$(printf '%0200d' 0) XDG_RUNTIME_DIR=relative
start
wrong 1 'no machine runs' free
end
echo "list, free, vmstat, ps, maps and proc; the run does not notice; nothing is left behind"
