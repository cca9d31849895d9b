/* machine.h: the port. What a machine gives to the memory manager, whole, on one page.
 *
 * Plain linked functions with an explicit context: a program links one machine. The manager calls
 * these; a machine calls the manager only through quire_fault() and quire_tick() (quire.h).
 *
 * The law that keeps this small: the manager holds the truth, page tables are a cache of it. An
 * unwired mapping may be forgotten by the machine at any time; the next access faults and brings it
 * back. A referenced bit may be missing. Whether a page was modified never depends on the machine:
 * the manager maps a clean page without write permission and marks it dirty at the write fault.
 *
 * None of these may call the manager back. None may fail unless it says so. "Sleeps" means that it
 * may take as long as a device takes. docs/PORTING.md goes through them one by one.
 */
#ifndef QUIRE_MACHINE_H
#define QUIRE_MACHINE_H

#include <quire/status.h>
#include <quire/types.h>

/* ---- memory: 4 ------------------------------------------------------------------------------- */

/* A run of usable RAM. Runs are ascending, page-aligned and do not touch. */
struct quire_ram_range {
    quire_paddr start;
    uint64_t length_bytes;
};

/* The index-th run of RAM, false past the last. The manager owns all of it after quire_create. */
bool quire_mach_ram_range(struct quire_machine *machine, unsigned index,
                          struct quire_ram_range *range);

/* Where the kernel sees a frame: a direct map, valid for as long as the machine lives, and linear:
 * the windows of neighbouring frames in one run of RAM are neighbours. */
void *quire_mach_window(struct quire_machine *machine, quire_frame frame);

/* Fill one frame with zeros. Separate from memset because hardware often has a faster way. */
void quire_mach_zero(struct quire_machine *machine, quire_frame frame);

/* Copy one frame to another; the two differ. */
void quire_mach_copy(struct quire_machine *machine, quire_frame to, quire_frame from);

/* ---- kernel addresses beside the direct map: 2 ----------------------------------------------- */

/* A run of kernel addresses, whole pages from *base on, in which nothing is mapped at first; false:
 * the machine has none (vmalloc and its like are then refused). Asked at boot. */
bool quire_mach_kernel_area(struct quire_machine *machine, void **base, uint64_t *npages);

/* Let frames[i] appear at page i from `at` on (in that area, page-aligned), readable and writable
 * by the kernel, instead of what was there. Frames are RAM, which keeps its window as well, or
 * physical pages of a device, uncached. frames NULL: nothing appears there any longer, and accesses
 * fault; that cannot fail. QUIRE_NOMEM: no room for the tables; nothing is mapped there then. */
enum quire_status quire_mach_kernel_map(struct quire_machine *machine, void *at,
                                        const quire_frame *frames, uint64_t npages);

/* ---- page tables: 9 -------------------------------------------------------------------------- */

/* Table frames belong to the manager: it hands them in, the machine hands back what it drops, so
 * that entering a mapping can neither fail nor call an allocator. A stash is a stack of frames. */
#define QUIRE_STASH_MAX 8
struct quire_stash {
    unsigned count;
    quire_frame frames[QUIRE_STASH_MAX];
};

/* How many table frames pmap_enter may need at most (3 for Sv48: the root is made by create); less
 * than QUIRE_STASH_MAX. *large_order: the other order that enter takes, 9 for blocks of 2 MiB; 0 if
 * there is none, and nothing larger than a page is ever entered. */
unsigned quire_mach_pmap_depth(struct quire_machine *machine, unsigned *large_order);

/* The top level of a space's tables takes 2^root_order frames in a row: 0, one frame, wherever a
 * table is a page; 10 for a single level of 2^20 entries. At most QUIRE_NORDERS - 1. */
unsigned quire_mach_pmap_root_order(struct quire_machine *machine);

/* Make empty page tables for space; root is the first frame for the top level, none of them zeroed.
 * Returns NULL when the machine has no room for its own bookkeeping; root then still belongs to the
 * caller. */
struct quire_pmap *quire_mach_pmap_create(struct quire_machine *machine, struct quire_space *space,
                                          quire_frame root);

