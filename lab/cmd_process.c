/* cmd_process.c: commands that make, choose and end processes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"

static void show(struct lab_call *call, struct lab_process *process, const char *what) {
    lab_say(call, "  process %d (%s) %s\n", process->pid, process->name, what);
}

static bool is_name(const char *word) {
    size_t n = strlen(word);
    return n > 0 && n < LAB_NAME &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+") == n;
}

static bool proc(struct lab_call *call) {
    struct lab_world *world = call->world;
    const char *name = call->argc ? call->argv[0] : "p",
               *program = call->argc == 2 ? call->argv[1] : name;
    if (!is_name(name) || !is_name(program))
        return lab_wrong(call, "a name has 1 to %d letters, digits, . - + / and _", LAB_NAME - 1);
    struct lab_process *process = call->argc ? lab_process_find(world, name) : NULL;
    if (process && process->space) {
        world->current = process;
        show(call, process, "is the one that commands are about");
        return lab_value(call, process->pid);
    }
    char *end;
    (void)strtol(name, &end, 10);
    if (*end == '\0')
        return lab_wrong(call, "no process has the number %.20s, or it has ended", name);
    process = lab_process_new(world, name);
    if (!process)
        return lab_refused(call, "no room for another process: there are %d", LAB_PROCESSES);
    enum quire_status status;
    if (!lab_process_start(world, process, program, &status)) {
        process->state = LAB_GONE;
        lab_settle(world);
        return lab_status(call, status, "a process");
    }
    world->current = process;
    show(call, process, "begins");
    lab_settle(world);
    return lab_value(call, process->pid);
}

static bool fork_one(struct lab_call *call) {
    struct lab_world *world = call->world;
    struct lab_process *parent = world->current;
    const char *name = call->argc ? call->argv[0] : parent->name;
    if (!is_name(name))
        return lab_wrong(call, "a name has 1 to %d letters, digits, . - + / and _", LAB_NAME - 1);
    struct lab_process *child = lab_process_new(world, name);
    if (!child)
        return lab_refused(call, "no room for another process: there are %d", LAB_PROCESSES);
    int pid = child->pid;
    struct quire_space *space;
    enum quire_status status = quire_space_fork(parent->space, child, &space);
    if (status != QUIRE_OK) {
        child->state = LAB_GONE;
        lab_settle(world);
        return lab_status(call, status, "fork");
    }
    memcpy(child, parent, sizeof *child);
    child->pid = pid;
    child->parent = parent->pid;
    child->space = space;
    child->killed = false;
    child->heap = parent->heap ? (struct quire_heap *)(void *)child->storage : NULL;
    snprintf(child->name, sizeof child->name, "%s", name);
    lab_say(call, "  process %d (%s) is the child of %d; commands are still about the parent\n",
            pid, child->name, parent->pid);
    lab_settle(world);
    return lab_value(call, pid);
}

/* The process that a word means, or the current one. */
static struct lab_process *meant(struct lab_call *call, int i) {
    if (i >= call->argc) {
        if (!call->world->current)
            lab_wrong(call, "no process yet; make one: proc NAME");
        return call->world->current;
    }
    struct lab_process *process = lab_process_find(call->world, call->argv[i]);
    if (!process) { /* a number that is an expression */
        char error[LAB_ERROR_BYTES], word[24];
        int64_t pid;
        if (lab_evaluate(call->lab, call->argv[i], &pid, error)) {
            snprintf(word, sizeof word, "%" PRId64, pid);
            process = lab_process_find(call->world, word);
        }
    }
    if (!process)
        lab_wrong(call, "there is no process '%.60s'; `ps` lists them", call->argv[i]);
    return process;
}

static struct lab_process *living(struct lab_call *call, int i) {
    struct lab_process *process = meant(call, i);
    if (process && !process->space) {
        lab_wrong(call, "process %d (%s) has no memory: %s", process->pid, process->name,
                  process->pid == 1 ? "it is the first" : "it has ended");
        return NULL;
    }
    return process;
}

static bool leave(struct lab_call *call) {
    int64_t code;
    if (!lab_number_or(call, 0, 0, &code))
        return false;
    struct lab_process *process = call->world->current;
    lab_process_end(call->world, process, (int)(code & 255));
    show(call, process,
         process->state == LAB_ZOMBIE ? "is a zombie: its parent has not waited"
                                      : "has ended, and process 1 waited for it");
    lab_settle(call->world);
    return true;
}

static bool kill_one(struct lab_call *call) {
    struct lab_process *process = meant(call, 0);
    int64_t number;
    if (!process || !lab_number_or(call, 1, 15, &number))
        return false;
    if (process->pid == 1)
        return lab_wrong(call, "process 1 cannot be killed");
    if (number != 9 && number != 15 && number != 18 && number != 19)
        return lab_wrong(call, "signals here are 15 (TERM), 9 (KILL), 19 (STOP), 18 (CONT)");
    if (!process->space)
        return lab_wrong(call, "process %d has ended already: it is a zombie, wait for it",
                         process->pid);
    if (number >= 18) {
        process->state = number == 19 ? LAB_STOPPED : LAB_RUNNING;
        show(call, process, number == 19 ? "is stopped" : "goes on");
        return true;
    }
    lab_process_end(call->world, process, 128 + (int)number);
    show(call, process, "was killed");
    lab_settle(call->world);
    return true;
}

