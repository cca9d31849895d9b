/* space.h: address spaces, as programs and kernels use them.
 *
 * Results and errors are those of Linux's calls of the same name; addresses and lengths are in
 * bytes. "Page-aligned" arguments that are not are QUIRE_INVAL. Thread-safety: as quire.h says.
 * Costs: O(log regions) to find a place, plus O(pages touched) where pages change.
 */
#ifndef QUIRE_SPACE_H
#define QUIRE_SPACE_H

#include <quire/status.h>
#include <quire/types.h>

/* ---- a space ----------------------------------------------------------------------------------
 */

struct quire_space_config {
    quire_vaddr low, high;      /* user addresses: low <= va < high, page-aligned */
    quire_vaddr map_top;        /* quire_map without an address searches downwards from here */
    uint64_t stack_limit_bytes; /* a region that grows down may grow to this size */
    uint64_t stack_gap_bytes;   /* and keeps this distance from what lies below (Linux: 1 MiB) */
    void *owner;                /* the process; handed to quire_mach_oom_kill */
};

/* QUIRE_NOMEM, QUIRE_INVAL. */
enum quire_status quire_space_create(struct quire *q, const struct quire_space_config *config,
                                     struct quire_space **out);

/* Unmap everything, free the tables. Never fails. O(pages). */
void quire_space_destroy(struct quire_space *space);

/* A copy with copy-on-write: private pages are shared until one side writes, shared mappings stay
 * shared. Nothing of the parent changes but write permission. QUIRE_NOMEM leaves no trace.
 * O(regions + pages). */
enum quire_status quire_space_fork(struct quire_space *parent, void *owner,
                                   struct quire_space **child);

/* Limits in bytes, UINT64_MAX for none, as setrlimit's of these names; inherited by fork. What
 * would exceed one is QUIRE_NOROOM (a stack does not grow). STACK begins as the configuration says.
 * What is there already stays. QUIRE_INVAL. */
enum quire_space_limit { QUIRE_LIMIT_ADDRESS, QUIRE_LIMIT_DATA, QUIRE_LIMIT_STACK };
enum quire_status quire_space_set_limit(struct quire_space *space, enum quire_space_limit which,
                                        uint64_t bytes);

/* The machine's tables for this space, to be activated by it; and the reverse for its owner. */
struct quire_pmap *quire_space_pmap(const struct quire_space *space);
void *quire_space_owner(const struct quire_space *space);
struct quire *quire_space_system(const struct quire_space *space);

/* -1000 (never) to 1000; other values are QUIRE_INVAL. Inherited by fork. */
enum quire_status quire_space_set_oom_score_adj(struct quire_space *space, int adj);
int quire_space_oom_score_adj(const struct quire_space *space);
/* Badness as /proc/PID/oom_score gives it: 0 to 2000. */
unsigned quire_space_oom_score(const struct quire_space *space);

struct quire_space_usage { /* in pages */
    uint64_t virtual_pages, peak_virtual;
    uint64_t resident_anon, resident_file, resident_shmem, peak_resident;
    uint64_t swapped, page_tables;
    uint64_t data, stack, text, locked; /* virtual: as VmData, VmStk, VmExe, VmLck */
    uint64_t minor_faults, major_faults;
    uint64_t stalls, stall_ns; /* waits for memory: times, and how long (quire_pressure) */
};
void quire_space_usage(const struct quire_space *space, struct quire_space_usage *usage);

/* ---- memory calls -----------------------------------------------------------------------------
 */

enum quire_map_flags {
    QUIRE_MAP_SHARED = 1 << 0,     /* writes are seen by others and reach the object */
    QUIRE_MAP_FIXED = 1 << 1,      /* exactly at *va, replacing what is there */
    QUIRE_MAP_NOREPLACE = 1 << 2,  /* exactly at *va, or QUIRE_EXIST */
    QUIRE_MAP_GROWSDOWN = 1 << 3,  /* a stack: faults just below extend it */
    QUIRE_MAP_POPULATE = 1 << 4,   /* fault everything in now; failures are not reported */
    QUIRE_MAP_STACK_TAG = 1 << 5,  /* named [stack] in maps */
    QUIRE_MAP_HEAP_TAG = 1 << 6,   /* named [heap] in maps */
    QUIRE_MAP_NORESERVE = 1 << 7,  /* not counted as committed */
    QUIRE_MAP_DENY_WRITE = 1 << 8, /* quire_protect may never add write (file opened read-only) */
    QUIRE_MAP_LOCKED = 1 << 9,     /* kept in RAM: faulted in now, never reclaimed */
    QUIRE_MAP_LOCK_ON_FAULT = 1 << 10, /* with LOCKED: only what is touched */
};

