#!/bin/sh
# cli_root_shell.sh: a shell inside a tree, and the trees that there are: quire sh, quire root
# list, add, remove; each with what may be wrong about it.
. "$(dirname "$0")/lib.sh"
need_root
cd "$scratch" || exit 1
real=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/quire

# ---- sh ------------------------------------------------------------------------------------------

# sh CODE ARGUMENTS...: standard output in out, and nothing on standard error but what is in err.
sh_run() {
    code=$1
    shift
    timeout 120 "$QUIRE" sh "$@" >out 2>err
    status=$?
    [ $status = "$code" ] || fail "quire sh $*: status $status, not $code: $(cat out err)"
}
said() { # WHAT: the last one said exactly this, and nothing else
    [ "$(cat out)" = "$1" ] || fail "quire sh said '$(cat out)', not '$1': $(cat err)"
    [ ! -s err ] || fail "quire sh said on standard error: $(cat err)"
}
mkdir here && echo text >here/file && cd here || exit 1
sh_run 0 "$root" -c 'pwd; cat file; echo new >made; echo $0'
said "$scratch/here
text
/bin/bash"
[ "$(cat made)" = new ] || fail "what the shell made is not here"
sh_run 7 "$root" -c 'exit 7' </dev/null
said ''
sh_run 143 "$root" -c 'kill $$' </dev/null
printf 'echo from a pipe\nexit 3\n' | sh_run 3 "$root"
said 'from a pipe'
sh_run 0 --ram 16M --swap 8M "$root" -c 'while read name size unit; do
    case $name in MemTotal: | SwapTotal:) echo $name $size; esac; done </proc/meminfo'
said 'MemTotal: 16384
SwapTotal: 8188'
sh_run 0 --root "$root" -- -c 'echo by option'
said 'by option'
sh_run 0 --bind "$scratch/here:/elsewhere" "$root" -c 'cat /elsewhere/file; pwd'
said 'text
/elsewhere'
sh_run 0 "$root" -c 'exec 2>/dev/null; sleep 100 & kill $!; wait $!; echo $?'
said 143
# A directory that would hide the tree's own is not shown: the shell starts at /.
(cd /usr && "$QUIRE" sh "$root" -c pwd) >out 2>err </dev/null || fail "in /usr: $(cat err)"
said /

wrong() { # CODE WORDS ARGUMENTS...: one line that has the words
    code=$1 words=$2
    shift 2
    timeout 60 "$QUIRE" "$@" >out 2>err </dev/null
    status=$?
    [ $status = "$code" ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q -e "$words" err ||
        fail "quire $*: status $status, not $code, or no '$words': $(cat out err)"
}
wrong 125 'sh needs a tree' sh
wrong 125 'did you mean --ram' sh --rma 16M "$root"
wrong 125 'no such directory' sh "$scratch/nowhere"
wrong 125 'not a directory' sh "$scratch/here/file"
wrong 125 'too little' sh --ram 1M "$root"
mkdir "$scratch/empty"
wrong 127 '/bin/sh: no such file' sh "$scratch/empty"
cd "$scratch" || exit 1

# ---- root list, add, remove ----------------------------------------------------------------------

# A cache of our own, with the packages of the real one: what is listed is what is made here.
export XDG_CACHE_HOME="$scratch/cache"
mkdir -p cache/quire && ln -s "$real/apt" cache/quire/apt
list() {
    "$QUIRE" root list >out 2>err || fail "root list: status $?: $(cat err)"
    [ ! -s err ] || fail "root list: $(cat err)"
}
list
[ ! -s out ] || fail "no tree was made, and there is one: $(cat out)"
"$QUIRE" root create one $test_packages 2>log || fail "root create: $(cat log)"
"$QUIRE" root create 'two words' $test_packages 2>log || fail "root create: $(cat log)"
list
packages=$(printf '%s\n' $test_packages | sort | tr '\n' ' ')
for tree in one 'two words'; do
    line=$(grep "^$scratch/$tree:" out) || fail "$tree is not listed: $(cat out)"
    for package in $packages; do
        case $line in *" $package "*) ;; *) fail "$package is not listed: $line" ;; esac
    done
    echo "$line" | grep -q ' ([0-9]* packages)$' || fail "how many packages: $line"
done
[ "$(wc -l <out)" = 2 ] || fail "two trees: $(cat out)"
# What Debian leaves to update-alternatives: the packages' own wishes.
[ "$(readlink one/usr/bin/lzma)" = /etc/alternatives/lzma ] &&
    "$QUIRE" run --quiet --root one -- lzma --version >out 2>&1 && grep -q '^xz (XZ Utils)' out ||
    fail "lzma is xz by another name: $(readlink one/usr/bin/lzma) $(cat out)"
"$QUIRE" root add one coreutils 2>log && grep -q already log || fail "add what is there: $(cat log)"
mv one moved # a tree that is gone is not listed
list
[ "$(wc -l <out)" = 1 ] || fail "a tree that is gone is listed: $(cat out)"
mkdir outside && echo mine >outside/file && ln -s ../outside "two words/link"
"$QUIRE" root remove 'two words' 2>log || fail "root remove: $(cat log)"
[ ! -e 'two words' ] || fail "root remove left: $(ls -A 'two words')"
[ "$(cat outside/file)" = mine ] || fail "root remove went through a link"
list
[ ! -s out ] || fail "a removed tree is listed: $(cat out)"
# What could not be removed whole is still a tree, and can be removed again.
cp "$QUIRE" quire # where anybody can reach it
as_user=
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then # root may write anywhere
    chmod 755 "$scratch"
    as_user='setpriv --reuid 65534 --regid 65534 --clear-groups'
fi
n=0 # a directory that is come to after the record of the tree
until [ -n "${behind:=$(ls -AU moved | sed '1,/^\.quire-root$/d' | grep -m 1 '^behind')}" ]; do
    n=$((n + 1)) && mkdir moved/behind$n && touch moved/behind$n/file
done
chmod 555 "moved/$behind"
[ -z "$as_user" ] || chown -R 65534:65534 moved
if [ -n "$as_user" ] || [ "$(id -u)" -ne 0 ]; then
    $as_user ./quire root remove moved 2>log && fail "removed from a directory without permission"
    grep -q '^quire: root remove: moved: Permission denied' log || fail "$(cat log)"
fi
chmod 755 "moved/$behind"
"$QUIRE" root remove moved 2>log && [ ! -e moved ] || fail "root remove of a moved tree: $(cat log)"

wrong 125 'takes no words' root list everything
wrong 125 'needs one directory' root remove
wrong 125 'needs one directory' root remove one two
wrong 125 'not a tree that quire made' root remove outside
wrong 125 'not a tree that quire made' root remove nowhere
wrong 125 'needs a directory and packages' root add one
wrong 125 'not a tree that quire made' root add outside coreutils
wrong 125 "did you mean 'quire root remove" root remvoe
wrong 125 'no option --all' root list --all
[ "$(cat outside/file)" = mine ] || fail "a refused directory was changed"
echo "a shell inside, and trees listed, extended, removed"
