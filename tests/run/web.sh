#!/bin/sh
# web.sh: the page of `quire top --web`: who may ask, that its figures are those of the texts, in
# JSON and as drawn by Chromium; that one can go back; wrong ports, and a run that is gone.
#
# QUIRE_PICTURES=docs makes the pictures of docs/ anew.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
command -v python3 >/dev/null || skip "no python3"
cd "$scratch" || exit 1
$cross -O1 "$here/web_guest.c" -o guest -static || fail "web_guest.c does not compile"
XDG_RUNTIME_DIR=$scratch/runtime TMPDIR=$scratch
export XDG_RUNTIME_DIR TMPDIR
mkdir -m 700 "$XDG_RUNTIME_DIR"

wrong() { # CODE WORDS COMMAND...: one line that has the words, nothing on standard output
    code=$1 words=$2
    shift 2
    timeout 120 "$QUIRE" "$@" >text 2>message
    status=$?
    [ $status = "$code" ] || fail "quire $*: $status, not $code: $(cat message)"
    [ "$(wc -l <message)" = 1 ] && grep -q "^quire: .*$words" message ||
        fail "quire $*: said $(cat message)"
    [ ! -s text ] || fail "quire $*: wrote $(head -n 1 text)"
}
wrong 1 'no machine runs' top --web
wrong 125 'not a number' top --web=soon
wrong 125 'ports are 1 to 65535' top --web=65536
wrong 125 'ports are 1 to 65535' top --web 0
wrong 125 'not with --batch' top -b --web
wrong 125 'did you mean --web' top --wbe

mkfifo in out
"$QUIRE" run --quiet --ram 16M --swap 64M -- ./guest <in >out 2>err 4<&- &
run=$!
exec 3>in 4<out
answer() { # WORD: what the guest says next; it comes, or the guest is gone
    read -r word <&4 && [ "$word" = "$1" ] || fail "the guest said '$word', not $1: $(cat err)"
}
answer ready

mkfifo address
"$QUIRE" top --web >address 2>top.err 3>&- 4<&- &
top=$!
exec 5<address
read -r url <&5 || case $(cat top.err) in
*'built without'*) skip "$(cat top.err)" ;;
*) fail "top --web: $(cat top.err)" ;;
esac
port=${url#http://127.0.0.1:}
port=${port%%/*}
wrong 125 "--web $port: that port is in use" top --web "$port"
if [ "$(id -u)" -ne 0 ]; then
    wrong 125 'ports from 1024 on' top --web 80
fi

chromium=$(command -v chromium || command -v chromium-browser)
python3 "$here/web_check.py" "$url" "$QUIRE" "$chromium" "$scratch" "${QUIRE_PICTURES:-}"
status=$?
[ $status = 0 ] || [ $status = 77 ] || fail "web_check.py: $status; $(cat top.err err)"

# The run ends: the page is told, once, and the command ends as well.
[ $status = 0 ] || echo q >&3 # a browser's page has been watching the end
wait $run || fail "the run ended with $?: $(cat err)"
wait $top || fail "top --web ended with $?: $(cat top.err)"
grep -qx "quire: the run $run has ended" top.err && [ "$(wc -l <top.err)" = 1 ] ||
    fail "top --web said: $(cat top.err)"
[ $status = 0 ] || skip "no chromium to look at the page; what it is given is right"
