/* process.c: /proc/PID/statm and the memory lines of /proc/PID/status.
 *
 * Owns no state; the formats are those of Linux's fs/proc/array.c (proc_pid_statm) and task_mmu.c
 * (task_mem). Cannot fail; text that does not fit is counted (view.h). Called by os/ for /proc.
 */
#include <quire/space.h>

#include "view/lines.h"

size_t quire_view_statm(const struct quire_space *space, char *bytes, size_t capacity) {
    struct quire_space_usage usage;
    quire_space_usage(space, &usage);
    uint64_t shared = usage.resident_file + usage.resident_shmem;
    /* size resident shared text lib data dt; lib and dt are 0 since Linux 2.6 */
    const uint64_t columns[] = {usage.virtual_pages,
                                usage.resident_anon + shared,
                                shared,
                                usage.text,
                                0,
                                usage.data + usage.stack,
                                0};
    const unsigned ncolumns = sizeof columns / sizeof columns[0];
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    for (unsigned i = 0; i < ncolumns; i++) {
        quire_text_decimal(&text, columns[i], 0);
        quire_text_char(&text, i + 1 < ncolumns ? ' ' : '\n');
    }
    return quire_text_end(&text);
}

/* "VmRSS:\t    1234 kB": a tab after the label, unlike meminfo. */
static void line(struct quire_text *text, const char *label, uint64_t pages) {
    quire_text_string(text, label);
    quire_text_char(text, '\t');
    quire_text_decimal(text, view_kb(pages), 8);
    quire_text_string(text, " kB\n");
}

/* Executable memory of libraries: what is executable and not the program's own text. */
static uint64_t library_pages(const struct quire_space *space, uint64_t text) {
    struct quire_region_info region;
    quire_vaddr va = quire_va(0);
    uint64_t pages = 0;
    for (; quire_region_at_or_after(space, va, false, &region); va = region.end) {
        if ((region.prot & (QUIRE_PROT_EXEC | QUIRE_PROT_WRITE)) == QUIRE_PROT_EXEC) {
            pages += (region.end.value - region.start.value) >> QUIRE_PAGE_SHIFT;
        }
    }
    return pages > text ? pages - text : 0;
}

size_t quire_view_status(const struct quire_space *space, char *bytes, size_t capacity) {
    struct quire_space_usage usage;
    quire_space_usage(space, &usage);
    uint64_t resident = usage.resident_anon + usage.resident_file + usage.resident_shmem;
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    line(&text, "VmPeak:", usage.peak_virtual);
    line(&text, "VmSize:", usage.virtual_pages);
    line(&text, "VmLck:", usage.locked);
    line(&text, "VmPin:", 0); /* pages pinned for devices: none are */
    line(&text, "VmHWM:", usage.peak_resident);
    line(&text, "VmRSS:", resident);
    line(&text, "RssAnon:", usage.resident_anon);
    line(&text, "RssFile:", usage.resident_file);
    line(&text, "RssShmem:", usage.resident_shmem);
    line(&text, "VmData:", usage.data);
    line(&text, "VmStk:", usage.stack);
    line(&text, "VmExe:", usage.text);
    line(&text, "VmLib:", library_pages(space, usage.text));
    line(&text, "VmPTE:", usage.page_tables);
    line(&text, "VmSwap:", usage.swapped);
    return quire_text_end(&text);
}
