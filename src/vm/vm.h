/* vm.h: the face of vm/ towards reclaim/, view/ and core/.
 *
 * Nothing in vm/ reclaims: what lacks memory returns QUIRE_NOMEM without a trace, and core/
 * (trap.c, calls.c) reclaims and calls again. The public calls of space.h that may need memory are
 * therefore core/'s, and each has its one-shot twin here, named quire_vm_...
 */
#ifndef QUIRE_VM_VM_H
#define QUIRE_VM_VM_H

#include <quire/space.h>

#include "page/page.h"
#include "swap/swap.h"

/* ---- faults -------------------------------------------------------------------------------- */

/* One attempt: QUIRE_OK, QUIRE_FAULT, QUIRE_DENIED, QUIRE_BUS, QUIRE_KILLED; or QUIRE_NOMEM
 * (reclaim and call again), QUIRE_RESTART (just call again; only faults may say so). */
enum quire_status quire_vm_fault(struct quire_space *space, quire_vaddr va,
                                 enum quire_access access);

/* As a write fault, but a private region without write permission is no obstacle (copy_force): the
 * page becomes the space's own and dirty, mapped with no more than the region allows. */
enum quire_status quire_vm_fault_force(struct quire_space *space, quire_vaddr va);

/* For copies by the kernel: the frame that an access to va reaches without a fault. False: fault
 * first (quire_fault, or the forced one), then ask again. forced: a write for which the region's
 * permission does not count. Does not depend on what the machine remembers. */
bool quire_vm_frame_at(struct quire_space *space, quire_vaddr va, enum quire_access access,
                       bool forced, quire_frame *frame);

/* The resident page behind va: the space's own or the object's; NULL: none (the zero page is none).
 * For PAGEOUT, WILLNEED and views. */
struct quire_page *quire_vm_page_at(struct quire_space *space, quire_vaddr va);

/* The swap slot of the space's own page at va, if that is not in RAM: false if it is, or if there
 * is none of its own. For views. */
bool quire_vm_slot_at(struct quire_space *space, quire_vaddr va, quire_slot *slot);

/* A place of a space where something is: a page that the space maps there, or no page: a slot on
 * swap, to which so many places refer. */
struct quire_place {
    quire_vaddr va;
    struct quire_page *page;
    quire_slot slot;
    uint32_t sharers;
};
/* The first such place in [va, end). O(log regions), and then O(1) for each that is passed over. */
bool quire_vm_next_place(struct quire_space *space, quire_vaddr va, quire_vaddr end,
                         struct quire_place *place);

/* ---- one-shot twins of the public calls ---------------------------------------------------- */

enum quire_status quire_vm_space_create(struct quire *q, const struct quire_space_config *config,
                                        struct quire_space **out);
enum quire_status quire_vm_space_fork(struct quire_space *parent, void *owner,
                                      struct quire_space **child);
enum quire_status quire_vm_map(struct quire_space *space, quire_vaddr *va, uint64_t length_bytes,
                               unsigned prot, unsigned flags, struct quire_object *object,
                               uint64_t offset_bytes);
enum quire_status quire_vm_unmap(struct quire_space *space, quire_vaddr va, uint64_t length_bytes);
enum quire_status quire_vm_protect(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                   unsigned prot);
enum quire_status quire_vm_remap(struct quire_space *space, quire_vaddr old_va, uint64_t old_bytes,
                                 uint64_t new_bytes, unsigned flags, quire_vaddr *new_va);
/* Give the range's regions these locks: 0, QUIRE_MAP_LOCKED, or that with LOCK_ON_FAULT. Nothing is
 * faulted in. As quire_lock, but va is page-aligned. */
enum quire_status quire_vm_lock(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                unsigned locks);
bool quire_vm_has_locks(const struct quire_space *space);          /* any locked region */
void quire_vm_lock_all(struct quire_space *space, unsigned flags); /* cannot fail */
/* WILLNEED, POPULATE and PAGEOUT are core/'s and reclaim/'s; the rest of advice is here. */
enum quire_status quire_vm_advise(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                  enum quire_advice advice);
/* *end: wanted in, result out; a refusal is a result, the old end. QUIRE_NOMEM asks for reclaim,
 * and leaves *end as it was wanted: for the next try. */
enum quire_status quire_vm_brk(struct quire_space *space, quire_vaddr *end);
enum quire_status quire_vm_object_create(struct quire *q, const struct quire_pager *pager,
                                         void *context, uint64_t shm_bytes,
                                         const struct quire_object_info *info,
                                         struct quire_object **out); /* pager NULL: shm */
/* Public and here in vm/ for good, as they need no memory: quire_space_destroy, _pmap, _owner,
 * _system, _usage, _set_oom_score_adj, _oom_score_adj; quire_incore, quire_sync, quire_brk_start,
 * quire_region_at_or_after; quire_object_ref, _unref, _info, _overlay, _update, _truncate. */

