/* machine.h: the state of one software machine, shared by the files of machine/soft.
 *
 * Internal: users see soft.h. Each group below is written by the file named above it; the others
 * read it, or go through the functions at the end.
 */
#ifndef QUIRE_SOFT_MACHINE_H
#define QUIRE_SOFT_MACHINE_H

#include "../radix/radix.h"
#include "dma.h"
#include "mmu.h"
#include "soft.h"

/* Mappings that QUIRE_SOFT_DROP_MAPPING may choose from: the last so many that were entered. A
 * power of two, so that the ring's index is a mask. */
#define SOFT_DROP_RING 256

#define SOFT_PS_PER_NS 1000u

/* Of a run's count: cpu.h. */
#define SOFT_COUNT_BITS 21

struct soft_disk {
    uint8_t *bytes;         /* host memory, committed by the host as it is written; NULL: a file */
    int fd;                 /* the file, if npages > 0 and bytes is NULL */
    uint64_t npages;        /* now; 0: no such device */
    uint64_t step, most;    /* pages: how it grows, and how far */
    uint64_t busy_until_ns; /* the transfer unit is free again then */
    /* Injected: a page that was written late and is not there yet, and what one slot held before it
     * was last written. Each one page of host memory, made when first needed. */
    struct soft_held {
        uint8_t *bytes;
        uint64_t slot;
        unsigned left; /* operations until it is on the device; of an old page: 1, it is valid */
    } late, old;
};

struct soft_dma {
    struct quire_dma controller;
    uint8_t *page; /* in the device: what is being moved */
    unsigned at;   /* the next byte of it */
    quire_frame bounce;
};

struct soft_codec {
    void *pack, *unpack; /* zstd's contexts; NULL: not made yet */
};

struct soft_mapping {
    struct quire_pmap *pmap; /* NULL: nothing */
    uint64_t va;
};

struct soft_kernel_area {
    uint8_t *base; /* NULL: not asked for yet */
    uint64_t npages;
    int file;           /* -1: nothing was mapped yet */
    uint8_t *backed;    /* bit i: frame i lies in the file */
    uint8_t *starts;    /* bit i: at page i of the area a run of neighbours begins */
    int nmappings;      /* of the host, at most */
    uint64_t fail_next; /* calls until one is refused; 0: none */
};

/* What the memory unit asks of the page-table format at every walk. */
struct soft_shape {
    const struct quire_radix_format *format;
    unsigned leaf_bits;   /* of an address that index a leaf table */
    unsigned leaf_span;   /* log2 of the bytes that a leaf table covers */
    unsigned large_order; /* of what the level above maps by one entry; 0: it maps nothing */
    uint64_t user_limit;  /* user addresses lie below */
};

struct soft_hart {
    uint64_t clock_ps; /* while it is not at work; of the one that is: machine->clock_ps */
    uint64_t idle_ns, stall_ns;
};

struct soft_kernel_tables {
    bool on;
    quire_frame root;                   /* of the master, whose upper entries all roots have */
    uint64_t direct_base, direct_bytes; /* RAM from address 0 on */
    uint64_t area_base, area_npages;    /* the kernel area */
};

/* Banks that may hold pages for the window at a time: see window.c. */
#define SOFT_WINDOW_BANKS (QUIRE_SOFT_HARTS + 1)

struct soft_window {
    bool on;
    struct tlb *banks[SOFT_WINDOW_BANKS]; /* the one at work first */
    unsigned nbanks, most;
    unsigned held;      /* pages, in all banks */
    int64_t left;       /* instructions left of the slice, at the last quire_cpu_tell */
    uint64_t next_trim; /* instructions */
};

struct quire_machine {
    struct quire_soft_config config; /* soft.c: zeros replaced by defaults */
    struct soft_shape shape;         /* soft.c: of config.format */

    /* ---- ram.c: physical addresses begin at 0 ---- */
    uint8_t *ram;
    uint64_t nframes;
    /* The lowest frames are the machine's own (tables of the kernel's part, bounce buffers): the
     * manager's RAM begins behind them. The next one to be used. */
    uint32_t owned, owned_next;
    uint64_t zeroed; /* the last frame that was: often the next one follows */

    /* ---- kernel_area.c ---- */
    struct soft_kernel_area kernel;

    /* ---- kernel_tables.c ---- */
    struct soft_kernel_tables tables;

