# programs.sh: the list of real programs that several tests run, each with what it must print.
# Sourced; the test defines `expect WHAT OUTPUT COMMAND...`, which finds in its variables:
#
#   network   1 for servers and clients (over the loopback inside)
#   inodes    1 for programs that keep the host's inode numbers, others each time, in their data
#
#   small_programs   with the packages of every test's tree (lib.sh); seconds
#   all_programs     with $all_packages; minutes
#   large_programs   with the same; each wants hundreds of megabytes, or makes thousands of files or
#                    processes: hours
#
# Commands see a directory of the host, their own, as /w.

small_programs() {
    network=0 inodes=0
    expect sort 'c
b
a' sh -c 'printf "b\na\nc\n" | sort -r'
    expect 'a large sort' '0 99999' sh -c 'seq 99999 -1 0 | sort -n -S 24M |
        { read first; tail -n 1 | { read last; echo $first $last; }; }'
    expect xz same sh -c 'seq 1 20000 >/w/s; xz -6 -kf /w/s
        [ "$(xz -dc /w/s.xz | cksum)" = "$(cksum </w/s)" ] && echo same'
    expect python3 '[0, 1, 4] 99990000' python3 -B -c '
l = [str(i) for i in range(20000)]
print([i * i for i in range(3)], sum(int(x) for x in l[::2]) )'
    expect 'busybox sh' '55 10' busybox sh -c 'n=0
        for i in 1 2 3 4 5 6 7 8 9 10; do n=$((n + i)); done
        echo $n $(busybox seq 1 10 | busybox wc -l)'
}

all_packages='coreutils xz-utils zstd python3 sqlite3 perl lua5.4 git gcc libc6-dev make
    binutils busybox vim-tiny bc gawk openssl procps curl util-linux bsdutils bash grep sed
    findutils diffutils tar gzip psmisc ruby nodejs redis-server redis-tools'

# A prime number of nodes and one more, each with three neighbours; from 1 all but the two ends are
# reached.
graph='
import sys
class Node:
    def __init__(self, i): self.i, self.next, self.back = i, [], None
prime = int(sys.argv[1])
nodes = [Node(i) for i in range(prime + 1)]
for n in nodes:
    n.next = [nodes[n.i * k % prime] for k in (3, 7, 11)]
    n.next[0].back = n
seen, todo = set(), [nodes[1]]
del nodes, n
while todo:
    n = todo.pop()
    if n.i not in seen:
        seen.add(n.i)
        todo += n.next
print(len(seen), max(seen))'

interpreters() {
    expect lua 500500 lua5.4 -e 'local s = 0 for i = 1, 1000 do s = s + i end print(s)'
    expect perl '1024 cba' perl -e 'print 2**10, " ", scalar reverse("abc"), "\n"'
    expect bc 3.14159265358979323844 sh -c 'echo "scale=20; 4*a(1)" | bc -l'
    expect gawk 499500 gawk 'BEGIN { for (i = 0; i < 1000; i++) s += i; print s }'
    expect sqlite3 '500500
ok' sqlite3 :memory: 'create table t(a); with recursive c(x) as (select 1 union all select x+1 from
    c where x<1000) insert into t select x from c; select sum(a) from t; pragma integrity_check;'
    expect threads '[0, 1, 2, 3, 4, 5, 6, 7]' python3 -c '
import threading
l = []
ts = [threading.Thread(target=lambda i=i: l.append(i)) for i in range(8)]
[t.start() for t in ts]
[t.join() for t in ts]
print(sorted(l))'
    expect 'json, re, sqlite3 of python3' '2000 [(2000, 1999000)] 600' python3 -c '
import json, re, sqlite3
d = {str(i): [i, {"half": i * 0.5, "text": "x" * (i % 7)}] for i in range(2000)}
d = json.loads(json.dumps(d))
c = sqlite3.connect(":memory:")
c.execute("create table t(k text primary key, v integer)")
c.executemany("insert into t values(?, ?)", [(k, v[0]) for k, v in d.items()])
print(len(d), c.execute("select count(*), sum(v) from t").fetchall(),
      len(re.findall(r"\b[1-3]\d\d[02468]\b|\b7\d\d\b", " ".join(d))))'
    expect 'a graph of objects' '59998 59998' python3 -c "$graph" 59999
    expect ruby '[1, 4, 9] {"a":1} 2' ruby -e 'require "json"
t = Thread.new { 1 + 1 }
GC.stress = true; a = (1..3).map { |i| i * i }; GC.stress = false
puts "#{a} #{JSON.generate({a: 1})} #{t.value}"'
    expect 'node and its compiler' '1999000 riscv64 later' env -u NODE_EXTRA_CA_CERTS node -e '
let f = x => { let s = 0; for (let i = 0; i < x; i++) s += i; return s }, n;
for (let i = 0; i < 500; i++) n = f(2000);
setTimeout(() => console.log(n, process.arch, "later"), 5)'
    expect multiprocessing '[0, 1, 4, 9, 16]' python3 -c '
import multiprocessing
def f(x): return x * x
with multiprocessing.Pool(2) as p: print(p.map(f, range(5)))'
}

