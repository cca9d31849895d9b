/* kmap.h: kernel addresses for frames and devices beyond the direct map.
 *
 * vmalloc (many frames in a row that need not be neighbours), kmap and fixmap (one frame at an
 * address of its own), ioremap (device registers) with the reservation of regions, memory for
 * devices that read and write it by themselves. Addresses come from the machine's kernel area
 * (quire_mach_kernel_area); on a machine without one, what needs it says so with NULL or
 * QUIRE_NOMEM. Which call for what: docs/KERNEL-MEMORY.md. Thread-safety: as quire.h says.
 */
#ifndef QUIRE_KMAP_H
#define QUIRE_KMAP_H

#include <quire/status.h>
#include <quire/types.h>

/* ---- vmalloc --------------------------------------------------------------------------------- */

/* nbytes, rounded up to pages, contiguous in kernel addresses, from single frames; an unmapped page
 * follows, so that running over the end faults. NULL: no memory, no addresses, or no kernel area.
 * For what is large or long-lived: each page costs a mapping. O(pages + areas). */
void *quire_vmalloc(struct quire *q, uint64_t nbytes);
void *quire_vzalloc(struct quire *q, uint64_t nbytes);
/* What quire_vmalloc gave; NULL is fine. O(pages). */
void quire_vfree(struct quire *q, void *pointer);
/* Frames that the caller owns, one after the other; the caller keeps them until after vunmap. */
void *quire_vmap(struct quire *q, const quire_frame *frames, uint64_t npages);
void quire_vunmap(struct quire *q, void *pointer);
/* The frame behind an address of either; false: nothing is there. O(log areas). */
bool quire_vmalloc_frame(struct quire *q, const void *pointer, quire_frame *out);

/* kmalloc while that can serve it, else vmalloc; kvfree takes both, and NULL. */
void *quire_kvmalloc(struct quire *q, uint64_t nbytes);
void quire_kvfree(struct quire *q, void *pointer);

/* ---- whole frames by address ----------------------------------------------------------------- */

/* 2^order frames in a row by their direct-map address, 4 MiB (order 10) at most; NULL. */
void *quire_get_free_pages(struct quire *q, unsigned order);
void *quire_get_zeroed_pages(struct quire *q, unsigned order);
void quire_free_pages(struct quire *q, void *pointer, unsigned order);

/* ---- kmap, fixmap ---------------------------------------------------------------------------- */

/* Where the kernel sees a frame until kunmap: its window if the direct map has it, else (HIGHMEM) a
 * slot of QUIRE_KMAP_SLOTS; the same frame has the same address as long as it is mapped. NULL: all
 * slots are taken, or no kernel area. O(slots). */
#define QUIRE_KMAP_SLOTS 64
void *quire_kmap(struct quire *q, quire_frame frame);
void quire_kunmap(struct quire *q, quire_frame frame);

/* Slots whose kernel addresses never change, whatever they show: for code that must know the
 * address before it knows the frame. index below QUIRE_FIXMAP_SLOTS. */
#define QUIRE_FIXMAP_SLOTS 16
void *quire_fixmap_address(struct quire *q, unsigned index); /* NULL: no kernel area */
/* Show this physical page, RAM or device, instead of what was there. QUIRE_INVAL: no such slot or
 * not a page's address; QUIRE_NOMEM: no kernel area, or the machine has no room. */
enum quire_status quire_fixmap_set(struct quire *q, unsigned index, quire_paddr page);
void quire_fixmap_clear(struct quire *q, unsigned index);

/* ---- regions of physical addresses, device registers ----------------------------------------- */

/* Who has which physical addresses: a tree, in which children lie inside their parent and siblings
 * do not overlap (Linux: kernel/resource.c). RAM is in it from the start. */
struct quire_region_of_bus;

/* Take start to start + nbytes - 1 for name (kept by pointer) inside the smallest region that holds
 * it whole and may be divided. QUIRE_BUSY: part of it belongs to somebody; QUIRE_INVAL: nbytes is 0
 * or wraps; QUIRE_NOMEM. divisible: a bus whose devices take their parts. O(regions). */
enum quire_status quire_request_region(struct quire *q, quire_paddr start, uint64_t nbytes,
                                       const char *name, bool divisible,
                                       struct quire_region_of_bus **out);
/* QUIRE_BUSY: it is mapped, or has parts. */
enum quire_status quire_release_region(struct quire_region_of_bus *region);

/* The registers of a region that was requested, or NULL: no addresses, or no kernel area. The
 * address has the offset in its page that the registers have. */
void *quire_ioremap(struct quire_region_of_bus *region);
void quire_iounmap(struct quire_region_of_bus *region);

/* ---- memory for devices ---------------------------------------------------------------------- */

/* Zeroed memory, 4 MiB at most, contiguous in physical addresses and all of it at or below `mask`
 * (2^n - 1 for a device with n address lines). *device is where the device finds it. NULL: none.
 * Caches are coherent on all machines so far. Memory comes in powers of two pages. */
void *quire_dma_alloc(struct quire *q, uint64_t nbytes, uint64_t mask, quire_paddr *device);
void quire_dma_free(struct quire *q, void *pointer, uint64_t nbytes);

#endif
