/* proc.c: /proc: the system's files. Those of one process are in proc_pid.c.
 *
 *   /proc/meminfo, vmstat, ...      text by the memory manager (quire/view.h)
 *   /proc/uptime, stat, mounts, ... text by us, in the formats of proc(5)
 *   /proc/self -> PID               of the program that asks
 *   /proc/PID/                      proc_pid.c
 *
 * The host's /proc is never shown: it describes another machine. Every file is a function from the
 * state to text, so it cannot be stale.
 *
 * May fail: only for lack of host memory. "Self" is the process whose call is running: the path
 * walk says which (os_fs.self).
 */
#include "os/fs.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts of the memory manager ------------------------------------------------------------- */

/* Ask for the length, then for the text: twice, because making room may change nothing of the
 * manager's, so the length stays. */
void os_text_view(struct os_text *text, size_t (*view)(const void *, char *, size_t),
                  const void *subject) {
    size_t length = view(subject, NULL, 0);
    char *room = os_text_room(text, length);
    if (!room)
        return;
    view(subject, room, length + 1);
    text->length += length;
}

#define SYSTEM_VIEW(name)                                                             \
    static size_t view_##name(const void *q, char *text, size_t capacity) {           \
        return quire_view_##name(q, text, capacity);                                  \
    }                                                                                 \
    static void text_##name(struct os *os, struct os_node at, struct os_text *text) { \
        (void)at;                                                                     \
        os_text_view(text, view_##name, os_quire(os));                                \
    }
SYSTEM_VIEW(meminfo)
SYSTEM_VIEW(buddyinfo)
SYSTEM_VIEW(pagetypeinfo)
SYSTEM_VIEW(zoneinfo)
SYSTEM_VIEW(slabinfo)
SYSTEM_VIEW(vmallocinfo)
SYSTEM_VIEW(iomem)
SYSTEM_VIEW(swaps)
SYSTEM_VIEW(pressure)

static size_t view_vmstat(const void *q, char *text, size_t capacity) {
    return quire_view_vmstat(q, text, capacity);
}

/* The manager's counters, and those of the harts' TLBs, which are the machine's. */
static void text_vmstat(struct os *os, struct os_node at, struct os_text *text) {
    struct quire_soft_counters counters;
    (void)at;
    quire_soft_counters(os_machine(os), &counters);
    os_text_view(text, view_vmstat, os_quire(os));
    os_text_printf(text, "nr_tlb_remote_flush %llu\nnr_tlb_remote_flush_received %llu\n",
                   (unsigned long long)counters.tlb_shootdowns,
                   (unsigned long long)counters.tlb_shootdowns_received);
}

/* ---- texts of ours --------------------------------------------------------------------------- */

#define NS_PER_HUNDREDTH 10000000u

static uint64_t idle_ns(struct os *os) {
    struct quire_soft_counters counters;
    quire_soft_counters(os_machine(os), &counters);
    return counters.idle_ns;
}

static void text_uptime(struct os *os, struct os_node at, struct os_text *text) {
    uint64_t up = os_now_ns(os) / NS_PER_HUNDREDTH, idle = idle_ns(os) / NS_PER_HUNDREDTH;
    (void)at;
    os_text_printf(text, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(up / 100),
                   (unsigned long long)(up % 100), (unsigned long long)(idle / 100),
                   (unsigned long long)(idle % 100));
}

static void count_processes(struct os *os, unsigned *running, unsigned *all, int *last) {
    *running = *all = 0;
    *last = 0;
    for (struct os_process *p = os_process_first(os); p; p = p->next) {
        ++*all;
        *last = p->pid;
        bool runs = false;
        for (const struct os_task *task = p->tasks; task; task = task->next)
            runs |= task->state == OS_RUNNING;
        *running += runs;
    }
}

/* The load is not averaged: a machine that jumps over idle time has no meaningful minutes. */
static void text_loadavg(struct os *os, struct os_node at, struct os_text *text) {
    unsigned running, all;
    int last;
    (void)at;
    count_processes(os, &running, &all, &last);
    os_text_printf(text, "0.00 0.00 0.00 %u/%u %d\n", running, all, last);
}

/* user nice system idle iowait ...: a wait for the swap disk is time in which nobody runs there. */
static void text_hart(struct os_text *text, const char *name, const uint64_t ns[3]) {
    unsigned long long busy = (ns[0] - ns[1] - ns[2]) / NS_PER_HUNDREDTH;
    os_text_printf(text, "%s %llu 0 0 %llu %llu 0 0 0 0 0\n", name, busy,
                   (unsigned long long)(ns[1] / NS_PER_HUNDREDTH),
                   (unsigned long long)(ns[2] / NS_PER_HUNDREDTH));
}

