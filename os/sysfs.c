/* sysfs.c: /sys, as far as programs look there: transparent huge pages, and how many processors
 * there are (C libraries count those here).
 *
 * malloc implementations, language runtimes and databases read these files to choose alignments or
 * to warn. Nothing of the host shows through: its /sys would tell of another machine. Read-only;
 * the mode is chosen at the start (quire run --thp). Texts are those of Linux's mm/huge_memory.c
 * and mm/khugepaged.c.
 */
#include <stdio.h>
#include <string.h>

#include "os/fs.h"
#include "os/process.h"

#define FILE_MODE      (OS_S_IFREG | 0444)
#define DIRECTORY_MODE (OS_S_IFDIR | 0555)

static void text_enabled(struct os *os, struct os_node at, struct os_text *text) {
    static const char *const texts[] = {[QUIRE_THP_MADVISE] = "always [madvise] never",
                                        [QUIRE_THP_ALWAYS] = "[always] madvise never",
                                        [QUIRE_THP_NEVER] = "always madvise [never]"};
    (void)at;
    os_text_printf(text, "%s\n", texts[quire_thp(os_quire(os))]);
}

/* No fault waits for a block. */
static void text_defrag(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "always defer defer+madvise madvise [never]\n");
}

static void text_pmd_size(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "2097152\n");
}

static void text_zero(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "0\n");
}

static void text_max_none(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "511\n");
}

static void text_collapsed(struct os *os, struct os_node at, struct os_text *text) {
    (void)at;
    os_text_printf(text, "%llu\n",
                   (unsigned long long)quire_counters(os_quire(os))->thp_collapse_alloc);
}

static const struct os_entry khugepaged_entries[] = {
    {.name = "max_ptes_none", .mode = FILE_MODE, .text = text_max_none},
    {.name = "max_ptes_swap", .mode = FILE_MODE, .text = text_zero},
    {.name = "max_ptes_shared", .mode = FILE_MODE, .text = text_zero},
    {.name = "pages_collapsed", .mode = FILE_MODE, .text = text_collapsed},
    {0},
};
static const struct os_entry thp_entries[] = {
    {.name = "enabled", .mode = FILE_MODE, .text = text_enabled},
    {.name = "defrag", .mode = FILE_MODE, .text = text_defrag},
    {.name = "hpage_pmd_size", .mode = FILE_MODE, .text = text_pmd_size},
    {.name = "use_zero_page", .mode = FILE_MODE, .text = text_zero},
    {.name = "khugepaged", .mode = DIRECTORY_MODE, .children = khugepaged_entries},
    {0},
};
static const struct os_entry mm_entries[] = {
    {.name = "transparent_hugepage", .mode = DIRECTORY_MODE, .children = thp_entries},
    {0},
};
static const struct os_entry kernel_entries[] = {
    {.name = "mm", .mode = DIRECTORY_MODE, .children = mm_entries},
    {0},
};

/* ---- /sys/devices/system/cpu ----------------------------------------------------------------- */

static void text_harts(struct os *os, struct os_node at, struct os_text *text) {
    (void)at;
    os_text_printf(text, os->nharts == 1 ? "0\n" : "0-%u\n", os->nharts - 1);
}

static void text_nothing(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "\n");
}

static void text_last(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "%u\n", QUIRE_SOFT_HARTS - 1);
}

/* at.number is the hart, here and below. */
static void text_core(struct os *os, struct os_node at, struct os_text *text) {
    (void)os;
    os_text_printf(text, "%d\n", at.number);
}

static const struct os_entry topology_entries[] = {
    {.name = "core_id", .mode = FILE_MODE, .text = text_core},
    {.name = "physical_package_id", .mode = FILE_MODE, .text = text_zero},
    {0},
};
static const struct os_entry hart_entries[] = {
    {.name = "topology", .mode = DIRECTORY_MODE, .children = topology_entries},
    {0},
};
static const struct os_entry hart_directory = {
    .name = "cpuN", .mode = DIRECTORY_MODE, .children = hart_entries};

static bool find_hart(struct os *os, struct os_node at, const char *name, struct os_node *out) {
    int number;
    (void)at;
    if (strncmp(name, "cpu", 3) != 0 || !os_proc_number(name + 3, &number) ||
        (unsigned)number >= os->nharts)
        return false;
    *out = (struct os_node){&hart_directory, 0, number};
    return true;
}

static void list_harts(struct os *os, struct os_node at, struct os_listing *listing) {
    (void)at;
    for (unsigned i = 0; i < os->nharts; i++) {
        char name[16];
        snprintf(name, sizeof name, "cpu%u", i);
        os_listing_add(listing, name, os_node_inode((struct os_node){&hart_directory, 0, (int)i}),
                       OS_DT_DIR);
    }
}

static const struct os_entry cpu_entries[] = {
    {.name = "online", .mode = FILE_MODE, .text = text_harts},
    {.name = "possible", .mode = FILE_MODE, .text = text_harts},
    {.name = "present", .mode = FILE_MODE, .text = text_harts},
    {.name = "offline", .mode = FILE_MODE, .text = text_nothing},
    {.name = "kernel_max", .mode = FILE_MODE, .text = text_last},
    {0},
};
static const struct os_entry system_entries[] = {
    {.name = "cpu",
     .mode = DIRECTORY_MODE,
     .children = cpu_entries,
     .find = find_hart,
     .list = list_harts},
    {0},
};
static const struct os_entry device_entries[] = {
    {.name = "system", .mode = DIRECTORY_MODE, .children = system_entries},
    {0},
};

static const struct os_entry root_entries[] = {
    {.name = "devices", .mode = DIRECTORY_MODE, .children = device_entries},
    {.name = "kernel", .mode = DIRECTORY_MODE, .children = kernel_entries},
    {0},
};

const struct os_entry os_sys_root = {
    .name = "sys",
    .mode = DIRECTORY_MODE,
    .children = root_entries,
};
