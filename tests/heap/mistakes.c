/* mistakes.c: one program for each classic mistake; the argument says which. Each has its own
 * function, and the line of the mistake carries a mark, LINE(name), that the test reads from this
 * file.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

/* Where the compiler may look neither ahead nor behind: it would warn, and optimise the mistakes.
 */
static void *volatile sink;

NOINLINE static char *make(size_t bytes) {
    char *block = malloc(bytes); /* LINE(made) */
    sink = block;
    return sink;
}

NOINLINE static void leak(void) {
    char *lost = make(1234);
    memset(lost, 1, 1234);
    sink = NULL;
}

struct node {
    struct node *next;
    char text[40];
};

/* A list of which only the head is lost; the rest hangs on it. */
NOINLINE static void leak_list(void) {
    struct node *head = NULL;
    for (int i = 0; i < 10; i++) {
        struct node *node = malloc(sizeof *node); /* LINE(node) */
        node->next = head;
        head = node;
    }
    sink = head;
    sink = NULL;
}

NOINLINE static void release(char *block) {
    free(block); /* LINE(first_free) */
}

NOINLINE static void double_free(void) {
    char *block = make(24);
    release(block);
    sink = block;
    free(sink); /* LINE(double_free) */
}

NOINLINE static void overflow(void) {
    char *block = make(24);
    for (int i = 0; i <= 24; i++) {
        block[i] = 'x'; /* LINE(overflow) */
    }
    sink = block;
    free(sink); /* LINE(overflow_free) */
}

/* Nobody frees it: found at the end. */
NOINLINE static void overflow_kept(void) {
    static char *kept;
    kept = make(100);
    kept[110] = 1;
}

NOINLINE static void underflow(void) {
    char *block = make(24);
    sink = block;
    ((char *)sink)[-1] = 'x'; /* LINE(underflow) */
    free(sink);               /* LINE(underflow_free) */
}

NOINLINE static void read_past(void) {
    char *block = make(32);
    sink = block;
    printf("%d\n", ((char *)sink)[32]); /* LINE(read_past) */
    free(sink);
}

NOINLINE static void write_freed(void) {
    char *block = make(64);
    sink = block;
    release(block);
    ((char *)sink)[10] = 'x'; /* LINE(write_freed) */
}

NOINLINE static void read_freed(void) {
    char *block = make(64);
    sink = block;
    release(block);
    printf("%d\n", ((char *)sink)[10]); /* LINE(read_freed) */
}

NOINLINE static void realloc_stale(void) {
    char *block = make(16);
    sink = block;
    char *moved = realloc(block, 1000);
    free(sink); /* LINE(realloc_stale) */
    free(moved);
}

NOINLINE static void free_inside(void) {
    sink = make(100) + 40;
    free(sink); /* LINE(free_inside) */
}

NOINLINE static void free_stack(void) {
    char here[64];
    sink = here;
    free(sink); /* LINE(free_stack) */
}

static char data[64];
NOINLINE static void free_data(void) {
    sink = data;
    free(sink); /* LINE(free_data) */
}

NOINLINE static void free_wild(void) {
    sink = (void *)(uintptr_t)0x123456789ab0;
    free(sink); /* LINE(free_wild) */
}

NOINLINE static void free_unset(void) {
    struct node *node = malloc(sizeof *node);
    sink = node;
    free(((struct node *)sink)->next); /* LINE(free_unset) */
}

NOINLINE static void use_unset(void) {
    struct node *node = malloc(sizeof *node);
    sink = node;
    ((struct node *)sink)->next->text[3] = 1; /* LINE(use_unset) */
}

NOINLINE static void use_wild(void) {
    sink = (void *)(uintptr_t)0x123456789ab0;
    *(char *)sink = 1; /* LINE(use_wild) */
}

NOINLINE static void none(void) {
    char *block = make(10);
    memset(block, 1, 10);
    sink = realloc(block, 100000);
    memset(sink, 2, 100000);
    free(sink);
    sink = calloc(30, 30);
    sink = memchr(sink, 1, 900) == NULL ? sink : NULL;
    free(sink);
    sink = NULL;
    puts("nothing wrong");
}

/* What the functions before left on the stack may look like a pointer. */
NOINLINE static void scrub(void) {
    char room[16384];
    memset(room, 0, sizeof room);
    sink = room;
    sink = NULL;
}

/* Further down the stack than all that comes later, but scrub. */
NOINLINE static void deeper(void (*mistake)(void)) {
    char room[1024];
    room[0] = 1;
    sink = room;
    mistake();
    sink = NULL;
    room[1] = room[0];
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*make)(void);
    } all[] = {
        {"leak", leak},
        {"leak_list", leak_list},
        {"double_free", double_free},
        {"overflow", overflow},
        {"overflow_kept", overflow_kept},
        {"underflow", underflow},
        {"read_past", read_past},
        {"write_freed", write_freed},
        {"read_freed", read_freed},
        {"realloc_stale", realloc_stale},
        {"free_inside", free_inside},
        {"free_stack", free_stack},
        {"free_data", free_data},
        {"free_wild", free_wild},
        {"free_unset", free_unset},
        {"use_unset", use_unset},
        {"use_wild", use_wild},
        {"none", none},
    };

    for (size_t i = 0; argc == 2 && i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, argv[1]) == 0) {
            deeper(all[i].make);
            scrub();
            return 0;
        }
    }
    return 3;
}
