/* layout.c: a program of the classic 32-bit machine: its regions, and the strings on its stack.
 *
 *     3 GiB  | 4 bytes of zero         |  as Linux leaves them
 *            | path                    |
 *            | environment's strings   |
 *            | arguments' strings      |
 *            | (to a multiple of 16)   |
 *            | 0, ... environment[]    |  words of 4 bytes
 *            | 0, ... arguments[]      |
 *     sp --> | argc                    |
 *            |   128 KiB mapped at once, then grows by faults to its limit
 *
 * Owns no state: everything is made by the calls that any embedder has (space.h). What may fail:
 * creation; then nothing is left. Called by embedders.
 */
#include <quire/layout.h>

#define STACK_FIRST_BYTES (128u << 10) /* stack_expand of setup_arg_pages */
#define STRINGS_MAX       (128u << 10)
#define STACK_GAP_BYTES   ((uint64_t)1 << 20)
#define WORD              4u
#define LOWEST            0x1000u /* the first page is nobody's: a null pointer faults */

const uint64_t quire_layout32_zone_ends[QUIRE_NZONES] = {
    [QUIRE_ZONE_DMA] = (uint64_t)16 << 20,
    [QUIRE_ZONE_DMA32] = 0,
    [QUIRE_ZONE_NORMAL] = QUIRE_LAYOUT32_LOW_BYTES,
    [QUIRE_ZONE_HIGHMEM] = UINT64_MAX,
};

struct strings {
    const char *const *items;
    uint32_t count, nbytes;
};

static uint32_t length_of(const char *text) {
    uint32_t n = 0;
    while (n < STRINGS_MAX && text[n]) {
        n++;
    }
    return n + 1;
}

static struct strings measure(const char *const *items) {
    struct strings strings = {.items = items};
    while (items && items[strings.count] && strings.nbytes < STRINGS_MAX) {
        strings.nbytes += length_of(items[strings.count++]);
    }
    return strings;
}

static bool put(struct quire_space *space, uint32_t to, const void *from, uint32_t nbytes) {
    return quire_copy_out(space, quire_va(to), from, nbytes) == 0;
}

/* The strings from `at` on, their addresses from `words` on, and a zero behind these. */
static bool put_strings(struct quire_space *space, const struct strings *strings, uint32_t at,
                        uint32_t words) {
    uint32_t zero = 0;
    for (uint32_t i = 0; i < strings->count; i++) {
        uint32_t n = length_of(strings->items[i]);
        if (!put(space, at, strings->items[i], n) || !put(space, words, &at, WORD)) {
            return false;
        }
        at += n;
        words += WORD;
    }
    return put(space, words, &zero, WORD);
}

/* => the stack is mapped */
static bool fill_stack(struct quire_space *space, const struct quire_program32 *program,
                       const struct strings *arguments, const struct strings *environment,
                       struct quire_image32 *image) {
    uint32_t nwords = 1 + arguments->count + 1 + environment->count + 1;
    image->strings_end = QUIRE_LAYOUT32_USER_END - WORD;
    image->path = image->strings_end - length_of(program->path);
    image->environment = image->path - environment->nbytes;
    image->arguments = image->environment - arguments->nbytes;
    image->stack_pointer = (image->arguments - nwords * WORD) & ~15u;
    uint32_t words = image->stack_pointer + WORD;
    return put(space, image->path, program->path, length_of(program->path)) &&
           put(space, image->stack_pointer, &arguments->count, WORD) &&
           put_strings(space, arguments, image->arguments, words) &&
           put_strings(space, environment, image->environment,
                       words + (arguments->count + 1) * WORD);
}

static enum quire_status map(struct quire_space *space, uint32_t start, uint32_t end, unsigned prot,
                             unsigned flags) {
    quire_vaddr va = quire_page_of(quire_va(start));
    uint64_t length = quire_round_up(end - va.value);
    if (end == start) {
        return QUIRE_OK;
    }
    return quire_map(space, &va, length, prot, flags | QUIRE_MAP_NOREPLACE, NULL, 0);
}

static enum quire_status map_all(struct quire_space *space, const struct quire_image32 *image) {
    const unsigned rw = QUIRE_PROT_READ | QUIRE_PROT_WRITE;
    enum quire_status status =
        map(space, image->text, image->text_end, QUIRE_PROT_READ | QUIRE_PROT_EXEC, 0);
    if (status == QUIRE_OK) {
        status = map(space, image->data, image->bss_end, rw, 0);
    }
    if (status == QUIRE_OK) {
        status = map(space, QUIRE_LAYOUT32_USER_END - STACK_FIRST_BYTES - STRINGS_MAX,
                     QUIRE_LAYOUT32_USER_END, rw, QUIRE_MAP_GROWSDOWN | QUIRE_MAP_STACK_TAG);
    }
    return status;
}

/* Text, data in the next page, bss behind it, the heap in the next page. False: too much. */
static bool lay_out(const struct quire_program32 *program, struct quire_image32 *image) {
    uint64_t text_end = (uint64_t)QUIRE_LAYOUT32_TEXT + program->text_bytes;
    uint64_t data = quire_round_up(text_end), data_end = data + program->data_bytes;
    uint64_t bss_end = data_end + program->bss_bytes;
    if (program->text_bytes == 0 || quire_round_up(bss_end) > QUIRE_LAYOUT32_MAP_TOP) {
        return false;
    }
    *image = (struct quire_image32){
        .text = QUIRE_LAYOUT32_TEXT,
        .text_end = (uint32_t)text_end,
        .data = (uint32_t)data,
        .data_end = (uint32_t)data_end,
        .bss = (uint32_t)data_end,
        .bss_end = (uint32_t)bss_end,
        .brk = (uint32_t)quire_round_up(bss_end),
    };
    return true;
}

enum quire_status quire_layout32_create(struct quire *q, const struct quire_program32 *program,
                                        struct quire_space **out, struct quire_image32 *image) {
    const struct strings arguments = measure(program->arguments);
    const struct strings environment = measure(program->environment);
    uint64_t words = ((uint64_t)arguments.count + environment.count) * WORD;
    uint64_t nbytes = words + arguments.nbytes + environment.nbytes + length_of(program->path);
    struct quire_space_config config = {
        .low = quire_va(LOWEST),
        .high = quire_va(QUIRE_LAYOUT32_USER_END),
        .map_top = quire_va(QUIRE_LAYOUT32_MAP_TOP),
        .stack_limit_bytes =
            program->stack_limit_bytes ? program->stack_limit_bytes : QUIRE_LAYOUT32_STACK_BYTES,
        .stack_gap_bytes = STACK_GAP_BYTES,
        .owner = program->owner,
    };
    struct quire_space *space;
    if (nbytes > STRINGS_MAX || !lay_out(program, image)) {
        return QUIRE_INVAL;
    }
    enum quire_status status = quire_space_create(q, &config, &space);
    if (status != QUIRE_OK) {
        return status;
    }
    status = map_all(space, image);
    if (status == QUIRE_OK) {
        quire_brk_start(space, quire_va(image->brk));
        status =
            fill_stack(space, program, &arguments, &environment, image) ? QUIRE_OK : QUIRE_NOMEM;
    }
    if (status != QUIRE_OK) {
        quire_space_destroy(space);
        return status;
    }
    *out = space;
    return QUIRE_OK;
}
