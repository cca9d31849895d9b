/* psi.c: pressure: which share of the time programs lost to waiting for memory, averaged.
 *
 * Linux's PSI (kernel/sched/psi.c), on the machine's clock: every two seconds the time lost in
 * them becomes a percentage, and three running averages follow it, each forgetting at its own
 * speed. Fixed point with eleven bits and the constants are Linux's, so that /proc/pressure/memory
 * shows the same figures for the same waits.
 *
 *     stall_ns  ─── grows whenever a program waited (base/stall.h)
 *     now ├── 2 s ──┼── 2 s ──┼── … missed: zeros …  ──┼── 2 s ──┤
 *                    sample: lost / length ─▶ avg10, avg60, avg300
 *
 * "some" is time in which a program waited, "full" time in which nobody could work. Here they are
 * equal: a wait lasts from one reading of the clock to the next within one call of the manager, and
 * nobody else runs in between. On Linux others would.
 *
 * There is no timer: averages are brought up to date at ticks and when somebody asks, so that a
 * long silence becomes zeros and not one long period. Asking changes nothing: a copy is brought
 * forward.
 *
 * I1. told_ns <= counters.stall_ns, and what is between them lies in the period that has begun.
 *
 * Never fails. Called by core/ (tick) and view/.
 */
#include "reclaim/scan.h"

/* PSI_FREQ of kernel/sched/psi.c. */
#define PERIOD_NS UINT64_C(2000000000)

/* Linux's include/linux/sched/loadavg.h: fixed point, and 1 / e^(2 s / window) in it. */
#define SHIFT 11
#define ONE   (1u << SHIFT)
static const uint32_t decay[RECLAIM_NWINDOWS] = {1677, 1981, 2034};

/* Without the compiler's 64-bit division, which freestanding 32-bit targets do not have. */
static uint64_t divide(uint64_t value, uint64_t by) {
    uint64_t quotient = 0, rest = 0;
    for (unsigned bit = 64; bit-- > 0;) {
        rest = rest << 1 | (value >> bit & 1);
        quotient <<= 1;
        if (rest >= by) {
            rest -= by;
            quotient |= 1;
        }
    }
    return quotient;
}

/* One step of an average towards active, rounded up when it rises, so that 100 % is reached. */
static uint32_t step(uint32_t average, uint32_t factor, uint32_t active) {
    uint64_t next = (uint64_t)average * factor + (uint64_t)active * (ONE - factor);
    if (active >= average) {
        next += ONE - 1;
    }
    return (uint32_t)(next >> SHIFT);
}

/* factor^n, rounded in each step. */
static uint32_t power(uint32_t factor, uint64_t n) {
    uint32_t result = ONE;
    for (; n > 0; n >>= 1) {
        if (n & 1) {
            result = (result * factor + (ONE >> 1)) >> SHIFT;
        }
        factor = (factor * factor + (ONE >> 1)) >> SHIFT;
    }
    return result;
}

/* Bring averages forward to now; lost_ns is the time lost since the beginning. */
static void forward(struct reclaim_psi *psi, uint64_t now_ns, uint64_t lost_ns) {
    if (now_ns < psi->next_ns) {
        return;
    }
    uint64_t missed = divide(now_ns - psi->next_ns, PERIOD_NS);
    uint64_t began_ns = psi->last_ns + missed * PERIOD_NS;
    uint64_t length = now_ns - began_ns;
    uint64_t sample = lost_ns - psi->told_ns < length ? lost_ns - psi->told_ns : length;
    uint32_t percent = (uint32_t)divide(sample * 100, length);
    for (unsigned i = 0; i < RECLAIM_NWINDOWS; i++) {
        if (missed > 0) {
            psi->average[i] = step(psi->average[i], power(decay[i], missed), 0);
        }
        psi->average[i] = step(psi->average[i], decay[i], percent * ONE);
    }
    psi->told_ns += sample; /* I1 */
    psi->last_ns = now_ns;
    psi->next_ns += (missed + 1) * PERIOD_NS;
}

void quire_reclaim_psi_start(struct quire *q) {
    uint64_t now = quire_mach_now_ns(q->machine);
    q->reclaim->psi = (struct reclaim_psi){.last_ns = now, .next_ns = now + PERIOD_NS};
}

void quire_reclaim_psi_tick(struct quire *q) {
    forward(&q->reclaim->psi, quire_mach_now_ns(q->machine), q->counters.stall_ns);
}

void quire_pressure(const struct quire *q, struct quire_pressure *pressure) {
    struct reclaim_psi psi = q->reclaim->psi;
    forward(&psi, quire_mach_now_ns(q->machine), q->counters.stall_ns);
    uint16_t *hundredths[RECLAIM_NWINDOWS] = {&pressure->avg10, &pressure->avg60,
                                              &pressure->avg300};
    for (unsigned i = 0; i < RECLAIM_NWINDOWS; i++) {
        uint32_t whole = psi.average[i] >> SHIFT, part = psi.average[i] & (ONE - 1);
        *hundredths[i] = (uint16_t)(whole * 100 + (part * 100 >> SHIFT));
    }
    pressure->total_us = divide(q->counters.stall_ns, 1000);
}
