#!/bin/sh
# busybox sh: pipelines, here documents, subshells, background jobs, traps, loops: the script's
# output is that of the machine's own sh.
. "$(dirname "$0")/lib.sh"
need_root

cat >"$scratch/pipes.sh" <<'END'
set -e
seq 1 2000 | sort -n -r | head -n 5 | tr '\n' ' '; echo
seq 1 5000 | awk '{ s += $1 } END { print s }'
printf 'b\na\nc\na\n' | sort | uniq -c | sed 's/^ *//'
for i in 1 2 3; do echo "$i $(echo "$i" | tr 1-3 a-c)"; done |
    while read -r n c; do echo "$c$n"; done
x=$(cat <<INNER | wc -l
one
two
three
INNER
)
echo "lines $((x))"
(exit 3) || echo "status $?"
sleep 0 & wait $!; echo "waited $?"
trap 'echo caught' USR1; kill -USR1 $$; echo after
f=$(mktemp); echo kept > "$f"; { cat "$f"; echo more; } >> "$f.2"; cat "$f.2"; rm "$f" "$f.2"
seq 1 300 | while read -r i; do echo "line $i"; done | grep -c 'line [12]'
sh -c 'kill -TERM $$' || echo "ended by $?"
cd /tmp && pwd
head -c 100000 /dev/zero | tr '\0' x | wc -c
END
# The names that busybox has, for a sh that must find its own tools and no others'.
mkdir "$scratch/bin"
for name in seq sort head tr awk uniq sed cat wc sleep mktemp rm grep sh; do
    ln -s /usr/bin/busybox "$scratch/bin/$name"
done
sh "$scratch/pipes.sh" >"$scratch/expected" 2>/dev/null
at_a_quarter "busybox sh" busybox env PATH=/scratch/bin /usr/bin/busybox sh /scratch/pipes.sh