/* Forget everything: each table frame, the root's last, goes to release(context, frame). */
void quire_mach_pmap_destroy(struct quire_pmap *pmap, void (*release)(void *context, quire_frame),
                             void *context);

/* Map 2^order pages from va on to as many frames from frame on, all three numbers multiples of it,
 * with exactly prot (a mask of enum quire_prot, not 0), replacing what was there, and drop stale
 * translations. The machine may enter the mapping as referenced. order is 0 or large_order. Table
 * frames are popped from the stash as needed; they need not be zero. A large mapping may push one:
 * the table whose place it takes. A page entered inside a large mapping splits it: the pages around
 * stay mapped as they were, or are forgotten. */
void quire_mach_pmap_enter(struct quire_pmap *pmap, quire_vaddr va, quire_frame frame,
                           unsigned order, unsigned prot, struct quire_stash *stash);

/* Forget the mappings of npages from va on; where there is none, nothing happens. Tables that
 * become empty may stay until destroy. A large mapping that lies only partly in the range is
 * forgotten whole, here and by protect, if anything of it would change. */
void quire_mach_pmap_remove(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages);

/* Take permissions away: every mapping in the range keeps at most prot. 0 removes it. */
void quire_mach_pmap_protect(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages,
                             unsigned prot);

/* What the machine knows of va. Not required to know anything (mapped=false is always allowed). */
struct quire_pmap_entry {
    quire_frame frame;
    unsigned prot;
    unsigned order; /* of the mapping that va is in */
    bool mapped, referenced, modified;
};
void quire_mach_pmap_query(struct quire_pmap *pmap, quire_vaddr va, struct quire_pmap_entry *entry);

/* Was va accessed since the last harvest? Clears the bit and drops the stale translation. A machine
 * without such bits answers false. A large mapping has one bit: all its pages are asked at once. */
bool quire_mach_pmap_harvest(struct quire_pmap *pmap, quire_vaddr va);

/* ---- swap devices: 3 ------------------------------------------------------------------------- */

/* Size of a device in pages, 0 if there is no such device. Devices count from 0. */
uint64_t quire_mach_swap_pages(struct quire_machine *machine, unsigned device);

/* Move one frame to page number slot of a device, or a run of count (1 to QUIRE_RUN_MAX) pages from
 * slot on to frames, which may lie anywhere. Sleeps. QUIRE_OK, or QUIRE_IO: then the page on the
 * device (write) or all of the frames (read) hold anything. */
#define QUIRE_RUN_MAX 64
enum quire_status quire_mach_swap_write(struct quire_machine *machine, unsigned device,
                                        uint64_t slot, quire_frame frame);
enum quire_status quire_mach_swap_read(struct quire_machine *machine, unsigned device,
                                       uint64_t slot, const quire_frame *frames, unsigned count);

/* ---- compression: 2 -------------------------------------------------------------------------- */

/* Pack a frame into at most capacity bytes at to, and say into how many. 0: it does not fit, or the
 * machine has no such codec; a machine may have none at all. */
size_t quire_mach_compress(struct quire_machine *machine, enum quire_zswap method,
                           quire_frame frame, void *to, size_t capacity);

/* The way back: false if these bytes are not what compress made; the frame then holds anything. */
bool quire_mach_decompress(struct quire_machine *machine, enum quire_zswap method,
                           const void *from, size_t nbytes, quire_frame frame);

/* ---- time, programs, last words: 4 ----------------------------------------------------------- */

/* Nanoseconds on the machine's clock, monotonic. Deterministic on a deterministic machine. */
uint64_t quire_mach_now_ns(struct quire_machine *machine);

/* The OOM killer chose this space; why is one line of text. The machine must see to it that its
 * program ends and that quire_space_destroy is called, before this returns if it can: the manager
 * tries its allocation again at once. owner is the pointer given to quire_space_create. */
void quire_mach_oom_kill(struct quire_machine *machine, void *owner, const char *why);

/* One line for the operator, without a newline. */
void quire_mach_log(struct quire_machine *machine, const char *line);

/* A broken invariant: file, line and the condition. Does not return. */
_Noreturn void quire_mach_panic(struct quire_machine *machine, const char *file, int line,
                                const char *condition);

#endif