static bool wait_for(struct lab_call *call) {
    struct lab_process *parent = call->world->current;
    if (!parent)
        return lab_wrong(call, "wait needs a process; make one: proc NAME");
    for (unsigned i = 1; i < LAB_PROCESSES; i++) {
        struct lab_process *child = &call->world->processes[i];
        if (child->state == LAB_ZOMBIE && child->parent == parent->pid) {
            lab_process_reap(child);
            lab_say(call, "  %d waited for %d: status %d; its entry is gone\n", parent->pid,
                    child->pid, child->status);
            return lab_value(call, child->pid);
        }
    }
    return lab_refused(call, "process %d has no child that has ended (ECHILD)", parent->pid);
}

static bool ps(struct lab_call *call) {
    lab_say(call, "    PID  PPID S      VIRT       RSS      SWAP  PTE  MINFLT  MAJFLT  ADJ NAME\n");
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        struct lab_process *process = &call->world->processes[i];
        struct quire_space_usage usage = {0};
        if (process->state == LAB_GONE)
            continue;
        if (process->space)
            quire_space_usage(process->space, &usage);
        uint64_t rss = usage.resident_anon + usage.resident_file + usage.resident_shmem;
        lab_say(call,
                "%c %5d %5d %s %7" PRIu64 " K %7" PRIu64 " K %7" PRIu64 " K %4" PRIu64 " %7" PRIu64
                " %7" PRIu64 " %4d %s\n",
                process == call->world->current ? '>' : ' ', process->pid,
                process->pid == 1 ? 0 : process->parent, lab_state_word(process->state),
                usage.virtual_pages * 4, rss * 4, usage.swapped * 4, usage.page_tables,
                usage.minor_faults, usage.major_faults,
                process->space ? quire_space_oom_score_adj(process->space) : 0, process->name);
    }
    return true;
}

static bool oom_score_adj(struct lab_call *call) {
    struct lab_process *process = living(call, 0);
    int64_t adj;
    if (!process || !lab_range(call, 1, -1000, 1000, &adj))
        return false;
    enum quire_status status = quire_space_set_oom_score_adj(process->space, (int)adj);
    if (status != QUIRE_OK)
        return lab_status(call, status, "oom_score_adj");
    lab_say(call, "  process %d: adjusted by %" PRId64 ", score now %u\n", process->pid, adj,
            quire_space_oom_score(process->space));
    return true;
}

/* A whole process to swap or back, and how much of it stayed where it was. */
static bool swap_whole(struct lab_call *call, uint64_t (*swap)(struct quire_space *),
                       const char *where, const char *left_over) {
    struct lab_process *process = living(call, 0);
    if (!process)
        return false;
    uint64_t left = swap(process->space);
    lab_say(call, "  process %d swapped %s; %" PRIu64 " pages %s\n", process->pid, where, left,
            left_over);
    lab_settle(call->world);
    return lab_value(call, (int64_t)left);
}

static bool swap_out(struct lab_call *call) {
    return swap_whole(call, quire_space_swap_out, "out", "had to stay in RAM");
}

static bool swap_in(struct lab_call *call) {
    return swap_whole(call, quire_space_swap_in, "in", "are still on swap");
}

static bool limit(struct lab_call *call) {
    static const char *const words[] = {"address", "data", "stack", NULL};
    int which;
    int64_t bytes;
    if (!lab_word(call, 0, words, &which) || !lab_number(call, 1, &bytes))
        return false;
    return lab_status(call,
                      quire_space_set_limit(call->world->current->space,
                                            (enum quire_space_limit)which, (uint64_t)bytes),
                      "limit");
}

const struct lab_command lab_process_commands[] = {
    {"proc", "[NAME [PROGRAM]]", "make a process, or choose one by name or number", proc,
     LAB_CHANGES},
    {"fork", "[NAME]", "a copy of the process that commands are about", fork_one,
     LAB_CHANGES | LAB_PROCESS},
    {"exit", "[CODE]", "it ends", leave, LAB_CHANGES | LAB_PROCESS},
    {"kill", "PROCESS [SIGNAL]", "15, 9, 19 (stop) or 18 (go on)", kill_one, LAB_CHANGES},
    {"wait", "", "it waits for a child that has ended", wait_for, LAB_CHANGES},
    {"ps", "", "all processes", ps, 0},
    {"oom_score_adj", "PROCESS ADJ", "-1000 (never killed) to 1000 (first)", oom_score_adj,
     LAB_CHANGES},
    {"swap_out", "[PROCESS]", "a whole process to swap", swap_out, LAB_CHANGES},
    {"swap_in", "[PROCESS]", "and back", swap_in, LAB_CHANGES},
    {"limit", "address|data|stack BYTES", "as setrlimit", limit, LAB_CHANGES | LAB_PROCESS},
    {NULL, "", "", NULL, 0}};
