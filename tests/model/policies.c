/* policies.c: textbook replacement on numbers: FIFO, LRU, CLOCK, SIEVE, 2Q, S3-FIFO, OPT.
 *
 * A queue is an array, its oldest page first; taking one out moves the rest. That is slow and
 * cannot be wrong in the way that linked lists are. Bits are bytes by page number.
 *
 *     refer(page): there? ── mark it, hit
 *                  └─ no:   full? evict one;  put it where the policy says, miss
 */
#include "model/policies.h"

#include <stdlib.h>
#include <string.h>

struct queue {
    uint32_t *pages, n;
};

struct policies_model {
    const char *name;
    uint32_t frames;
    struct queue first, second; /* small and main, in and main; others: first */
    uint8_t *where;             /* 0: not here, 1, 2: in that queue */
    uint8_t *used;              /* since it was put there; s3fifo's main: up to 3 */
    uint64_t *ghost;            /* when it left (a count), 0: no ghost */
    uint64_t left;
    uint32_t hand; /* sieve: index into first */
};

bool policies_model_has(const char *name) {
    static const char *const names[] = {"fifo", "lru", "clock", "sieve", "2q", "s3fifo"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

struct policies_model *policies_model_create(const char *name, uint32_t frames, uint32_t npages) {
    struct policies_model *m = calloc(1, sizeof *m);
    m->name = name;
    m->frames = frames;
    m->first.pages = calloc(frames + 1, sizeof *m->first.pages);
    m->second.pages = calloc(frames + 1, sizeof *m->second.pages);
    m->where = calloc(npages, 1);
    m->used = calloc(npages, 1);
    m->ghost = calloc(npages, sizeof *m->ghost);
    return m;
}

void policies_model_destroy(struct policies_model *m) {
    free(m->first.pages);
    free(m->second.pages);
    free(m->where);
    free(m->used);
    free(m->ghost);
    free(m);
}

static uint32_t take(struct queue *queue, uint32_t at) {
    uint32_t page = queue->pages[at];
    memmove(&queue->pages[at], &queue->pages[at + 1], (--queue->n - at) * sizeof page);
    return page;
}

static void put(struct queue *queue, uint32_t page) {
    queue->pages[queue->n++] = page;
}

static bool is(const struct policies_model *m, const char *name) {
    return strcmp(m->name, name) == 0;
}

/* The oldest that was not used; those that were go round. */
static uint32_t second_chance(struct policies_model *m, struct queue *queue) {
    for (;;) {
        uint32_t page = take(queue, 0);
        if (!m->used[page])
            return page;
        m->used[page] = 0;
        put(queue, page);
    }
}

static uint32_t evict_sieve(struct policies_model *m) {
    for (;; m->hand++) {
        if (m->hand >= m->first.n)
            m->hand = 0;
        uint32_t page = m->first.pages[m->hand];
        if (!m->used[page]) {
            take(&m->first, m->hand); /* the hand is at the next newer one now */
            m->hand = m->hand < m->first.n ? m->hand : 0;
            return page;
        }
        m->used[page] = 0;
    }
}

static void make_ghost(struct policies_model *m, uint32_t page) {
    m->ghost[page] = ++m->left;
}

static uint32_t evict_2q(struct policies_model *m) {
    if (m->first.n * 4 > m->frames || m->second.n == 0) {
        uint32_t page = take(&m->first, 0);
        make_ghost(m, page);
        return page;
    }
    return second_chance(m, &m->second);
}

/* Uses are told one at a time by looks: used is a bit in the small queue, and at each look at main
 * it is added to, or taken from, the count above it. */
static uint32_t evict_s3fifo(struct policies_model *m) {
    for (;;) {
        bool small = m->first.n * 10 >= m->first.n + m->second.n || m->second.n == 0;
        uint32_t page = take(small ? &m->first : &m->second, 0);
        uint8_t count = m->used[page] >> 1, bit = m->used[page] & 1;
        if (small && !bit) {
            make_ghost(m, page);
            return page;
        }
        if (!small && !bit && count == 0)
            return page;
        if (!small)
            count = (uint8_t)(bit ? (count < 3 ? count + 1 : 3) : count - 1);
        m->used[page] = (uint8_t)(count << 1);
        m->where[page] = 2;
        put(&m->second, page);
    }
}

static uint32_t evict(struct policies_model *m) {
    if (is(m, "clock"))
        return second_chance(m, &m->first);
    if (is(m, "sieve"))
        return evict_sieve(m);
    if (is(m, "2q"))
        return evict_2q(m);
    if (is(m, "s3fifo"))
        return evict_s3fifo(m);
    return take(&m->first, 0); /* fifo, lru */
}

static bool remembered(const struct policies_model *m, uint32_t page) {
    uint64_t ago = m->left - m->ghost[page], here = m->first.n + m->second.n;
    if (m->ghost[page] == 0)
        return false;
    return is(m, "2q") ? ago * 2 < here : ago < here;
}

bool policies_model_refer(struct policies_model *m, uint32_t page) {
    if (m->where[page]) {
        m->used[page] |= 1;
        for (uint32_t i = 0; is(m, "lru") && i < m->first.n; i++) {
            if (m->first.pages[i] == page) {
                put(&m->first, take(&m->first, i));
                break;
            }
        }
        return true;
    }
    if (m->first.n + m->second.n == m->frames)
        m->where[evict(m)] = 0;
    bool back = remembered(m, page);
    m->ghost[page] = 0;
    m->used[page] = 0;
    m->where[page] = back ? 2 : 1;
    put(back ? &m->second : &m->first, page);
    return false;
}

uint64_t policies_model_opt(const uint32_t *trace, uint64_t length, uint32_t frames,
                            uint32_t npages) {
    uint64_t *next = calloc(length + 1, sizeof *next), *when = calloc(npages, sizeof *when);
    uint32_t *here = calloc(frames + 1, sizeof *here), n = 0;
    bool *present = calloc(npages, sizeof *present);
    uint64_t misses = 0;
    for (uint32_t page = 0; page < npages; page++)
        when[page] = UINT64_MAX;
    for (uint64_t i = length; i-- > 0;) {
        next[i] = when[trace[i]];
        when[trace[i]] = i;
    }
    for (uint64_t i = 0; i < length; i++) {
        uint32_t page = trace[i];
        if (!present[page]) {
            misses++;
            if (n == frames) { /* out goes who is needed last */
                uint32_t worst = 0;
                for (uint32_t k = 1; k < n; k++)
                    worst = when[here[k]] > when[here[worst]] ? k : worst;
                present[here[worst]] = false;
                here[worst] = here[--n];
            }
            here[n++] = page;
            present[page] = true;
        }
        when[page] = next[i];
    }
    free(next);
    free(when);
    free(here);
    free(present);
    return misses;
}