/* All of them together, and each: time, idle time, time of waits. */
static void text_harts(struct os *os, struct os_text *text) {
    uint64_t each[QUIRE_SOFT_HARTS][3], all[3] = {0};
    for (unsigned i = 0; i < os->nharts; i++) {
        each[i][0] = quire_soft_hart_ns(os->machine, i);
        each[i][1] = quire_soft_hart_idle_ns(os->machine, i);
        each[i][2] = quire_soft_hart_stall_ns(os->machine, i);
        for (unsigned k = 0; k < 3; k++)
            all[k] += each[i][k];
    }
    text_hart(text, "cpu ", all);
    for (unsigned i = 0; i < os->nharts; i++) {
        char name[16];
        snprintf(name, sizeof name, "cpu%u", i);
        text_hart(text, name, each[i]);
    }
}

static void text_stat(struct os *os, struct os_node at, struct os_text *text) {
    unsigned running, all;
    int last;
    uint64_t now = os_now_ns(os);
    (void)at;
    text_harts(os, text);
    count_processes(os, &running, &all, &last);
    os_text_printf(text, "intr 0\nctxt 0\nbtime %llu\nprocesses %d\n",
                   (unsigned long long)((os_realtime_ns(os) - now) / OS_NS_PER_SECOND), last);
    os_text_printf(text, "procs_running %u\nprocs_blocked 0\n", running);
}

static void text_cpuinfo(struct os *os, struct os_node at, struct os_text *text) {
    (void)at;
    for (unsigned i = 0; i < os->nharts; i++)
        os_text_printf(text,
                       "processor\t: %u\nhart\t\t: %u\nisa\t\t: rv64imafdc\n"
                       "mmu\t\t: sv48\nuarch\t\t: quire,soft\n\n",
                       i, i);
}

static void text_version(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "Linux version " OS_RELEASE " (quire) #1\n");
}

static void text_mounts(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_fs *fs = os_fs(os);
    (void)at;
    for (unsigned i = 0; i < fs->nmounts; i++) {
        const struct os_mount *mount = &fs->mounts[i];
        const char *type = !mount->node.entry                   ? "hostfs"
                           : mount->node.entry == &os_proc_root ? "proc"
                           : mount->node.entry == &os_sys_root  ? "sysfs"
                                                                : "devtmpfs";
        os_text_printf(text, "%s %s %s rw 0 0\n", type, mount->path, type);
    }
}

static void text_filesystems(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "nodev\tproc\nnodev\tsysfs\nnodev\tdevtmpfs\nnodev\thostfs\n");
}

/* ---- /proc/sys ------------------------------------------------------------------------------- */

#define CONSTANT_TEXT(name, value)                                             \
    static void name(struct os *os, struct os_node at, struct os_text *text) { \
        (void)os, (void)at;                                                    \
        os_text_printf(text, "%s\n", value);                                   \
    }
CONSTANT_TEXT(text_dirty_background_ratio, "10") /* src/vm/flush.c */
CONSTANT_TEXT(text_dirty_ratio, "20")
CONSTANT_TEXT(text_dirty_expire, "3000")
CONSTANT_TEXT(text_ostype, "Linux")
CONSTANT_TEXT(text_osrelease, OS_RELEASE)
CONSTANT_TEXT(text_hostname, "quire")
CONSTANT_TEXT(text_pid_max, "32768")
CONSTANT_TEXT(text_ngroups_max, "65536")
CONSTANT_TEXT(text_cap_last_cap, "40")
CONSTANT_TEXT(text_randomize, "0")
CONSTANT_TEXT(text_pipe_max_size, "65536")
CONSTANT_TEXT(text_nr_open, "1024")

static void text_swappiness(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "%u\n", OS_SWAPPINESS);
}

/* Write only, as on Linux: a number, 1 to 3. */
static int64_t write_drop_caches(struct os *os, struct os_node at, const char *text) {
    char *end;
    unsigned long what = strtoul(text, &end, 10);
    (void)at;
    if (end == text || (*end && *end != '\n') || what > 3)
        return -OS_EINVAL;
    return quire_drop_caches(os_quire(os), (unsigned)what) == QUIRE_OK ? 0 : -OS_EINVAL;
}

/* Whole and not negative, to the end of the line. */
static bool number_of(const char *text, uint64_t *number) {
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && (*end == 0 || *end == '\n');
}

