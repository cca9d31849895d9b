#!/bin/sh
# deb.sh: the Debian packages: what is in them, that they run when unpacked, that two are the same,
# and what lintian says.
. "$(dirname "$0")/lib.sh"
grep -q '^CMAKE_BUILD_TYPE:[A-Z]*=Release$' "$QUIRE_BUILD/CMakeCache.txt" &&
    grep -q '^QUIRE_SANITIZE:STRING=$' "$QUIRE_BUILD/CMakeCache.txt" ||
    skip "only what is released is packed"
for tool in dpkg-deb dpkg-shlibdeps strip; do
    command -v $tool >/dev/null || skip "no $tool"
done
DEBFULLNAME='A Developer' DEBEMAIL=developer@quire.net
export DEBFULLNAME DEBEMAIL
cd "$scratch" || exit 1
"$QUIRE_SOURCE/tools/deb.sh" "$QUIRE_BUILD" "$scratch/one" >log 2>&1 || fail "$(tail log)"
(umask 077 && "$QUIRE_SOURCE/tools/deb.sh" "$QUIRE_BUILD" "$scratch/two" >log 2>&1) ||
    fail "again: $(tail log)"
[ "$(ls one | wc -l)" = 3 ] || fail "packages: $(ls one)"
for package in one/*.deb; do
    cmp "$package" "two/${package#*/}" || fail "two packages of one build differ"
    dpkg-deb --contents "$package" >contents || fail "$package cannot be listed"
    awk '$2 != "root/root" || $1 ~ /^.......w|^....w/ { exit 1 }' contents ||
        fail "$package: owners or modes: $(cat contents)"
    dpkg-deb --extract "$package" root && dpkg-deb --control "$package" control ||
        fail "$package cannot be unpacked"
    (cd root && md5sum --quiet -c ../control/md5sums) || fail "$package: checksums"
done
for file in usr/bin/quire usr/share/man/man1/quire.1.gz usr/share/man/man7/quire.7.gz \
    usr/share/bash-completion/completions/quire usr/include/quire/quire.h usr/lib/libquire.a \
    usr/lib/libquire.so usr/lib/libquire.so.0 usr/share/doc/quire/copyright; do
    [ -f root/$file ] || fail "no $file: $(find root)"
done
root/usr/bin/quire doctor >text || fail "the packed command: $?: $(cat text)"
[ "$(dpkg-deb --field one/quire_*.deb Version)" = "$("$QUIRE" --version | sed 's/^quire //')" ] ||
    fail "version"
dpkg-deb --field one/quire_*.deb Depends | grep -q 'libc6 (>= ' || fail "depends on no C library"
if command -v lintian >/dev/null; then
    lintian --allow-root one/*.deb >said 2>&1 || true
    if grep '^E:' said; then fail "lintian"; fi
    echo "lintian: $(grep -c '^W:' said) warnings, no errors"
fi
echo "quire, libquire0 and libquire-dev"
