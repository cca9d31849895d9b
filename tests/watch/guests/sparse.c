/* sparse: a table of 4 GiB, of which one byte here and there is written: a page for each. */
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define TABLE_BYTES ((uint64_t)4 << 30)
#define ENTRIES     3000

static void __attribute__((noinline)) enter(volatile char *table, uint64_t key) {
    table[key * UINT64_C(0x9E3779B97F4A7C15) % TABLE_BYTES] = 1;
}

int main(void) {
    char *table = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED)
        return 1;
    for (uint64_t key = 1; key <= ENTRIES; key++)
        enter(table, key);
    return 0;
}
