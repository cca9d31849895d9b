#!/bin/sh
# cli_swap.sh: swap areas as files: made here and by this machine's mkswap, accepted by either side,
# wrong ones refused with a line, used by a program, and left with nothing changed but swap.
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
PATH=$PATH:/sbin:/usr/sbin
here=$(dirname "$0")
case $here in /*) ;; *) here=$OLDPWD/$here ;; esac
uuid=01234567-89ab-cdef-0123-456789abcdef
left_out=

# refused WORDS ARGUMENTS...: one line on standard error with these words, exit code 125.
refused() {
    words=$1
    shift
    timeout 60 "$QUIRE" "$@" >out 2>err </dev/null
    status=$?
    [ "$status" = 125 ] || fail "quire $*: exit code $status: $(cat err)"
    [ "$(wc -l <err)" -eq 1 ] && grep -q -e "$words" err ||
        fail "quire $*: no '$words' in: $(cat err)"
}

# bytes FILE OFFSET TEXT: overwrite.
bytes() {
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# ---- made here -----------------------------------------------------------------------------------

"$QUIRE" mkswap --size 32M --label hello --uuid $uuid ours >out || fail "quire mkswap"
grep -q "32.* MiB of swap, label hello, UUID $uuid" out || fail "quire mkswap says $(cat out)"
[ "$(wc -c <ours)" -eq 33554432 ] || fail "mkswap --size made $(wc -c <ours) bytes"
if command -v swaplabel >/dev/null; then
    swaplabel ours >label || fail "swaplabel does not accept our header"
    grep -q 'LABEL: hello' label && grep -q "UUID:  $uuid" label || fail "swaplabel: $(cat label)"
else
    left_out="$left_out swaplabel"
fi
if command -v blkid >/dev/null; then
    blkid -p -o export ours >id || fail "blkid does not know our header"
    grep -q '^TYPE=swap' id && grep -q '^LABEL=hello' id && grep -q "^UUID=$uuid" id ||
        fail "blkid: $(cat id)"
else
    left_out="$left_out blkid"
fi
if command -v file >/dev/null; then
    file ours | grep -q 'swap file, 4k page.*version 1, size 8191 pages' ||
        fail "file: $(file ours)"
else
    left_out="$left_out file"
fi

# ---- made by this machine: the same bytes --------------------------------------------------------

if command -v mkswap >/dev/null; then
    truncate -s 32M theirs && chmod 600 theirs
    mkswap -L hello -U $uuid theirs >/dev/null 2>&1 || fail "mkswap"
    cmp -n 4096 ours theirs || fail "our header is not mkswap's"
    mkswap -p 16384 -f theirs16 >/dev/null 2>&1
    truncate -s 32M theirs16 && chmod 600 theirs16 && mkswap -p 16384 theirs16 >/dev/null 2>&1 &&
        refused 'another page size' run --swap ./theirs16 -- x
    if mkswap -e big theirs >/dev/null 2>&1; then
        refused 'other byte order' run --swap ./theirs -- x
        mkswap -L hello -U $uuid theirs >/dev/null 2>&1
    fi
else
    left_out="$left_out mkswap"
    cp ours theirs
fi

# ---- refused -------------------------------------------------------------------------------------

cp ours bad && truncate -s 1M bad && refused 'ends before its header says' run --swap ./bad -- x
cp ours bad && bytes bad 1024 '\000\000\000\001' && refused 'other byte order' run --swap ./bad -- x
cp ours bad && bytes bad 1024 '\003' && refused 'unknown version' run --swap ./bad -- x
cp ours bad && bytes bad 1032 '\001' && refused 'list of bad pages' run --swap ./bad -- x
cp ours bad && bytes bad 4086 'SWAP-SPACE' && refused 'before 1998' run --swap ./bad -- x
cp ours bad && bytes bad 4086 'S1SUSPEND' && refused 'hibernated' run --swap ./bad -- x
truncate -s 1M blank && refused 'it is blank' run --swap ./blank -- x
head -c 100000 /dev/zero | tr '\0' 'x' >text && refused 'no swap signature' run --swap ./text -- x
: >empty && refused 'no page but' run --swap ./empty -- x
refused 'No such file' run --swap ./nowhere -- x
refused 'neither a file nor a disk' run --swap . -- x
refused 'is not a size' run --swap nowhere -- x
refused '0 to 32767' run --swap ./ours,prio=40000 -- x
refused 'not a number' run --swap ./ours,prio=high -- x
refused 'in use' run --swap ./ours --swap ./ours -- x
refused '8 are enough' run --swap 1M --swap 1M --swap 1M --swap 1M --swap 1M --swap 1M --swap 1M \
    --swap 1M --swap 1M -- x
refused 'less than one step' run --swap grow:1M:64K -- x
refused 'less than 8K' run --swap grow:4K -- x
refused 'too much' run --swap grow:1G:5T -- x
flock ours "$QUIRE" run --swap ./ours -- x 2>err && fail "a locked file was used"
grep -q 'in use' err || fail "a locked file: $(cat err)"
refused 'there already' mkswap --size 1M text
cp text before && refused 'left alone' mkswap text && cmp text before ||
    fail "a refused file changed"
refused 'too small' mkswap --size 8K small
[ ! -e small ] || fail "a refused new file stayed"
refused '8-4-4-4-12' mkswap --uuid 123 ours
refused '15 bytes' mkswap --label 0123456789abcdef ours
refused 'one file' mkswap
"$QUIRE" mkswap blank >/dev/null || fail "a blank file can be made an area"

# ---- used ----------------------------------------------------------------------------------------

cross=riscv64-linux-gnu-gcc
if command -v $cross >/dev/null; then
    $cross -O1 -D_GNU_SOURCE -static "$here/proc_swap.c" -o guest || fail "proc_swap.c"
    # Bad pages in the middle of the area: never written.
    python3 - <<'END' || fail "python3"
import struct
with open("theirs", "r+b") as f:
    bad = [5, 6, 7, 100, 8191]
    f.seek(1032); f.write(struct.pack("<I", len(bad)))
    f.seek(1536); f.write(struct.pack("<%dI" % len(bad), *bad))
    for page in bad:
        f.seek(page * 4096); f.write(b"do not touch" * 10)
END
    head -c 4096 theirs >header
    if [ "$(id -u)" -eq 0 ]; then
        timeout 120 "$QUIRE" run --quiet --ram 8M --swap 0 -- ./guest ours theirs >out 2>err ||
            fail "proc_swap: $(cat out err)"
        cat out
    else
        left_out="$left_out swapon-inside"
    fi
    cc=$cross && $cc -O1 -static -o inside "$QUIRE_SOURCE/bench/inside.c" || fail "inside.c"
    "$QUIRE" run --ram 8M --swap ./theirs,prio=7 --swap grow:1M:64M,prio=7 -- \
        ./inside swap 24 20000 >out 2>err ||
        fail "a run with a file and a growing disk: $(cat out err)"
    grep -q 'swap  *[0-9.]* MiB out' err || fail "nothing was swapped: $(cat err)"
    cmp -n 4096 theirs header || fail "the header has changed"
    python3 - <<'END' || fail "a bad page was written"
with open("theirs", "rb") as f:
    for page in [5, 6, 7, 100, 8191]:
        f.seek(page * 4096)
        assert f.read(120) == b"do not touch" * 10
END
    # Without the file: all in the disk that grows, from 1 MiB on; and one that may not grow enough.
    "$QUIRE" run --ram 8M --swap grow:1M -- ./inside swap 24 20000 >out 2>err ||
        fail "a growing disk alone: $(cat out err)"
    "$QUIRE" run --ram 8M --swap grow:1M:4M -- ./inside swap 24 1000 >out 2>err
    [ $? -eq 137 ] || fail "24 MiB in 12 did not end by the OOM killer"
    # Compressed in RAM: more than the RAM without any disk, and seen in /proc/meminfo.
    cat >packs.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
    enum { WORDS = 12 << 20 >> 3 };
    unsigned long *words = malloc(WORDS * 8), zswap = 0, zswapped = 0;
    char line[128];
    for (unsigned long i = 0; i < WORDS; i++)
        words[i] = i / 7;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "Zswap: %lu", &zswap);
        sscanf(line, "Zswapped: %lu", &zswapped);
    }
    for (unsigned long i = 0; i < WORDS; i++)
        if (words[i] != i / 7)
            return 1;
    printf("%lu kB in %lu kB\n", zswapped, zswap);
    return zswap == 0 || zswapped < 2 * zswap;
}
END
    $cross -O1 -static packs.c -o packs || fail "packs.c"
    for codec in lz4 zstd; do
        "$QUIRE" run --ram 8M --swap 0 --overcommit 1 --zswap $codec:60 -- ./packs >out 2>err
        status=$?
        if [ $status -eq 125 ] && grep -q 'built without the library' err; then
            left_out="$left_out $codec"
            continue
        fi
        [ $status -eq 0 ] || fail "12 MiB in 8 with $codec: $status: $(cat out err)"
        grep -q 'zswap  *[0-9.]* MiB packed' err || fail "no zswap line: $(cat err)"
        echo "compressed with $codec: $(cat out)"
    done
else
    left_out="$left_out $cross"
fi
[ -z "$left_out" ] || echo "left out, not here:$left_out"
echo "headers as mkswap's, wrong ones refused, files used and nothing else touched"
