/* account.h: what is counted, and the tables that it is counted in. Internal to watch/.
 *
 * Every table has an end: what no longer fits is counted in its first row, "others", so that sums
 * stay right however long a run is (series.c and grid.c halve their resolution instead).
 */
#ifndef QUIRE_WATCH_ACCOUNT_H
#define QUIRE_WATCH_ACCOUNT_H

#include "watch/distances.h"
#include "watch/watch.h"

/* What happens to pages. An event may be several: a major fault from swap is MAJOR and SWAP_IN, and
 * has a WAIT. */
enum watch_kind {
    WATCH_MINOR,    /* faults that did not wait for a disk */
    WATCH_MAJOR,    /* faults that did */
    WATCH_ZERO,     /* fresh pages, by first touch */
    WATCH_COW,      /* pages copied on write */
    WATCH_SWAP_IN,  /* pages from swap, read-ahead included */
    WATCH_SWAP_OUT, /* pages to swap, written while the program waited */
    WATCH_FILE_IN,  /* pages read into the page cache */
    WATCH_REFAULT,  /* pages that came back although they were of the working set */
    WATCH_DIRECT,   /* pages reclaimed by the one who needed a frame */
    WATCH_WAIT_NS,  /* how long the program waited for the disk */
    WATCH_TLB,      /* accesses that the TLB had no answer for */
    WATCH_KINDS
};
extern const char *const watch_kind_names[WATCH_KINDS]; /* as in the JSON */

struct watch_counts {
    uint64_t of[WATCH_KINDS];
};

static inline void watch_add(struct watch_counts *to, const struct watch_counts *more) {
    for (unsigned i = 0; i < WATCH_KINDS; i++)
        to->of[i] += more->of[i];
}

/* ---- spaces: a number for each that ever was, since pointers are used again ---------------- */

#define WATCH_SPACES  512 /* that are remembered by name; later ones are "others" */
#define WATCH_VICTIMS 32  /* of kills for want of memory that are remembered */

struct watch_space {
    const struct quire_space *space; /* NULL: it is gone */
    int pid;
    char name[16];
    uint64_t begin_ns, end_ns; /* its first event; its end, 0: it is still there */
    struct watch_counts counts;
};

/* ---- series.c: figures over time ----------------------------------------------------------- */

enum watch_level {                 /* pages at a moment */
                   WATCH_RESIDENT, /* anonymous, shared and mapped or cached file pages: all that is
                                      not kernel */
                   WATCH_CACHE,    /* of them file pages */
                   WATCH_SWAPPED,
                   WATCH_FREE,
                   WATCH_LEVELS
};
enum watch_rate { /* how many since the sample before */
                  WATCH_R_MINOR,
                  WATCH_R_MAJOR,
                  WATCH_R_TLB,
                  WATCH_R_RECLAIM,
                  WATCH_R_SWAP_IN,
                  WATCH_R_SWAP_OUT,
                  WATCH_R_WAIT_NS,
                  WATCH_RATES
};

#define WATCH_SAMPLES 1024 /* points of a curve: more than a screen has columns for it */

struct watch_sample {
    uint64_t end_ns;
    uint64_t level[WATCH_LEVELS], rate[WATCH_RATES];
};
struct watch_series {
    struct watch_sample samples[WATCH_SAMPLES];
    unsigned count;
    uint64_t step_ns, next_ns;
    uint64_t before[WATCH_RATES]; /* totals at the last sample */
};
void watch_series_begin(struct watch_series *series);
/* The totals and levels now: becomes a sample. Halves the resolution when there is no room. */
void watch_series_add(struct watch_series *series, uint64_t now_ns, const uint64_t *levels,
                      const uint64_t *totals);

/* ---- grid.c: where in memory, when --------------------------------------------------------- */

#define WATCH_ROWS      160
#define WATCH_COLUMNS   160
#define WATCH_GRID_SETS 64 /* a power of two */
#define WATCH_GRID_WAYS 4  /* of a set: a line of the host's cache */

struct watch_row {
    uint32_t space;
    uint64_t at; /* address >> shift */
    uint32_t cells[WATCH_COLUMNS];
};
struct watch_grid {
    struct watch_row rows[WATCH_ROWS];
    unsigned nrows;
    unsigned shift; /* a row covers 2^shift bytes */
    uint64_t column_ns;
    /* Of the present column, by row: what add touches lies together. In the cells
     * when the column is over, and from watch_grid_sort on. */
    uint32_t now[WATCH_ROWS];
    unsigned column;
    uint64_t column_begins_ns;
    struct watch_place { /* the row that a place has, by its hash */
        uint64_t at;
        uint32_t space, row; /* row: its number + 1; 0: nothing is remembered here */
    } places[WATCH_GRID_SETS][WATCH_GRID_WAYS];
};
void watch_grid_begin(struct watch_grid *grid);
/* Something happened at va of a space. O(1) where it was remembered, O(rows) elsewhere. */
void watch_grid_add(struct watch_grid *grid, uint32_t space, uint64_t va, uint64_t now_ns,
                    uint32_t weight);