/* The wait that was measured last (base/stall.h) was this space's; NULL: nobody's. */
void quire_vm_charge_stall(struct quire *q, struct quire_space *space);

/* ---- for reclaim: what can be done with a page on an LRU list ------------------------------ */

/* Was it used since the last time, by any mapping? Clears what it finds. */
bool quire_vm_harvest(struct quire *q, struct quire_page *page);

/* Make it clean: take write permission from all mappings, then write it to swap or its file.
 * QUIRE_OK: not dirty now. QUIRE_NOMEM: no swap slot. QUIRE_IO: still dirty. May do I/O. */
enum quire_status quire_vm_clean(struct quire *q, struct quire_page *page);

/* Take it from its owner: unmap it everywhere, let the anon or object forget it.
 * => clean, not pinned, on no LRU list. The page belongs to the caller then, who frees it. */
void quire_vm_detach(struct quire *q, struct quire_page *page);

/* Keep what is remembered of a page that is about to be detached: quire_lru_evict's answer. */
void quire_vm_leave_shadow(struct quire *q, struct quire_page *page, uint32_t shadow);

/* Is it a page of a program's text, as its first mapping says? */
bool quire_vm_is_text(const struct quire_page *page);

/* May reclaim touch it at all (not the zero page, not pinned, not locked in memory)? */
bool quire_vm_reclaimable(struct quire *q, struct quire_page *page);

/* Write dirty file pages back as age and number ask for it: a batch, or what is above the limit.
 * May do I/O. Wanted: above the limit, so that whoever dirtied a page should call it now. */
void quire_vm_flush(struct quire *q);
bool quire_vm_flush_wanted(const struct quire *q);

/* ---- for compaction ------------------------------------------------------------------------ */

/* May its contents go to another frame: a program's page, by itself, not pinned? */
bool quire_vm_migratable(const struct quire_page *page);
/* Move contents, owner, mappings and place on the list from one frame to another, which was just
 * allocated for the same use. The old page belongs to the caller then, who frees it.
 * => migratable */
void quire_vm_migrate(struct quire *q, struct quire_page *from, struct quire_page *to);

/* ---- for the OOM killer, views and audit --------------------------------------------------- */

/* Spaces in order of creation: the first for NULL, NULL after the last. */
struct quire_space *quire_vm_next_space(struct quire *q, struct quire_space *previous);
/* The killer's mark: faults in it return QUIRE_KILLED from now on. */
void quire_vm_mark_killed(struct quire_space *space);
bool quire_vm_is_killed(const struct quire_space *space);

/* Bring every page that lies on this device back. QUIRE_NOMEM: call again after reclaim; QUIRE_IO:
 * a page could not be read (it stays there). */
enum quire_status quire_vm_swap_back(struct quire *q, unsigned device);

/* Pages only on swap, all spaces and objects, each anon once; pages promised (Committed_AS). O(1).
 */
uint64_t quire_vm_swapped(const struct quire *q);
uint64_t quire_vm_committed(const struct quire *q);
uint64_t quire_vm_commit_limit(const struct quire *q); /* pages, in mode NEVER */
uint64_t quire_vm_dirty(const struct quire *q);
uint64_t quire_vm_mlocked(const struct quire *q);     /* pages that locked regions keep in RAM */
uint64_t quire_vm_lazyfree(const struct quire *q);    /* pages that pressure may drop: MADV_FREE */
uint64_t quire_vm_mapped_file(const struct quire *q); /* file pages with at least one mapping */
/* Highest (anon + shmem + mapped file + swapped + tables) so far, pages. */
uint64_t quire_vm_peak_demand(const struct quire *q);

/* ---- huge pages: quire.h has quire_set_thp ------------------------------------------------- */

/* Is the page one of a block that some space maps with one entry? Moving or evicting it splits the
 * block: who looks for pages to move had better leave these alone. O(mappings of the page). */
bool quire_vm_in_block(struct quire_page *page);

/* Pages in blocks of all spaces (AnonHugePages); blocks. O(1). */
uint64_t quire_vm_huge_pages(const struct quire *q);
uint64_t quire_vm_blocks(const struct quire *q);

/* The same of one space between two addresses; and may the region that begins at va have blocks? */
uint64_t quire_vm_block_pages(const struct quire_space *space, quire_vaddr start, quire_vaddr end);
bool quire_vm_block_eligible(const struct quire_space *space, quire_vaddr va);

/* A bounded piece of khugepaged's work; called by each tick. */
void quire_vm_collapse(struct quire *q);

enum quire_status quire_vm_boot(struct quire *q, const struct quire_config *config);
void quire_vm_shutdown(struct quire *q); /* => no space and no object is left */
/* Recount: sparse arrays against anon->refs, frames' owners, rmap against pmap_query, regions,
 * usage of each space. Stores how many distinct slots are held. Panics. */
void quire_vm_audit(struct quire *q, uint64_t *slots_held);

#endif
