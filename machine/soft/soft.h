/* soft.h: the software machine as its users (os/, cli/, tests) see it.
 *
 * A computer in plain C, in one host process: RAM, an RV64GC processor with an MMU that walks
 * tables in that RAM, a TLB, a swap disk, a clock. Everything it does is a function of what it is
 * given: same program, same options, same seed, same run, bit for bit.
 *
 * It implements the port (quire/machine.h). A trap of the processor is a return from
 * quire_soft_run.
 */
#ifndef QUIRE_MACHINE_SOFT_H
#define QUIRE_MACHINE_SOFT_H

#include <quire/machine.h>

struct quire_radix_format; /* a page-table format: ../radix/radix.h */

#define QUIRE_SOFT_SWAPS     8
#define QUIRE_SOFT_HARTS     64
#define QUIRE_SOFT_INTERPRET UINT32_MAX /* translate_after: never */

struct quire_dma_cycle;

/* How swap devices' pages reach RAM: at once, or through a DMA controller (dma.h) that gives the
 * bus back after each byte, after the page, or while the device has nothing to move. */
enum quire_soft_dma {
    QUIRE_SOFT_DMA_NONE,
    QUIRE_SOFT_DMA_SINGLE,
    QUIRE_SOFT_DMA_BLOCK,
    QUIRE_SOFT_DMA_DEMAND
};

struct quire_soft_config {
    uint64_t ram_bytes;                    /* whole pages, at least 1 MiB */
    uint64_t swap_bytes[QUIRE_SOFT_SWAPS]; /* 0: no such device */
    /* A device that grows by so much when its end comes into use, up to so much; 0: it does not. */
    uint64_t swap_step_bytes[QUIRE_SOFT_SWAPS], swap_max_bytes[QUIRE_SOFT_SWAPS];
    uint64_t seed; /* for injected faults */
    /* Of the page tables: one of radix.h's; NULL: Sv48. One with 4-byte entries reaches 16 GiB of
     * RAM. Programs need Sv48, which is what a 64-bit Linux gives them. */
    const struct quire_radix_format *format;
    unsigned harts; /* processors, at most QUIRE_SOFT_HARTS; 0: one */
    /* Tables have the kernel's part too, closed to programs: with 4-byte entries a program then has
     * 3 GiB and the kernel sees the lowest 896 MiB (quire_soft_layout). Not with one level. */
    bool kernel_map;
    /* Costs of the modelled machine, ns; 0 takes the default that soft.c explains. */
    uint64_t instruction_ps; /* picoseconds an instruction */
    /* The run of a block of instructions at which it becomes host code; 0: the default. What a
     * program sees and what is counted is the same either way. */
    uint32_t translate_after;
    enum quire_soft_dma dma;
    uint64_t dma_cycle_ns;
    /* Physical addresses below this are in its reach: 16 MiB (0), or less, for tests. */
    uint64_t dma_reach_bytes;
    uint64_t fault_ns, disk_latency_ns, disk_page_ns;
    uint64_t shootdown_ns, shootdown_hart_ns; /* of TLBs: the first hart told, each other one */
    /* What the port's calls of the same name end in. context is handed to both. */
    void (*oom_kill)(void *context, void *owner, const char *why);
    void (*log)(void *context, const char *line);
    void *context;
};

/* QUIRE_INVAL, or QUIRE_NOMEM when the host has no memory. */
enum quire_status quire_soft_create(const struct quire_soft_config *config,
                                    struct quire_machine **out);
void quire_soft_destroy(struct quire_machine *machine);

/* A file of the host as a swap device, npages of it from its beginning; fd is duplicated. Pages are
 * read and written where the manager says, and nothing else of it is touched. QUIRE_INVAL: no
 * such number, or no pages; QUIRE_BUSY: the device is there already; QUIRE_NOMEM: no descriptor. */
enum quire_status quire_soft_swap_attach(struct quire_machine *machine, unsigned device, int fd,
                                         uint64_t npages);
/* Take it away. => attached, and not used by the manager any more */
void quire_soft_swap_detach(struct quire_machine *machine, unsigned device);