/* Rows by space, then address; all counts in their cells. */
void watch_grid_sort(struct watch_grid *grid);

/* ---- regions.c: mappings, with what happened in them --------------------------------------- */

#define WATCH_REGIONS  512
#define WATCH_NAME_MAX 128
#define WATCH_RECENT   16 /* a power of two */

struct watch_region {
    uint32_t space;
    uint16_t older;      /* row of the same space, 0: none */
    uint64_t start, end; /* as far as it ever reached */
    unsigned prot;
    char name[WATCH_NAME_MAX]; /* file, [heap], [stack], "" for anonymous */
    struct watch_counts counts;
};
struct watch_regions {
    struct watch_region rows[WATCH_REGIONS]; /* [0]: others */
    unsigned count;
    uint16_t newest[WATCH_SPACES]; /* row of a space, 0: none */
    struct watch_range {           /* found last; the oldest is replaced */
        uint64_t start, end;
        uint32_t space, row;
    } recent[WATCH_RECENT];
    unsigned nrecent; /* ever */
};
void watch_regions_begin(struct watch_regions *regions);
/* Mappings may lie elsewhere now. */
void watch_regions_forget(struct watch_regions *regions);
struct watch_region *watch_region_of(struct watch_regions *regions, uint32_t number,
                                     const struct quire_space *space, uint64_t va);

/* ---- sites.c: code, and the ways to it ----------------------------------------------------- */

#define WATCH_IMAGES     1024
#define WATCH_NODES      32768 /* a power of two; of call paths */
#define WATCH_SITES      12289 /* instructions that missed the TLB, and number 0, which is none */
#define WATCH_SITE_INDEX 32768 /* a power of two */
#define WATCH_DEPTH      12    /* calls of a path that are told apart */

/* A place in a file of code. Image 0 is what lies in no file. */
struct watch_code {
    uint32_t image;
    uint64_t offset; /* in the file; of image 0: the address */
};
struct watch_node {  /* a function's call, reached by its parent's */
    uint32_t parent; /* 0: the root, which is its own */
    struct watch_code code;
    struct watch_counts counts; /* of itself, callees not included */
};
struct watch_site { /* an instruction, with the pattern of its misses */
    struct watch_code code;
    uint64_t misses, last_va, strided;
    int64_t stride; /* bytes between the last two */
    uint64_t major, swap_in;
};
struct watch_sites {
    char *images[WATCH_IMAGES];
    unsigned nimages;
    struct watch_node nodes[WATCH_NODES]; /* [0]: the root, and others */
    unsigned nnodes;
    struct watch_site sites[WATCH_SITES]; /* [0]: none */
    unsigned nsites;
    /* Hashes: the number of a node or a site, 0: none. Apart from what they lead to, and small:
     * what a short run touches of all this is a few pages. */
    uint16_t node_index[2 * WATCH_NODES], site_index[WATCH_SITE_INDEX];
    uint64_t sites_lost; /* misses of instructions that had no room */
};
void watch_sites_begin(struct watch_sites *sites);
void watch_sites_end(struct watch_sites *sites);
/* The number of an image by its name; 0 when there is no room. */
uint32_t watch_image(struct watch_sites *sites, const char *name);
/* The node of a path, path[0] the innermost. */
struct watch_node *watch_node_of(struct watch_sites *sites, const struct watch_code *path,
                                 unsigned depth);
/* The site of an instruction; sites[0]: there is no room. Sites stay where they are. */
struct watch_site *watch_site_of(struct watch_sites *sites, struct watch_code code);
/* It missed the TLB at va. */
void watch_site_miss(struct watch_sites *sites, struct watch_site *site, uint64_t va);

/* ---- stack.c: from a pc to the calls that led there ---------------------------------------- */

#define WATCH_CODE_WAYS 64
#define WATCH_TEXTS     8
#define WATCH_MISSERS   256 /* a power of two */

/* Where the code of a space lies, remembered until a system call may have moved it. */
struct watch_codes {
    struct watch_code_range {
        const struct quire_space *space;
        uint64_t start, end, bias; /* file offset = pc - bias */
        uint32_t image;
        bool executable;
    } ways[WATCH_CODE_WAYS], texts[WATCH_TEXTS]; /* by address; the executable ones found last */
    unsigned ntexts;
    struct watch_misser { /* an instruction that missed the TLB, by its hash */
        const struct quire_space *space;
        uint64_t pc;
        struct watch_site *site;
    } missers[WATCH_MISSERS];
};
/* All is forgotten: code may lie elsewhere. */
void watch_codes_forget(struct watch_codes *codes);
/* The site of an instruction that missed the TLB. */
struct watch_site *watch_misser(struct watch_codes *codes, struct watch_sites *sites,
                                const struct quire_space *space, uint64_t pc);
