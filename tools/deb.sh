#!/bin/sh
# deb.sh: Debian packages of what `make install` installs, made by dpkg-deb alone, as any user.
#
#   tools/deb.sh [BUILD [OUTPUT]]      build/release, build/deb if not given
#
#   quire          the command, its manual pages and completion, the heap for LD_PRELOAD
#   libquire0      the shared library
#   libquire-dev   headers, the static library, pkg-config and CMake files
#
# The same build gives the same packages, byte for byte: times are those of the last commit.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$source/build/release} output=${2:-$source/build/deb}
cmake --build "$build" --target installed >/dev/null
rm -rf "$output"
mkdir -p "$output/all"
output=$(cd "$output" && pwd)
stage=$output/all
DESTDIR=$stage cmake --install "$build" --prefix /usr >/dev/null
version=$("$stage/usr/bin/quire" --version | sed 's/^quire //')
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=$(git -C "$source" log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
date=$(date -u -R -d "@$SOURCE_DATE_EPOCH")
# Who makes a package answers for it: DEBFULLNAME and DEBEMAIL, as for other tools, else git's user.
name=${DEBFULLNAME:-$(git -C "$source" config user.name || echo 'The Quire developers')}
maintainer="$name <${DEBEMAIL:-$(git -C "$source" config user.email || echo quire@localhost)}>"

move() { # PACKAGE PATH...: from the whole into a package
    package=$1
    shift
    for path in "$@"; do
        mkdir -p "$output/$package/$(dirname "$path")"
        mv "$stage/$path" "$output/$package/$path"
    done
}
cd "$stage"
move libquire0 $(find usr/lib -maxdepth 1 -name '*.so.*')
for library in libquire-classic.so libquire-check.so; do # for LD_PRELOAD: not linked with
    [ -e usr/lib/$library ] || continue
    mkdir -p usr/lib/quire
    mv usr/lib/$library usr/lib/quire
    move quire usr/lib/quire/$library
    strip --strip-unneeded "$output/quire/usr/lib/quire/$library"
done
move libquire-dev usr/include/quire usr/lib/libquire.a usr/lib/libquire.so usr/lib/pkgconfig \
    usr/lib/cmake
move quire usr/bin/quire usr/share
left=$(find . ! -type d)
[ -z "$left" ] || { echo "deb.sh: in no package: $left" >&2; exit 1; }

documents() { # PACKAGE: copyright and changelog
    texts=$output/$1/usr/share/doc/$1
    mkdir -p "$texts"
    {
        printf 'Format: https://www.%s/doc/packaging-manuals/copyright-format/1.0/\n' debian.org
        echo 'Upstream-Name: quire'
        echo
        echo 'Files: *'
        echo "Copyright: $(sed -n 's/^Copyright (c) //p' "$source/LICENSE")"
        echo 'License: MIT'
        sed -n '/^Permission/,$s/^$/./;/^Permission/,$s/^/ /p' "$source/LICENSE"
    } >"$texts/copyright"
    printf 'quire (%s) unstable; urgency=medium\n\n  * See its history.\n\n -- %s  %s\n' \
        "$version" "$maintainer" "$date" | gzip -9n >"$texts/changelog.gz"
}

# What a package's programs need of others, from the libraries they are linked with.
needs() { # PACKAGE FILE...
    package=$1
    shift
    mkdir -p "$output/work/debian"
    printf 'Source: quire\n\nPackage: %s\nArchitecture: any\n' "$package" \
        >"$output/work/debian/control"
    (cd "$output/work" && dpkg-shlibdeps -O "$@" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

control() { # PACKAGE SECTION DEPENDS FIRST-LINE: the long description comes from standard input
    directory=$output/$1
    documents "$1"
    mkdir -p "$directory/DEBIAN"
    {
        echo "Package: $1"
        echo 'Source: quire'
        echo "Version: $version"
        echo "Architecture: $architecture"
        echo "Maintainer: $maintainer"
        echo "Installed-Size: $(du -sk --exclude=DEBIAN "$directory" | cut -f 1)"
        [ -z "$3" ] || echo "Depends: $3"
        [ "$1" != quire ] || echo 'Recommends: apt'
        echo "Section: $2"
        echo 'Priority: optional'
        echo "Description: $4"
        sed 's/^/ /'
    } >"$directory/DEBIAN/control"
    (cd "$directory" && find . -type f ! -path './DEBIAN/*' | sort | sed 's|^\./||' |
        xargs md5sum >DEBIAN/md5sums)
}

find "$output/quire/usr/share/man" -type f -exec gzip -9n {} +
strip --remove-section=.comment --remove-section=.note "$output/quire/usr/bin/quire"
find "$output/libquire0" -type f -exec strip --strip-unneeded --remove-section=.comment {} +
strip --strip-debug --enable-deterministic-archives "$output/libquire-dev/usr/lib/libquire.a"
programs=$(find "$output/quire/usr" -type f -path '*/bin/*' -o -type f -name '*.so')
control quire utils "$(needs quire $programs)" \
    'run Linux programs in little memory, and see what happens' <<'END'
Quire is the memory manager of an operating system, and a computer in
software to run it on: unmodified Linux programs for RISC-V run in as much
memory as they are given, deterministically and without privilege, and each
fault, eviction and wait can be seen.
END
control libquire0 libs "$(needs libquire0 "$output"/libquire0/usr/lib/*.so*)" \
    'memory manager of an operating system as a library' <<'END'
Frames, kernel objects, address spaces, faults, copy-on-write, reclaim with
seven replacement policies, swap: as a library, with a computer in software
to run it on.
END
mkdir -p "$output/libquire0/DEBIAN"
echo "libquire 0 libquire0 (>= $version)" >"$output/libquire0/DEBIAN/shlibs"
echo 'activate-noawait ldconfig' >"$output/libquire0/DEBIAN/triggers"
control libquire-dev libdevel "libquire0 (= $version)" \
    'memory manager of an operating system (development files)' <<'END'
Headers, the static library, and what pkg-config and CMake want to know, to
build programs with the memory manager and the software machine of Quire.
END
# Modes that do not depend on the umask of who builds.
find "$output/quire" "$output/libquire0" "$output/libquire-dev" -type d -exec chmod 755 {} +
find "$output/quire" "$output/libquire0" "$output/libquire-dev" -type f -exec chmod 644 {} +
chmod 755 "$output/quire/usr/bin/quire"
for package in quire libquire0 libquire-dev; do
    dpkg-deb --root-owner-group -Zxz --build "$output/$package" \
        "$output/${package}_${version}_$architecture.deb" >/dev/null
    rm -rf "${output:?}/$package"
done
rm -rf "$output/all" "$output/work"
ls "$output"/*.deb