/* Map length bytes (rounded up to pages, not 0). object NULL: anonymous, zero-filled memory;
 * otherwise the object's pages from offset_bytes (page-aligned) on, of which the region takes a
 * reference. *va: where (FIXED, NOREPLACE) or a hint, 0 for none; set to where it is.
 * QUIRE_NOMEM, QUIRE_NOROOM, QUIRE_INVAL, QUIRE_EXIST. Neighbours that match are merged. */
enum quire_status quire_map(struct quire_space *space, quire_vaddr *va, uint64_t length_bytes,
                            unsigned prot, unsigned flags, struct quire_object *object,
                            uint64_t offset_bytes);

/* Holes in the range are fine. QUIRE_INVAL, QUIRE_NOMEM (a split needs a region record). */
enum quire_status quire_unmap(struct quire_space *space, quire_vaddr va, uint64_t length_bytes);

/* QUIRE_UNMAPPED where the range has holes (what lies before the hole is changed, as on Linux);
 * QUIRE_DENIED for write on DENY_WRITE. */
enum quire_status quire_protect(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                                unsigned prot);

enum quire_remap_flags { /* MREMAP_* have these values */
                         QUIRE_REMAP_MAY_MOVE = 1 << 0,
                         QUIRE_REMAP_FIXED =
                             1
                             << 1, /* to exactly *new_va, replacing what is there; with MAY_MOVE */
                         QUIRE_REMAP_DONT_UNMAP =
                             1 << 2, /* the old place stays mapped, empty; sizes equal, MAY_MOVE */
};

/* mremap: grow, shrink or move one region or part of it. old_bytes 0 makes a second mapping of a
 * shared region. *new_va: the place wanted (FIXED), or a hint (DONT_UNMAP); set to where it is
 * then. Pages move by their entries, never by copying. QUIRE_FAULT: no region there, or the range
 * leaves it (shrinking may: what lies behind is unmapped). QUIRE_NOROOM: nowhere to grow, or too
 * many regions. QUIRE_NOMEM, QUIRE_INVAL. O(pages moved + log regions). */
enum quire_status quire_remap(struct quire_space *space, quire_vaddr old_va, uint64_t old_bytes,
                              uint64_t new_bytes, unsigned flags, quire_vaddr *new_va);
enum quire_advice {
    QUIRE_ADVISE_NORMAL,
    QUIRE_ADVISE_WILLNEED, /* read in ahead of use, as far as memory is free */
    QUIRE_ADVISE_DONTNEED, /* private: contents are gone, zero (or the file's bytes) from now on */
    QUIRE_ADVISE_FREE,     /* private anonymous: dropped under pressure, unless written again */
    QUIRE_ADVISE_COLD,     /* to the inactive list's tail */
    QUIRE_ADVISE_PAGEOUT,  /* evict now */
    QUIRE_ADVISE_DONTFORK, /* a child does not get it */
    QUIRE_ADVISE_DOFORK,
    QUIRE_ADVISE_WIPEONFORK, /* private anonymous: a child gets it empty */
    QUIRE_ADVISE_KEEPONFORK,
    QUIRE_ADVISE_HUGEPAGE, /* large pages are welcome here, or are not: kept with the region */
    QUIRE_ADVISE_NOHUGEPAGE,
    QUIRE_ADVISE_POPULATE_READ,  /* fault everything in, as reads or as writes, and report what */
    QUIRE_ADVISE_POPULATE_WRITE, /* could not be had */
    QUIRE_ADVISE_REMOVE, /* shared: the object's pages are zeros from now on, for everybody */
};

/* As madvise. Holes are passed over and reported as QUIRE_UNMAPPED at the end (POPULATE stops at
 * them). QUIRE_INVAL: also DONTNEED, FREE, COLD, REMOVE and PAGEOUT of locked memory, FREE and
 * WIPEONFORK of what is not private and anonymous, REMOVE of what is, POPULATE against the
 * protection; what lies before such a region has been done. REMOVE: QUIRE_DENIED where the mapping
 * is private or may never be written, QUIRE_IO. POPULATE: QUIRE_FAULT past the end of a file,
 * QUIRE_NOMEM. */
