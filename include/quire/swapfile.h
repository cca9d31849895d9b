/* swapfile.h: the first page of a swap area, as util-linux's mkswap writes it and Linux reads it.
 *
 * Pure functions on bytes: for who makes areas, and for who wants to look before a swapon. The
 * format (union swap_header in Linux's include/linux/swap.h), little-endian here:
 *
 *     0     1024     1028       1032         1036   1052    1068        1536         4086
 *     | boot | version| last page| bad pages' | uuid | label |  padding  | bad pages  | SWAPSPACE2
 *     | bits | = 1    |          | number     |      |       |           | (637 most) |
 */
#ifndef QUIRE_SWAPFILE_H
#define QUIRE_SWAPFILE_H

#include <quire/types.h>

#define QUIRE_SWAP_LABEL_MAX 15  /* bytes: mkswap's 16 with the zero that ends it */
#define QUIRE_SWAP_BAD_MAX   637 /* MAX_SWAP_BADPAGES: what fits between 1536 and 4086 */
/* quire_swap_inspect finds headers of larger pages too when it is given this much. */
#define QUIRE_SWAP_LOOK_BYTES 65536

struct quire_swap_header {
    uint64_t npages; /* of the area, with this one */
    unsigned nbad;   /* pages that must not be used: quire_swap_bad_page */
    uint8_t uuid[16];
    char label[QUIRE_SWAP_LABEL_MAX + 2]; /* 16 bytes of others' making, and a zero */
};

enum quire_swap_verdict {
    QUIRE_SWAP_GOOD,
    QUIRE_SWAP_BLANK, /* all zeros: nobody's, but no area either */
    QUIRE_SWAP_UNKNOWN,
    QUIRE_SWAP_OLD,       /* the format before 1998, "SWAP-SPACE" */
    QUIRE_SWAP_SUSPENDED, /* a hibernated system lies in it */
    QUIRE_SWAP_ENDIAN,    /* made for the other byte order */
    QUIRE_SWAP_PAGE_SIZE, /* made for pages that are not 4 KiB */
    QUIRE_SWAP_VERSION,
    QUIRE_SWAP_EMPTY,     /* no page but the header */
    QUIRE_SWAP_TRUNCATED, /* the device ends before the area does */
    QUIRE_SWAP_BAD_LIST,  /* bad pages that cannot be */
};

/* What do the first nbytes (4096 or more) of a device of device_pages say? header is filled for
 * GOOD. O(nbytes). */
enum quire_swap_verdict quire_swap_inspect(const void *bytes, size_t nbytes, uint64_t device_pages,
                                           struct quire_swap_header *header);

/* The index-th bad page. => index < header.nbad */
uint32_t quire_swap_bad_page(const void *page, unsigned index);

/* The verdict as the end of a sentence, "it has no swap signature"; never NULL. */
const char *quire_swap_verdict_text(enum quire_swap_verdict verdict);

/* Fill page (4096 bytes) with the header of an area of npages (2 to 2^32, with this one). label may
 * be NULL; no more than QUIRE_SWAP_LABEL_MAX bytes of it are taken. */
void quire_swap_format(void *page, uint64_t npages, const uint8_t uuid[16], const char *label);

#endif
