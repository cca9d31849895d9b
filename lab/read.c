/* read.c: a session's machine as texts by path, as a running machine has them (docs/LIVE.md):
 *
 *     meminfo, ... pressure/memory       quire/view.h
 *     PID/status, PID/smaps, PID/maps    of a process; status has its name, state and parent first
 *     quire                              the machine's own figures, a name and a value a line
 *     quire/frames, quire/PID/...        maps of frames and pages, page tables, walks
 *     quire/history                      how many lines are done, and all lines
 *
 * Only looks: nothing of the machine changes, and nothing becomes history. May fail: no such path,
 * host memory.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"

#define CELLS_MAX 4096

static size_t frames_view(const struct quire *q, char *text, size_t capacity) {
    return quire_view_frames(q, CELLS_MAX, text, capacity);
}

static size_t pages_view(const struct quire_space *space, char *text, size_t capacity) {
    return quire_view_pages(space, CELLS_MAX, text, capacity);
}

static bool system_text(struct lab *lab, const char *path, struct lab_text *text) {
    static const struct {
        const char *path;
        lab_system_view *view;
    } views[] = {
        {"meminfo", quire_view_meminfo},     {"vmstat", quire_view_vmstat},
        {"buddyinfo", quire_view_buddyinfo}, {"pagetypeinfo", quire_view_pagetypeinfo},
        {"zoneinfo", quire_view_zoneinfo},   {"slabinfo", quire_view_slabinfo},
        {"swaps", quire_view_swaps},         {"pressure/memory", quire_view_pressure},
        {"quire/frames", frames_view},
    };
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (strcmp(path, views[i].path) == 0) {
            lab_show_system(text, lab->world.q, views[i].view);
            return true;
        }
    }
    return false;
}

static void machine_text(struct lab *lab, struct lab_text *text) {
    const struct lab_sight *now = lab_now(lab);
    const struct quire_soft_counters *cpu = &now->cpu;
    lab_text_print(text, "policy %s\nstep %zu\n", lab->world.config.policy->name, lab->place);
    lab_text_print(text, "machine_ns %" PRIu64 "\nidle_ns %" PRIu64 "\nstall_ns %" PRIu64 "\n",
                   now->now_ns, cpu->idle_ns, cpu->stall_ns);
    lab_text_print(text, "instructions %" PRIu64 "\naccesses %" PRIu64 "\n", cpu->instructions,
                   now->accesses);
    lab_text_print(text, "tlb_misses %" PRIu64 "\npeak_bytes %" PRIu64 "\n",
                   now->accesses - now->tlb_hits, now->mem.peak_demand << QUIRE_PAGE_SHIFT);
}

static void history_text(const struct lab *lab, struct lab_text *text) {
    lab_text_print(text, "place %zu\n", lab->place);
    for (size_t i = 0; i < lab->nlines; i++)
        lab_text_print(text, "%s\n", lab->lines[i]);
}

/* ---- a process --------------------------------------------------------------------------------
 */

static struct lab_process *with_pid(struct lab *lab, long pid) {
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        struct lab_process *process = &lab->world.processes[i];
        if (process->state != LAB_GONE && process->pid == pid)
            return process;
    }
    return NULL;
}

static void status_text(const struct lab_process *process, struct lab_text *text) {
    static const char letters[] = {
        [LAB_RUNNING] = 'R', [LAB_SLEEPING] = 'S', [LAB_STOPPED] = 'T', [LAB_ZOMBIE] = 'Z'};
    lab_text_print(text, "Name:\t%s\nState:\t%c (%s)\nPid:\t%d\nPPid:\t%d\n", process->name,
                   letters[process->state], lab_state_word(process->state), process->pid,
                   process->parent);
    if (process->space)
        lab_show_space(text, process->space, quire_view_status);
}

/* rest: what follows "PID/"; of the picture's files: own is false. */
static bool process_text(const struct lab_process *process, bool own, const char *rest,
                         struct lab_text *text) {
    if (own && strcmp(rest, "status") == 0) {
        status_text(process, text);
        return true;
    }
    lab_space_view *view = !own ? (strcmp(rest, "pages") == 0 ? pages_view : NULL)
                           : strcmp(rest, "smaps") == 0 ? quire_view_smaps
                           : strcmp(rest, "maps") == 0  ? quire_view_maps
                                                        : NULL;
    if (!process->space) /* it has ended, or is init */
        return true;
    if (view) {
        lab_show_space(text, process->space, view);
        return true;
    }
    char bytes[8192];
    size_t length =
        own ? SIZE_MAX
            : quire_soft_walk_view(quire_space_pmap(process->space), rest, bytes, sizeof bytes);
    if (length >= sizeof bytes)
        return false;
    lab_text_add(text, bytes, length);
    return true;
}

static bool any_text(struct lab *lab, const char *path, struct lab_text *text) {
    bool own = strncmp(path, "quire/", 6) != 0;
    char *end;
    if (strcmp(path, "quire") == 0) {
        machine_text(lab, text);
        return true;
    }
    if (strcmp(path, "quire/history") == 0) {
        history_text(lab, text);
        return true;
    }
    if (system_text(lab, path, text))
        return true;
    path += own ? 0 : 6;
    long pid = strtol(path, &end, 10);
    struct lab_process *process = end != path && *end == '/' ? with_pid(lab, pid) : NULL;
    return process && process_text(process, own, end + 1, text);
}

char *lab_read(struct lab *lab, const char *path) {
    struct lab_text text = {0};
    bool known = lab->world.q && any_text(lab, path, &text);
    lab_text_add(&text, "", 0); /* an empty text is one, too */
    if (!known || text.failed) {
        free(text.bytes);
        return NULL;
    }
    return text.bytes;
}

int lab_pid(const struct lab *lab, size_t index) {
    for (unsigned i = 0; lab->world.q && i < LAB_PROCESSES; i++) {
        if (lab->world.processes[i].state != LAB_GONE && index-- == 0)
            return lab->world.processes[i].pid;
    }
    return 0;
}
