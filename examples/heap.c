/* heap.c: the four ways a program can get memory from Quire, on one small task.
 *
 * The task: count the words of a text. Their letters go into an arena (many sizes, all gone at
 * once), the nodes of the table into a pool (one size, no headers), the table itself from a heap of
 * this program's own, and the line that is printed from quire_malloc, the heap of the process. At
 * the end everything has gone back, and the figures say so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <quire/heap.h>
#include <quire/pool.h>

#define BUCKETS 64

struct word {
    struct word *next;
    const char *letters;
    unsigned count;
};

static const char text[] =
    "the page that was not there is the page that the fault brought and the fault that "
    "brought the page was not the fault of the page";

static struct word **bucket_of(struct word **table, const char *letters, size_t length) {
    unsigned hash = 5381;

    for (size_t i = 0; i < length; i++) {
        hash = hash * 33 + (unsigned char)letters[i];
    }
    return &table[hash % BUCKETS];
}

/* Count one word. False: no memory. */
static bool count(struct word **table, struct quire_pool *nodes, struct quire_arena *letters,
                  const char *at, size_t length) {
    struct word **bucket = bucket_of(table, at, length);

    for (struct word *word = *bucket; word != NULL; word = word->next) {
        if (strncmp(word->letters, at, length) == 0 && word->letters[length] == '\0') {
            word->count++;
            return true;
        }
    }
    struct word *word = quire_pool_alloc(nodes);
    char *copy = quire_arena_alloc(letters, length + 1, 1);
    if (word == NULL || copy == NULL) {
        return false;
    }
    memcpy(copy, at, length);
    copy[length] = '\0';
    *word = (struct word){.next = *bucket, .letters = copy, .count = 1};
    *bucket = word;
    return true;
}

int main(void) {
    static _Alignas(16) char storage[QUIRE_HEAP_STORAGE_BYTES];
    struct quire_heap_port port;
    struct quire_heap_figures figures;
    struct quire_pool nodes;
    struct quire_arena letters;

    quire_heap_port_host(&port);
    struct quire_heap *heap = quire_heap_init(storage, &port);
    struct quire_pool_source source = quire_pool_source_heap(heap);
    struct word **table =
        (struct word **)(uintptr_t)quire_heap_calloc(heap, BUCKETS, sizeof *table);
    if (table == NULL || !quire_pool_init(&nodes, &source, sizeof(struct word), 8, 0)) {
        fputs("no memory\n", stderr);
        return 1;
    }
    quire_arena_init(&letters, &source, 0);

    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, " ");
        if (!count(table, &nodes, &letters, at, length)) {
            fputs("no memory\n", stderr);
            return 1;
        }
        at += length + (at[length] == ' ');
    }
    struct word *word = *bucket_of(table, "page", 4);
    char *line = quire_malloc(80);
    if (line != NULL) {
        snprintf(line, 80, "%zu words, \"page\" %u times", nodes.objects, word->count);
        puts(line);
        quire_free(line);
    }

    quire_pool_fini(&nodes);
    quire_arena_fini(&letters);
    quire_heap_free(heap, (uintptr_t)table);
    quire_heap_measure(heap, &figures);
    printf("blocks still in use: %" PRIu64 "\n", figures.used_blocks);
    quire_heap_fini(heap);
    return figures.used_blocks != 0;
}
