#!/bin/sh
# live_top.sh: `quire top`, in batch mode and on terminals of 80 and 40 columns; keys, resizing, a
# run that ends; no terminal, and one that nobody knows.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
$cross -O1 "$here/live_guest.c" -o "$scratch/guest" -static || fail "live_guest.c does not compile"
# Both places where runs are looked for are the test's own: others run beside it.
XDG_RUNTIME_DIR=$scratch/runtime TMPDIR=$scratch
export XDG_RUNTIME_DIR TMPDIR
# A few bytes of curses' own stay to the end, whatever is called.
echo 'leak:libtinfo' >"$scratch/leaks"
LSAN_OPTIONS=suppressions=$scratch/leaks:print_suppressions=0
export LSAN_OPTIONS
unset NO_COLOR
cd "$scratch" || exit 1
mkfifo in out
terminal=0 # each has a server of its own: one that is ending takes no new session
screen() { tmux -S "$scratch/tmux.$terminal" -f /dev/null "$@"; }
trap 'screen kill-server 2>/dev/null; kill -KILL $run 2>/dev/null; rm -rf "$scratch"' EXIT
"$QUIRE" run --quiet --ram 16M --swap 64M -- ./guest wait 4 <in >out 2>err 4<&- &
run=$!
exec 3>in 4<out
for letter in '' a a a a f; do
    [ -z "$letter" ] || echo $letter >&3
    read -r word <&4 || fail "the guest is gone: $(cat err)"
done

# ---- batch ---------------------------------------------------------------------------------------

timeout 120 "$QUIRE" top -b -n 2 -d 0.01 >batch 2>message </dev/null || fail "-b: $(cat message)"
lines() { # COUNT PATTERN
    [ "$(grep -c -e "$2" batch)" = "$1" ] || fail "not $1 lines like '$2': $(cat batch)"
}
lines 2 "^top - $run up 0:.*, policy linux: ./guest wait 4$"
lines 2 '^Tasks:   2 total,   0 running,   2 sleeping,   0 stopped,   0 zombie$'
lines 2 '^MiB Mem :     16.0 total'
lines 4 '^ *[12] .* S .* ./guest wait 4$'
columns='   PID USER       VIRT    RES    SHR   SWAP S  %CPU  %MEM  minF  majF    TIME+ COMMAND'
grep -qFx "$columns" batch || fail "columns: $(grep PID batch)"
first() { awk 'table { print $1; exit } /^ *PID/ { table = 1 }' batch; }
"$QUIRE" top -b -n 1 -o RES >batch && [ "$(first)" = 1 ] || fail "by RES: $(cat batch)"
"$QUIRE" top -b -n 1 -o minF >batch && [ "$(first)" = 1 ] || fail "by minF: $(cat batch)"
"$QUIRE" top -b -n 1 --filter 2 >batch && [ "$(first)" = 2 ] || fail "only 2: $(cat batch)"
"$QUIRE" top -b -n 1 --filter nobody >batch && [ -z "$(first)" ] || fail "nobody: $(cat batch)"
"$QUIRE" top -b -n 1 -c >batch && grep -q ' guest$' batch || fail "names: $(cat batch)"
for width in 10 20 40 79 80 200; do
    "$QUIRE" top -b -n 1 -w $width >batch || fail "-w $width: $?"
    longest=$(awk '{ if (length > n) n = length } END { print n }' batch)
    [ "$longest" -le $width ] || fail "-w $width: $longest columns"
done
wrong() { # CODE WORDS COMMAND...
    code=$1 words=$2
    shift 2
    timeout 120 "$@" >text 2>message </dev/null
    status=$?
    [ $status = "$code" ] && [ "$(wc -l <message)" = 1 ] && [ ! -s text ] &&
        grep -q "$words" message ||
        fail "$*: $status: $(cat message text)"
}
wrong 125 "needs a terminal; 'quire top -b'" "$QUIRE" top
wrong 125 'no such column' "$QUIRE" top -b -o nonsense
wrong 125 'time in seconds' "$QUIRE" top -d 0
wrong 125 'from 10 to' "$QUIRE" top -b -w 5
wrong 125 'did you mean --batch' "$QUIRE" top --bacth
wrong 125 'options only' "$QUIRE" top 17
wrong 1 'no machine runs as process 1;' "$QUIRE" top -b --run 1

