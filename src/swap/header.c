/* header.c: the first page of an area: read with suspicion, written as mkswap does.
 *
 * Owns the knowledge of the format, and no state. Numbers are put together from bytes, so that it
 * does not matter what the host's byte order or alignment is. Everything that Linux checks in
 * read_swap_header (mm/swapfile.c) is checked here, and some things that it leaves to luck: an area
 * for another page size has its signature elsewhere, and is named as what it is.
 *
 *     signature at 4086? ──no──▶ at the end of a larger page? ─▶ PAGE_SIZE, else UNKNOWN or BLANK
 *          │yes
 *     version 1? ─▶ last page inside the device? ─▶ bad pages between 1 and last? ─▶ GOOD
 *
 * Linux reads areas of the other byte order; we refuse them: the only machines that could have made
 * one are gone, and a wrong guess would write over somebody's disk.
 *
 * Cannot fail. Called by areas.c and, as public functions, by os/ and cli/.
 */
#include <quire/swapfile.h>

#define VERSION_AT   1024
#define LAST_PAGE_AT 1028
#define NBAD_AT      1032
#define UUID_AT      1036
#define LABEL_AT     1052
#define BAD_AT       1536
#define MAGIC_BYTES  10
#define LABEL_BYTES  16
#define PAGE_BYTES   4096

static const char magic_now[] = "SWAPSPACE2";
static const char magic_old[] = "SWAP-SPACE";
/* What swsusp and uswsusp put in its place: the first ones are padded, only their begin counts. */
static const char *const magics_suspended[] = {"S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"};

static uint32_t word_at(const uint8_t *bytes, unsigned at) {
    return (uint32_t)bytes[at] | (uint32_t)bytes[at + 1] << 8 | (uint32_t)bytes[at + 2] << 16 |
           (uint32_t)bytes[at + 3] << 24;
}

static void put_word(uint8_t *bytes, unsigned at, uint32_t word) {
    for (unsigned i = 0; i < 4; i++) {
        bytes[at + i] = (uint8_t)(word >> 8 * i);
    }
}

static bool is_magic(const uint8_t *bytes, const char *magic) {
    for (unsigned i = 0; magic[i]; i++) {
        if (bytes[i] != (uint8_t)magic[i]) {
            return false;
        }
    }
    return true;
}

/* No signature where ours is. */
static enum quire_swap_verdict look_elsewhere(const uint8_t *bytes, size_t nbytes) {
    const uint8_t *magic = bytes + PAGE_BYTES - MAGIC_BYTES;
    for (unsigned i = 0; i < sizeof magics_suspended / sizeof magics_suspended[0]; i++) {
        if (is_magic(magic, magics_suspended[i])) {
            return QUIRE_SWAP_SUSPENDED;
        }
    }
    if (is_magic(magic, magic_old)) {
        return QUIRE_SWAP_OLD;
    }
    for (size_t page = 2 * PAGE_BYTES; page <= nbytes; page *= 2) {
        if (is_magic(bytes + page - MAGIC_BYTES, magic_now)) {
            return QUIRE_SWAP_PAGE_SIZE;
        }
    }
    for (size_t i = 0; i < nbytes; i++) {
        if (bytes[i]) {
            return QUIRE_SWAP_UNKNOWN;
        }
    }
    return QUIRE_SWAP_BLANK;
}

enum quire_swap_verdict quire_swap_inspect(const void *page, size_t nbytes, uint64_t device_pages,
                                           struct quire_swap_header *header) {
    const uint8_t *bytes = page;
    if (!is_magic(bytes + PAGE_BYTES - MAGIC_BYTES, magic_now)) {
        return look_elsewhere(bytes, nbytes);
    }
    uint32_t version = word_at(bytes, VERSION_AT);
    if (version != 1) {
        return version == (uint32_t)1 << 24 ? QUIRE_SWAP_ENDIAN : QUIRE_SWAP_VERSION;
    }
    uint32_t last = word_at(bytes, LAST_PAGE_AT), nbad = word_at(bytes, NBAD_AT);
    if (last == 0) {
        return QUIRE_SWAP_EMPTY;
    }
    if (last >= device_pages) {
        return QUIRE_SWAP_TRUNCATED;
    }
    if (nbad > QUIRE_SWAP_BAD_MAX) {
        return QUIRE_SWAP_BAD_LIST;
    }
    for (unsigned i = 0; i < nbad; i++) {
        uint32_t bad = quire_swap_bad_page(page, i);
        if (bad == 0 || bad > last) {
            return QUIRE_SWAP_BAD_LIST;
        }
    }
    *header = (struct quire_swap_header){.npages = (uint64_t)last + 1, .nbad = nbad};
    __builtin_memcpy(header->uuid, bytes + UUID_AT, sizeof header->uuid);
    __builtin_memcpy(header->label, bytes + LABEL_AT, LABEL_BYTES);
    return QUIRE_SWAP_GOOD;
}

uint32_t quire_swap_bad_page(const void *page, unsigned index) {
    return word_at(page, BAD_AT + 4 * index);
}

const char *quire_swap_verdict_text(enum quire_swap_verdict verdict) {
    switch (verdict) {
    case QUIRE_SWAP_GOOD:
        return "it is a swap area";
    case QUIRE_SWAP_BLANK:
        return "it is blank; 'quire mkswap' or mkswap makes a swap area of it";
    case QUIRE_SWAP_UNKNOWN:
        return "it has no swap signature";
    case QUIRE_SWAP_OLD:
        return "it is a swap area of the format before 1998";
    case QUIRE_SWAP_SUSPENDED:
        return "a hibernated system lies in it";
    case QUIRE_SWAP_ENDIAN:
        return "it was made for the other byte order";
    case QUIRE_SWAP_PAGE_SIZE:
        return "it was made for another page size than 4096";
    case QUIRE_SWAP_VERSION:
        return "its header has an unknown version";
    case QUIRE_SWAP_EMPTY:
        return "it has no page but its header";
    case QUIRE_SWAP_TRUNCATED:
        return "it ends before its header says";
    case QUIRE_SWAP_BAD_LIST:
        return "its list of bad pages is wrong";
    }
    return "it cannot be judged";
}

void quire_swap_format(void *page, uint64_t npages, const uint8_t uuid[16], const char *label) {
    uint8_t *bytes = page;
    __builtin_memset(bytes, 0, PAGE_BYTES);
    put_word(bytes, VERSION_AT, 1);
    put_word(bytes, LAST_PAGE_AT, (uint32_t)(npages - 1));
    __builtin_memcpy(bytes + UUID_AT, uuid, 16);
    for (unsigned i = 0; label && i < QUIRE_SWAP_LABEL_MAX && label[i]; i++) {
        bytes[LABEL_AT + i] = (uint8_t)label[i];
    }
    __builtin_memcpy(bytes + PAGE_BYTES - MAGIC_BYTES, magic_now, MAGIC_BYTES);
}