/* The three files that quire_set_overcommit stands behind; the name says which. */
static void text_overcommit(struct os *os, struct os_node at, struct os_text *text) {
    struct quire_overcommit rule;
    quire_overcommit(os_quire(os), &rule);
    uint64_t value = at.entry->name[strlen("overcommit_")] == 'm'   ? (uint64_t)rule.mode
                     : at.entry->name[strlen("overcommit_")] == 'r' ? rule.ratio_percent
                                                                    : rule.limit_kbytes;
    os_text_printf(text, "%llu\n", (unsigned long long)value);
}

/* Ratio and kbytes exclude each other, as on Linux: who sets one clears the other. */
static int64_t write_overcommit(struct os *os, struct os_node at, const char *text) {
    struct quire_overcommit rule;
    uint64_t value;
    quire_overcommit(os_quire(os), &rule);
    if (!number_of(text, &value))
        return -OS_EINVAL;
    switch (at.entry->name[strlen("overcommit_")]) {
    case 'm':
        if (value > QUIRE_OVERCOMMIT_NEVER)
            return -OS_EINVAL;
        rule.mode = (enum quire_overcommit_mode)value;
        break;
    case 'r':
        rule.ratio_percent = value;
        rule.limit_kbytes = 0;
        break;
    default:
        rule.limit_kbytes = value;
        rule.ratio_percent = 0;
        break;
    }
    return quire_set_overcommit(os_quire(os), &rule) == QUIRE_OK ? 0 : -OS_EINVAL;
}

static void text_max_map_count(struct os *os, struct os_node at, struct os_text *text) {
    (void)at;
    os_text_printf(text, "%llu\n", (unsigned long long)quire_max_regions(os_quire(os)));
}

static int64_t write_max_map_count(struct os *os, struct os_node at, const char *text) {
    uint64_t value;
    (void)at;
    if (!number_of(text, &value) || quire_set_max_regions(os_quire(os), value) != QUIRE_OK)
        return -OS_EINVAL;
    return 0;
}

static void text_uuid(struct os *os, struct os_node at, struct os_text *text) {
    uint8_t b[16];
    (void)at;
    os_random(os, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 4122: version 4, variant 1 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    for (unsigned i = 0; i < sizeof b; i++)
        os_text_printf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    os_text_printf(text, "\n");
}

static void text_page_cluster(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "%u\n", OS_PAGE_CLUSTER);
}

#define FILE_MODE      (OS_S_IFREG | 0444)
#define DIRECTORY_MODE (OS_S_IFDIR | 0555)
#define WRITABLE       .mode = OS_S_IFREG | 0644

static const struct os_entry vm_entries[] = {
    {.name = "overcommit_memory", WRITABLE, .text = text_overcommit, .write = write_overcommit},
    {.name = "overcommit_ratio", WRITABLE, .text = text_overcommit, .write = write_overcommit},
    {.name = "overcommit_kbytes", WRITABLE, .text = text_overcommit, .write = write_overcommit},
    {.name = "page-cluster", .mode = FILE_MODE, .text = text_page_cluster},
    {.name = "swappiness", .mode = FILE_MODE, .text = text_swappiness},
    {.name = "drop_caches", .mode = OS_S_IFREG | 0200, .write = write_drop_caches},
    {.name = "dirty_background_ratio", .mode = FILE_MODE, .text = text_dirty_background_ratio},
    {.name = "dirty_ratio", .mode = FILE_MODE, .text = text_dirty_ratio},
    {.name = "dirty_expire_centisecs", .mode = FILE_MODE, .text = text_dirty_expire},
    {.name = "max_map_count", WRITABLE, .text = text_max_map_count, .write = write_max_map_count},
    {0},
};
static const struct os_entry random_entries[] = {
    {.name = "uuid", .mode = FILE_MODE, .text = text_uuid},
    {0},
};
static const struct os_entry kernel_entries[] = {
    {.name = "ostype", .mode = FILE_MODE, .text = text_ostype},
    {.name = "osrelease", .mode = FILE_MODE, .text = text_osrelease},
    {.name = "hostname", .mode = FILE_MODE, .text = text_hostname},
    {.name = "pid_max", .mode = FILE_MODE, .text = text_pid_max},
    {.name = "ngroups_max", .mode = FILE_MODE, .text = text_ngroups_max},
    {.name = "cap_last_cap", .mode = FILE_MODE, .text = text_cap_last_cap},
    {.name = "randomize_va_space", .mode = FILE_MODE, .text = text_randomize},
    {.name = "random", .mode = DIRECTORY_MODE, .children = random_entries},
    {0},
};
static const struct os_entry sys_fs_entries[] = {
    {.name = "pipe-max-size", .mode = FILE_MODE, .text = text_pipe_max_size},
    {.name = "nr_open", .mode = FILE_MODE, .text = text_nr_open},
    {0},
};
static const struct os_entry sys_entries[] = {
    {.name = "vm", .mode = DIRECTORY_MODE, .children = vm_entries},
    {.name = "kernel", .mode = DIRECTORY_MODE, .children = kernel_entries},
    {.name = "fs", .mode = DIRECTORY_MODE, .children = sys_fs_entries},
    {0},
};

