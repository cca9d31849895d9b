/* summary.c: what a run was like, in about ten lines that somebody who never saw a page table can
 * read, and that somebody who has can use.
 *
 * Each line has a name, figures, and what they mean. Lines that would say nothing are left out: a
 * program that fitted in RAM has no swap line. The order goes from what was asked (memory) over
 * what was done (faults, swap, reclaim) to what it cost (time, slowdown).
 *
 * The slowdown is an estimate with a plain meaning: the machine's time, divided by what it would
 * have been had nobody waited for memory. stall_ns is what programs waited for the disk; background
 * work on the disk is not in it, because nobody waited.
 */
#include "cli/run.h"

#include "cli/cli.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The figures of one run, from all who keep some. */
struct figures {
    struct os_summary os;
    struct quire_usage usage;
    const struct quire_counters *counters;
    struct quire_soft_counters machine;
};

static void label(const char *name) {
    fprintf(stderr, "  %-10s ", name);
}

static double seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static double percent(uint64_t part, uint64_t whole) {
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_end(const char *program, int status) {
    const char *slash = strrchr(program, '/');
    const char *name = slash != NULL ? slash + 1 : program;

    if (status > 128 && status <= 128 + 64) {
        fprintf(stderr, "quire: %s was ended by signal %d (%s)\n", name, status - 128,
                strsignal(status - 128));
    } else {
        fprintf(stderr, "quire: %s ended with status %d\n", name, status);
    }
}

static void print_memory(const struct figures *f) {
    char ram[CLI_TEXT_BYTES], swap[CLI_TEXT_BYTES], peak[CLI_TEXT_BYTES];
    uint64_t demand = f->usage.peak_demand, total = f->usage.total;

    label("memory");
    cli_size_text(total << QUIRE_PAGE_SHIFT, ram);
    cli_size_text(f->usage.swap_total << QUIRE_PAGE_SHIFT, swap);
    cli_size_text(demand << QUIRE_PAGE_SHIFT, peak);
    fprintf(stderr, "%s RAM, %s swap; the programs wanted %s at once", ram, swap, peak);
    if (demand > total && total > 0) {
        fprintf(stderr, ", %.1f times the RAM", (double)demand / (double)total);
    }
    fputc('\n', stderr);
}

static void print_faults(const struct figures *f) {
    char minor[CLI_TEXT_BYTES], major[CLI_TEXT_BYTES], copies[CLI_TEXT_BYTES];
    uint64_t all = f->counters->pgfault, slow = f->counters->pgmajfault;

    label("faults");
    fprintf(stderr, "%s minor, %s major (waited for a disk), %s copied on write\n",
            cli_count_text(all >= slow ? all - slow : 0, minor), cli_count_text(slow, major),
            cli_count_text(f->counters->fault_cow, copies));
}

static void print_swap(const struct figures *f) {
    char out[CLI_TEXT_BYTES], in[CLI_TEXT_BYTES], clean[CLI_TEXT_BYTES];
    const struct quire_counters *c = f->counters;

    if (c->pswpin + c->pswpout + c->swap_clean == 0) {
        return;
    }
    label("swap");
    fprintf(stderr, "%s out, %s in; %s pages left without a write (the disk had them)\n",
            cli_size_text(c->pswpout << QUIRE_PAGE_SHIFT, out),
            cli_size_text(c->pswpin << QUIRE_PAGE_SHIFT, in), cli_count_text(c->swap_clean, clean));
}

static void print_zswap(const struct figures *f) {
    char out[CLI_TEXT_BYTES], in[CLI_TEXT_BYTES], back[CLI_TEXT_BYTES], now[CLI_TEXT_BYTES];
    const struct quire_counters *c = f->counters;

    if (c->zswpout == 0) {
        return;
    }
    label("zswap");
    fprintf(stderr,
            "%s packed into RAM, %s unpacked, %s of it written to swap; %s did not shrink\n",
            cli_size_text(c->zswpout << QUIRE_PAGE_SHIFT, out),
            cli_size_text(c->zswpin << QUIRE_PAGE_SHIFT, in),
            cli_size_text(c->zswpwb << QUIRE_PAGE_SHIFT, back),
            cli_size_text(c->zswap_reject << QUIRE_PAGE_SHIFT, now));
}

static void print_reclaim(const struct figures *f) {
    char background[CLI_TEXT_BYTES], direct[CLI_TEXT_BYTES], stalls[CLI_TEXT_BYTES];
    const struct quire_counters *c = f->counters;

    if (c->pgsteal_kswapd + c->pgsteal_direct == 0) {
        return;
    }
    label("reclaim");
    fprintf(stderr, "%s pages in the background, %s by a program that had to wait (%s times)\n",
            cli_count_text(c->pgsteal_kswapd, background),
            cli_count_text(c->pgsteal_direct, direct), cli_count_text(c->allocstall, stalls));
}

static void print_processor(const struct figures *f) {
    char instructions[CLI_TEXT_BYTES], accesses[CLI_TEXT_BYTES];
    uint64_t all = f->machine.loads + f->machine.stores;

    label("processor");
    fprintf(stderr, "%s instructions; TLB missed %.3f %% of %s accesses",
            cli_count_text(f->machine.instructions, instructions),
            percent(f->machine.tlb_misses, all), cli_count_text(all, accesses));
    if (f->machine.tlb_large_fills > 0) {
        fprintf(stderr, "; %s of its entries reached 2 MiB",
                cli_count_text(f->machine.tlb_large_fills, accesses));
    }
    fputc('\n', stderr);
}

#define HARTS_LISTED 8 /* with more of them the line says how many had little to do */
#define LITTLE       10.0

/* Busy: of the time until the end, on each. */
static void print_harts(const struct figures *f, struct os *os) {
    char shootdowns[CLI_TEXT_BYTES], received[CLI_TEXT_BYTES];
    unsigned n = f->os.harts, idle = 0;
    double sum = 0;

    if (n < 2) {
        return;
    }
    label("harts");
    fprintf(stderr, "%u, busy", n);
    for (unsigned i = 0; i < n; i++) {
        uint64_t all = quire_soft_hart_ns(os_machine(os), i);
        uint64_t busy = all - quire_soft_hart_idle_ns(os_machine(os), i);
        double share = percent(busy, f->os.wall_ns);
        sum += share;
        idle += share < LITTLE;
        if (n <= HARTS_LISTED) {
            fprintf(stderr, "%s %.0f %%", i > 0 ? "," : "", share);
        }
    }
    if (n > HARTS_LISTED) {
        fprintf(stderr, " %.0f %% on average, %u of them less than %.0f %%,", sum / n, idle,
                LITTLE);
    }
    fprintf(stderr, " of the time; %s TLB shootdowns reached %s\n",
            cli_count_text(f->machine.tlb_shootdowns, shootdowns),
            cli_count_text(f->machine.tlb_shootdowns_received, received));
}

static void print_blocks(const struct figures *f) {
    char blocks[CLI_TEXT_BYTES], joined[CLI_TEXT_BYTES], splits[CLI_TEXT_BYTES];
    char refused[CLI_TEXT_BYTES];
    const struct quire_counters *c = f->counters;

    if (c->thp_fault_alloc + c->thp_collapse_alloc + c->thp_fault_fallback == 0) {
        return;
    }
    label("2 MiB");
    fprintf(stderr, "%s by a first write, %s joined later, %s split; %s times no room for one\n",
            cli_count_text(c->thp_fault_alloc, blocks),
            cli_count_text(c->thp_collapse_alloc, joined), cli_count_text(c->thp_split_pmd, splits),
            cli_count_text(c->thp_fault_fallback, refused));
}

static void print_calls(const struct figures *f) {
    char calls[CLI_TEXT_BYTES], processes[CLI_TEXT_BYTES];

    label("system");
    fprintf(stderr, "%s system calls, %s process%s\n", cli_count_text(f->os.syscalls, calls),
            cli_count_text(f->os.processes, processes), f->os.processes == 1 ? "" : "es");
    if (f->os.unknown_syscalls == 0) {
        return;
    }
    label("unknown");
    fprintf(stderr, "%" PRIu64 " calls answered ENOSYS:", f->os.unknown_syscalls);
    for (size_t i = 0; i < sizeof f->os.unknown / sizeof f->os.unknown[0]; i++) {
        if (f->os.unknown[i].count > 0) {
            fprintf(stderr, " %u (%" PRIu64 "x)", f->os.unknown[i].number, f->os.unknown[i].count);
        }
    }
    fputc('\n', stderr);
}

static void print_time(const struct figures *f, struct os *os) {
    uint64_t wall = f->os.wall_ns, stalls = f->machine.stall_ns, all = wall;
    double slowdown;

    if (f->os.harts > 1) { /* they wait at the same time: against what all of them did */
        all = 0;
        for (unsigned i = 0; i < f->os.harts; i++) {
            all +=
                quire_soft_hart_ns(os_machine(os), i) - quire_soft_hart_idle_ns(os_machine(os), i);
        }
    }
    slowdown = all > stalls ? (double)all / (double)(all - stalls) : 1.0;
    label("time");
    fprintf(stderr, "%.2f s on the machine's clock, %.2f s of it waiting for memory%s\n",
            seconds(wall), seconds(stalls), all == wall ? "" : ", all harts together");
    label("slowdown");
    fprintf(stderr, "about %.2f times, against having RAM enough\n", slowdown);
}

void cli_summary_print(struct os *os, const char *program, int status) {
    struct figures f;

    fflush(stdout);
    os_summary(os, &f.os);
    quire_usage(os_quire(os), &f.usage);
    f.counters = quire_counters(os_quire(os));
    quire_soft_counters(os_machine(os), &f.machine);

    print_end(program, status);
    print_memory(&f);
    print_faults(&f);
    print_swap(&f);
    print_zswap(&f);
    print_reclaim(&f);
    print_blocks(&f);
    print_processor(&f);
    print_harts(&f, os);
    print_calls(&f);
    print_time(&f, os);
    if (f.os.oom_line[0] != '\0') {
        label("oom");
        fprintf(stderr, "%s\n", f.os.oom_line);
        if (f.os.oom_decisions > 1) {
            label("");
            fprintf(stderr, "the last of %" PRIu64 " times; %" PRIu64 " processes were killed\n",
                    f.os.oom_decisions, f.os.oom_killed);
        }
    }
    if (f.counters->io_error > 0) {
        label("disk");
        fprintf(stderr, "%" PRIu64 " errors or wrong checksums\n", f.counters->io_error);
    }
    label("trace");
    fprintf(stderr, "%016" PRIx64 " (the same run gives the same)\n",
            quire_trace_hash(os_quire(os)));
}
