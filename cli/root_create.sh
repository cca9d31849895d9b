#!/bin/sh
# root_create.sh: `quire root create DIR PACKAGE...`: a tree of RISC-V programs from the
# distribution's own packages, without any privilege. Carried inside the command (CMakeLists.txt),
# run by root.c.
#
# apt is asked to do what it does best (verify signatures, resolve dependencies, check hashes), with
# a state directory of its own in the user's cache, in which nothing is installed and the only
# architecture is riscv64. Where to download from is the machine's own configuration: whatever
# mirror or proxy it uses is used. Packages are unpacked, not installed: their scripts never run.
# What they would ask of update-alternatives is done, else there were no vi, no cc and no libblas.
#
#     ~/.cache/quire/apt/     conf, sources, state/lists       what apt knows
#                        archives/NAME_VERSION_riscv64.deb     what was downloaded
#                        sets/KEY                              the packages of a request, resolved
#     DIR/.quire-root                                          what is in a tree
#     ~/.cache/quire/trees                                     where there are trees
#
# A request that was resolved before and whose packages are still there needs no network.
# A tree appears whole or not at all: it is built as DIR.new.PID and renamed. Packages added to a
# tree later are unpacked into it, and its record is renamed into place at the end.
#
# Rejected: debootstrap and mmdebstrap (their own packages; want root or user namespaces, and
# emulate RISC-V to run maintainer scripts), and dpkg --root (runs the scripts).
set -u
LC_ALL=C
export LC_ALL
umask 022

say() { printf 'quire: %s\n' "$*" >&2; }
wrong() { say "$*"; exit 125; }

# Part of every tree: what is essential in Debian, so that no package that needs it says so (a
# shell, grep, the C.UTF-8 locale, descriptions of terminals), but for what manages packages,
# services and accounts.
base_packages='bash coreutils dash debianutils diffutils findutils grep gzip hostname libc-bin
ncurses-base ncurses-bin perl-base sed tar util-linux'

dir=$1
shift
for package in "$@"; do
    case $package in
    '' | -* | *[!a-z0-9+.-]*) wrong "root create: '$package' is not the name of a package" ;;
    esac
done
for tool in apt-get dpkg-deb tar flock bash; do
    command -v "$tool" >/dev/null 2>&1 ||
        wrong "root create needs $tool, which Debian and its relatives have; it is not here"
done

# ---- the tree that is asked for ------------------------------------------------------------------

dir=${dir%/}
record=$dir/.quire-root
have=
if [ -f "$record" ]; then
    have=$(sed -n 's/^package //p' "$record")
elif [ -e "$dir" ] && { [ ! -d "$dir" ] || [ -n "$(ls -A "$dir")" ]; }; then
    wrong "root create: $dir is there already and is not a tree that quire made"
fi
wanted=$(printf '%s\n' $base_packages $have "$@" | sort -u)
if [ -n "$have" ] && [ "$wanted" = "$(printf '%s\n' $have | sort -u)" ]; then
    say "root create: $dir has these packages already"
    exit 0
fi
parent=$(dirname -- "$dir")
[ -d "$parent" ] || wrong "root create: there is no directory $parent to make $(basename "$dir") in"
[ -w "$parent" ] || [ -n "$have" ] || wrong "root create: $parent cannot be written"

# ---- the cache -----------------------------------------------------------------------------------

cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/quire/apt
mkdir -p "$cache/state/lists/partial" "$cache/archives/partial" "$cache/none/partial" \
    "$cache/sets" 2>/dev/null && [ -w "$cache/sets" ] ||
    wrong "root create: $cache cannot be written; set XDG_CACHE_HOME to a directory that can"
exec 9>"$cache/lock"
flock 9
log=$cache/log
key=$(printf '%s\n' $wanted | cksum | tr ' ' -)
set_file=$cache/sets/$key

# Packages of the request from an earlier time: all there?
is_cached() {
    [ -s "$set_file" ] || return 1
    [ "$(sed -n 's/^package //p' "$set_file")" = "$wanted" ] || return 1
    for deb in $(sed -n 's/^deb //p' "$set_file"); do
        [ -s "$cache/archives/$deb" ] || return 1
    done
}

# ---- apt with a state of its own -----------------------------------------------------------------

