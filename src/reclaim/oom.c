/* oom.c: when nothing can be reclaimed, one program ends so that the others can go on.
 *
 * Owns the choice and its reason; no state. The choice is Linux's (mm/oom_kill.c, oom_badness): who
 * holds most memory, in RAM, on swap and in page tables, shifted by what the administrator said.
 *
 *     badness = resident + swapped + page tables  (pages)  + adj * (RAM + swap) / 1000
 *     adj = -1000: never.  The highest is chosen, the oldest of equals.
 *
 * Refusing memory to whoever asks next was rejected: it hits a bystander as likely as the culprit,
 * and a fault cannot be refused anyway.
 *
 * I1. A space is chosen at most once, and after its turn its private memory is free: either the
 *     machine destroyed it within quire_mach_oom_kill, or its pages are taken from it here (Linux:
 *     the OOM reaper). Its program never runs again, since every fault in it answers QUIRE_KILLED.
 *     So each call frees what the victim had, and a loop over kills ends.
 *
 * It says why: the state of memory and a table of the candidates go to the machine's log, the line
 * about the victim goes with quire_mach_oom_kill.
 *
 * Called by core/trap.c when direct reclaim found nothing. Counted in oom_kill, traced as OOM.
 */
#include "base/text.h"
#include "page/lru.h"
#include "reclaim/scan.h"

#define ADJ_NEVER (-1000)
#define WHY_BYTES 256

/* Pages that the badness is measured against. Past 2^32 (16 TiB) the exact number does not matter.
 */
static uint32_t pages_of_all(const struct quire *q) {
    uint64_t pages = quire_page_total(q) + quire_swap_total(q);
    return pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX;
}

/* False: may not be killed. */
static bool badness_of(const struct quire_space *space, int64_t *badness) {
    const struct quire *q = quire_space_system(space);
    int adj = quire_space_oom_score_adj(space);
    struct quire_space_usage usage;
    if (adj == ADJ_NEVER) {
        return false;
    }
    quire_space_usage(space, &usage);
    uint64_t held = usage.resident_anon + usage.resident_file + usage.resident_shmem +
                    usage.swapped + usage.page_tables;
    *badness = (int64_t)held + (int64_t)adj * (int64_t)(pages_of_all(q) / 1000);
    return true;
}

/* /proc/PID/oom_score as fs/proc/base.c computes it: (1000 + badness in thousandths) * 2 / 3. */
unsigned quire_space_oom_score(const struct quire_space *space) {
    int64_t badness;
    if (!badness_of(space, &badness)) {
        return 0;
    }
    uint32_t all = pages_of_all(quire_space_system(space));
    uint64_t size = badness < 0 ? (uint64_t)-badness : (uint64_t)badness;
    /* Beyond twice everything (adj of 1000 on top of all memory) the score would leave its range.
     */
    uint64_t most = (uint64_t)all * 2;
    int32_t thousandths = (int32_t)reclaim_ratio(size < most ? size : most, most, 2000);
    int32_t score = (1000 + (badness < 0 ? -thousandths : thousandths)) * 2 / 3;
    return score < 0 ? 0 : (unsigned)score;
}

static void append_kb(struct quire_text *text, const char *label, uint64_t pages) {
    quire_text_string(text, label);
    quire_text_decimal(text, pages << (QUIRE_PAGE_SHIFT - 10), 0);
    quire_text_string(text, "kB");
}

/* The line of Linux's __oom_kill_process, without what only os/ knows (pid, name, uid). */
static void say_why(const struct quire_space *space, char why[WHY_BYTES]) {
    struct quire_space_usage usage;
    struct quire_text text;
    quire_space_usage(space, &usage);
    quire_text_init(&text, why, WHY_BYTES);
    append_kb(&text, "Out of memory: Killed process total-vm:", usage.virtual_pages);
    append_kb(&text, ", anon-rss:", usage.resident_anon);
    append_kb(&text, ", file-rss:", usage.resident_file);
    append_kb(&text, ", shmem-rss:", usage.resident_shmem);
    append_kb(&text, ", swap:", usage.swapped);
    append_kb(&text, ", pgtables:", usage.page_tables);
    quire_text_string(&text, ", oom_score_adj:");
    quire_text_signed(&text, quire_space_oom_score_adj(space));
    quire_text_end(&text);
}

static bool still_there(struct quire *q, const struct quire_space *wanted) {
    struct quire_space *space = NULL;
    while ((space = quire_vm_next_space(q, space)) != NULL) {
        if (space == wanted) {
            return quire_vm_is_killed(space);
        }
    }
    return false;
}

