#!/bin/sh
# cli_root.sh: quire root create: a tree is whole, made once, extended, never overwritten; the
# second time needs no network; an ordinary user can do it.
. "$(dirname "$0")/lib.sh"
need_root # the downloads are in the cache now, or there is no network

[ -x "$root/usr/bin/sort" ] && [ -L "$root/bin" ] && [ -s "$root/etc/passwd" ] &&
    [ -x "$root/usr/bin/sh" ] && [ -d "$root/proc" ] || fail "$root lacks something"

# No network: apt is not even called, so a PATH without it does for a proof.
mkdir "$scratch/bin"
for name in $(ls /usr/bin /bin | sort -u | grep -v '^apt'); do
    ln -sf "$(command -v "$name" || echo /bin/false)" "$scratch/bin/$name" 2>/dev/null
done
printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/apt-get" && chmod +x "$scratch/bin/apt-get"
PATH=$scratch/bin "$QUIRE" root create "$scratch/tree" $test_packages 2>"$scratch/log" ||
    fail "from the cache: $(cat "$scratch/log")"
# But for what a python that another test ran in the shared one has compiled.
(cd "$root" && find . -name __pycache__ -prune -o -type f -print | sort) >"$scratch/a"
(cd "$scratch/tree" && find . -type f | sort) >"$scratch/b"
cmp "$scratch/a" "$scratch/b" || fail "two trees of the same packages differ"

PATH=$scratch/bin "$QUIRE" root create "$scratch/tree" coreutils 2>"$scratch/log" &&
    grep -q 'already' "$scratch/log" || fail "packages that are there: $(cat "$scratch/log")"

mkdir "$scratch/mine" && touch "$scratch/mine/file"
if "$QUIRE" root create "$scratch/mine" coreutils 2>"$scratch/log"; then
    fail "a directory with other files in it was taken"
fi
[ "$(ls "$scratch/mine")" = file ] || fail "a refused directory was changed"
ls -d "$scratch"/*.new.* 2>/dev/null && fail "an unfinished tree was left behind"

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$scratch" && mkdir -m 777 "$scratch/user"
    cp "$QUIRE" "$scratch/user/quire" # where that user can reach it
    setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$scratch/user" \
        XDG_CACHE_HOME="$scratch/user/cache" \
        "$scratch/user/quire" root create "$scratch/user/tree" dash \
        2>"$scratch/log" || {
        grep -q 'no archive\|download' "$scratch/log" || fail "as nobody: $(cat "$scratch/log")"
        echo "no network: not tried as an ordinary user"
        exit 0
    }
    [ -x "$scratch/user/tree/bin/dash" ] || fail "as nobody: no dash in the tree"
fi
echo "trees are whole, cached, extended, and need no privilege"