# Read after the machine's configuration, so that its proxies hold and its hooks do not: they are
# about the machine's own packages. apt's download user is off because it can't enter a home
# directory; signatures and hashes are checked all the same.
write_conf() {
    : >"$cache/status"
    cat >"$cache/conf" <<END
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
APT::Architecture "riscv64";
APT::Architectures { "riscv64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Dir::State "$cache/state";
Dir::State::status "$cache/status";
Dir::Cache "$cache";
Dir::Cache::archives "$cache/archives";
Dir::Etc::sourcelist "$cache/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
END
}

# The machine's archives as "URI SUITE" lines, its own release first. This apt reads the machine's
# configuration and prints what it would download; it downloads nothing.
machine_archives() {
    codename=$( (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}") 2>/dev/null)
    apt-get --print-uris update 2>/dev/null |
        sed -n "s#^'\([a-z].*\)/dists/\([^/']*\)/InRelease'.*#\1/ \2#p" |
        grep -v '^cdrom:' | grep -v -e '-updates$' -e '-security$' -e '-backports$' |
        awk -v own="$codename" '$2 == own { print; next } { rest = rest $0 "\n" }
                                END { printf "%s", rest }'
}

# Fetch the list of riscv64 packages: the machine's own release if it has them (Debian 12 has none),
# else the archive's stable one. Says which in $suite.
update() {
    keyrings=
    for ring in /usr/share/keyrings/*-archive-keyring.[gp][gp][gp]; do
        [ -r "$ring" ] && keyrings=$keyrings${keyrings:+,}$ring
    done
    machine_archives >"$cache/archives.list"
    [ -s "$cache/archives.list" ] ||
        wrong "root create: apt has no archive configured (sources.list) to download from"
    : >"$log"
    rm -f "$cache/updated" "$cache"/state/lists/*_Packages*
    for generation in own stable; do
        while read -r uri suite; do
            [ "$generation" = own ] || suite=stable
            say "asking the $suite release for its riscv64 packages"
            echo "deb [arch=riscv64${keyrings:+ signed-by=$keyrings}] $uri $suite main" \
                >"$cache/sources.list"
            apt-get -c "$cache/conf" update >>"$log" 2>&1 9>&- || continue
            for list in "$cache"/state/lists/*_binary-riscv64_Packages*; do
                [ -s "$list" ] && touch "$cache/updated" && return 0
            done
        done <"$cache/archives.list"
    done
    last=$(sed -n 's/^[EW]: //p' "$log" | tail -n 1)
    wrong "root create: no archive of this machine's apt gave riscv64 packages${last:+: $last}"
}

# Print the .deb files that the wanted packages need, one a line. Fails if apt can't resolve them.
resolve() {
    # An empty archive directory makes apt print them all, those that we have too.
    apt-get -c "$cache/conf" -o Dir::Cache::archives="$cache/none" -qq -y --print-uris \
        install $wanted >"$cache/uris" 2>"$log" 9>&- || return 1
    sed -n "s/^'[^']*' \([^ ]*\.deb\) .*/\1/p" "$cache/uris"
}

download() {
    write_conf
    debs=
    if [ -n "$(find "$cache/updated" -mmin -1440 2>/dev/null)" ]; then
        debs=$(resolve) || debs=
    fi
    if [ -z "$debs" ]; then
        update
        debs=$(resolve) || {
            unknown=$(sed -n 's/^E: Unable to locate package //p' "$log" | head -n 1)
            [ -z "$unknown" ] ||
                wrong "root create: there is no package '$unknown' for riscv64 in this release"
            wrong "root create: apt cannot resolve this: $(sed -n 's/^E: //p' "$log" | head -n 1)"
        }
    fi
    say "downloading what is missing of $(printf '%s\n' $debs | wc -l) packages"
    if ! apt-get -c "$cache/conf" -qq -y --download-only install $wanted >"$log" 2>&1 9>&-; then
        # The archive may have moved on since the list was fetched: once more with a new one.
        update
        debs=$(resolve) &&
            apt-get -c "$cache/conf" -qq -y --download-only install $wanted >"$log" 2>&1 9>&- ||
            wrong "root create: download failed: $(sed -n 's/^[EW]: //p' "$log" | tail -n 1)"
    fi
    {
        printf 'package %s\n' $wanted
        printf 'deb %s\n' $debs
    } >"$set_file.new"
    mv "$set_file.new" "$set_file"
    is_cached || wrong "root create: apt left packages out of $cache/archives; its log is $log"
}

# ---- the tree ------------------------------------------------------------------------------------

# What the packages' scripts would have made, as far as programs need it.
furnish() {
    for name in dev proc sys run tmp root home var/tmp var/log etc; do
        mkdir -p "$1/$name"
    done
    chmod 1777 "$1/tmp" "$1/var/tmp"
    [ -e "$1/etc/passwd" ] || cat >"$1/etc/passwd" <<'END'
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
END
    [ -e "$1/etc/group" ] || cat >"$1/etc/group" <<'END'
root:x:0:
nogroup:x:65534:
END
    [ -e "$1/etc/hosts" ] || printf '127.0.0.1 localhost\n' >"$1/etc/hosts"
    [ -e "$1/etc/nsswitch.conf" ] ||
        printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$1/etc/nsswitch.conf"
    [ -e "$1/usr/bin/sh" ] || ln -s dash "$1/usr/bin/sh"
}

# Print what the packages' scripts ask of update-alternatives, a request a line. A bash reads them,
# in which no file can be executed or written (restricted, its PATH empty) and every command that is
# not built in does nothing and is content.
wanted_alternatives() {
    for deb in $(sed -n 's/^deb //p' "$set_file"); do
        dpkg-deb --ctrl-tarfile "$cache/archives/$deb" 2>>"$log" |
            tar -xO ./postinst 2>/dev/null >"$cache/postinst"
        grep -q update-alternatives "$cache/postinst" && head -n 1 "$cache/postinst" |
            grep -q '^#! */bin/\(ba\|da\|\)sh' || continue
        {
            cat <<'END'
            command_not_found_handle() { :; }
            kill() { :; }
            history() { :; }
            update-alternatives() { echo "update-alternatives $*"; }
END
            sed -e 's/^[[:space:]]*set -e.*//' -e 's#[0-9&]*>>* */dev/null##g' "$cache/postinst"
        } >"$cache/reading"
        env -i PATH=/nonexistent "$(command -v timeout)" 10 "$(command -v bash)" --restricted \
            "$cache/reading" configure </dev/null 2>>"$log" | sed -n 's/^update-alternatives //p'
    done
    rm -f "$cache/postinst" "$cache/reading"
}

# TREE LINK NAME PATH: LINK -> /etc/alternatives/NAME -> PATH, as Debian has it.
link_alternative() {
    [ -e "$1$4" ] || [ -L "$1$4" ] || return 1 # only in a package that is not in the tree
    [ -e "$1$2" ] && [ ! -L "$1$2" ] && return 1
    mkdir -p "$1${2%/*}" && ln -sfn "$4" "$1/etc/alternatives/$3" &&
        ln -sfn "/etc/alternatives/$3" "$1$2"
}

# Of each name the path with the highest priority that is there, and what goes with it (its manual
# page, say).
make_alternatives() {
    tree=$1 taken=
    mkdir -p "$tree/etc/alternatives"
    wanted_alternatives | awk '{
        for (i = 1; i <= NF && $i != "--install"; i++) ;
        line = $(i + 4) " " $(i + 1) " " $(i + 2) " " $(i + 3)
        for (k = i + 5; k + 3 <= NF; k++)
            if ($k == "--slave") line = line " " $(k + 1) " " $(k + 2) " " $(k + 3)
        if (i + 4 <= NF) print line
    }' | sort -s -rn -k 1,1 | while read -r _ link name path others; do
        case $taken in *" $name "*) continue ;; esac
        link_alternative "$tree" "$link" "$name" "$path" || continue
        taken="$taken $name "
        set -- $others
        while [ $# -ge 3 ]; do
            link_alternative "$tree" "$1" "$2" "$3"
            shift 3
        done
    done
}

unpack() {
    # One /usr: the other names are links, as in every Debian since 12.
    for name in bin sbin lib lib64; do
        mkdir -p "$1/usr/$name"
        [ -e "$1/$name" ] || [ -L "$1/$name" ] || ln -s "usr/$name" "$1/$name"
    done
    had=" $(sed -n 's/^deb //p' "$record" 2>/dev/null | tr '\n' ' ') "
    for deb in $(sed -n 's/^deb //p' "$set_file"); do
        case $had in *" $deb "*) continue ;; esac
        # A package whose unpacking fails must not pass for a tree: tar's status decides, and tar
        # sees a cut-off archive as an error.
        dpkg-deb --fsys-tarfile "$cache/archives/$deb" 2>>"$log" |
            tar -x -C "$1" --keep-directory-symlink --no-same-owner --overwrite 2>>"$log" ||
            { say "root create: $deb cannot be unpacked: $(tail -n 1 "$log")"; return 1; }
    done
    furnish "$1"
    make_alternatives "$1"
    cp "$set_file" "$1/.quire-root.new" && mv "$1/.quire-root.new" "$1/.quire-root"
}

is_cached || download
: >"$log"
if [ -n "$have" ]; then
    unpack "$dir" || exit 125
else
    new=$dir.new.$$
    trap 'rm -rf "$new"' EXIT
    trap 'exit 125' INT TERM HUP
    mkdir "$new" && unpack "$new" || exit 125
    [ ! -d "$dir" ] || rmdir "$dir" || exit 125
    mv "$new" "$dir" || exit 125
    trap - EXIT
fi
# For quire root list: every tree once, by its full name.
full=$(cd "$dir" && pwd -P) && trees=$(dirname "$cache")/trees &&
    { cat "$trees" 2>/dev/null; printf '%s\n' "$full"; } | sort -u >"$trees.new" &&
    mv "$trees.new" "$trees"
say "root create: $dir has $(sed -n 's/^deb //p' "$record" | wc -l) packages for riscv64"
