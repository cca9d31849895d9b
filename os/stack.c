/* stack.c: the stack as a new program finds it: arguments, environment, auxiliary vector.
 *
 * It owns nothing; it fills the top of a new space. Everything is laid out in kernel memory first
 * and then copied in one go, so that nothing half-written can be seen and errors have one place.
 * (Linux writes strings one by one while it still may fail; with a private image there is no need.)
 *
 *   OS_USER_HIGH ──▶ ┌──────────────────────────────┐
 *                    │ 8 bytes of 0 (end marker)    │
 *                    │ filename, envp and argv text │  as Linux orders them
 *                    │ "riscv64", 16 random bytes   │
 *                    │ padding to 16                │
 *                    │ auxv pairs, ending in 0 0    │
 *                    │ envp pointers, 0             │
 *                    │ argv pointers, 0             │
 *              sp ─▶ │ argc                         │
 *                    ├──────────────────────────────┤
 *                    │ grows down by faults         │
 *
 * I1  sp is a multiple of 16 (psABI).
 * I2  The image is at most the caller's limit of text plus 8 bytes a string and a page.
 *
 * Failures: E2BIG when it does not fit the stack's limit, ENOMEM. Called by exec.c.
 * Audit: tests/run/proc_stack.c looks at its own stack.
 */
#include "os/process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RANDOM_BYTES 16
/* What Linux maps at once: the strings and 128 KiB below (stack_expand of exec.c). */
#define STACK_FIRST_BYTES (UINT64_C(128) << 10)
#define AUXV_PAIRS        20

/* The image while it is made: text is put in downwards from the top. */
struct image {
    uint8_t *bytes;
    size_t nbytes; /* of the image; its last byte is just below OS_USER_HIGH */
    size_t at;     /* everything from here on is used */
};

static uint64_t address_of(const struct image *image, size_t at) {
    return OS_USER_HIGH - image->nbytes + at;
}

static uint64_t push(struct image *image, const void *bytes, size_t nbytes) {
    image->at -= nbytes;
    memcpy(image->bytes + image->at, bytes, nbytes);
    return address_of(image, image->at);
}

static void put_word(struct image *image, size_t *at, uint64_t word) {
    memcpy(image->bytes + *at, &word, sizeof word);
    *at += sizeof word;
}

/* Strings in the order of the list, ascending; the address of each goes to pointers. */
static void push_strings(struct image *image, const struct os_strings *strings,
                         uint64_t *pointers) {
    for (size_t i = strings->count; i-- > 0;)
        pointers[i] = push(image, strings->items[i], strlen(strings->items[i]) + 1);
}

static size_t make_auxv(struct os *os, struct image *image, const struct os_stack_image *what,
                        uint64_t filename_va, uint64_t auxv[AUXV_PAIRS * 2]) {
    uint8_t random[RANDOM_BYTES];
    os_random(os, random, sizeof random);
    uint64_t random_va = push(image, random, sizeof random);
    uint64_t platform_va = push(image, "riscv64", sizeof "riscv64");
    const uint64_t pairs[][2] = {
        {OS_AT_HWCAP, OS_HWCAP_IMAFDC},
        {OS_AT_PAGESZ, QUIRE_PAGE_SIZE},
        {OS_AT_CLKTCK, OS_CLOCK_TICKS},
        {OS_AT_PHDR, what->headers_va},
        {OS_AT_PHENT, 56},
        {OS_AT_PHNUM, what->nheaders},
        {OS_AT_BASE, what->base_va},
        {OS_AT_FLAGS, 0},
        {OS_AT_ENTRY, what->entry_va},
        {OS_AT_UID, getuid()},
        {OS_AT_EUID, geteuid()},
        {OS_AT_GID, getgid()},
        {OS_AT_EGID, getegid()},
        {OS_AT_SECURE, 0},
        {OS_AT_RANDOM, random_va},
        {OS_AT_MINSIGSTKSZ, sizeof(struct os_signal_frame)},
        {OS_AT_PLATFORM, platform_va},
        {OS_AT_EXECFN, filename_va},
        {OS_AT_NULL, 0},
    };
    _Static_assert(sizeof pairs <= sizeof(uint64_t[AUXV_PAIRS * 2]), "auxv fits");
    memcpy(auxv, pairs, sizeof pairs);
    return sizeof pairs;
}

/* Fill the image; returns where the stack pointer is to be. */
static uint64_t fill(struct os *os, struct image *image, const struct os_stack_image *what,
                     uint64_t *pointers) {
    size_t argc = what->argv->count, envc = what->envp->count;
    uint64_t auxv[AUXV_PAIRS * 2], zero = 0;
    push(image, &zero, sizeof zero);
    uint64_t filename_va = push(image, what->filename, strlen(what->filename) + 1);
    push_strings(image, what->envp, pointers + argc);
    push_strings(image, what->argv, pointers);
    size_t auxv_bytes = make_auxv(os, image, what, filename_va, auxv);

    size_t words = (argc + envc + 3) * sizeof(uint64_t) + auxv_bytes;
    size_t at = image->at - words;
    at -= address_of(image, at) % 16; /* I1 */
    uint64_t sp = address_of(image, at);
    put_word(image, &at, argc);
    for (size_t i = 0; i < argc; i++)
        put_word(image, &at, pointers[i]);
    put_word(image, &at, 0);
    for (size_t i = 0; i < envc; i++)
        put_word(image, &at, pointers[argc + i]);
    put_word(image, &at, 0);
    memcpy(image->bytes + at, auxv, auxv_bytes);
    return sp;
}

int64_t os_stack_build(struct os *os, struct quire_space *space, uint64_t stack_limit_bytes,
                       const struct os_stack_image *what, uint64_t *sp) {
    size_t count = what->argv->count + what->envp->count;
    size_t nbytes = what->argv->bytes + what->envp->bytes + strlen(what->filename) + 1 +
                    (count + 8) * sizeof(uint64_t) + AUXV_PAIRS * 16 + 64; /* I2 */
    nbytes = quire_round_up(nbytes);
    if (nbytes + QUIRE_PAGE_SIZE > stack_limit_bytes)
        return -OS_E2BIG;
    struct image image = {.bytes = calloc(1, nbytes), .nbytes = nbytes, .at = nbytes};
    uint64_t *pointers = calloc(count + 1, sizeof *pointers);
    int64_t result = -OS_ENOMEM;
    if (!image.bytes || !pointers)
        goto done;

    uint64_t length = nbytes + STACK_FIRST_BYTES;
    if (length > stack_limit_bytes)
        length = stack_limit_bytes & ~QUIRE_PAGE_MASK;
    quire_vaddr at = {OS_USER_HIGH - length};
    unsigned prot = QUIRE_PROT_READ | QUIRE_PROT_WRITE | (what->executable ? QUIRE_PROT_EXEC : 0);
    enum quire_status status =
        quire_map(space, &at, length, prot,
                  QUIRE_MAP_NOREPLACE | QUIRE_MAP_GROWSDOWN | QUIRE_MAP_STACK_TAG, NULL, 0);
    if (status != QUIRE_OK)
        goto done;
    *sp = fill(os, &image, what, pointers);
    size_t used = (size_t)(OS_USER_HIGH - *sp);
    if (quire_copy_out(space, quire_va(*sp), image.bytes + (nbytes - used), used) == 0)
        result = 0;
done:
    free(pointers);
    free(image.bytes);
    return result;
}
