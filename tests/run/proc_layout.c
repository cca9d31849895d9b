/* proc_layout.c: a guest program: the order of a 64-bit address space, from its own pointers and
 * from /proc/self/maps. 128 TiB are the program's: text, data, bss, heap upwards, a wide gap,
 * mappings, stack downwards, arguments and environment, and the program's path on top.
 */
#include "proc_test.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define USER_TOP (UINT64_C(1) << 47)
#define MIB      (UINT64_C(1) << 20)

extern char **environ;
static int initialised = 4711;
static char untouched[65536];

struct area {
    uint64_t start, end;
};

/* The first area whose line ends in name, and the last of all. */
static struct area area_of(const char *name) {
    FILE *file = fopen("/proc/self/maps", "r");
    struct area found = {0, 0};
    char line[512];
    while (fgets(line, sizeof line, file)) {
        unsigned long start, end;
        line[strcspn(line, "\n")] = 0;
        size_t length = strlen(line);
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && length > strlen(name) &&
            strcmp(line + length - strlen(name), name) == 0 && found.end == 0)
            found = (struct area){start, end};
    }
    fclose(file);
    return found;
}

static bool holds(struct area area, const void *pointer) {
    return area.start <= (uintptr_t)pointer && (uintptr_t)pointer < area.end;
}

static void in_order(const char *const names[], const uint64_t places[], int n) {
    for (int i = 0; i + 1 < n; i++) {
        bool good = places[i] < places[i + 1];
        printf("%s below %s: %s\n", names[i], names[i + 1], good ? "yes" : "NO");
        failures += !good;
    }
}

/* Each takes more of the stack than the one before: it grows, downwards. */
static uint64_t deeper(int levels) {
    volatile char page[4096];
    page[0] = (char)levels;
    return levels == 0 ? (uint64_t)(uintptr_t)page : deeper(levels - 1) + (uint64_t)page[0] * 0;
}

int main(int argc, char **argv) {
    struct area heap, stack = area_of("[stack]");
    char *small = malloc(100), *large = malloc(8 * MIB);
    char *mapped = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *next = mmap(NULL, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const char *path = (const char *)getauxval(AT_EXECFN);
    int local = argc;
    heap = area_of("[heap]");
    const char *const names[] = {"text",    "data",  "bss",       "heap",
                                 "mapping", "stack", "arguments", "the program's path"};
    const uint64_t places[] = {(uintptr_t)main,    (uintptr_t)&initialised, (uintptr_t)untouched,
                               (uintptr_t)small,   (uintptr_t)mapped,       (uintptr_t)&local,
                               (uintptr_t)argv[0], (uintptr_t)path};
    in_order(names, places, sizeof names / sizeof *names);
    EXPECT(holds(heap, small) && !holds(heap, large) && holds(heap, sbrk(0) - 1));
    EXPECT(holds(stack, &local) && holds(stack, argv[0]) && holds(stack, path));
    EXPECT((uintptr_t)environ[0] > (uintptr_t)argv[0] && (uintptr_t)path > (uintptr_t)environ[0]);
    char *before = sbrk(0), *after = (sbrk((intptr_t)MIB), sbrk(0));
    printf("the heap grows up: %s\n", after == before + MIB ? "yes" : "NO");
    printf("mappings grow down: %s\n", next < mapped ? "yes" : "NO");
    printf("the stack grows down: %s\n", deeper(100) < (uint64_t)(uintptr_t)&local ? "yes" : "NO");
    EXPECT(area_of("[stack]").start < stack.start && area_of("[stack]").end == stack.end);
    printf("128 TiB: %s\n", stack.end <= USER_TOP && stack.end > USER_TOP / 4 * 3 ? "yes" : "NO");
    printf("room between heap and mappings: %s\n",
           (uintptr_t)next - heap.end > USER_TOP / 16 ? "yes" : "NO");
    /* Nothing can be had above it, nothing can be reached there. */
    EXPECT(mmap((void *)USER_TOP, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0) == MAP_FAILED);
    EXPECT(write(1, (void *)(USER_TOP + 4096), 1) == -1 && errno == EFAULT);
    return report("layout");
}