    /* ---- clock.c. In picoseconds: 2^64 ps are 213 days of machine time. ---- */
    uint64_t clock_ps;   /* of the hart at work */
    uint64_t horizon_ps; /* a run ends soon after its clock has passed this */
    unsigned hart, nharts;
    struct soft_hart harts[QUIRE_SOFT_HARTS];
    uint64_t core_ps, programs_ps; /* the latest time that each was told: it never goes back */
    uint64_t next_tick_ps;
    bool in_tick; /* disk time is background time now */

    /* ---- tlb.c: harts that were told to forget something in the present call ---- */
    uint64_t shot;

    /* ---- disk.c ---- */
    struct soft_disk disks[QUIRE_SOFT_SWAPS];
    uint64_t files_busy_until_ns; /* the disk with the programs' files: its time only */

    /* ---- dma_disk.c ---- */
    struct soft_dma dma;

    /* ---- compress.c ---- */
    struct soft_codec codec;

    /* ---- inject.c: one stream of random numbers for each kind ---- */
    uint64_t random[QUIRE_SOFT_INJECTIONS];
    uint32_t one_in[QUIRE_SOFT_INJECTIONS];
    uint64_t io_asked, io_first, io_length; /* quire_soft_fail_io */

    /* ---- pmap.c ---- */
    struct soft_mapping entered[SOFT_DROP_RING];
    uint32_t entered_count;
    uint32_t npmaps; /* ever made */

    /* ---- code.c: decoded instructions of all spaces ---- */
    struct code *codes;
    uint64_t code_bytes;

    /* ---- cpu.c: who ran last; only to be compared ---- */
    const struct quire_cpu *ran;

    /* ---- jit_*.c: host code for them; NULL: none yet ---- */
    struct quire_jit *jit;

    /* ---- soft.c: who watches (context NULL: nobody); cpu_slow.c: which instruction it is ---- */
    struct quire_soft_watch watch;
    uint64_t watched_pc;
    const uint64_t *watched_x;

    /* ---- window.c. every: the interpreter tells of each access ---- */
    struct soft_window window;
    bool every;

    /* ---- all, each its own: instructions, loads and stores are the processor's ---- */
    struct quire_soft_counters counters;
};

/* The processor's instructions pass: counted, and charged to the clock. */
static inline void soft_count_instructions(struct quire_machine *machine, uint64_t count) {
    machine->counters.instructions += count;
    machine->clock_ps += count * machine->config.instruction_ps;
}

/* What programs see as the time, ns: the clock of the hart at work, unless another one was told a
 * later time before. */
static inline uint64_t soft_program_ns(struct quire_machine *machine) {
    if (machine->clock_ps > machine->programs_ps)
        machine->programs_ps = machine->clock_ps;
    return machine->programs_ps / SOFT_PS_PER_NS;
}

/* Does anybody watch? */
static inline bool soft_watched(const struct quire_machine *machine) {
    return __builtin_expect(machine->watch.context != NULL, 0);
}

/* A page of a space as the window names it. */
static inline uint64_t soft_page_key(const struct quire_pmap *pmap, uint64_t va) {
    return (uint64_t)pmap->number << 36 | va >> QUIRE_PAGE_SHIFT;
}

/* Times have this bit and not the one above; counts of a slice, as they lie in a run's count, have
 * neither or, where a block goes beyond the slice, both. */
#define SOFT_WINDOW_TIME (UINT64_C(1) << 62)

/* When the instruction began that had this count, or this time. => it is of the present slice */
static inline uint64_t soft_window_time(const struct quire_machine *machine, uint64_t stamp) {
    if (stamp >> 62 == 1)
        return stamp;
    int64_t later = machine->window.left - ((int64_t)stamp >> 2 * SOFT_COUNT_BITS);
    return SOFT_WINDOW_TIME | QUIRE_SOFT_TIMES * (machine->counters.instructions + (uint64_t)later);
}

