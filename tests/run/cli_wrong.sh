#!/bin/sh
# cli_wrong.sh: wrong command lines and broken programs. Each gets exactly one line on standard
# error, which begins with "quire: " and has the words that help; nothing on standard output; the
# exit code.
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
count=0

# expect CODE WORDS ARGUMENTS...: WORDS is a basic regular expression that the line must match.
expect() {
    code=$1 words=$2
    shift 2
    timeout 60 "$QUIRE" "$@" >out 2>err </dev/null
    status=$?
    [ "$status" = "$code" ] || fail "quire $*: exit code $status, not $code: $(cat err)"
    [ ! -s out ] || fail "quire $*: wrote to standard output: $(head -n 1 out)"
    [ "$(wc -l <err)" -eq 1 ] || fail "quire $*: $(wc -l <err) lines instead of one: $(cat err)"
    grep -q '^quire: ' err || fail "quire $*: the line does not begin with 'quire: ': $(cat err)"
    grep -q -e "$words" err || fail "quire $*: no '$words' in: $(cat err)"
    count=$((count + 1))
}

# ---- command lines -------------------------------------------------------------------------------

expect 125 "did you mean 'run'" rnu
expect 125 "'quire help' lists" frobnicate
expect 125 'there is no command' help nonsense
expect 125 'needs a program' run
expect 125 'needs a program' run --ram 64M --
expect 125 "'Q' is not a unit; write 64M or 2G" run --ram 64Q -- x
expect 125 "'MB' can mean two things" run --ram 64MB -- x
expect 125 'is not a size' run --ram lots -- x
expect 125 'is not a size' run --ram -5M -- x
expect 125 'needs a SIZE, as in --ram 64M' run --ram
expect 125 'needs a SIZE' run --ram= x
expect 125 'too little' run --ram 1M -- x
expect 125 'did you leave out the M' run --ram 64 -- x
expect 125 'too much' run --ram 16T -- x
expect 125 'larger than any machine' run --swap 99999999999T -- x
expect 125 'is not a size' run --swap lots -- x
expect 125 'No such file' run --swap ./lots -- x
expect 125 'is not a size' run --swap grow:lots -- x
expect 125 'there are lz4 and zstd' run --zswap lzo -- x
expect 125 '1 to 90 percent' run --zswap lz4:0 -- x
expect 125 '1 to 90 percent' run --zswap zstd:100 -- x
expect 125 'not a number' run --zswap zstd:much -- x
expect 125 'needs a lz4|zstd' run --zswap
expect 125 "no lab 'frok'; did you mean 'fork'" lab frok
expect 125 'quire lab --list shows them' lab nonsense-that-is-not-there
expect 125 'there are en and zh' lab --lang de
expect 125 'write NAME=VALUE' lab --answer 7
expect 125 'name a lab, or --all' lab --check
expect 125 "all labs, without 'fork'" lab --all fork
expect 125 'did you mean --ram' lab --rma 3M
expect 125 'write a size' lab --ram lots
expect 125 'one of Sv48' lab --format Sv99
expect 125 'one of linux' lab --policy newest
expect 125 'one word' lab --ram '3M --swap 4M'
expect 125 'not a text of at most\|not a script' lab /bin/sh
expect 125 'needs one file' mkswap
expect 125 'needs a SIZE, as in --size 1G' mkswap --size
expect 125 'did you mean --label' mkswap --lable x y
expect 125 'did you mean --ram' run --rma 64M -- x
expect 125 'no option --frobnicate' run --frobnicate -- x
expect 125 '--quiet takes no value' run --quiet=yes -- x
expect 125 'cannot be written: No such file' run --trace-calls="$scratch/nowhere/x" -- x
expect 125 '--check-calls takes no value' run --check-calls=yes -- x
expect 125 'no such directory' run --root "$scratch/nowhere" -- x
expect 125 'not a directory' run --root "$scratch/out" -- x
expect 125 'no directory' run --bind "$scratch/nowhere" -- x
expect 125 'must begin with /' run --bind .:data -- x
expect 125 'write --oom kill or --oom group' run --oom panic -- x
expect 125 'needs a kill|group' run --oom
expect 125 'two clocks' run --clock wall -- x
expect 125 'write --thp always' run --thp sometimes -- x
expect 125 'needs a always|madvise|never' run --thp
expect 125 'not a number' run --seed soon -- x
expect 125 'name a file that can be written\|libjansson' run --json /nonexistent/x.json -- x
expect 125 'needs a FILE' run --json
expect 125 'file that can be written\|libjansson\|uPlot' run --report /nonexistent/x.html -- x
expect 125 'not a number' run --harts many -- x
expect 125 '1 to 64 processors; write --harts 4' run --harts 0 -- x
expect 125 '1 to 64 processors; write --harts 4' run --harts 65 -- x
expect 125 'there are linux, mglru, clock, 2q, arc, s3fifo, sieve' run --policy lru -- x
expect 125 'did you mean sieve?' run --policy seive -- x
expect 125 'needs a NAME, as in --policy sieve' run --policy
expect 125 'root create DIR PACKAGE' root
expect 125 'did you mean' root crate
expect 125 'needs a directory and packages' root create onlydir
expect 125 'not the name of a package' root create new 'Core Utils'
touch kept && mkdir full && touch full/kept
expect 125 'not a tree that quire made' root create full coreutils
expect 125 'no directory' root create nowhere/new coreutils

