/* stacks.c: who called: the compiler's own unwinder, and each way remembered once.
 *
 * _Unwind_Backtrace of libgcc reads the tables that every program has for exceptions: no frame
 * pointers are needed. It allocates nothing.
 */
#include <string.h>
#include <unwind.h>

#include "heap/check/check.h"

#define BUCKETS     ((size_t)1 << 16)
#define CHUNK_BYTES ((size_t)1 << 20)

/* Where this library lies. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static struct check_stack **buckets;
static char *next, *end;

struct walk {
    uintptr_t frames[DEPTH_MAX];
    uint32_t depth;
};

static _Unwind_Reason_Code see(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    int before = 0;
    uintptr_t pc = _Unwind_GetIPInfo(context, &before);

    if (pc == 0 || walk->depth >= check_options.depth) {
        return _URC_END_OF_STACK;
    }
    if (before) { /* where a signal came: what is above it is the way into the handler */
        walk->depth = 0;
    }
    if (pc >= (uintptr_t)__ehdr_start && pc < (uintptr_t)_end) {
        return _URC_NO_REASON;
    }
    /* A return address is behind the call: the call is what is meant. */
    walk->frames[walk->depth++] = pc - !before;
    return _URC_NO_REASON;
}

static struct check_stack *remember(const struct walk *walk, uint64_t hash) {
    size_t bytes = sizeof(struct check_stack) + walk->depth * sizeof *walk->frames;

    if ((size_t)(end - next) < bytes) {
        next = check_own(CHUNK_BYTES);
        end = next != NULL ? next + CHUNK_BYTES : NULL;
        if (next == NULL) {
            return NULL;
        }
    }
    struct check_stack *stack = (struct check_stack *)(void *)next;
    next += (bytes + 15) & ~(size_t)15;
    *stack =
        (struct check_stack){.next = buckets[hash % BUCKETS], .hash = hash, .depth = walk->depth};
    memcpy(stack->frames, walk->frames, walk->depth * sizeof *walk->frames);
    buckets[hash % BUCKETS] = stack;
    return stack;
}

struct check_stack *check_stack_here(void) {
    struct walk walk;
    uint64_t hash = 0;

    walk.depth = 0;
    (void)_Unwind_Backtrace(see, &walk);
    if (buckets == NULL) {
        buckets = check_own(BUCKETS * sizeof *buckets);
        if (buckets == NULL) {
            return NULL;
        }
    }
    for (uint32_t i = 0; i < walk.depth; i++) {
        hash = (hash ^ walk.frames[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    for (struct check_stack *stack = buckets[hash % BUCKETS]; stack != NULL; stack = stack->next) {
        if (stack->hash == hash && stack->depth == walk.depth &&
            memcmp(stack->frames, walk.frames, walk.depth * sizeof *walk.frames) == 0) {
            return stack;
        }
    }
    return remember(&walk, hash);
}
