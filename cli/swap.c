/* swap.c: the --swap and --zswap options: what each value means, and the files that it names.
 *
 *     --swap 1G            a disk of the machine, of that size, in memory; 0: none
 *     --swap FILE          a file with a swap header (quire mkswap, mkswap)
 *     --swap grow:STEP:MAX a disk that begins with one step and grows by more as it fills
 *
 * each with ",prio=N" behind it, and as often as there are devices. A value that is a size is a
 * size; a file of such a name is written ./1G. A file is looked at before there is a machine, so
 * that what is wrong with it costs a line: it must be a file or an unused disk, must have a good
 * header, and must not be in use, by another quire (flock) or by this Linux (O_EXCL for disks; the
 * kernel refuses to open an active swap file for writing).
 *
 * I1  Nothing of a file is written here; a descriptor that is kept is locked.
 */
#include "cli/run.h"

#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <quire/swapfile.h>

#define GIB           ((uint64_t)1 << 30)
#define SWAP_MAX      ((uint64_t)1 << 42) /* what machine/soft/soft.c takes */
#define STEP_DEFAULT  GIB                 /* macOS's swap files are of 1 GiB as well */
#define STEPS_DEFAULT 64                  /* grow without MAX ends here */
#define PRIORITY_MAX  32767               /* of swapon(2) */

/* ",prio=N" at the end of value is cut off. */
static bool take_priority(char *value, int *priority) {
    char *comma = strrchr(value, ',');
    uint64_t number;

    *priority = QUIRE_SWAP_PRIORITY_AUTO;
    if (comma == NULL || strncmp(comma, ",prio=", 6) != 0) {
        return true;
    }
    if (!cli_number_parse("--swap ...,prio", comma + 6, &number)) {
        return false;
    }
    if (number > PRIORITY_MAX) {
        cli_wrong("--swap %s: priorities go from 0 to %d", value, PRIORITY_MAX);
        return false;
    }
    *comma = '\0';
    *priority = (int)number;
    return true;
}

static bool size_in_bounds(const char *value, uint64_t bytes) {
    char text[CLI_TEXT_BYTES];

    if (bytes > SWAP_MAX) {
        cli_wrong("--swap %s: %s is too much, 4T is the end", value, cli_size_text(bytes, text));
        return false;
    }
    return true;
}

/* "grow", "grow:STEP", "grow:STEP:MAX". */
static bool take_grow(struct os_swap *swap, char *value) {
    char *step = strchr(value, ':'), *most = step != NULL ? strchr(step + 1, ':') : NULL;

    swap->step_bytes = STEP_DEFAULT;
    if (most != NULL) {
        *most++ = '\0';
    }
    if (step != NULL && !cli_size_parse("--swap grow", step + 1, &swap->step_bytes)) {
        return false;
    }
    swap->step_bytes &= ~QUIRE_PAGE_MASK;
    if (swap->step_bytes < QUIRE_PAGE_SIZE * 2) {
        cli_wrong("--swap grow: a step of less than 8K would never be enough");
        return false;
    }
    if (!size_in_bounds("grow", swap->step_bytes)) {
        return false;
    }
    swap->max_bytes = swap->step_bytes * STEPS_DEFAULT;
    if (most != NULL && !cli_size_parse("--swap grow", most, &swap->max_bytes)) {
        return false;
    }
    swap->max_bytes &= ~QUIRE_PAGE_MASK;
    if (most == NULL && swap->max_bytes > SWAP_MAX) {
        swap->max_bytes = SWAP_MAX;
    }
    if (swap->max_bytes < swap->step_bytes) {
        cli_wrong("--swap grow: the most is less than one step");
        return false;
    }
    swap->bytes = swap->step_bytes;
    return size_in_bounds("grow", swap->max_bytes);
}

