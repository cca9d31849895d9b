#!/bin/sh
# need.sh: are the packages here that a step needs? Names the missing ones, and installs them when
# that is allowed: as root or through sudo without a password, and only with CI=true or after asking
# on a terminal. When nothing is missing it says nothing and needs no privilege.
#
#   tools/need.sh STEP...     steps: build run test deb bench coverage
#
# Exit: 0 all that is required is here; 1 something required is missing.
set -u

# step  required or optional  package  sign of its presence: a command, or a file with a /
needs() {
    cat <<'END'
build required cmake                    cmake
build required ninja-build              ninja
build required gcc                      cc
build required libc6-dev                /usr/include/stdio.h
build optional liblz4-dev               /usr/include/lz4.h
build optional libzstd-dev              /usr/include/zstd.h
build optional libncurses-dev           /usr/include/ncurses.h
build optional libjansson-dev           /usr/include/jansson.h
build optional zlib1g-dev               /usr/include/zlib.h
build optional libedit-dev              /usr/include/histedit.h
build optional libmicrohttpd-dev        /usr/include/microhttpd.h
build optional libdw-dev                /usr/include/elfutils/libdwfl.h
run   required apt                      apt-get
run   required dpkg                     dpkg-deb
run   required util-linux               flock
test  required libcmocka-dev            /usr/include/cmocka.h
build optional npm                      npm
test  optional chromium                 chromium
test  required python3                  python3
test  optional g++                      g++
test  optional valgrind                 valgrind
test  optional clang                    clang
test  optional lld                      ld.lld
test  optional llvm                     llvm-nm
test  optional gcc-riscv64-linux-gnu    riscv64-linux-gnu-gcc
test  optional libc6-dev-riscv64-cross  /usr/riscv64-linux-gnu/include/stdio.h
test  optional tmux                     tmux
test  optional procps                   vmstat
test  optional pkg-config               pkg-config
test  optional mandoc                   mandoc
test  optional zsh                      zsh
test  optional fish                     fish
test  optional qemu-user                qemu-riscv64
test  optional xz-utils                 xz
deb   required dpkg-dev                 dpkg-shlibdeps
deb   required binutils                 strip
deb   required gzip                     gzip
deb   optional lintian                  lintian
coverage required gcovr                 gcovr
bench required gcc-riscv64-linux-gnu    riscv64-linux-gnu-gcc
bench required libc6-dev-riscv64-cross  /usr/riscv64-linux-gnu/include/stdio.h
END
}

is_here() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

required=
optional=
for step in "$@"; do
    while read -r row_step kind package sign; do
        [ "$row_step" = "$step" ] && ! is_here "$sign" || continue
        case " $required $optional " in *" $package "*) continue ;; esac
        case $kind in
        required) required="$required${required:+ }$package" ;;
        *) optional="$optional${optional:+ }$package" ;;
        esac
    done <<END
$(needs)
END
done
missing="$required${required:+${optional:+ }}$optional"
[ -n "$missing" ] || exit 0

say() { printf '%s\n' "$*" >&2; }
[ -z "$required" ] || say "These packages are needed and not here: $required"
[ -z "$optional" ] || say "Without these packages some tests are skipped: $optional"

as_root=
allowed=no
if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then as_root='sudo -n'; else as_root=no; fi
fi
command -v apt-get >/dev/null 2>&1 || as_root=no
if [ "$as_root" != no ]; then
    if [ "${CI:-}" = true ]; then
        allowed=yes
    elif [ -t 0 ] && [ -t 2 ]; then
        printf 'Install them with apt-get now? [y/N] ' >&2
        read -r answer
        case $answer in [yY]*) allowed=yes ;; esac
    fi
fi

if [ "$allowed" = yes ]; then
    export DEBIAN_FRONTEND=noninteractive
    install="$as_root apt-get install -y --no-install-recommends $missing"
    $as_root apt-get update >/dev/null && $install >/dev/null && exit 0
    # One missing optional package must not keep the others from coming.
    if [ -n "$required" ]; then
        $as_root apt-get install -y --no-install-recommends $required >/dev/null || {
            say "apt-get could not install them."
            exit 1
        }
    fi
    for package in $optional; do
        $as_root apt-get install -y --no-install-recommends "$package" >/dev/null || true
    done
    exit 0
fi
sudo=
[ "$(id -u)" -eq 0 ] || sudo='sudo '
install="apt-get install -y --no-install-recommends $missing"
say "To install them: ${sudo}apt-get update && ${sudo}$install"
[ -z "$required" ]
