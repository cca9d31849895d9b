/* date_table.c: the table of dates (os/fs_date.c) beside a plain one: files at random, so that they
 * meet in the table, are dated, removed and changed by the host.
 *
 * A host program on os/; the files are numbers, nothing is on a disk.
 */
#include "os/fs.h"
#include "os/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILES 700
#define STEPS 200000

static uint64_t state = 20261121;

static uint64_t draw(void) { /* splitmix64 */
    uint64_t x = (state += UINT64_C(0x9E3779B97F4A7C15));
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* What must be shown: ours[field] 0 is the host's date. */
static struct file {
    struct stat host;
    uint64_t ours[3];
} files[FILES];

static bool is(const struct os_timespec *shown, uint64_t ours, const struct timespec *host) {
    return ours ? (uint64_t)shown->seconds * OS_NS_PER_SECOND + (uint64_t)shown->nanoseconds == ours
                : shown->seconds == host->tv_sec && shown->nanoseconds == host->tv_nsec;
}

static bool shows_right(struct os *os, const struct file *file) {
    struct os_stat shown;
    os_stat_from_host(os, &file->host, &shown);
    return is(&shown.accessed, file->ours[0], &file->host.st_atim) &&
           is(&shown.modified, file->ours[1], &file->host.st_mtim) &&
           is(&shown.changed, file->ours[2], &file->host.st_ctim);
}

static void date(struct os *os, struct file *file) {
    static const unsigned whats[] = {OS_DATE_CONTENT, OS_DATE_CHANGED, OS_DATE_ALL};
    unsigned what = whats[draw() % 3];
    quire_soft_charge(os_machine(os), 1 + draw() % 1000);
    file->host.st_ctim.tv_nsec++; /* by the host's clock, that is */
    os_date(os, file->host.st_dev, file->host.st_ino, what);
    for (unsigned field = 0; field < 3; field++)
        if (what >> field & 1)
            file->ours[field] = os_realtime_ns(os);
}

static bool step(struct os *os) {
    struct file *file = &files[draw() % FILES];
    struct os_place place = {.fd = -1, .parent_fd = -1, .status = file->host};
    switch (draw() % 8) {
    case 0: /* the last name goes */
        place.status.st_nlink = 1;
        os_date_removed(os, &place);
        memset(file->ours, 0, sizeof file->ours);
        break;
    case 1: /* the host changes what was looked at */
        if (!shows_right(os, file))
            return false;
        file->host.st_ctim.tv_nsec++;
        memset(file->ours, 0, sizeof file->ours);
        break;
    case 2:
    case 3:
    case 4:
        date(os, file);
        break;
    default:
        break;
    }
    return shows_right(os, file);
}

/* The directory that a name goes from is one date more: for each number of files there are, so that
 * one of them is as many as the table holds. */
static bool removes_from_directories(struct os *os) {
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool good = root >= 0;
    for (unsigned n = 1; n <= FILES && good; n++) {
        struct os_place place = {.fd = -1, .parent_fd = root, .status = files[n - 1].host};
        os_dates_destroy(os_fs(os));
        for (unsigned i = 0; i < FILES; i++)
            memset(files[i].ours, 0, sizeof files[i].ours);
        for (unsigned i = 0; i < n; i++)
            date(os, &files[i]);
        place.status.st_nlink = 1;
        os_date_removed(os, &place);
        memset(files[n - 1].ours, 0, sizeof files[n - 1].ours);
        for (unsigned i = 0; i < FILES && good; i++)
            good = shows_right(os, &files[i]);
    }
    close(root);
    return good;
}

int main(void) {
    char message[256];
    struct os_config config = {.root = "/", .ram_bytes = 16u << 20};
    struct os *os = os_create(&config, message, sizeof message);
    if (!os) {
        printf("%s\n", message);
        return 1;
    }
    for (unsigned i = 0; i < FILES; i++)
        files[i].host = (struct stat){.st_dev = 1 + draw() % 3, .st_ino = 1 + (draw() >> 20)};
    unsigned done = 0;
    while (done < STEPS && step(os))
        done++;
    for (unsigned i = 0; i < FILES && done == STEPS; i++)
        done -= !shows_right(os, &files[i]);
    if (!removes_from_directories(os))
        done--;
    os_destroy(os);
    printf("%u of %u steps right\n", done, STEPS);
    return done != STEPS;
}