# ---- on a terminal -------------------------------------------------------------------------------

command -v tmux >/dev/null || skip "no tmux for the part on terminals; batch mode is right"
if "$QUIRE" top </dev/null 2>&1 | grep -q ncurses; then skip "built without ncurses"; fi

# on COLUMNS ROWS COMMAND: in a terminal of that size; its exit code goes to the file code.
on() {
    screen kill-server 2>/dev/null
    terminal=$((terminal + 1))
    rm -f code
    # The shell has to outlive a ^C that is meant for the command: not all of them do by themselves.
    screen new-session -d -x "$1" -y "$2" \
        "trap : INT; $3; echo \$? >code.new; mv code.new code; cat" ||
        skip "tmux does not work here"
    screen set-option -g status off
    screen resize-window -x "$1" -y "$2"
}
# shown PATTERN: wait until a line of the screen is like that.
shown() {
    tries=0
    until screen capture-pane -p >pane 2>/dev/null && grep -q -e "$1" pane; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || fail "no '$1' on the screen: $(cat pane)"
        sleep 0.1
    done
}
gone() { # PATTERN
    tries=0
    while screen capture-pane -p >pane && grep -q -e "$1" pane; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || fail "'$1' stays on the screen: $(cat pane)"
        sleep 0.1
    done
}
ended() { # CODE
    tries=0
    until [ -f code ]; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ] || fail "top does not end: $(screen capture-pane -p)"
        sleep 0.1
    done
    [ "$(cat code)" = "$1" ] || fail "top ended with $(cat code): $(screen capture-pane -p)"
}
press() { screen send-keys "$@"; }
top="$QUIRE top -d 0.2"

on 80 20 "$top"
shown "^top - $run up"
shown '^ *PID USER  *VIRT  *RES  *SHR  *SWAP S  %CPU  %MEM  minF  majF COMMAND$'
shown '^ *2 .* ./guest'
press M
shown '^ *1 .* ./guest'
press h
shown 'sort by memory, processor'
press x
gone 'sort by memory'
press /
shown 'Only commands with:'
press nobodyy BSpace Enter
shown "only 'nobody'; = shows all"
gone '^ *1 '
press =
shown '^ *1 .* ./guest'
press c
shown '^ *1 .* guest$'
press c N R
shown '^ *1 .* ./guest'
press d
shown 'Seconds between'
press soon Enter
shown "'soon' is no time"
press d
shown 'Seconds between'
press Escape
gone 'Seconds between'
press Z
shown 'no such key'
press k
shown "looking changes nothing; kill $run"
press Down Down Down Down
gone '^ *2 '
press Home
shown '^ *2 '
screen capture-pane -p -e >coloured
grep -q '\[[0-9;]*3[0-9]' coloured || fail "no colours on a terminal that has them"

# Smaller, larger, and as small as can be.
screen resize-window -x 40 -y 12
shown '^ *PID  *RES  *SWAP S  %CPU COMMAND$'
[ "$(awk '{ if (length > n) n = length } END { print n }' pane)" -le 40 ] || fail "40: $(cat pane)"
screen resize-window -x 3 -y 2
shown '^top$'
screen resize-window -x 120 -y 24
shown 'majF  *TIME+ COMMAND$'
shown './guest wait 4'
press q
ended 0

on 40 10 "NO_COLOR=1 $top"
shown '^ *PID  *RES  *SWAP S  %CPU COMMAND$'
[ "$(awk '{ if (length > n) n = length } END { print n }' pane)" -le 40 ] || fail "40: $(cat pane)"
screen capture-pane -p -e >plain
if grep -q '\[[0-9;]*3[0-8]' plain; then fail "colours in spite of NO_COLOR"; fi
press C-c
ended 0
on 80 10 "$top -n 2"
ended 0
on 80 10 "TERM=nonsense $top"
ended 125
shown "the terminal 'nonsense' is not known"

# The run ends while it is looked at.
on 80 20 "$top"
shown "^top - $run up"
echo q >&3
wait $run || fail "the run ended with $?: $(cat err)"
ended 0
shown "the run $run has ended"
on 80 20 "$top"
ended 1
shown 'no machine runs'
echo "top: batch, 80 and 40 columns, keys, resizing, a run that ends"