enum quire_status quire_advise(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                               enum quire_advice advice);

/* Swap a program out as a whole, and in again: nothing is lost, only time. Out: every page that is
 * its own alone leaves RAM, to swap or, a file's, to the file; what other spaces map as well and
 * what is locked stays (as with PAGEOUT), and so does what finds no room on swap. In: its private
 * pages that lie on swap are read, as long as more frames are free than background reclaim keeps,
 * so that nobody else is pushed out for it. Both return how many pages are not where they were to
 * go: in RAM still, on swap still. Not for a space that is being destroyed. O(pages). */
uint64_t quire_space_swap_out(struct quire_space *space);
uint64_t quire_space_swap_in(struct quire_space *space);

/* mlock, mlock2, munlock: keep the range's pages in RAM: they are never reclaimed while locked.
 * on_fault: only those that are there or come later; otherwise all are faulted in now. The range
 * is widened to whole pages. QUIRE_UNMAPPED: a hole (what lies before it is locked), or a page
 * that may not be accessed; QUIRE_BUSY: locked, but memory for all of it could not be had now;
 * QUIRE_NOMEM, QUIRE_INVAL: nothing done. O(pages). */
enum quire_status quire_lock(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                             bool on_fault);
enum quire_status quire_unlock(struct quire_space *space, quire_vaddr va, uint64_t length_bytes);

enum quire_lock_all_flags {                                  /* MCL_* have these values */
                            QUIRE_LOCK_ALL_CURRENT = 1 << 0, /* all regions that are there */
                            QUIRE_LOCK_ALL_FUTURE = 1 << 1,  /* all that come from now on */
                            QUIRE_LOCK_ALL_ON_FAULT = 1 << 2,
};
/* mlockall; without CURRENT and FUTURE, munlockall. Pages that cannot be had are passed over. */
enum quire_status quire_lock_all(struct quire_space *space, unsigned flags);
/* LOCK_ALL_FUTURE is in force. */
bool quire_space_locks_future(const struct quire_space *space);

/* One byte a page into resident: 1 if it would not fault for I/O. QUIRE_UNMAPPED on holes. */
enum quire_status quire_incore(struct quire_space *space, quire_vaddr va, uint64_t length_bytes,
                               uint8_t *resident);

/* Write dirty shared file pages of the range back. QUIRE_UNMAPPED on holes, QUIRE_IO. */
enum quire_status quire_sync(struct quire_space *space, quire_vaddr va, uint64_t length_bytes);

/* The heap's end. The loader sets where it begins (once, page-aligned, after mapping the program);
 * quire_brk moves the end and returns where it is afterwards: the old value if it can't be moved.
 */
void quire_brk_start(struct quire_space *space, quire_vaddr start);
quire_vaddr quire_brk(struct quire_space *space, quire_vaddr end);

/* ---- the kernel's view of user memory ---------------------------------------------------------
 */

/* Copy between kernel memory and a space, faulting pages in as the program's own accesses would.
 * Return how many bytes were NOT copied: 0 is success. copy_in reads user memory. */
size_t quire_copy_in(struct quire_space *space, void *to, quire_vaddr from, size_t nbytes);
size_t quire_copy_out(struct quire_space *space, quire_vaddr to, const void *from, size_t nbytes);

/* As copy_out but to memory that the program itself could not write (a loader, a debugger):
 * read-only private pages are copied first. */
size_t quire_copy_force(struct quire_space *space, quire_vaddr to, const void *from, size_t nbytes);

/* ---- regions ----------------------------------------------------------------------------------
 */

/* Flags of a region beyond enum quire_map_flags: what advice left with it. */
enum quire_region_flags {
    QUIRE_REGION_DONTFORK = 1 << 16,
    QUIRE_REGION_WIPEONFORK = 1 << 17,
    QUIRE_REGION_HUGEPAGE = 1 << 18, /* at most one of these two */
    QUIRE_REGION_NOHUGEPAGE = 1 << 19,
};

struct quire_region_info {
    quire_vaddr start, end;
    unsigned prot, flags;        /* enum quire_prot, enum quire_map_flags, quire_region_flags */
    struct quire_object *object; /* NULL: anonymous */
    uint64_t offset_bytes;
    uint64_t resident_anon, resident_file, swapped; /* pages; only filled if asked for */
};

