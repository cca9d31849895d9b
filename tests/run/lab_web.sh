#!/bin/sh
# lab_web.sh: the page of `quire lab --web`: its texts are those of the shell, every moment comes
# back exactly by stepping, wrong lines are answered; every lab is played as in the shell, in both
# languages, predictions are explained; in Chromium, lines are typed and undone, and a lab is
# played. QUIRE_PICTURES=docs makes web-lab.png anew.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
command -v python3 >/dev/null || skip "no python3"
cd "$scratch" || exit 1
wrong() { # WORDS COMMAND...
    words=$1
    shift
    timeout 120 "$QUIRE" "$@" >text 2>message </dev/null
    [ $? = 125 ] && [ "$(wc -l <message)" = 1 ] && grep -q "^quire: .*$words" message ||
        fail "quire $*: said $(cat message)"
    [ ! -s text ] || fail "quire $*: wrote $(head -n 1 text)"
}
wrong 'ports are 1 to 65535' lab --web=0
wrong 'not a number' lab --web=soon
wrong 'on the page' lab --web --all
wrong 'on the page' lab --web fork
mkfifo address
"$QUIRE" lab --web --ram 8M --swap 32M >address 2>lab.err &
lab=$!
exec 5<address
read -r url <&5 || case $(cat lab.err) in
*--web*) skip "$(cat lab.err)" ;;
*) fail "lab --web: $(cat lab.err)" ;;
esac
chromium=$(command -v chromium || command -v chromium-browser)
python3 "$here/lab_web_check.py" "$url" "$QUIRE" "$chromium" "$scratch"
status=$?
kill -TERM $lab
wait $lab || fail "lab --web ended with $?: $(cat lab.err)"
[ $status = 0 ] || [ $status = 77 ] || fail "lab_web_check.py: $status; $(cat lab.err)"
[ ! -s lab.err ] || fail "lab --web said: $(cat lab.err)"
[ $status = 0 ] || skip "no chromium to look at the page; what it is given is right"
