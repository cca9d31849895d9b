/* text.c: what malloc_stats and malloc_info write.
 *
 * stats: the lines of glibc's malloc_stats for one arena, and this heap's own figures after them.
 * info: XML, as malloc_info(3): element and attribute names are glibc's, so that its readers
 * work; one <heap>, for there is one. Numbers are formatted by snprintf into a buffer on the stack:
 * nothing is allocated while the heap is looked at.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "heap/host/host.h"

struct out {
    host_write *write;
    void *context;
};

__attribute__((format(printf, 2, 3))) static void say(const struct out *out, const char *format,
                                                      ...) {
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) {
        size_t nbytes = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
        out->write(out->context, line, nbytes);
    }
}

void host_stats(struct quire_heap *heap, host_write *write, void *context) {
    const struct out out = {write, context};
    struct quire_heap_figures f;

    quire_heap_measure(heap, &f);
    say(&out, "Arena 0:\n");
    say(&out, "system bytes     = %10" PRIu64 "\n", f.system_bytes);
    say(&out, "in use bytes     = %10" PRIu64 "\n", f.used_bytes);
    say(&out, "Total (incl. mmap):\n");
    say(&out, "system bytes     = %10" PRIu64 "\n", f.system_bytes + f.mapped_bytes);
    say(&out, "in use bytes     = %10" PRIu64 "\n", f.used_bytes + f.mapped_bytes);
    say(&out, "max mmap regions = %10" PRIu64 "\n", f.mapped_blocks_peak);
    say(&out, "max mmap bytes   = %10" PRIu64 "\n", f.mapped_bytes_peak);
    say(&out, "blocks in use    = %10" PRIu64 "\n", f.used_blocks + f.mapped_blocks);
    say(&out, "free chunks      = %10" PRIu64 "\n", f.free_chunks);
    say(&out, "largest free     = %10" PRIu64 "\n", f.largest_free);
    say(&out, "fragmentation    = %8u.%u %%\n", f.fragmentation_permille / 10,
        f.fragmentation_permille % 10);
}

/* ---- malloc_info ------------------------------------------------------------------------------
 */

/* Free chunks by size: exact below 1 KiB, then by doubling. */
#define SIZES_EXACT 64
#define SIZES       (SIZES_EXACT + 48)

struct histogram {
    struct {
        uint64_t from, to, total, count;
    } size[SIZES];
};

static bool count_free(void *context, const struct quire_heap_chunk *chunk) {
    struct histogram *histogram = context;

    if (chunk->kind != QUIRE_HEAP_FREE) {
        return true;
    }
    unsigned index = (unsigned)(chunk->bytes / 16);
    if (chunk->bytes >= SIZES_EXACT * 16) {
        index = SIZES_EXACT + (63 - (unsigned)__builtin_clzll(chunk->bytes)) - 10;
    }
    index = index < SIZES ? index : SIZES - 1;
    if (histogram->size[index].count++ == 0 || chunk->bytes < histogram->size[index].from) {
        histogram->size[index].from = chunk->bytes;
    }
    if (chunk->bytes > histogram->size[index].to) {
        histogram->size[index].to = chunk->bytes;
    }
    histogram->size[index].total += chunk->bytes;
    return true;
}

static void write_sizes(const struct out *out, struct quire_heap *heap) {
    struct histogram histogram;

    memset(&histogram, 0, sizeof histogram);
    quire_heap_walk(heap, count_free, &histogram);
    say(out, "<sizes>\n");
    for (unsigned i = 0; i < SIZES; i++) {
        if (histogram.size[i].count != 0) {
            say(out,
                "  <size from=\"%" PRIu64 "\" to=\"%" PRIu64 "\" total=\"%" PRIu64
                "\" count=\"%" PRIu64 "\"/>\n",
                histogram.size[i].from, histogram.size[i].to, histogram.size[i].total,
                histogram.size[i].count);
        }
    }
    say(out, "</sizes>\n");
}

/* What glibc says of an arena, and once more of them all. */
static void write_system(const struct out *out, const struct quire_heap_figures *f) {
    say(out, "<system type=\"current\" size=\"%" PRIu64 "\"/>\n", f->system_bytes);
    say(out, "<system type=\"max\" size=\"%" PRIu64 "\"/>\n", f->system_peak);
    say(out, "<aspace type=\"total\" size=\"%" PRIu64 "\"/>\n", f->system_bytes);
    say(out, "<aspace type=\"mprotect\" size=\"%" PRIu64 "\"/>\n", f->system_bytes);
}

void host_info(struct quire_heap *heap, host_write *write, void *context) {
    const struct out out = {write, context};
    struct quire_heap_figures f;

    quire_heap_measure(heap, &f);
    say(&out, "<malloc version=\"1\">\n<heap nr=\"0\">\n");
    write_sizes(&out, heap);
    say(&out, "<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
    say(&out, "<total type=\"rest\" count=\"%" PRIu64 "\" size=\"%" PRIu64 "\"/>\n", f.free_chunks,
        f.free_bytes);
    write_system(&out, &f);
    say(&out, "<aspace type=\"subheaps\" size=\"%" PRIu64 "\"/>\n</heap>\n", f.extents);
    say(&out, "<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
    say(&out, "<total type=\"rest\" count=\"%" PRIu64 "\" size=\"%" PRIu64 "\"/>\n", f.free_chunks,
        f.free_bytes);
    say(&out, "<total type=\"mmap\" count=\"%" PRIu64 "\" size=\"%" PRIu64 "\"/>\n",
        f.mapped_blocks, f.mapped_bytes);
    write_system(&out, &f);
    say(&out, "</malloc>\n");
}