/* The first region that ends above va; false when there is none. with_pages also counts its pages
 * (O(pages)). */
bool quire_region_at_or_after(const struct quire_space *space, quire_vaddr va, bool with_pages,
                              struct quire_region_info *info);

/* ---- objects ----------------------------------------------------------------------------------
 */

/* Where a mapped file's pages come from and go to. Called with no lock held; may sleep. */
struct quire_pager {
    /* Fill frame_bytes (one page) with the page at offset; past the end of the data: zeros. */
    enum quire_status (*read)(void *context, uint64_t offset_bytes, void *frame_bytes);
    /* Store the page; the pager cuts at the end of the file. NULL: cannot be written. */
    enum quire_status (*write)(void *context, uint64_t offset_bytes, const void *frame_bytes);
    /* Size in bytes now: an access to a page wholly past it is QUIRE_BUS. */
    uint64_t (*size)(void *context);
    /* The last reference is gone and all dirty pages were written. */
    void (*release)(void *context);
    /* One reference is left, and it is no region's: nobody maps the object any more, and no call
     * is about to. The time to store what is dirty, or to let the object go: may call
     * quire_object_sync and quire_object_unref. May be NULL. */
    void (*unmapped)(void *context);
};

struct quire_object_info {
    const char *name; /* path as maps shows it; must live as long as the object */
    uint64_t inode;
    unsigned device_major, device_minor;
};

/* A file object with one reference. QUIRE_NOMEM. */
enum quire_status quire_object_create_file(struct quire *q, const struct quire_pager *pager,
                                           void *context, const struct quire_object_info *info,
                                           struct quire_object **out);

/* Shared anonymous memory of this size, with one reference; swappable. QUIRE_NOMEM, QUIRE_NOROOM
 * (more than may be promised). */
enum quire_status quire_object_create_shm(struct quire *q, uint64_t size_bytes,
                                          const struct quire_object_info *info,
                                          struct quire_object **out);

/* Write all dirty file pages of all objects back. QUIRE_IO: not all could be written. By itself the
 * tick does it after 30 seconds, or when a tenth of memory is dirty. */
enum quire_status quire_sync_all(struct quire *q);

void quire_object_ref(struct quire_object *object);
/* Dropping the last reference writes dirty pages back and frees the cache. */
void quire_object_unref(struct quire_object *object);
/* Does any region map it? O(1). */
bool quire_object_is_mapped(const struct quire_object *object);
/* Write all its dirty pages back; shared memory has nowhere to go and is left as it is. QUIRE_IO:
 * not all could be written, and those stay dirty. O(pages) if any is dirty, else O(1). */
enum quire_status quire_object_sync(struct quire_object *object);
const struct quire_object_info *quire_object_info(const struct quire_object *object);
/* What of it is where: pages in RAM, those of them that must be written, pages on swap only, and by
 * how many regions it is mapped. O(pages + regions). */
struct quire_object_usage {
    uint64_t resident, dirty, swapped, regions;
};
void quire_object_usage(struct quire_object *object, struct quire_object_usage *usage);

/* Keep read() and write() on a file coherent with mappings of it. After reading bytes from the file
 * itself, overlay puts the cached pages' bytes over them; after writing to the file, update puts
 * the new bytes into the pages that are cached. Both O(pages in the range), nothing is read in. */
void quire_object_overlay(struct quire_object *object, uint64_t offset_bytes, void *bytes,
                          size_t nbytes);
void quire_object_update(struct quire_object *object, uint64_t offset_bytes, const void *bytes,
                         size_t nbytes);
/* The file, or shared memory, is now size bytes long: pages beyond are dropped, and unmapped
 * wherever they are mapped; the rest of a file's partial last page becomes zero, shared memory has
 * whole pages. QUIRE_NOROOM: shared memory would grow by more than may be promised; nothing has
 * changed. O(pages dropped). */
enum quire_status quire_object_truncate(struct quire_object *object, uint64_t size_bytes);
/* Shared memory: its pages stay in RAM once they are there, mapped or not, until it is unlocked;
 * what is on swap now comes back when it is touched, and stays then (shmctl's SHM_LOCK). Counted as
 * Mlocked. QUIRE_INVAL: a file. O(pages). */
enum quire_status quire_object_lock(struct quire_object *object, bool locked);

#endif
