#!/bin/sh
# doctor.sh: `quire doctor` on this host, and where things are missing or limited: a line for each,
# with advice; 0 unless nothing can run.
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
mkdir -m 700 runtime home empty
XDG_RUNTIME_DIR=$scratch/runtime HOME=$scratch/home
export XDG_RUNTIME_DIR HOME
unset XDG_CACHE_HOME

"$QUIRE" doctor >text 2>message || fail "status $?: $(cat text message)"
[ ! -s message ] || fail "said $(cat message)"
grep -q '^ok    machine    a machine can be made$' text || fail "no machine: $(cat text)"
grep -q "^ok    live       runs can be looked at through @$XDG_RUNTIME_DIR/quire$" text ||
    fail "no place for sockets: $(cat text)"
[ -z "$(find runtime home -mindepth 1)" ] || fail "left behind: $(find runtime home)"
# Each line is one thing; advice stands below what is not ok, and only there.
awk '/^(note|fail)/ { if (want) exit 1; want = 1; next }
     /^ok/ { if (want) exit 1; next }
     /^ {17}[^ ]/ { if (!want) exit 1; want = 0; next }
     { exit 1 } END { if (want) exit 1 }' text || fail "lines and advice: $(cat text)"
"$QUIRE" doctor --json | python3 -c "
import json, sys
things = {thing['name']: thing for thing in json.load(sys.stdin)}
assert things['machine']['state'] == 'ok' and things['machine']['advice'] == ''
assert all((thing['state'] == 'ok') == (thing['advice'] == '')
           for thing in things.values()), things" || fail '--json'

# has STATE NAME WORDS ADVICE: of what was printed last
has() {
    grep -q "^$1 *$2 .*$3" text || fail "no '$1 $2 $3': $(cat text)"
    grep -q "^ .*$4" text || fail "no advice '$4': $(cat text)"
}
PATH=$scratch/empty "$QUIRE" doctor >text || fail "without tools: $?"
has note packages 'cannot work without: apt-get dpkg-deb flock' 'needs a Debian'
has note compiler 'compiler for RISC-V' 'gcc-riscv64-linux-gnu libc6-dev-riscv64-cross'
mkdir tools && echo "#!/bin/sh" >tools/apt-get && chmod +x tools/apt-get
PATH=$scratch/tools "$QUIRE" doctor >text || fail "without dpkg: $?"
has note packages 'cannot work without: dpkg-deb flock' 'apt-get install dpkg util-linux'
(unset XDG_RUNTIME_DIR; TMPDIR=/$(printf '%0200d' 0) "$QUIRE" doctor >text) ||
    fail "without a place: $?"
has note live 'no name for sockets' 'TMPDIR to a shorter path'
(unset HOME; "$QUIRE" doctor >text) || fail "without HOME: $?"
has note space 'no place for downloaded' 'set HOME'
XDG_CACHE_HOME=$scratch/nowhere "$QUIRE" doctor >text || fail "without a cache: $?"
has note space 'cannot be written' 'set XDG_CACHE_HOME'
(ulimit -n 64 && "$QUIRE" doctor >text) || fail "64 files: $?"
has note files '64 may be open' 'ulimit -n'
# Too little for any machine: the only thing that fails.
if ! grep -q '^QUIRE_SANITIZE:STRING=.' "$QUIRE_BUILD/CMakeCache.txt"; then
    (ulimit -v 12000 && exec "$QUIRE" doctor >text)
    [ $? = 1 ] || fail "without memory: not 1: $(cat text)"
    has fail machine 'no memory' 'memory and limits'
    has note limit 'address space: 11.7 MiB' 'ulimit -v unlimited'
fi
for wrong in everything --frobnicate; do
    "$QUIRE" doctor $wrong >text 2>message
    [ $? = 125 ] && [ ! -s text ] && [ "$(wc -l <message)" = 1 ] || fail "doctor $wrong"
done
echo "the doctor sees what is missing, and says what to do"