tools() {
    expect coreutils 'eeeff4b7
1830648734 3893
9
4962e7f2
dg
1234567890: 2 3 3 5 3607 3803
1000
d: b e d/e: l
3893 644
 31 0a 32 0a
gone' sh -c 'cd /w; seq 1000 >a
    tac a | sort -n | nl -ba | cut -f2 | paste -sd+ - | sha256sum | cut -c1-8
    shuf --random-source=a a | sort -n | cmp - a && split -n l/4 a part. && cat part.* | cksum
    seq 1 3 1000 >b; comm -12 --nocheck-order a b | wc -l
    join --nocheck-order a b | md5sum | cut -c1-8
    head -c 99 a | base64 -w0 | base64 -d | tr 0-9 a-j | fold -w 33 | tail -n 1; factor 1234567890
    mkdir -p d/e; cp a d/e; mv d/e/a d/b; ln -s ../b d/e/l; wc -l <d/e/l; ls -R d | xargs
    stat -c "%s %a" d/b; od -An -tx1 -N4 a; rm -r d; test ! -e d && echo gone'
    expect 'openssl speed' sha256 sh -c 'openssl speed -seconds 1 -bytes 1024 sha256 2>/dev/null |
    grep -o "^sha256"'
    expect openssl \
        'SHA2-256(stdin)= ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' \
        sh -c 'printf abc | openssl sha256'
    expect 'xz in threads' same sh -c 'seq 1 50000 >/w/s; xz -9 -T2 -kf /w/s
    xz -dc /w/s.xz | cmp - /w/s && echo same'
    expect zstd same sh -c 'seq 1 50000 >/w/s; zstd -19 --long -qf /w/s
    zstd -dc --long /w/s.zst | cmp - /w/s && echo same'
    expect vim hello sh -c 'rm -f /w/v
    vim.tiny -es -u NONE -c "normal ihello" -c wq /w/v; cat /w/v'
    expect 'a terminal and its jobs' '/dev/pts/0
[1]+  Running                 sleep 1 &
sleep 1' sh -c 'script -qc "tty; bash -ic \"sleep 1 & jobs; fg\"" /dev/null |
    tr -d "\r" | grep -v "^\[1\] "'
}

servers() {
    network=1
    expect asyncio "b'HELLO' b'sub'" python3 -c '
import asyncio
async def serve(r, w):
    w.write((await r.read(100)).upper()); await w.drain(); w.close()
async def main():
    s = await asyncio.start_server(serve, "127.0.0.1", 8888)
    r, w = await asyncio.open_connection("127.0.0.1", 8888)
    w.write(b"hello")
    p = await asyncio.create_subprocess_exec("printf", "sub", stdout=asyncio.subprocess.PIPE)
    print(await r.read(100), (await p.communicate())[0])
asyncio.run(main())'
    expect 'a web server' served sh -c 'cd /w && echo served >page
    python3 -m http.server 8000 >/dev/null 2>&1 & server=$!
    until curl -s http://localhost:8000/page; do sleep 1; done; kill $server'
    expect 'another web server' served sh -c 'echo served >/w/page
    busybox httpd -p 127.0.0.1:80 -h /w
    busybox wget -q -O - http://127.0.0.1/page'
    expect redis 'OK 6 3' sh -c 'redis-server --port 7777 --save "" >/dev/null & server=$!
    until redis-cli -p 7777 ping >/dev/null 2>&1; do sleep 0.1; done
    ask() { redis-cli -p 7777 "$@"; }
    echo $(ask set a 5) $(ask incr a) $(ask lpush l 1 2 3); ask shutdown nosave; wait $server'
    network=0
}

