/* segment.h: an x86-like segmentation unit, to be switched in front of paging or used alone.
 *
 * A logical address is a register (which holds a selector, and caches its descriptor) and an
 * offset. Rules and names are those of protected mode: Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 3A, chapters 3 (segments, descriptors) and 5 (checks); error
 * codes: 6.13. Public, as soft.h. Not thread-safe; one unit is one processor's.
 */
#ifndef QUIRE_SOFT_SEGMENT_H
#define QUIRE_SOFT_SEGMENT_H

#include "soft.h"
#include "walk.h"

enum quire_segment_register {
    QUIRE_CS,
    QUIRE_SS,
    QUIRE_DS,
    QUIRE_ES,
    QUIRE_FS,
    QUIRE_GS,
    QUIRE_NSEGMENTS
};

/* A selector: index of the descriptor, table bit (1: LDT), requested privilege level. */
#define QUIRE_SELECTOR_LDT 4u
#define QUIRE_SELECTOR_RPL 3u
static inline uint16_t quire_selector(unsigned index, bool ldt, unsigned rpl) {
    return (uint16_t)(index << 3 | (ldt ? QUIRE_SELECTOR_LDT : 0) | rpl);
}

/* type of a segment (system: false): bit 3 code; of data: bit 2 expands down, bit 1 writable; of
 * code: bit 2 conforming, bit 1 readable; bit 0 accessed. Of system descriptors: 2 is an LDT. */
enum quire_segment_type {
    QUIRE_SEGMENT_ACCESSED = 1,
    QUIRE_SEGMENT_WRITABLE = 2, /* data */
    QUIRE_SEGMENT_DOWN = 4,
    QUIRE_SEGMENT_READABLE = 2, /* code */
    QUIRE_SEGMENT_CONFORMING = 4,
    QUIRE_SEGMENT_CODE = 8,
    QUIRE_SEGMENT_LDT = 2, /* system */
};

struct quire_descriptor {
    uint32_t base;
    uint32_t limit; /* 20 bits, in bytes or (granular) in pages of 4 KiB */
    unsigned type, dpl;
    bool system, present, granular;
    bool big; /* 32-bit: the upper bound of a segment that expands down is 4 GiB, not 64 KiB */
};

/* To and from the 8 bytes in a table. */
uint64_t quire_descriptor_pack(const struct quire_descriptor *descriptor);
struct quire_descriptor quire_descriptor_unpack(uint64_t bytes);
/* The last offset, or of one that expands down the last that is NOT in it. */
uint32_t quire_descriptor_last(const struct quire_descriptor *descriptor);

/* Exceptions, by their vectors. */
enum quire_exception {
    QUIRE_NO_EXCEPTION = 0,
    QUIRE_NP = 11,  /* #NP: the segment is not present */
    QUIRE_SSF = 12, /* #SS: stack segment: limit, or not present */
    QUIRE_GP = 13,  /* #GP: everything else that segments refuse */
    QUIRE_PF = 14,  /* #PF: refused by paging */
};

struct quire_segment_fault {
    enum quire_exception exception;
    /* #GP, #SS, #NP: the selector without its RPL, 0 for an access; #PF: bit 0 the page was there,
     * 1 write, 2 a program's, 4 fetch. */
    uint32_t error_code;
    uint64_t address;         /* #PF: linear, as in cr2 */
    enum quire_status status; /* #PF: what the manager said */
    const char *why;          /* in words: "past the limit" */
    enum quire_segment_register segment;
    uint32_t offset; /* of the access, if it was one */
    uint16_t selector;
};

struct quire_segment_unit {
    struct quire_machine *machine;
    struct quire_pmap *pmap; /* NULL: paging is off, linear addresses are physical */
    unsigned cpl;            /* current privilege level, 0 the kernel's to 3 */
    struct {
        uint32_t base; /* linear */
        uint32_t last; /* offset of the last byte */
    } gdt;
    struct quire_loaded {
        uint16_t selector;
        bool usable; /* false: null, or never loaded */
        struct quire_descriptor descriptor;
    } registers[QUIRE_NSEGMENTS], ldt;
    uint64_t checks, refusals; /* accesses that were judged; of them refused */
};

/* A unit after reset: privilege 0, no table, nothing loaded. pmap NULL: without paging. */
void quire_segment_init(struct quire_segment_unit *unit, struct quire_machine *machine,
                        struct quire_pmap *pmap);

/* lgdt: the table has nbytes from a linear address on, 8 to 65536. lldt: the selector of an LDT
 * descriptor in the GDT; 0: none. Both only at privilege 0, else #GP(0). False: *fault says why; so
 * for all below. */
bool quire_segment_lgdt(struct quire_segment_unit *unit, uint32_t base, uint32_t nbytes,
                        struct quire_segment_fault *fault);
bool quire_segment_lldt(struct quire_segment_unit *unit, uint16_t selector,
                        struct quire_segment_fault *fault);

/* mov to ss, ds, es, fs, gs; for cs: a far jump, which keeps the privilege. Reads the descriptor,
 * checks it, marks it accessed, keeps it in the register: later changes of the table are not seen
 * until it is loaded again. */
bool quire_segment_load(struct quire_segment_unit *unit, enum quire_segment_register segment,
                        uint16_t selector, struct quire_segment_fault *fault);

/* Through a gate (interrupt, system call) to more privilege: cs and ss of the kernel's level; and
 * iret back, to cs's RPL: data segments that the program may not have become null. */
bool quire_segment_enter(struct quire_segment_unit *unit, uint16_t cs, uint16_t ss,
                         struct quire_segment_fault *fault);
bool quire_segment_return(struct quire_segment_unit *unit, uint16_t cs, uint16_t ss,
                          struct quire_segment_fault *fault);

/* The linear address of nbytes (1 to 4096) at segment:offset for this access: limit, type. */
bool quire_segment_translate(struct quire_segment_unit *unit, enum quire_segment_register segment,
                             uint32_t offset, uint32_t nbytes, enum quire_access access,
                             uint32_t *linear, struct quire_segment_fault *fault);
/* Read, write or fetch them: through both units. Nothing is moved if any byte is refused by
 * segmentation; paging may refuse in the middle. */
bool quire_segment_move(struct quire_segment_unit *unit, enum quire_segment_register segment,
                        uint32_t offset, void *bytes, uint32_t nbytes, enum quire_access access,
                        struct quire_segment_fault *fault);

/* The same for the eye: logical -> linear -> physical. */
void quire_segment_walk(struct quire_segment_unit *unit, enum quire_segment_register segment,
                        uint32_t offset, enum quire_access access, bool with_tlb,
                        struct quire_walk *walk);

/* "general protection fault #GP(0x0000): ds:0x5000 is past the limit". As quire_walk_text. */
size_t quire_segment_fault_text(const struct quire_segment_fault *fault, char *text,
                                size_t capacity);
extern const char *const quire_segment_names[QUIRE_NSEGMENTS]; /* "cs", ... */

#endif