int cli_swap_open(const char *option, const char *path, uint64_t *bytes) {
    struct stat status;
    int fd = -1;

    if (stat(path, &status) < 0) {
        cli_wrong("%s %s: %s", option, path, strerror(errno));
        return -1;
    }
    bool disk = S_ISBLK(status.st_mode);
    if (!disk && !S_ISREG(status.st_mode)) {
        cli_wrong("%s %s: neither a file nor a disk", option, path);
        return -1;
    }
    fd = open(path, O_RDWR | O_CLOEXEC | (disk ? O_EXCL : 0));
    if (fd < 0) {
        bool used = errno == EBUSY || errno == ETXTBSY;
        cli_wrong("%s %s: %s", option, path,
                  used ? "this Linux uses it; swapoff or umount it first" : strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        cli_wrong("%s %s: it is in use", option, path);
        close(fd);
        return -1;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    *bytes = end > 0 ? (uint64_t)end & ~QUIRE_PAGE_MASK : 0;
    return fd;
}

static bool take_file(struct os_swap *swap, const char *path) {
    static uint8_t bytes[QUIRE_SWAP_LOOK_BYTES];
    struct quire_swap_header header;
    enum quire_swap_verdict verdict = QUIRE_SWAP_EMPTY;

    swap->fd = cli_swap_open("--swap", path, &swap->bytes);
    if (swap->fd < 0) {
        return false;
    }
    ssize_t nbytes = pread(swap->fd, bytes, sizeof bytes, 0);
    if (nbytes >= (ssize_t)QUIRE_PAGE_SIZE) {
        verdict =
            quire_swap_inspect(bytes, (size_t)nbytes, swap->bytes >> QUIRE_PAGE_SHIFT, &header);
    }
    if (verdict != QUIRE_SWAP_GOOD) {
        cli_wrong("--swap %s: %s", path, quire_swap_verdict_text(verdict));
        close(swap->fd);
        return false;
    }
    swap->path = realpath(path, NULL);
    if (swap->path == NULL) {
        cli_wrong("--swap %s: %s", path, strerror(errno));
        close(swap->fd);
        return false;
    }
    return true;
}

static bool take_swap(struct os_swap *swap, char *value) {
    bool digit = isdigit((unsigned char)value[0]) || value[0] == '-';

    if (strcmp(value, "grow") == 0 || strncmp(value, "grow:", 5) == 0) {
        return take_grow(swap, value);
    }
    if (strchr(value, '/') == NULL && (digit || access(value, F_OK) != 0)) {
        if (!cli_size_parse("--swap", value, &swap->bytes)) {
            return false;
        }
        swap->bytes &= ~QUIRE_PAGE_MASK;
        return size_in_bounds(value, swap->bytes);
    }
    return take_file(swap, value);
}

bool cli_swap_take(struct cli_swaps *swaps, const char *value) {
    struct os_swap swap = {.fd = -1};
    char *copy = strdup(value);
    bool good = copy != NULL && take_priority(copy, &swap.priority) && take_swap(&swap, copy);

    free(copy);
    if (!good) {
        return false;
    }
    swaps->given = true;
    if (swap.bytes < 2 * QUIRE_PAGE_SIZE) { /* none: one page is the header's */
        return true;
    }
    if (swaps->count == OS_SWAPS_MAX) {
        cli_wrong("--swap %s: %d are enough", value, OS_SWAPS_MAX);
        cli_swap_close(&swap);
        return false;
    }
    swaps->swaps[swaps->count++] = swap;
    return true;
}

void cli_swap_default(struct cli_swaps *swaps, uint64_t bytes) {
    bytes = bytes < SWAP_MAX ? bytes : SWAP_MAX;
    swaps->swaps[swaps->count++] =
        (struct os_swap){.fd = -1, .bytes = bytes, .priority = QUIRE_SWAP_PRIORITY_AUTO};
}

void cli_swap_close(const struct os_swap *swap) {
    if (swap->fd >= 0) {
        close(swap->fd);
    }
    free((char *)swap->path);
}

/* ---- in front of the areas ------------------------------------------------------------------ */

#define ZSWAP_PERCENT 20 /* Linux's max_pool_percent */

/* "lz4", "zstd:35". */
bool cli_zswap_take(struct os_config *config, const char *value) {
    size_t length = strcspn(value, ":");
    uint64_t percent = ZSWAP_PERCENT;

    if (length == 3 && strncmp(value, "lz4", 3) == 0) {
        config->zswap = QUIRE_ZSWAP_LZ4;
    } else if (length == 4 && strncmp(value, "zstd", 4) == 0) {
        config->zswap = QUIRE_ZSWAP_ZSTD;
    } else {
        cli_wrong("--zswap %s: there are lz4 and zstd; write --zswap lz4 or --zswap zstd:30",
                  value);
        return false;
    }
    if (value[length] != '\0' && !cli_number_parse("--zswap ...:", value + length + 1, &percent)) {
        return false;
    }
    if (percent < 1 || percent > 90) {
        cli_wrong("--zswap %s: from 1 to 90 percent of the RAM", value);
        return false;
    }
    config->zswap_percent = (unsigned)percent;
    return true;
}
