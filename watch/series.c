/* series.c: figures over time, in a fixed number of samples.
 *
 *     full:  | a | b | c | d | ... |      every two become one, and a sample covers twice the time:
 *            |  a+b  |  c+d  | ... |      the first half of the room holds all, the rest is free
 *
 * A level (pages now) of two is the later one; a rate (events since) is their sum, so no event is
 * ever lost (I1). Rejected: a ring of the last samples, which forgets how it began.
 *
 *   I1  The sum of a rate over all samples is its total.
 *   I2  end_ns grows.
 */
#include "watch/account.h"

#include <string.h>

#define FIRST_STEP_NS 1000000 /* the tick's: nothing in the machine is balanced more often */

void watch_series_begin(struct watch_series *series) {
    series->step_ns = FIRST_STEP_NS;
    series->next_ns = FIRST_STEP_NS;
}

static void halve(struct watch_series *series) {
    for (unsigned i = 0; i < series->count / 2; i++) {
        struct watch_sample sum = series->samples[2 * i + 1];
        for (unsigned r = 0; r < WATCH_RATES; r++)
            sum.rate[r] += series->samples[2 * i].rate[r];
        series->samples[i] = sum;
    }
    series->count /= 2; /* the room has an even number of places */
    series->step_ns *= 2;
}

void watch_series_add(struct watch_series *series, uint64_t now_ns, const uint64_t *levels,
                      const uint64_t *totals) {
    struct watch_sample *sample = &series->samples[series->count];
    bool again = series->count > 0 && series->samples[series->count - 1].end_ns >= now_ns;
    if (again) /* at the same moment: that sample is not over yet (I2) */
        sample = &series->samples[series->count - 1];
    else if (series->count == WATCH_SAMPLES) {
        halve(series);
        sample = &series->samples[series->count];
    }
    if (!again) {
        memset(sample, 0, sizeof *sample);
        series->count++;
    }
    if (now_ns > sample->end_ns) /* I2: a hart's clock may be behind another's */
        sample->end_ns = now_ns;
    memcpy(sample->level, levels, sizeof sample->level);
    for (unsigned r = 0; r < WATCH_RATES; r++)
        sample->rate[r] += totals[r] - series->before[r];
    memcpy(series->before, totals, sizeof series->before);
    series->next_ns = (now_ns / series->step_ns + 1) * series->step_ns;
}