/* What code is at pc. False: none. */
bool watch_code_at(struct watch_codes *codes, struct watch_sites *sites,
                   const struct quire_space *space, uint64_t pc, struct watch_code *code);
/* The calls that led to pc, innermost first, at most WATCH_DEPTH. x NULL: pc alone. */
unsigned watch_stack(struct watch_codes *codes, struct watch_sites *sites,
                     const struct quire_space *space, uint64_t pc, const uint64_t *x,
                     struct watch_code *path);

/* ---- symbols.c: names for code ------------------------------------------------------------- */

struct watch_symbols;
struct watch_symbol {
    const char *function; /* "" when unknown; lives as long as the symbols */
    const char *file;     /* of the source; "" when unknown */
    int line;             /* 0: unknown */
};
/* NULL: the host has no memory, or this quire was built without libdw. */
struct watch_symbols *watch_symbols_create(struct os *os, const struct watch_sites *sites);
void watch_symbols_destroy(struct watch_symbols *symbols);
/* The function that an offset of an image lies in. symbols may be NULL: nothing is known. */
struct watch_symbol watch_symbol_of(struct watch_symbols *symbols, struct watch_code code);

/* ---- curves.c: which pages, in what order: faults by size of RAM, and the working set -------- */

#define WATCH_BREAKS  256 /* spaces whose end of the heap is remembered */
#define WATCH_PENDING 64  /* pages that came and went, and are told to distances together */

struct watch_curves {
    struct quire_machine *machine;
    struct watch_distances distances;
    bool finished;
    struct watch_event {
        uint64_t page, time;
        uint32_t ticket; /* NO_TICKET: it came and went */
        bool leaves;
    } pending[WATCH_PENDING];
    unsigned npending;
    /* What the window has for a page's number until its event is told. */
    uint32_t *numbers, *free_tickets; /* of distances; a stack */
    uint32_t ntickets, nfree;
    /* Who keeps a count beside this one (tests) hears of pages that end; NULL: nobody. */
    void (*ended)(void *context, uint64_t page, uint64_t npages);
    void *context;
    struct watch_break { /* where the heap of a space ended */
        uint32_t space;
        uint64_t end;
    } breaks[WATCH_BREAKS];
};
/* False: the host has no memory. */
bool watch_curves_begin(struct watch_curves *curves, struct quire_machine *machine);
void watch_curves_end(struct watch_curves *curves);
/* What the machine is to call (with the curves as its context); see soft.h. */
uint32_t watch_curves_enter(struct watch_curves *curves, uint64_t page, uint64_t time);
void watch_curves_leave(struct watch_curves *curves, uint32_t number, uint64_t last);
void watch_curves_touch(struct watch_curves *curves, uint64_t page, uint64_t time);
/* The kernel copied bytes; a space ends; a call has ended that had these registers. */
void watch_curves_copied(struct watch_curves *curves, struct quire_space *space, uint64_t va,
                         size_t nbytes);
void watch_curves_space_ends(struct watch_curves *curves, const struct quire_space *space);
void watch_curves_called(struct watch_curves *curves, struct quire_space *space, const uint64_t *x);
/* From the start to now, in the window's units. */
uint64_t watch_curves_time(const struct watch_curves *curves);
/* The run is over: the curves are whole. */
void watch_curves_finish(struct watch_curves *curves);

/* ---- watch.c ------------------------------------------------------------------------------- */

#define WATCH_MISSES 64 /* misses of the TLB that are accounted for together */

struct watch_miss {
    const struct quire_space *space;
    uint64_t va, pc, now_ns;
};

/* ---- the whole ----------------------------------------------------------------------------- */

/* The run is over: the last figures are taken. */
void watch_finish(struct watch *watch);

struct watch {
    struct os *os;
    struct quire *quire;
    struct quire_machine *machine;
    struct watch_space spaces[WATCH_SPACES]; /* [0]: others */
    unsigned nspaces;
    uint32_t last_space;                /* found last */
    struct watch_counts totals, before; /* of programs; what the counters were at the last look */
    struct watch_counts background;     /* what happened while no program was at it */
    struct {                            /* the system call in progress */
        struct quire_space *space;
        uint64_t pc;
        uint64_t x[32];
    } call;
    struct watch_oom { /* the last kill, with the state of that moment */
        bool happened;
        unsigned times;
        int pid;
        char name[16], why[256];
        uint64_t at_ns;
        struct quire_usage usage;
        struct watch_victim { /* of the first kills, in order */
            int pid;
            char name[16];
            uint64_t at_ns;
        } victims[WATCH_VICTIMS];
    } oom;
    struct watch_miss misses[WATCH_MISSES];
    unsigned nmisses;
    struct watch_series series;
    struct watch_grid grid;
    struct watch_regions regions;
    struct watch_sites sites;
    struct watch_codes codes;
    struct watch_curves curves;
};

#endif
