/* types.h: the words that every other header uses.
 *
 * A frame number, a physical address and a virtual address are three different types, so that the
 * compiler refuses to let one stand for another. A page is 4 KiB on every machine.
 */
#ifndef QUIRE_TYPES_H
#define QUIRE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIRE_PAGE_SHIFT 12
#define QUIRE_PAGE_SIZE ((uint64_t)1 << QUIRE_PAGE_SHIFT)
#define QUIRE_PAGE_MASK (QUIRE_PAGE_SIZE - 1)

/* Orders 0 to 10: blocks of 1 to 1024 frames, 4 KiB to 4 MiB (as Linux's MAX_ORDER of 11). */
#define QUIRE_NORDERS 11

/* Number of a page frame: physical address / QUIRE_PAGE_SIZE. 2^32 frames are 16 TiB. */
typedef struct {
    uint32_t number;
} quire_frame;

/* No frame: never a frame of any machine. */
#define QUIRE_FRAME_NONE ((quire_frame){UINT32_MAX})

/* Physical address, in bytes. */
typedef struct {
    uint64_t value;
} quire_paddr;

/* Virtual address in one address space, in bytes. */
typedef struct {
    uint64_t value;
} quire_vaddr;

static inline bool quire_frame_is_none(quire_frame frame) {
    return frame.number == UINT32_MAX;
}

static inline quire_paddr quire_frame_address(quire_frame frame) {
    return (quire_paddr){(uint64_t)frame.number << QUIRE_PAGE_SHIFT};
}

static inline quire_frame quire_frame_at(quire_paddr address) {
    return (quire_frame){(uint32_t)(address.value >> QUIRE_PAGE_SHIFT)};
}

static inline quire_vaddr quire_va(uint64_t value) {
    return (quire_vaddr){value};
}

static inline quire_vaddr quire_page_of(quire_vaddr va) {
    return (quire_vaddr){va.value & ~QUIRE_PAGE_MASK};
}

/* Round a length in bytes up to whole pages; 0 stays 0. Lengths in the last page of 2^64 wrap to 0.
 */
static inline uint64_t quire_round_up(uint64_t bytes) {
    return (bytes + QUIRE_PAGE_MASK) & ~QUIRE_PAGE_MASK;
}

/* What may be done with a page, and what an access wants to do. PROT_* of POSIX have these values.
 */
enum quire_prot {
    QUIRE_PROT_NONE = 0,
    QUIRE_PROT_READ = 1,
    QUIRE_PROT_WRITE = 2,
    QUIRE_PROT_EXEC = 4,
};

/* One access, as the machine reports it in a fault. Exactly one of the three. */
enum quire_access {
    QUIRE_ACCESS_READ = QUIRE_PROT_READ,
    QUIRE_ACCESS_WRITE = QUIRE_PROT_WRITE,
    QUIRE_ACCESS_EXEC = QUIRE_PROT_EXEC,
};

/* How pages are compressed that are kept in RAM in front of swap devices. */
enum quire_zswap { QUIRE_ZSWAP_NONE, QUIRE_ZSWAP_LZ4, QUIRE_ZSWAP_ZSTD };

struct quire;         /* one memory manager with all its state: quire.h */
struct quire_space;   /* one address space: space.h */
struct quire_object;  /* something that can be mapped, a file say: space.h */
struct quire_machine; /* the machine under it, defined by each machine: machine.h */
struct quire_pmap;    /* a machine's page tables for one space, defined by each machine */

#endif
