#!/bin/sh
# calls_table.sh: no system call copies a byte that its row in os/call_table.c does not declare: the
# tests whose guest programs make most of the calls, once more with --check-calls, which ends such a
# run. (That it does is call_check.c's.) QUIRE_FULL=1: the long ones too.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
QUIRE_CHECKED=$QUIRE
export QUIRE_CHECKED
cat >"$scratch/quire" <<'END'
#!/bin/sh
[ "$1" = run ] || exec "$QUIRE_CHECKED" "$@"
shift
exec "$QUIRE_CHECKED" run --check-calls "$@"
END
chmod +x "$scratch/quire"
done=
for test in fs_calls pty_calls sock_calls cli_run ${QUIRE_FULL:+proc_guests hostile fs_hostile \
    real_many}; do
    QUIRE=$scratch/quire "$here/$test.sh" >"$scratch/out" 2>&1
    case $? in
    0) done="$done $test" ;;
    77) echo "$test: $(tail -n 1 "$scratch/out")" ;;
    *) fail "$test with --check-calls: $(tail -n 12 "$scratch/out")" ;;
    esac
done
# The calls of processes, memory and signals: their own programs, straight.
if command -v riscv64-linux-gnu-gcc >/dev/null; then
    for name in fork signal memory vma shm ipc thread exec timer event; do
        riscv64-linux-gnu-gcc -O1 -D_GNU_SOURCE -static -pthread -o "$scratch/program" \
            "$here/proc_$name.c" || fail "proc_$name.c does not compile"
        timeout 120 "$QUIRE" run --quiet --check-calls -- "$scratch/program" \
            >"$scratch/out" 2>&1 || fail "proc_$name: status $?: $(tail -n 12 "$scratch/out")"
        done="$done proc_$name"
    done
fi
[ -n "$done" ] || skip "no test of calls can run here"
echo "nothing undeclared was copied in$done"
