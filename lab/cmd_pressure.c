/* cmd_pressure.c: swap areas, reclaim, and the settings of both; time.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

static bool device(struct lab_call *call, int i, int64_t *number) {
    int64_t last = -1;
    for (int64_t d = 0; d < QUIRE_SOFT_SWAPS; d++)
        last = call->world->config.swap_bytes[d] ? d : last;
    if (last < 0)
        return lab_wrong(call, "this machine has no swap device; machine --swap 32M has one");
    *number = 0;
    return i >= call->argc || lab_range(call, i, 0, last, number);
}

static bool swapon(struct lab_call *call) {
    int64_t number, priority;
    if (!device(call, 0, &number) || !lab_number_or(call, 1, QUIRE_SWAP_PRIORITY_AUTO, &priority))
        return false;
    if (number == 0 && call->world->segments_swap)
        return lab_wrong(call, "device 0 is where the segments are swapped to");
    if (call->argc > 1 && (priority < 0 || priority > 32767))
        return lab_wrong(call, "a priority is 0 to 32767, not %" PRId64, priority);
    return lab_status(call, quire_swapon(call->world->q, (unsigned)number, (int)priority),
                      "swapon");
}

static bool swapoff(struct lab_call *call) {
    int64_t number;
    if (!device(call, 0, &number))
        return false;
    enum quire_status status = quire_swapoff(call->world->q, (unsigned)number);
    lab_settle(call->world);
    return lab_status(call, status, "swapoff");
}

static bool drop_caches(struct lab_call *call) {
    int64_t what;
    if (!lab_range(call, 0, 1, 3, &what))
        return false;
    uint64_t before = lab_now(call->lab)->mem.free;
    enum quire_status status = quire_drop_caches(call->world->q, (unsigned)what);
    call->lab->sight_fresh = false;
    uint64_t after = lab_now(call->lab)->mem.free;
    lab_say(call, "  %" PRId64 " frames came free\n", (int64_t)(after - before));
    return lab_status(call, status, "drop_caches") && lab_value(call, (int64_t)(after - before));
}

static bool tick(struct lab_call *call) {
    int64_t n, i;
    if (!lab_number_or(call, 0, 1, &n))
        return false;
    if (n < 1 || n > 100000)
        return lab_wrong(call, "1 to 100000 milliseconds, not %" PRId64, n);
    for (i = 0; i < n; i++) {
        uint64_t now = quire_soft_hart_ns(call->world->machine, 0);
        quire_soft_idle_until(call->world->machine, now + 1000000);
        lab_settle(call->world);
    }
    return true;
}

/* kswapd's own work until it has no more to do. */
static bool kswapd(struct lab_call *call) {
    unsigned batches = 0;
    while (quire_wants_tick(call->world->q) && batches < 10000) {
        quire_tick(call->world->q);
        batches++;
    }
    lab_say(call, "  kswapd worked %u batches\n", batches);
    return lab_value(call, batches);
}

static bool overcommit(struct lab_call *call) {
    static const char *const words[] = {"heuristic", "always", "never", NULL};
    struct quire_overcommit setting;
    int mode;
    int64_t ratio;
    quire_overcommit(call->world->q, &setting);
    if (!lab_word(call, 0, words, &mode) ||
        !lab_number_or(call, 1, (int64_t)setting.ratio_percent, &ratio))
        return false;
    setting.mode = (enum quire_overcommit_mode)mode;
    setting.ratio_percent = (uint64_t)ratio;
    return lab_status(call, quire_set_overcommit(call->world->q, &setting), "overcommit");
}

static bool thp(struct lab_call *call) {
    static const char *const words[] = {"madvise", "always", "never", NULL};
    int mode;
    if (!lab_word(call, 0, words, &mode))
        return false;
    quire_set_thp(call->world->q, (enum quire_thp)mode);
    return true;
}

static bool zswap(struct lab_call *call) {
    static const char *const words[] = {"none", "lz4", "zstd", NULL};
    int method;
    int64_t percent;
    if (!lab_word(call, 0, words, &method) || !lab_number_or(call, 1, 20, &percent))
        return false;
    if (percent < 1 || percent > 100)
        return lab_wrong(call, "1 to 100 percent, not %" PRId64, percent);
    return lab_status(
        call, quire_zswap(call->world->q, (enum quire_zswap)method, (unsigned)percent), "zswap");
}

const struct lab_command lab_pressure_commands[] = {
    {"swapon", "[DEVICE [PRIORITY]]", "use a swap device of the machine", swapon, LAB_CHANGES},
    {"swapoff", "[DEVICE]", "bring back what lies on it, and let it go", swapoff, LAB_CHANGES},
    {"drop_caches", "1|2|3", "page cache, slabs, both", drop_caches, LAB_CHANGES},
    {"tick", "[N]", "N milliseconds go by", tick, LAB_CHANGES},
    {"kswapd", "", "the background worker, until it rests", kswapd, LAB_CHANGES},
    {"overcommit", "heuristic|always|never [RATIO]", "how much may be promised", overcommit,
     LAB_CHANGES},
    {"thp", "madvise|always|never", "blocks of 2 MiB", thp, LAB_CHANGES},
    {"zswap", "none|lz4|zstd [PERCENT]", "swapped pages compressed in RAM", zswap, LAB_CHANGES},
    {NULL, "", "", NULL, 0}};
