/* policy.c: how well each replacement policy chooses, and how fast: traces through the manager's
 * own policies on pages that are not there (tests/model/replay.h), beside OPT, LRU and FIFO.
 *
 *     policy            the tables
 *     policy FILE N     a trace of your own: page numbers below 2^32, one a line, through N frames
 *
 * Run by run.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/policies.h"
#include "model/replay.h"
#include "model/traces.h"

/* Quality: small enough for the textbook models. */
#define LENGTH 400000u
#define NPAGES 5000u
#define FRAMES 1000u

/* Speed: 20 million references to a million pages, a tenth of them in memory. */
#define SPEED_LENGTH 20000000u
#define SPEED_PAGES  1000000u
#define SPEED_FRAMES 100000u

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t misses_of(const struct quire_policy *policy, const uint32_t *trace, uint64_t length,
                          uint32_t frames, uint32_t npages) {
    struct replay replay;
    replay_up(&replay, policy, frames, npages);
    for (uint64_t i = 0; i < length; i++) {
        replay_refer(&replay, trace[i]);
    }
    uint64_t misses = replay.misses;
    replay_down(&replay);
    return misses;
}

static uint64_t model_misses(const char *name, const uint32_t *trace) {
    struct policies_model *model = policies_model_create(name, FRAMES, NPAGES);
    uint64_t misses = 0;
    for (uint64_t i = 0; i < LENGTH; i++) {
        misses += !policies_model_refer(model, trace[i]);
    }
    policies_model_destroy(model);
    return misses;
}

static void cell(uint64_t misses, uint64_t length) {
    printf(" %7.3f", (double)misses / (double)length);
}

static void quality(uint32_t *trace) {
    const struct quire_policy *policy;
    printf("misses a reference; %u references, %u pages, %u frames\n%-8s %7s %7s %7s", LENGTH,
           NPAGES, FRAMES, "", "OPT", "LRU", "FIFO");
    for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
        printf(" %7s", policy->name);
    }
    for (unsigned kind = 0; kind < TRACE_KINDS; kind++) {
        trace_make(kind, trace, LENGTH, NPAGES);
        printf("\n%-8s", trace_names[kind]);
        cell(policies_model_opt(trace, LENGTH, FRAMES, NPAGES), LENGTH);
        cell(model_misses("lru", trace), LENGTH);
        cell(model_misses("fifo", trace), LENGTH);
        for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
            cell(misses_of(policy, trace, LENGTH, FRAMES, NPAGES), LENGTH);
        }
    }
    putchar('\n');
}

static void speed(uint32_t *trace) {
    const struct quire_policy *policy;
    printf("million references a second, zipf, %u pages, %u frames\n", SPEED_PAGES, SPEED_FRAMES);
    trace_make(TRACE_ZIPF, trace, SPEED_LENGTH, SPEED_PAGES);
    for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
        double best = 0;
        uint64_t misses = 0;
        for (unsigned run = 0; run < 3; run++) {
            double start = now_ns();
            misses = misses_of(policy, trace, SPEED_LENGTH, SPEED_FRAMES, SPEED_PAGES);
            double rate = SPEED_LENGTH / (now_ns() - start) * 1e3;
            best = rate > best ? rate : best;
        }
        printf("%-8s %6.1f   misses %.3f\n", policy->name, best, (double)misses / SPEED_LENGTH);
    }
}

static int own_trace(const char *path, uint32_t frames) {
    FILE *file = fopen(path, "r");
    uint64_t length = 0, room = 0;
    uint32_t *trace = NULL, npages = 0;
    unsigned long page;
    if (!file) {
        perror(path);
        return 1;
    }
    while (fscanf(file, "%lu", &page) == 1) {
        if (length == room) {
            room = room ? room * 2 : 4096;
            trace = realloc(trace, room * sizeof *trace);
        }
        trace[length++] = (uint32_t)page;
        npages = page >= npages ? (uint32_t)page + 1 : npages;
    }
    fclose(file);
    const struct quire_policy *policy;
    for (unsigned i = 0; length && (policy = quire_policy_at(i)) != NULL; i++) {
        printf("%-8s %.4f\n", policy->name,
               (double)misses_of(policy, trace, length, frames, npages) / (double)length);
    }
    free(trace);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && atoi(argv[2]) > 0) {
        return own_trace(argv[1], (uint32_t)atoi(argv[2]));
    }
    uint32_t *trace = malloc(SPEED_LENGTH * sizeof *trace);
    quality(trace);
    speed(trace);
    free(trace);
    return 0;
}