/* The machine could not end the program at once: take its pages from it region by region. Only
 * DONTNEED of whole regions is used, which needs no memory. */
static void reap(struct quire_space *space) {
    struct quire_region_info region;
    quire_vaddr va = quire_va(0);
    while (quire_region_at_or_after(space, va, false, &region)) {
        quire_vm_advise(space, region.start, region.end.value - region.start.value,
                        QUIRE_ADVISE_DONTNEED);
        va = region.end;
    }
}

/* ---- the report ------------------------------------------------------------------------------ */

/* As many candidates as a reader takes in; Linux lists all. */
#define ROWS_MAX 32

static void log_state(struct quire *q) {
    char bytes[WHY_BYTES];
    struct quire_text text;
    quire_text_init(&text, bytes, sizeof bytes);
    append_kb(&text, "out of memory: free:", quire_page_count(q, QUIRE_USE_FREE));
    append_kb(&text, " min:", quire_page_watermark(q, QUIRE_WMARK_MIN));
    append_kb(&text, " anon:", quire_page_count(q, QUIRE_USE_ANON));
    append_kb(&text, " shmem:", quire_page_count(q, QUIRE_USE_SHMEM));
    append_kb(&text, " file:", quire_page_count(q, QUIRE_USE_FILE));
    append_kb(&text, " slab:", quire_page_count(q, QUIRE_USE_SLAB));
    append_kb(&text, " pagetables:", quire_page_count(q, QUIRE_USE_TABLE));
    append_kb(&text, " swap free:", quire_swap_free(q));
    append_kb(&text, " of ", quire_swap_total(q));
    quire_text_end(&text);
    quire_mach_log(q->machine, bytes);
}

/* One row of Linux's dump_tasks, in pages; what only os/ knows (pid, uid, name) is left out. */
static void log_candidate(struct quire *q, unsigned number, const struct quire_space *space,
                          bool chosen) {
    char bytes[WHY_BYTES];
    struct quire_text text;
    struct quire_space_usage usage;
    quire_space_usage(space, &usage);
    const uint64_t columns[] = {
        usage.virtual_pages, usage.resident_anon + usage.resident_file + usage.resident_shmem,
        usage.resident_anon, usage.resident_file,
        usage.resident_shmem, usage.page_tables,
        usage.swapped,
    };
    quire_text_init(&text, bytes, sizeof bytes);
    quire_text_char(&text, '[');
    quire_text_decimal(&text, number, 5);
    quire_text_char(&text, ']');
    for (unsigned i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        quire_text_char(&text, ' ');
        quire_text_decimal(&text, columns[i], 9);
    }
    quire_text_string(&text, "  ");
    quire_text_signed(&text, quire_space_oom_score_adj(space));
    quire_text_string(&text, chosen ? "  <- the worst" : "");
    quire_text_end(&text);
    quire_mach_log(q->machine, bytes);
}

/* Who could have been chosen, for whoever wonders why it was this one. */
static void report(struct quire *q, const struct quire_space *worst) {
    struct quire_space *space = NULL;
    unsigned number = 0;
    log_state(q);
    quire_mach_log(q->machine, "[space]  total_vm       rss  rss_anon  rss_file rss_shmem"
                               "  pgtables  swapents  oom_score_adj (pages)");
    while ((space = quire_vm_next_space(q, space)) != NULL) {
        number++;
        if (space == worst || (number <= ROWS_MAX && !quire_vm_is_killed(space))) {
            log_candidate(q, number, space, space == worst);
        }
    }
}

bool quire_reclaim_oom(struct quire *q) {
    struct quire_space *space = NULL, *worst = NULL;
    int64_t badness, most = INT64_MIN;
    while ((space = quire_vm_next_space(q, space)) != NULL) {
        if (!quire_vm_is_killed(space) && badness_of(space, &badness) && badness > most) {
            most = badness;
            worst = space;
        }
    }
    if (!worst) {
        return false;
    }
    char why[WHY_BYTES];
    report(q, worst);
    say_why(worst, why);
    q->counters.oom_kill++;
    quire_trace(&q->trace, QUIRE_EVENT_OOM, (uint64_t)most, pages_of_all(q));
    q->reclaim->spun = 0; /* a new beginning for those who stay */
    quire_vm_mark_killed(worst);
    quire_mach_oom_kill(q->machine, quire_space_owner(worst), why);
    if (still_there(q, worst)) { /* I1 */
        reap(worst);
    }
    return true;
}
