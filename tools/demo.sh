#!/bin/sh
# demo.sh: `make run`: the distribution's own sort, on a file whose sorting needs four times the RAM
# that it gets. The output is compared with the sort of this machine.
#
#   tools/demo.sh build/quire
set -eu
quire=$1
lines=1000000
ram=14M    # sort wants over 60 MiB for the file: its bytes, and 32 bytes a line
swap=128M  # with RAM more than the buffer, or its promise is refused, and sort makes do with less
buffer=96M # sort's -S: without it sort would look at the RAM and go to temporary files
LC_ALL=C
export LC_ALL

cache=${XDG_CACHE_HOME:-$HOME/.cache}/quire
root=$cache/roots/demo
mkdir -p "$cache/roots"
[ -f "$root/.quire-root" ] || "$quire" root create "$root" coreutils

scratch=$(mktemp -d "${TMPDIR:-/tmp}/quire-demo.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP

echo "Making a file of $lines lines ..."
awk -v n="$lines" 'BEGIN { x = 20
    for (i = 0; i < n; i++) { x = x * 16807 % 2147483647; printf "%08x %08x\n", x, i } }' \
    >"$scratch/big.txt"
cd "$scratch"
set -- run --ram "$ram" --swap "$swap" --root "$root" --bind . -- sort -S "$buffer" big.txt
echo "\$ quire $* > sorted.txt"
"$quire" "$@" >sorted.txt
sort big.txt | cmp - sorted.txt
echo "The output is right: $(wc -c <sorted.txt) bytes, the same as this machine's own sort gives."
echo "The command is $quire; 'make install PREFIX=~/.local' puts it on your PATH."
