/* mmu.h: what the processor (cpu*.c) and the memory unit (mmu.c) want from each other.
 * Internal to machine/soft.
 */
#ifndef QUIRE_SOFT_MMU_H
#define QUIRE_SOFT_MMU_H

#include "soft.h"
#include "tlb.h"

struct code; /* decoded instructions of one space: code.c */

/* The port's page tables for one space. Tables lie in simulated RAM; this is the hardware's side.
 */
struct quire_pmap {
    struct quire_machine *machine;
    struct quire_space *space;
    uint32_t number; /* of the space, from 1 on: never used again */
    quire_frame root;
    struct tlb *tlb;   /* the bank of the hart that works here, or did last: quire_tlb_select */
    struct code *code; /* made by the processor at first use, freed by code_destroy */
    /* pmap.c: the last leaf table used, which covers va >> its span; NULL: none. */
    void *leaf;
    uint64_t leaf_key;
    struct tlb first; /* head of the list of banks: the first hart's. Last: see tlb.older */
};

/* Translate va, on the hart at work, for one access that stays within its page: walk the tables,
 * set accessed (and dirty for a write), fill the TLB; where the tables have no answer, call
 * quire_fault and walk again. QUIRE_OK: *host is where the byte lies, valid until the next call
 * that may fault. Otherwise QUIRE_FAULT, QUIRE_DENIED, QUIRE_BUS or QUIRE_KILLED. Counts a TLB
 * miss, unless the TLB has the answer. An EXEC access fills no data entry.
 * => pmap->tlb is the bank of the hart at work */
enum quire_status quire_mmu_access(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                                   uint8_t **host);
/* The same where quire_tlb_hit has just found nothing, or for a fetch. */
enum quire_status quire_mmu_miss(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                                 uint8_t **host);

/* The same for the kernel, which may also use what is closed to programs (kernel_map). Its part of
 * the tables is never demand-filled: QUIRE_FAULT where nothing is mapped or allowed. Fills no TLB
 * for it. */
enum quire_status quire_mmu_kernel_access(struct quire_pmap *pmap, uint64_t va,
                                          enum quire_access access, uint8_t **host);

/* ---- from the memory unit to the processor --------------------------------------------------- */

/* The translation of the executable page at va was dropped, changed, or its accessed bit cleared:
 * before another instruction of that page is run, it must be fetched again (quire_mmu_access with
 * EXEC), and its bytes compared with those that were decoded. O(blocks of that page). */
void quire_code_stale(struct quire_pmap *pmap, uint64_t va);

/* quire_code_stale_all is in soft.h: system calls want it too. */

/* The space is gone. */
void quire_code_destroy(struct quire_pmap *pmap);

#endif
