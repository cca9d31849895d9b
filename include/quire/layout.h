/* layout.h: the classic 32-bit machine: 3 GiB for a program, 1 GiB for the kernel.
 *
 *     0          128 MiB                                 2944 MiB            3 GiB        4 GiB
 *     |          | text data bss | heap ->    <- mappings |   <- stack | args |   kernel   |
 *
 * As Linux on i386 laid it out: program text from 0x08048000 on (System V ABI, Intel386), mmap
 * downwards from 128 MiB below the stack's top (mmap_base of arch/x86/mm/mmap.c), the stack as
 * fs/binfmt_elf.c and fs/exec.c fill it. For machines with page tables of that size (two levels of
 * 10 bits, or one of 20); for the labs, and for embedders with a 32-bit machine.
 * Thread-safety: as quire.h says.
 */
#ifndef QUIRE_LAYOUT_H
#define QUIRE_LAYOUT_H

#include <quire/quire.h>
#include <quire/space.h>

#define QUIRE_LAYOUT32_USER_END    0xC0000000u
#define QUIRE_LAYOUT32_TEXT        0x08048000u
#define QUIRE_LAYOUT32_MAP_TOP     (QUIRE_LAYOUT32_USER_END - (128u << 20))
#define QUIRE_LAYOUT32_STACK_BYTES (8u << 20)   /* unless somebody wants another limit */
#define QUIRE_LAYOUT32_LOW_BYTES   (896u << 20) /* RAM that the kernel sees all the time */

/* zone_ends for struct quire_config: DMA to 16 MiB, NORMAL to 896 MiB, HIGHMEM the rest. */
extern const uint64_t quire_layout32_zone_ends[QUIRE_NZONES];

struct quire_program32 {
    uint32_t text_bytes, data_bytes, bss_bytes; /* text at least 1 */
    const char *path;
    const char *const *arguments, *const *environment; /* each ends with NULL */
    uint64_t stack_limit_bytes;                        /* 0: QUIRE_LAYOUT32_STACK_BYTES */
    void *owner;
};

/* Where everything is. Ends are the first address behind. */
struct quire_image32 {
    uint32_t text, text_end, data, data_end, bss,
        bss_end;            /* bss: behind data, in its last page too */
    uint32_t brk;           /* heap begins, page-aligned */
    uint32_t stack_pointer; /* argc, argv[], NULL, environment's, NULL: words of 4 bytes */
    uint32_t arguments, environment, path, strings_end; /* the strings */
};

/* A space for such a program, with all its regions: text to read and execute, data and bss to
 * write, an empty heap, a stack that grows by faults, and the strings on it. QUIRE_INVAL: no text,
 * or it does not fit below the mappings, or strings of more than 128 KiB; QUIRE_NOMEM,
 * QUIRE_NOROOM. After an error there is no space. O(pages of strings). */
enum quire_status quire_layout32_create(struct quire *q, const struct quire_program32 *program,
                                        struct quire_space **space, struct quire_image32 *image);

#endif
