/* blocks.c: blocks with red zones, and the quarantine of those that were freed.
 *
 * What is verified, and when: a block's red zones at its free, and at the end of the program; a
 * freed block's pattern when it leaves the quarantine, and at the end; everything each `every`
 * calls, which brings the report nearer to the mistake, at a price.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <quire/heap.h>

#include "heap/check/check.h"

#define PAGE        ((size_t)4096)
#define REQUEST_MAX ((size_t)1 << (sizeof(size_t) * 8 - 17))
#define GUARDED_MAX 8000 /* mappings: two a block; Linux allows 65530 in a process */

static const char *const takers[] = {"free", "delete", "delete[]"};
static const char *const givers[] = {"malloc", "new", "new[]"};

static struct {
    uintptr_t oldest, youngest;
    size_t bytes;
} quarantine;
static size_t nguarded, calls;

/* ---- red zones --------------------------------------------------------------------------------
 */

/* The first byte of a range that is not what it was filled with; NULL: all are. */
static const unsigned char *changed(uintptr_t from, uintptr_t to, unsigned char fill) {
    for (const unsigned char *at = (const unsigned char *)from; at < (const unsigned char *)to;
         at++) {
        if (*at != fill) {
            return at;
        }
    }
    return NULL;
}

static void zones_changed(const struct check_record *record, const char *when) {
    uintptr_t stop = record->at + record->bytes;
    const unsigned char *after = changed(stop, record->base + record->base_bytes, FILL_ZONE);
    const unsigned char *before = changed(record->base, record->at, FILL_ZONE);

    if (after == NULL && before == NULL) {
        return;
    }
    check_begin(after != NULL ? "written past the end of a block (overflow)"
                              : "written before the start of a block (underflow)");
    if (after != NULL) {
        check_say("  %zu bytes behind its end, the value 0x%02x\n",
                  (size_t)((uintptr_t)after - stop), *after);
    } else {
        check_say("  %zu bytes before its start, the value 0x%02x\n",
                  (size_t)(record->at - (uintptr_t)before), *before);
    }
    check_say_block(record);
    check_say("  found %s:\n", when);
    check_say_stack(NULL, check_stack_here());
    check_end();
    /* It goes on (stop=0): once is enough. */
    memset((void *)stop, FILL_ZONE, record->base + record->base_bytes - stop);
    memset((void *)record->base, FILL_ZONE, record->at - record->base);
}

static void freed_changed(const struct check_record *record, const char *when) {
    const unsigned char *at = record->guarded || !check_options.fill
                                  ? NULL
                                  : changed(record->at, record->at + record->bytes, FILL_FREED);

    if (at != NULL) {
        check_begin("written to after it was freed (use after free)");
        check_say("  byte %zu of it, the value 0x%02x\n", (size_t)((uintptr_t)at - record->at),
                  *at);
        check_say_block(record);
        check_say("  found %s:\n", when);
        check_say_stack(NULL, check_stack_here());
        check_end();
        memset((void *)record->at, FILL_FREED, record->bytes);
    }
}

void check_verify_block(const struct check_record *record, const char *when) {
    if (record->is_freed) {
        freed_changed(record, when);
    } else {
        zones_changed(record, when);
    }
}

static void verify(struct check_record *record, void *context) {
    check_verify_block(record, context);
}

void check_verify_all(void) {
    check_each(verify, (void *)"when all blocks were looked at");
}

static void verify_sometimes(void) {
    calls++;
    if (check_options.every != 0 && calls % check_options.every == 0) {
        check_verify_all();
    }
}

/* ---- having -----------------------------------------------------------------------------------
 */

/* Memory for a block, in base and base_bytes; where the block begins, 0: none. */
static uintptr_t take_heap(struct check_record *made, size_t align, size_t bytes) {
    size_t front = align > check_options.redzone ? align : check_options.redzone;
    uint64_t base = quire_heap_memalign(check_heap(), align, front + bytes + check_options.redzone);

    made->base = (uintptr_t)base;
    made->base_bytes = base != 0 ? (size_t)quire_heap_usable(check_heap(), base) : 0;
    /* Zones small enough to be looked at: what the heap gave beyond is not part of it. */
    if (made->base_bytes > front + bytes + check_options.redzone) {
        made->base_bytes = front + bytes + check_options.redzone;
    }
    return base != 0 ? made->base + front : 0;
}

/* A mapping that ends with the block, but for rounding to its alignment, and a page behind it. */
static uintptr_t take_guarded(struct check_record *made, size_t align, size_t bytes) {
    size_t room = (bytes + align - 1) & ~(align - 1), front = check_options.redzone;
    size_t all = (room + front + PAGE - 1) & ~(PAGE - 1);

    if (align > PAGE || nguarded >= GUARDED_MAX) {
        return 0;
    }
    char *memory =
        mmap(NULL, all + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return 0;
    }
    (void)mprotect(memory + all, PAGE, PROT_NONE);
    nguarded++;
    made->base = (uintptr_t)memory;
    made->base_bytes = all;
    made->guarded = true;
    return made->base + all - room;
}

static void give_back(const struct check_record *record) {
    if (record->guarded) {
        munmap((void *)record->base, record->base_bytes + PAGE);
        nguarded--;
    } else {
        quire_heap_free(check_heap(), record->base);
    }
}