/* A broken contract of a caller is the machine's own panic. */
#define SOFT_CHECK(machine, condition)                                   \
    do {                                                                 \
        if (__builtin_expect(!(condition), 0))                           \
            quire_mach_panic((machine), __FILE__, __LINE__, #condition); \
    } while (0)

/* ram.c. reserve: host memory, zeros, committed as it is touched; NULL when there is none. Ends by
 * munmap. */
uint8_t *quire_ram_reserve(uint64_t bytes);
enum quire_status quire_ram_create(struct quire_machine *machine);
void quire_ram_destroy(struct quire_machine *machine);
/* page_x86.c or page_plain.c: one page, both page-aligned. next: what is likely to be zeroed next,
 * and may be fetched meanwhile; NULL: not known. */
void quire_ram_zero_page(void *page, const void *next);
void quire_ram_copy_page(void *restrict target, const void *restrict source);

static inline uint8_t *soft_host(const struct quire_machine *machine, quire_frame frame) {
    return machine->ram + quire_frame_address(frame).value;
}

/* One of the machine's own frames. */
static inline quire_frame soft_own_frame(struct quire_machine *machine) {
    SOFT_CHECK(machine, machine->owned_next < machine->owned);
    return (quire_frame){machine->owned_next++};
}

/* kernel_tables.c. shape: before RAM is there, user_limit may change; how many own frames it wants;
 * create: build the master; share: give a new root its upper part, unshare: before it goes. enter:
 * pages of the kernel area, from number `page` on, show these frames; NULL: nothing. */
void quire_kernel_tables_shape(struct quire_machine *machine);
unsigned quire_kernel_tables_frames(const struct quire_machine *machine);
void quire_kernel_tables_create(struct quire_machine *machine);
void quire_kernel_tables_share(struct quire_machine *machine, quire_frame root);
void quire_kernel_tables_unshare(struct quire_machine *machine, quire_frame root);
void quire_kernel_tables_enter(struct quire_machine *machine, uint64_t page,
                               const quire_frame *frames, uint64_t npages);

/* kernel_area.c */
void quire_kernel_area_destroy(struct quire_machine *machine);

/* disk.c */
enum quire_status quire_disk_create(struct quire_machine *machine);
void quire_disk_destroy(struct quire_machine *machine);

/* dma_disk.c. frames: of the machine's own that it wants. page_out: the frame's bytes are in the
 * device, where they are valid until the next transfer; page_in: those in machine->dma.page go to
 * the frame. => config.dma */
unsigned quire_dma_frames(const struct quire_machine *machine);
enum quire_status quire_dma_create(struct quire_machine *machine);
void quire_dma_destroy(struct quire_machine *machine);
const uint8_t *quire_dma_page_out(struct quire_machine *machine, quire_frame frame);
void quire_dma_page_in(struct quire_machine *machine, quire_frame frame);

/* pmap.c: the entry that maps va or, in a leaf table, could; NULL where no leaf table is. *order:
 * 0, or that of the block that a valid entry above the leaf tables maps. It has the format's width:
 * radix_load and radix_store with index 0. => va is a user address. */
void *quire_pmap_descend(struct quire_pmap *pmap, uint64_t va, unsigned *order);
static inline void *quire_pmap_entry(struct quire_pmap *pmap, uint64_t va, unsigned *order) {
    const struct soft_shape *shape = &pmap->machine->shape;
    if (__builtin_expect(!pmap->leaf || va >> shape->leaf_span != pmap->leaf_key, 0))
        return quire_pmap_descend(pmap, va, order);
    *order = 0;
    uint64_t index = radix_index(shape->format, shape->format->levels - 1, va);
    return (uint8_t *)pmap->leaf + (index << shape->format->entry_shift);
}

/* window.c. select: this bank is at work from now on. enter: the page at va was just used through
 * its entry. shift: the ways of the page's set are about to move, the front one behind, down to
 * older[goes], which falls off or is the page's. settle: stamps become times; called when the
 * slice's count is about to change. cut: the same, and what too long nobody touched leaves.
 * drop_banks: they end. => window.on, but for drop_banks */
void quire_window_select(struct quire_machine *machine, struct tlb *bank);
void quire_window_enter(struct quire_pmap *pmap, uint64_t va);
void quire_window_shift(struct quire_pmap *pmap, uint64_t page, unsigned goes);
void quire_window_settle(struct quire_machine *machine);
void quire_window_trim_idle(struct quire_machine *machine);
void quire_window_drop_banks(struct quire_pmap *pmap);

/* inject.c: seed the streams; does it happen this time? draw: a random number below bound, from the
 * same stream. */
void quire_inject_seed(struct quire_machine *machine, uint64_t seed);
bool quire_inject_now(struct quire_machine *machine, enum quire_soft_injection what);
uint64_t quire_inject_draw(struct quire_machine *machine, enum quire_soft_injection what,
                           uint64_t bound);
/* One swap operation begins: does quire_soft_fail_io want it to fail? */
bool quire_inject_fails_io(struct quire_machine *machine);

#endif