# A repository of $1 directories with a hundred files each.
git_work='
rm -rf /w/g; mkdir /w/g; cd /w/g; export HOME=/w
git init -q; git config user.email a@b; git config user.name x
for d in $(seq 1 $1); do
    mkdir d$d; for i in $(seq 1 100); do echo $d $i >d$d/f$i; done
done
git add .; git commit -qm one; echo more >>d1/f1; git commit -qam two
git gc -q; git fsck 2>/dev/null
echo "$(git ls-files | wc -l) files, $(git log --oneline | wc -l) commits," \
    "$(find .git/objects -path "*/??/*" | grep -vc -e pack -e info) loose"'

# A program of $1 files and one more, which prints the sum of their numbers.
make_work='
rm -rf /w/m; mkdir /w/m; cd /w/m
for i in $(seq 1 $1); do
    printf "%s\n" "#include <stdio.h>" "#include <stdlib.h>" "#include <string.h>" \
        "int f$i(void) { char s[9]; snprintf(s, 9, \"%d\", $i); return atoi(s); }" >f$i.c
    sum="$sum + f$i()" decl="$decl int f$i(void);" objects="$objects f$i.o"
done
printf "%s\n" "#include <stdio.h>" "$decl" \
    "int main(void) { return printf(\"%d\\n\", 0$sum) < 0; }" >main.c
printf "sum: main.o $objects\n\tcc -o sum *.o\n" >Makefile
make -s -j4 CFLAGS=-O2 && ./sum'

builders() {
    inodes=1
    expect git '300 files, 2 commits, 0 loose' sh -c "$git_work" git 3
    inodes=0
    expect 'gcc and make -j4' 45 sh -c "$make_work" make 9
}

all_programs() {
    network=0 inodes=0
    interpreters
    tools
    servers
    builders
}

large_programs() {
    network=0 inodes=0 ample=3G
    expect 'sort of 300 MB with threads' '2974787671 318750000' sh -c '
    head -c 225000000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null |
        base64 -w 16 >/w/in
    sort --parallel=4 -S 2G /w/in | cksum'
    expect 'sqlite3 with 300 MB' '1000000|200000000|0000000000000665|00000000ffffdfaf
ok' sqlite3 :memory: 'create table t(k integer primary key, a text, b blob);
    with recursive c(x) as (select 1 union all select x+1 from c where x<1000000)
    insert into t select x, printf("%016x", x * 2654435761 % 4294967296), zeroblob(200) from c;
    create index i on t(a);
    select count(*), sum(length(b)), min(a), max(a) from t; pragma integrity_check;'
    expect 'a graph of 500 MB' '1930042 1930042' python3 -c "$graph" 1930043
    expect 'xz -9 -T2' same sh -c 'seq 1000000 |
        head -c 4000000 >/w/s; xz -9 -T2 --block-size=2MiB -kf /w/s
    xz -dc /w/s.xz | cmp - /w/s && echo same'
    expect 'zstd -19 --long' same sh -c 'seq 1000000 |
        head -c 4000000 >/w/s; zstd -19 --long -qf /w/s
    zstd -dc --long /w/s.zst | cmp - /w/s && echo same'
    inodes=1
    expect 'git with 5,000 files' '5000 files, 2 commits, 0 loose' sh -c "$git_work" git 50
    inodes=0
    expect 'gcc, 50 files and make -j4' 1275 sh -c "$make_work" make 50
    ample=1G
}

# The programs of this run, with their tree as $root: the small ones, or all with QUIRE_FULL=1; the
# large ones with QUIRE_FULL=large.
programs() {
    if [ "${QUIRE_FULL:-}" = large ]; then
        test_packages=$all_packages
        need_root many
        large_programs
    elif [ -n "${QUIRE_FULL:-}" ]; then
        test_packages=$all_packages
        need_root many
        small_programs
        all_programs
    else
        need_root
        small_programs
    fi
}