/* ---- the processor --------------------------------------------------------------------------- */

/* What a thread of a program has in the processor. Registers by number; x[0] is 0. f holds doubles,
 * or singles NaN-boxed. fcsr: bits 0-4 flags, 5-7 rounding mode. It may be copied while it does not
 * run. */
struct quire_cpu {
    uint64_t x[32];
    uint64_t sink; /* the machine's own */
    uint64_t f[32];
    uint64_t pc;
    uint32_t fcsr;
    /* LR/SC: the reserved address and the value seen there; cleared by the kernel at a switch, and
     * by the machine when other registers ran in between. */
    uint64_t reserved_va, reserved_value;
    bool reserved;
    uint64_t running[14]; /* the machine's own, while it runs: registers stay where they are */
};

enum quire_trap_kind {
    QUIRE_TRAP_BUDGET,  /* max_instructions are done (a block may overshoot by its length) */
    QUIRE_TRAP_ECALL,   /* pc is at the ecall: the kernel adds 4 when it has answered */
    QUIRE_TRAP_EBREAK,  /* pc is at it */
    QUIRE_TRAP_ILLEGAL, /* pc is at it; instruction holds its bits */
    QUIRE_TRAP_FAULT,   /* the access failed for good: va, access, status; pc is at the instruction,
                         * which has had no effect */
};

struct quire_trap {
    enum quire_trap_kind kind;
    uint64_t va;
    enum quire_access access;
    enum quire_status status; /* QUIRE_FAULT, QUIRE_DENIED, QUIRE_BUS, QUIRE_KILLED */
    uint32_t instruction;
};

/* Run user instructions with these registers, on the hart at work, in the space of this pmap until
 * something happens. Faults are resolved on the way (quire_fault, quire_tick); only failures come
 * back. Returns how many instructions were done. */
uint64_t quire_soft_run(struct quire_machine *machine, struct quire_pmap *pmap,
                        struct quire_cpu *cpu, uint64_t max_instructions, struct quire_trap *trap);

/* The program says that it has written instructions (fence.i): every page is fetched again. */
void quire_code_stale_all(struct quire_pmap *pmap);

/* ---- harts ----------------------------------------------------------------------------------- */

/* All harts belong to one thread of the host and take turns: runs, faults and whatever the kernel
 * does happen on the hart at work, which is 0 at first. Each has a clock and a TLB of its own; a
 * change of a mapping is forgotten by all TLBs before the call that made it is back. What a hart
 * stores, the next one at work sees: between harts as within one, fences have nothing to do. O(1).
 * => hart < harts of the configuration */
void quire_soft_hart(struct quire_machine *machine, unsigned hart);

/* A run of the hart at work ends soon (a block of instructions later) after a fault, a system call
 * or a disk has taken its clock beyond ns: others are behind then. UINT64_MAX, as at first: never.
 */
void quire_soft_work_until(struct quire_machine *machine, uint64_t ns);

/* What a hart's own clock says, how much of that it had nothing to do, and how much it waited for
 * a disk, ns. */
uint64_t quire_soft_hart_ns(const struct quire_machine *machine, unsigned hart);
uint64_t quire_soft_hart_idle_ns(const struct quire_machine *machine, unsigned hart);
uint64_t quire_soft_hart_stall_ns(const struct quire_machine *machine, unsigned hart);

/* ---- clock and counters ---------------------------------------------------------------------- */

/* The time, ns, as programs are told it, by the counter `time` too: the clock of the hart at work,
 * but never earlier than what was told before. */
uint64_t quire_soft_now_ns(struct quire_machine *machine);

/* Let the clock jump forward: nobody can run on this hart before then. Earlier times change
 * nothing. */
void quire_soft_idle_until(struct quire_machine *machine, uint64_t ns);

/* Charge kernel work to the clock of the hart at work, ns. */
void quire_soft_charge(struct quire_machine *machine, uint64_t ns);

/* A page comes from the disk that the programs' files lie on: a device like those for swap, with
 * their times. The hart at work waits; if the page follows the one before (next), it was on its way
 * already, and only the transfer takes time. What is read is the caller's to know. */