# ---- programs that are not there, or are none ----------------------------------------------------

expect 127 'no-such-program' run -- no-such-program
expect 127 'no-such-program' run -- ./no-such-program
mkdir folder && expect 126 'folder' run -- ./folder
echo 'just text' >text && expect 126 'text' run -- ./text
: >empty && chmod +x empty text && expect 126 'empty' run -- ./empty
expect 126 'text' run -- ./text
printf '#!/no/such/interpreter\n' >script && chmod +x script
expect 127 '/no/such/interpreter' run -- ./script

# ELF files from a right one of two headers (64 + 56 bytes) by one wrong field each.
python3 - <<'END' || fail "python3 could not make the broken programs"
import os, struct
def elf(name, machine=243, cls=2, data=1, kind=2, phoff=64, phnum=1, cut=None, entry=0x10000,
        vaddr=0x10000, offset=0, filesz=None, memsz=None, align=0x1000, ptype=1, flags=5,
        interp=None):
    code = struct.pack("<III", 0x00000513, 0x05D00893, 0x00000073)  # exit(0)
    ident = b"\x7fELF" + bytes([cls, data, 1, 0]) + bytes(8)
    size = 64 + 56 * 2 + len(code)
    head = ident + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, entry + 176, phoff, 0, 0, 64, 56,
                               phnum + (interp is not None), 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", ptype, flags, offset, vaddr, vaddr,
                       size if filesz is None else filesz, size if memsz is None else memsz, align)
    text = b"" if interp is None else interp + b"\0"
    second = bytes(56) if interp is None else struct.pack(
        "<IIQQQQQQ", 3, 4, size, vaddr + size, vaddr + size, len(text), len(text), 1)
    raw = head + load + second + code + text
    open(name, "wb").write(raw[:cut] if cut else raw)
    os.chmod(name, 0o755)
elf("right")
elf("x86", machine=62)
elf("rv32", cls=1)
elf("bigendian", data=2)
elf("object", kind=1)
elf("core", kind=4)
elf("cut-header", cut=30)
elf("cut-headers", cut=100)
elf("far-headers", phoff=1 << 40)
elf("no-headers", phnum=0)
elf("no-load", ptype=4)
elf("far-segment", filesz=1 << 40, memsz=1 << 40)
elf("shrunk", memsz=16)
elf("kernel-address", vaddr=0xffffffff00000000, entry=0xffffffff00000000)
elf("wrapping", vaddr=0xfffffffffffff000, memsz=0x2000, entry=0xfffffffffffff000)
elf("crooked", vaddr=0x10010, entry=0x10010)
elf("many-headers", phnum=60000)
elf("no-interpreter", interp=b"/lib/nowhere/ld.so")
END
timeout 60 "$QUIRE" run --quiet -- ./right || fail "the right program does not run: status $?"
expect 126 'x86' run -- ./x86
expect 126 'rv32' run -- ./rv32
for broken in bigendian object core cut-header cut-headers far-headers no-headers no-load \
    far-segment shrunk kernel-address wrapping crooked many-headers; do
    expect 126 "$broken" run -- "./$broken"
done
expect 126 '/lib/nowhere/ld.so' run -- ./no-interpreter
cp right not-executable && chmod -x not-executable
expect 126 'not-executable' run -- ./not-executable

# Standard output that is closed, and help, which is no mistake.
"$QUIRE" help >out 2>err && [ -s out ] && [ ! -s err ] || fail "quire help"
"$QUIRE" --version | grep -q '^quire [0-9]' || fail "quire --version"
echo "$count wrong lines and broken programs, one clear line each"
