/* live_visit.c: a run that is looked at between all its turns is the same run.
 *
 *     live_visit GUEST ARGUMENTS
 *
 * Runs it twice on a small machine, once alone, once with a visitor that reads every text of /proc
 * between any two turns, and compares the trace of all decisions, the clock and each counter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

extern char **environ;

struct visitor {
    struct os *os;
    unsigned visits;
    size_t files, nbytes;
};

/* All that is below path. Links are read as they are: what they lead to has a name of its own. */
static void read_all(struct visitor *visitor, const char *path, unsigned depth) {
    char *bytes, *at;
    size_t nbytes;
    if (os_proc_read(visitor->os, path, &bytes, &nbytes) != 0)
        return;
    visitor->files++;
    visitor->nbytes += nbytes;
    bool directory = depth < 4;
    for (const char *c = bytes; directory && *c; c++)
        directory = strchr(" :\t/", *c) == NULL;
    for (char *name = strtok_r(bytes, "\n", &at); directory && name;
         name = strtok_r(NULL, "\n", &at)) {
        char below[256];
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", name);
        read_all(visitor, below, depth + 1);
    }
    free(bytes);
}

static void visit(void *context) {
    struct visitor *visitor = context;
    if (visitor->visits++ % 16 == 0) /* all of it is long: some part every time */
        read_all(visitor, "", 0);
    char *bytes;
    size_t nbytes;
    static const char *const some[] = {"meminfo", "1/smaps", "sys/kernel/random/uuid", "vmstat"};
    if (os_proc_read(visitor->os, some[visitor->visits % 4], &bytes, &nbytes) == 0)
        free(bytes);
    os_visit_ask(visitor->os);
}

struct outcome {
    int status;
    uint64_t hash, clock_ns, random;
    struct quire_soft_counters machine;
    struct quire_counters manager;
};

static int run(char *argv[], bool watched, struct outcome *outcome, struct visitor *visitor) {
    char message[512];
    struct os_swap swap = {.fd = -1, .bytes = 64u << 20, .priority = QUIRE_SWAP_PRIORITY_AUTO};
    struct os_config config = {.seed = 7, .ram_bytes = 8u << 20, .swaps = &swap, .nswaps = 1};
    struct os_start_error error;
    struct os *os = os_create(&config, message, sizeof message);
    if (!os || !os_start(os, argv, environ, &error)) {
        fprintf(stderr, "%s\n", os ? error.message : message);
        return 1;
    }
    *visitor = (struct visitor){.os = os};
    if (watched) {
        os_visit(os, visit, visitor);
        os_visit_ask(os);
    }
    memset(outcome, 0, sizeof *outcome);
    outcome->status = os_run(os);
    outcome->hash = quire_trace_hash(os_quire(os));
    outcome->clock_ns = quire_mach_now_ns(os_machine(os));
    quire_soft_counters(os_machine(os), &outcome->machine);
    outcome->manager = *quire_counters(os_quire(os));
    os_destroy(os);
    return 0;
}

int main(int argc, char *argv[]) {
    static struct outcome alone, watched;
    struct visitor visitor;
    if (argc < 2 || run(argv + 1, false, &alone, &visitor) ||
        run(argv + 1, true, &watched, &visitor))
        return 1;
    printf("%u visits, %zu files, %zu bytes read; trace %016llx and %016llx\n", visitor.visits,
           visitor.files, visitor.nbytes, (unsigned long long)alone.hash,
           (unsigned long long)watched.hash);
    if (visitor.visits < 20 || visitor.files < 1000 || alone.manager.pswpout == 0) {
        fprintf(stderr, "too little happened for this to mean anything\n");
        return 1;
    }
    if (memcmp(&alone, &watched, sizeof alone) != 0 || alone.status != 0) {
        fprintf(stderr, "the two runs differ\n");
        return 1;
    }
    return 0;
}