/* ---- the root of /proc ----------------------------------------------------------------------- */

static void link_self(struct os *os, struct os_node at, struct os_text *text) {
    (void)at;
    os_text_printf(text, "%d", os_fs(os)->self);
}

static void link_mounts(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "self/mounts");
}

static void link_thread_self(struct os *os, struct os_node at, struct os_text *text) {
    (void)at;
    os_text_printf(text, "%d/task/%d", os_fs(os)->self, os_fs(os)->self);
}

static const struct os_entry pid_directory = {
    .name = "pid", .mode = DIRECTORY_MODE, .children = os_proc_pid_entries};

bool os_proc_number(const char *name, int *number) {
    char *end;
    if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && name[1]))
        return false;
    long value = strtol(name, &end, 10);
    *number = (int)value;
    return *end == 0 && value <= INT32_MAX;
}

static bool find_process(struct os *os, struct os_node at, const char *name, struct os_node *out) {
    int pid;
    (void)at;
    if (!os_proc_number(name, &pid) || !os_process_by_pid(os, pid))
        return false;
    *out = (struct os_node){&pid_directory, pid, 0};
    return true;
}

static void list_processes(struct os *os, struct os_node at, struct os_listing *listing) {
    (void)at;
    for (struct os_process *p = os_process_first(os); p; p = p->next) {
        char name[16];
        snprintf(name, sizeof name, "%d", p->pid);
        os_listing_add(listing, name, os_node_inode((struct os_node){&pid_directory, p->pid, 0}),
                       OS_DT_DIR);
    }
}

static const struct os_entry pressure_entries[] = {
    {.name = "memory", .mode = FILE_MODE, .text = text_pressure},
    {0},
};

static void text_shm(struct os *os, struct os_node at, struct os_text *text) {
    (void)at;
    os_shm_text(os, text);
}

static const struct os_entry sysvipc_entries[] = {
    {.name = "shm", .mode = FILE_MODE, .text = text_shm},
    {0},
};

static const struct os_entry root_entries[] = {
    {.name = "meminfo", .mode = FILE_MODE, .text = text_meminfo},
    {.name = "vmstat", .mode = FILE_MODE, .text = text_vmstat},
    {.name = "buddyinfo", .mode = FILE_MODE, .text = text_buddyinfo},
    {.name = "pagetypeinfo", .mode = FILE_MODE, .text = text_pagetypeinfo},
    {.name = "zoneinfo", .mode = FILE_MODE, .text = text_zoneinfo},
    {.name = "slabinfo", .mode = FILE_MODE, .text = text_slabinfo},
    {.name = "vmallocinfo", .mode = FILE_MODE, .text = text_vmallocinfo},
    {.name = "iomem", .mode = FILE_MODE, .text = text_iomem},
    {.name = "swaps", .mode = FILE_MODE, .text = text_swaps},
    {.name = "pressure", .mode = DIRECTORY_MODE, .children = pressure_entries},
    {.name = "uptime", .mode = FILE_MODE, .text = text_uptime},
    {.name = "loadavg", .mode = FILE_MODE, .text = text_loadavg},
    {.name = "stat", .mode = FILE_MODE, .text = text_stat},
    {.name = "cpuinfo", .mode = FILE_MODE, .text = text_cpuinfo},
    {.name = "version", .mode = FILE_MODE, .text = text_version},
    {.name = "filesystems", .mode = FILE_MODE, .text = text_filesystems},
    {.name = "mounts", .mode = OS_S_IFLNK | 0777, .link = link_mounts},
    {.name = "self", .mode = OS_S_IFLNK | 0777, .link = link_self},
    {.name = "thread-self", .mode = OS_S_IFLNK | 0777, .link = link_thread_self},
    {.name = "sys", .mode = DIRECTORY_MODE, .children = sys_entries},
    {.name = "sysvipc", .mode = DIRECTORY_MODE, .children = sysvipc_entries},
    {0},
};

const struct os_entry os_proc_root = {
    .name = "proc",
    .mode = DIRECTORY_MODE,
    .children = root_entries,
    .find = find_process,
    .list = list_processes,
};

void os_proc_text_mounts(struct os *os, struct os_node at, struct os_text *text) {
    text_mounts(os, at, text);
}
