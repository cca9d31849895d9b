/* traces.c: six kinds of traces, each a function of its length and number of pages.
 *
 * Zipf by the inverse of its distribution: a table of sums and a binary search (exact, and the
 * table is made once a trace).
 */
#include "model/traces.h"

#include <stdlib.h>

const char *const trace_names[TRACE_KINDS] = {"uniform", "zipf", "loop", "scan", "phases", "mix"};

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static double *zipf_table(uint32_t n) {
    double *sums = malloc(n * sizeof *sums), sum = 0;
    for (uint32_t k = 0; k < n; k++)
        sums[k] = sum += 1.0 / (k + 1);
    return sums;
}

static uint32_t zipf(const double *sums, uint32_t n, uint64_t *random) {
    double wanted = (double)(next_random(random) >> 11) / (double)(1ull << 53) * sums[n - 1];
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (sums[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Neighbours in popularity are no neighbours in memory. npages need not be a power of two. */
static uint32_t scatter(uint32_t page, uint32_t npages, uint32_t phase) {
    return (uint32_t)((page * UINT64_C(2654435761) + phase * UINT64_C(40503)) % npages);
}

void trace_make(enum trace_kind kind, uint32_t *trace, uint64_t length, uint32_t npages) {
    uint32_t hot = kind == TRACE_MIX || kind == TRACE_SCAN ? npages / 2 : npages;
    uint32_t cold = npages - hot, at = 0, run = 0;
    double *sums = zipf_table(hot);
    uint64_t random = 1 + kind;
    for (uint64_t i = 0; i < length; i++) {
        uint32_t popular = scatter(zipf(sums, hot, &random), hot, 0);
        switch (kind) {
        case TRACE_UNIFORM:
            trace[i] = (uint32_t)(next_random(&random) % npages);
            break;
        case TRACE_LOOP:
            trace[i] = (uint32_t)(i % npages);
            break;
        case TRACE_SCAN:
            if (run == 0 && next_random(&random) % 4000 == 0)
                run = cold / 4;
            trace[i] = run ? hot + at : popular;
            at = run ? (at + 1) % cold : at;
            run -= run > 0;
            break;
        case TRACE_PHASES:
            trace[i] = (popular + (uint32_t)(i * 10 / length) * (npages / 10)) % npages;
            break;
        case TRACE_MIX:
            trace[i] = i % 2 ? hot + at : popular;
            at = i % 2 ? (at + 1) % cold : at;
            break;
        default:
            trace[i] = popular;
        }
    }
    free(sums);
}