static void *have(enum check_kind kind, size_t align, size_t bytes, bool zero) {
    struct check_record made = {0};
    uintptr_t at = check_options.guard ? take_guarded(&made, align, bytes) : 0;

    if (at == 0) {
        at = take_heap(&made, align, bytes);
    }
    if (at == 0) {
        return NULL;
    }
    struct check_record *record = check_add(at);
    if (record == NULL) {
        give_back(&made);
        return NULL;
    }
    made.at = at;
    made.bytes = bytes;
    made.kind = (uint8_t)kind;
    made.had = check_stack_here();
    *record = made;
    memset((void *)made.base, FILL_ZONE, at - made.base);
    memset((void *)(at + bytes), FILL_ZONE, made.base + made.base_bytes - (at + bytes));
    if (zero || check_options.fill) {
        memset((void *)at, zero ? 0 : FILL_NEW, bytes);
    }
    return (void *)at;
}

void *check_alloc(enum check_kind kind, size_t align, size_t bytes, bool zero) {
    void *block = NULL;

    align = align < 16 ? 16 : align;
    if (bytes < REQUEST_MAX && align < REQUEST_MAX) {
        if (!check_enter()) {
            block = check_inner_alloc(align, bytes);
            if (block != NULL && zero) {
                memset(block, 0, bytes);
            }
        } else {
            block = have(kind, align, bytes, zero);
            verify_sometimes();
            check_leave();
        }
    }
    if (block == NULL) {
        errno = ENOMEM;
    }
    return block;
}

/* ---- freeing ----------------------------------------------------------------------------------
 */

static void release_oldest(void) {
    struct check_record *record = check_find(quarantine.oldest);
    uintptr_t at = record->at;

    check_verify_block(record, "when its memory was to be used again");
    quarantine.oldest = record->next_freed;
    if (quarantine.oldest == 0) {
        quarantine.youngest = 0;
    }
    quarantine.bytes -= record->base_bytes;
    give_back(record);
    check_forget(at);
}

static void confine(struct check_record *record) {
    record->is_freed = true;
    record->next_freed = 0;
    if (record->guarded) {
        (void)mprotect((void *)record->base, record->base_bytes, PROT_NONE);
    } else if (check_options.fill) {
        memset((void *)record->at, FILL_FREED, record->bytes);
    }
    if (quarantine.youngest != 0) {
        check_find(quarantine.youngest)->next_freed = record->at;
    } else {
        quarantine.oldest = record->at;
    }
    quarantine.youngest = record->at;
    quarantine.bytes += record->base_bytes;
    while (quarantine.bytes > check_options.quarantine) {
        release_oldest();
    }
}

/* The live record of a block that is handed in; NULL: there is none, and that was reported. */
static struct check_record *expect(const char *call, uintptr_t at) {
    struct check_record *record = check_find(at);

    if (record == NULL) {
        check_wrong_pointer(call, at, check_stack_here());
        return NULL;
    }
    if (record->is_freed) {
        check_begin("freed twice");
        check_say("  %s of a block that is free already, here:\n", call);
        check_say_stack(NULL, check_stack_here());
        check_say_block(record);
        check_end();
        return NULL;
    }
    return record;
}

static void check_kinds(enum check_kind kind, const struct check_record *record) {
    if (record->kind != kind && check_options.mismatch) {
        check_begin("freed by the wrong function (mismatched free)");
        check_say("  had by %s, freed by %s, here:\n", givers[record->kind], takers[kind]);
        check_say_stack(NULL, check_stack_here());
        check_say_block(record);
        check_end();
    }
}

static void release(enum check_kind kind, const char *call, uintptr_t at) {
    struct check_record *record = expect(call, at);

    if (record != NULL) {
        check_kinds(kind, record);
        check_verify_block(record, "when it was freed");
        record->freed = check_stack_here();
        confine(record);
    }
}

void check_free(enum check_kind kind, void *block) {
    int kept = errno;

    if (block == NULL) {
        return;
    }
    bool entered = check_enter();
    if (!check_inner_free(block) && entered) {
        release(kind, takers[kind], (uintptr_t)block);
        verify_sometimes();
    }
    if (entered) {
        check_leave();
    }
    errno = kept;
}

/* Always elsewhere: a pointer to the old place that somebody kept is found out. */
static void *move(void *block, size_t bytes) {
    struct check_record *record = expect("realloc", (uintptr_t)block);

    if (record == NULL) {
        return NULL;
    }
    check_kinds(CHECK_MALLOC, record);
    size_t old = record->bytes;
    void *other = have(CHECK_MALLOC, 16, bytes, false); /* may move the table */
    if (other != NULL) {
        memcpy(other, block, old < bytes ? old : bytes);
        release(CHECK_MALLOC, "realloc", (uintptr_t)block);
    }
    return other;
}

void *check_realloc(void *block, size_t bytes) {
    void *other = NULL;

    if (block == NULL) {
        return check_alloc(CHECK_MALLOC, 16, bytes, false);
    }
    if (bytes < REQUEST_MAX) {
        bool entered = check_enter();
        size_t old = check_inner_usable(block);
        if (old != 0 || !entered) {
            other = check_inner_alloc(16, bytes);
            if (other != NULL) {
                memcpy(other, block, old < bytes ? old : bytes);
                check_inner_free(block);
            }
        } else {
            other = move(block, bytes);
            verify_sometimes();
        }
        if (entered) {
            check_leave();
        }
    }
    if (other == NULL) {
        errno = ENOMEM;
    }
    return other;
}

size_t check_usable(void *block) {
    size_t bytes = 0;

    if (block != NULL) {
        bool entered = check_enter();
        bytes = check_inner_usable(block);
        if (bytes == 0 && entered) {
            struct check_record *record = expect("malloc_usable_size", (uintptr_t)block);
            bytes = record != NULL ? record->bytes : 0;
        }
        if (entered) {
            check_leave();
        }
    }
    return bytes;
}