void quire_soft_file_read(struct quire_machine *machine, bool next);

/* quire_tick(q), if a millisecond has gone by since the last one or the manager wants it now. Disk
 * time in it is background time. Returns whether it ticked. Call it wherever the kernel runs. */
bool quire_soft_tick_if_due(struct quire_machine *machine, struct quire *q);

struct quire_soft_counters {
    uint64_t instructions, loads, stores;
    uint64_t tlb_misses, tlb_flushes; /* a miss: a table walk; hits are loads + stores - misses */
    /* Changes of mappings that other harts had to be told of, and how many were, together. */
    uint64_t tlb_shootdowns, tlb_shootdowns_received;
    /* Entries of 2 MiB: how many were filled, and hits that only they could give. */
    uint64_t tlb_large_fills, tlb_large_hits;
    uint64_t faults;                  /* walks that ended in quire_fault */
    uint64_t disk_reads, disk_writes; /* pages */
    uint64_t stall_ns;                /* clock time that programs waited for the disk */
    uint64_t background_ns;           /* disk time inside quire_tick: nobody waited */
    uint64_t fault_ns;                /* clock time charged for faults */
    uint64_t idle_ns;                 /* of all harts together */
    uint64_t dma_interrupts;          /* pages that the controller moved */
    uint64_t dma_bounced;             /* of them through the bounce buffer */
};
void quire_soft_counters(const struct quire_machine *machine, struct quire_soft_counters *out);

/* Every clock cycle of the DMA controller from now on; NULL: no more. */
void quire_soft_dma_probe(struct quire_machine *machine,
                          void (*probe)(void *context, const struct quire_dma_cycle *cycle),
                          void *context);

/* ---- layout of addresses --------------------------------------------------------------------- */

/* Where things lie in every space. Without kernel_map only user_end, direct_bytes (all of RAM) and
 * area_base say something. */
struct quire_soft_layout {
    uint64_t user_end;                  /* user addresses lie below */
    uint64_t direct_base, direct_bytes; /* the kernel's window on RAM, from physical 0 on */
    quire_frame registers;              /* the bank below: always */
    uint64_t area_base, area_bytes;     /* vmalloc, kmap, fixmap, a hole of a page; without
                                         * kernel_map where views say that it begins */
};
void quire_soft_layout(const struct quire_machine *machine, struct quire_soft_layout *out);

/* The same as a 32-bit Linux printed it at boot, from the top down: hole, fixmap, pkmap, vmalloc,
 * lowmem, user. Returns the length of the whole text. => kernel_map */
size_t quire_soft_layout_text(const struct quire_machine *machine, char *text, size_t capacity);

/* The address at which a kernel on this machine would have what the host has at pointer, a window
 * or in the kernel area; 0: none. Without kernel_map only the area has addresses. */
uint64_t quire_soft_kernel_va(const struct quire_machine *machine, const void *pointer);
/* ---- watching -------------------------------------------------------------------------------- */

/* One access that the TLB had no answer for, and the instruction that made it. */
struct quire_soft_access {
    struct quire_space *space;
    uint64_t va;
    enum quire_access access;
    uint64_t pc;       /* 0: not an instruction's (tests) */
    const uint64_t *x; /* the registers then; NULL with pc 0 */
};

/* Who wants to know: called from the slow paths only, so that a machine without one pays nothing.
 * They must not change anything of the machine, and not compute with floating point: the host's
 * flags are the program's then (cpu_float.c). */
