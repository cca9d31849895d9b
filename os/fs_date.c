/* fs_date.c: when programs changed files of the host, by the machine's clock.
 *
 * The host dates a change by its own clock. On the virtual clock that is another time: a file that
 * was just made would come from the future, make(1) would say so, and what git writes into its
 * index would differ from run to run. So for files that programs change the machine keeps its own
 * dates and shows them instead; on the disk stay the host's, which are right for whoever looks
 * there. On the host's clock nothing is kept.
 *
 *     change ──▶ host's file, dated by the host
 *        └─────▶ (device, inode) ──▶ accessed, modified, changed: those of them that are ours
 *                                         │
 *     stat ─────▶ host's dates, but for ◀─┘
 *
 * The host changes files as well while a machine runs. That is seen by the host's own change time,
 * which was noted when the file was looked at first after the last change of ours.
 *
 * I1  A table's size is a power of two, and it is at most three quarters full.
 * I2  A date that a program set itself is not kept: the host's file has it.
 * I3  A slot is good until the next date is kept: the table may move.
 *
 * May fail: without memory for the table the host's dates show. O(1) a change.
 */
#include "os/fs.h"
#include "os/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

struct os_date {
    uint64_t device, inode;
    struct os_timespec accessed, modified, changed;
    struct timespec host; /* the host's change time as last seen, if it was */
    unsigned kept;        /* OS_DATE_*; 0: a slot that is free */
    bool seen;
};

/* ---- the table ------------------------------------------------------------------------------- */

static size_t place_of(const struct os_dates *dates, uint64_t device, uint64_t inode) {
    uint64_t hash = (inode ^ device << 32) * 0x9E3779B97F4A7C15u; /* Fibonacci, Knuth 6.4 */
    return (size_t)(hash >> 32) & (dates->capacity - 1);
}

/* The file's slot, or the free one where it would be. => I1, so there is a free one */
static struct os_date *slot_of(const struct os_dates *dates, uint64_t device, uint64_t inode) {
    size_t at = place_of(dates, device, inode);
    while (dates->slots[at].kept != 0 &&
           (dates->slots[at].inode != inode || dates->slots[at].device != device))
        at = (at + 1) & (dates->capacity - 1);
    return &dates->slots[at];
}

static struct os_date *find(const struct os_fs *fs, uint64_t device, uint64_t inode) {
    struct os_date *date = fs->dates.count > 0 ? slot_of(&fs->dates, device, inode) : NULL;
    return date && date->kept != 0 ? date : NULL;
}

/* Room for one more. */
static bool grow(struct os_fs *fs) {
    struct os_dates *dates = &fs->dates;
    if ((dates->count + 1) * 4 <= dates->capacity * 3)
        return true;
    struct os_dates more = {.capacity = dates->capacity ? 2 * dates->capacity : FIRST_SLOTS};
    more.slots = calloc(more.capacity, sizeof *more.slots);
    if (!more.slots)
        return false;
    for (size_t i = 0; i < dates->capacity; i++)
        if (dates->slots[i].kept != 0)
            *slot_of(&more, dates->slots[i].device, dates->slots[i].inode) = dates->slots[i];
    more.count = dates->count;
    free(dates->slots);
    *dates = more;
    return true;
}

/* Those behind it in the same row move up, so that they are found without it (Knuth 6.4, R). */
static void forget(struct os_dates *dates, struct os_date *date) {
    size_t hole = (size_t)(date - dates->slots), mask = dates->capacity - 1;
    dates->count--;
    for (size_t at = (hole + 1) & mask; dates->slots[at].kept != 0; at = (at + 1) & mask) {
        size_t home = place_of(dates, dates->slots[at].device, dates->slots[at].inode);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            dates->slots[hole] = dates->slots[at];
            hole = at;
        }
    }
    dates->slots[hole].kept = 0;
}

void os_dates_destroy(struct os_fs *fs) {
    free(fs->dates.slots);
    fs->dates = (struct os_dates){0};
}

/* ---- changes --------------------------------------------------------------------------------- */

void os_date(struct os *os, uint64_t device, uint64_t inode, unsigned what) {
    struct os_fs *fs = os_fs(os);
    if (os->config.host_clock || inode == 0 || !grow(fs))
        return;
    uint64_t now_ns = os_realtime_ns(os);
    struct os_timespec now = {(int64_t)(now_ns / OS_NS_PER_SECOND),
                              (int64_t)(now_ns % OS_NS_PER_SECOND)};
    struct os_date *date = slot_of(&fs->dates, device, inode);
    if (date->kept == 0) {
        fs->dates.count++;
        *date = (struct os_date){.device = device, .inode = inode};
    }
    date->kept |= what;
    date->seen = false;
    if (what & OS_DATE_ACCESSED)
        date->accessed = now;
    if (what & OS_DATE_MODIFIED)
        date->modified = now;
    if (what & OS_DATE_CHANGED)
        date->changed = now;
}

void os_date_host(struct os *os, int fd, const char *name, unsigned what) {
    struct stat status;
    int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if (!os->config.host_clock && fstatat(fd, name, &status, flags) == 0)
        os_date(os, status.st_dev, status.st_ino, what);
}

void os_date_made(struct os *os, const struct os_place *place) {
    os_date_host(os, place->parent_fd, "", OS_DATE_CONTENT);
    os_date_host(os, place->parent_fd, place->name, OS_DATE_ALL);
}

void os_date_removed(struct os *os, const struct os_place *place) {
    const struct stat *status = &place->status;
    bool last = S_ISDIR(status->st_mode) || status->st_nlink <= 1;
    os_date_host(os, place->parent_fd, "", OS_DATE_CONTENT);
    if (!last) {
        os_date(os, status->st_dev, status->st_ino, OS_DATE_CHANGED);
        return;
    }
    struct os_date *date = find(os_fs(os), status->st_dev, status->st_ino); /* I3 */
    if (date)
        forget(&os_fs(os)->dates, date);
}

void os_date_set(struct os *os, int fd, const char *name, const struct timespec times[2]) {
    struct stat status;
    if (os->config.host_clock ||
        fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
        return;
    static const unsigned fields[2] = {OS_DATE_ACCESSED, OS_DATE_MODIFIED};
    unsigned ours = OS_DATE_CHANGED, theirs = 0;
    for (int i = 0; i < 2; i++) {
        if (times[i].tv_nsec == UTIME_NOW)
            ours |= fields[i];
        else if (times[i].tv_nsec != UTIME_OMIT)
            theirs |= fields[i]; /* I2 */
    }
    os_date(os, status.st_dev, status.st_ino, ours);
    struct os_date *date = find(os_fs(os), status.st_dev, status.st_ino);
    if (date)
        date->kept &= ~theirs;
}

/* ---- looks ----------------------------------------------------------------------------------- */

void os_date_show(struct os *os, const struct stat *from, struct os_stat *to) {
    struct os_date *date = find(os_fs(os), from->st_dev, from->st_ino);
    if (!date)
        return;
    if (date->seen && (date->host.tv_sec != from->st_ctim.tv_sec ||
                       date->host.tv_nsec != from->st_ctim.tv_nsec)) {
        forget(&os_fs(os)->dates, date); /* the host has changed it meanwhile */
        return;
    }
    date->seen = true;
    date->host = from->st_ctim;
    if (date->kept & OS_DATE_ACCESSED)
        to->accessed = date->accessed;
    if (date->kept & OS_DATE_MODIFIED)
        to->modified = date->modified;
    if (date->kept & OS_DATE_CHANGED)
        to->changed = date->changed;
}