struct quire_soft_watch {
    void *context;
    void (*missed)(void *context, const struct quire_soft_access *access); /* before the walk */
    void (*fault_begins)(void *context);
    void (*fault_ends)(void *context, const struct quire_soft_access *access);
    void (*space_ends)(void *context, const struct quire_space *space);
    /* Who wants to know when pages were used, to the access; NULL: nobody. A page is a space's
     * number << 36 and the page's number in it (Sv48 at most). The window (window.c) holds pages
     * that were used a moment ago, and tells only of those that come, with a number that it is
     * given for them, and of those that go, with the time of their last use. */
    uint32_t (*page_enters)(void *context, uint64_t page, uint64_t time);
    void (*page_leaves)(void *context, uint32_t number, uint64_t last);
    /* Used without a window: a fetch of instructions to be decoded, a copy of the kernel's. */
    void (*page_touched)(void *context, uint64_t page, uint64_t time);
    /* Each load and store, one page after the other; NULL: no. Then the machine interprets. */
    void (*accessed)(void *context, uint64_t page, uint64_t time);
};
/* Copied; NULL: nobody any more. => with page_enters or accessed: nothing has run yet */
void quire_soft_watch(struct quire_machine *machine, const struct quire_soft_watch *watch);

/* Times of the window: two an instruction, since one may use two pages. */
#define QUIRE_SOFT_TIMES 2
/* A page that the window holds was used in the last so many instructions. */
#define QUIRE_SOFT_WINDOW_IDLE ((uint64_t)1 << 22)
uint64_t quire_soft_window_now(const struct quire_machine *machine);
/* All that was last used before this time leaves. O(entries of its banks) */
void quire_soft_window_trim(struct quire_machine *machine, uint64_t before);
/* The pages of this space in [first, first + npages) leave: they may end now. */
void quire_soft_window_forget(struct quire_pmap *pmap, uint64_t first, uint64_t npages);
/* The kernel uses the page at va of a space. */
void quire_soft_window_touch(struct quire_pmap *pmap, uint64_t va);
/* The space's number in pages. */
uint32_t quire_soft_space_number(const struct quire_pmap *pmap);

/* Bytes at va, if they are mapped and lie in one page; false otherwise. Nothing is changed: no
 * fault, no accessed bit, no count. */
bool quire_soft_peek(struct quire_pmap *pmap, uint64_t va, void *to, size_t nbytes);

/* ---- registers ------------------------------------------------------------------------------- */

/* A bank of registers beside RAM, at frame SOFT_REGISTERS_AT, or SOFT_REGISTERS_AT_32 where entries
 * have 4 bytes: it holds what is written to it. */
#define SOFT_REGISTERS       4
#define SOFT_REGISTERS_AT    0xF0000000u
#define SOFT_REGISTERS_AT_32 ((1u << 22) - SOFT_REGISTERS)

/* ---- injected hardware faults ---------------------------------------------------------------- */

enum quire_soft_injection {
    QUIRE_SOFT_READ_ERROR,   /* swap read answers QUIRE_IO */
    QUIRE_SOFT_WRITE_ERROR,  /* swap write answers QUIRE_IO */
    QUIRE_SOFT_BIT_FLIP,     /* one bit of a page read is wrong, status OK */
    QUIRE_SOFT_LOST_WRITE,   /* the device keeps the old page, status OK */
    QUIRE_SOFT_MISDIRECTED,  /* the page goes to a neighbouring slot, status OK */
    QUIRE_SOFT_TORN_WRITE,   /* only half of the page is written, status OK */
    QUIRE_SOFT_STALE_READ,   /* what the slot held before its last write, status OK */
    QUIRE_SOFT_LATE_WRITE,   /* status OK, but on the device only after the next few operations */
    QUIRE_SOFT_DROP_MAPPING, /* a random unwired mapping is forgotten before an enter */
    QUIRE_SOFT_INJECTIONS
};
/* Let it happen once in every `one_in` operations on average, drawn from the seed; 0: never. */
void quire_soft_inject(struct quire_machine *machine, enum quire_soft_injection what,
                       uint32_t one_in);

/* The nth run of neighbouring frames from now on that is mapped into the kernel's area (1 is the
 * next) is refused, and its call with it: QUIRE_NOMEM; 0: none. */
void quire_soft_fail_map(struct quire_machine *machine, uint64_t nth);

/* Swap operation number `first` from now on (1 is the next) and those after it, `count` in all
 * (UINT64_MAX: for ever), end in QUIRE_IO; count 0: none. Reads and writes of all devices count. */
void quire_soft_fail_io(struct quire_machine *machine, uint64_t first, uint64_t count);

#endif
