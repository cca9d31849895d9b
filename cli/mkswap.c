/* mkswap.c: `quire mkswap`: make a file a swap area, with the header that util-linux's writes.
 *
 * For --swap FILE, and for any Linux: the header is the same (quire/swapfile.h). A new file is made
 * with --size, sparse; of a file that is there only the first page is written, and only if what is
 * in its first 64 KiB is an old swap header or nothing at all: a file system or a document that
 * begins there is somebody's, and there is no option to overrule that.
 *
 * I1  A file that is refused is left as it was, byte for byte.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <quire/swapfile.h>

#include "cli/run.h"

/* last_page has 32 bits: the largest area that there can be. */
#define PAGES_MAX ((uint64_t)1 << 32)
/* Linux wants ten pages at least (mkswap: MIN_GOODPAGES). */
#define PAGES_MIN 10

struct mkswap {
    const char *path, *label;
    uint64_t size; /* of a new file; 0: it must be there */
    uint8_t uuid[16];
};

enum { LABEL, UUID, SIZE };

static const struct cli_option options[] = {
    [LABEL] = {"--label", "NAME", "--label scratch", "its name, up to 15 bytes"},
    [UUID] = {"--uuid", "UUID", "--uuid 01234567-89ab-cdef-0123-456789abcdef",
              "its number; a random one if not given"},
    [SIZE] = {"--size", "SIZE", "--size 1G", "make the file, of this size"},
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_mkswap_help(void) {
    puts("quire mkswap [options] FILE\n\n"
         "Makes FILE a swap area for 'quire run --swap FILE', as mkswap(8) does for Linux.\n"
         "A file with other content is refused; nothing but its first page is written.\n");
    cli_options_print(options, NOPTIONS);
    puts("\nExample:\n"
         "  quire mkswap --size 1G --label scratch swap.img\n"
         "  quire run --ram 64M --swap swap.img -- ./program");
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* 8-4-4-4-12 digits. */
static bool parse_uuid(const char *text, uint8_t uuid[16]) {
    unsigned byte = 0;
    const char *at = text;

    while (byte < 16) {
        if (byte == 4 || byte == 6 || byte == 8 || byte == 10) {
            if (*at++ != '-') {
                break;
            }
        }
        int high = hex_digit(at[0]), low = high < 0 ? -1 : hex_digit(at[1]);
        if (low < 0) {
            break;
        }
        uuid[byte++] = (uint8_t)(high * 16 + low);
        at += 2;
    }
    if (byte == 16 && *at == '\0') {
        return true;
    }
    cli_wrong("--uuid %s: a UUID is 8-4-4-4-12 hexadecimal digits", text);
    return false;
}

static bool take_option(struct mkswap *mkswap, int option, const char *value) {
    switch (option) {
    case LABEL:
        mkswap->label = value;
        if (strlen(value) > QUIRE_SWAP_LABEL_MAX) {
            cli_wrong("--label %s: %d bytes are the most", value, QUIRE_SWAP_LABEL_MAX);
            return false;
        }
        return true;
    case UUID:
        return parse_uuid(value, mkswap->uuid);
    default:
        return cli_size_parse("--size", value, &mkswap->size);
    }
}

/* RFC 4122, version 4. */
static bool random_uuid(uint8_t uuid[16]) {
    if (getrandom(uuid, 16, 0) != 16) {
        return false;
    }
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    return true;
}

static bool take_words(struct mkswap *mkswap, struct cli_words *words) {
    const char *value;
    int option;

    *mkswap = (struct mkswap){.path = NULL};
    if (!random_uuid(mkswap->uuid)) {
        cli_wrong("mkswap: this machine has no random numbers: %s", strerror(errno));
        return false;
    }
    while ((option = cli_option_next(words, options, NOPTIONS, &value)) >= 0) {
        if (!take_option(mkswap, option, value)) {
            return false;
        }
    }
    if (option == CLI_OPTIONS_WRONG) {
        return false;
    }
    mkswap->path = words->at[0];
    if (mkswap->path == NULL || words->at[1] != NULL) {
        cli_wrong("mkswap needs one file, as in quire mkswap --size 1G swap.img");
        return false;
    }
    return true;
}

/* The file, open and locked, with as many bytes as it is to have; -1: it was said why not. */
static int open_target(const struct mkswap *mkswap, uint64_t *bytes) {
    if (mkswap->size == 0) {
        return cli_swap_open("mkswap", mkswap->path, bytes);
    }
    int fd = open(mkswap->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *bytes = mkswap->size & ~QUIRE_PAGE_MASK;
    if (fd < 0) {
        cli_wrong("mkswap %s: %s", mkswap->path,
                  errno == EEXIST ? "it is there already; leave out --size to use it"
                                  : strerror(errno));
        return -1;
    }
    if (ftruncate(fd, (off_t)*bytes) < 0) {
        cli_wrong("mkswap %s: %s", mkswap->path, strerror(errno));
        unlink(mkswap->path);
        close(fd);
        return -1;
    }
    return fd;
}

/* Is what is there nothing, or an area? */
static bool may_overwrite(int fd, uint64_t npages) {
    static uint8_t bytes[QUIRE_SWAP_LOOK_BYTES];
    struct quire_swap_header header;
    ssize_t nbytes = pread(fd, bytes, sizeof bytes, 0);

    if (nbytes < (ssize_t)QUIRE_PAGE_SIZE) {
        return false;
    }
    enum quire_swap_verdict verdict = quire_swap_inspect(bytes, (size_t)nbytes, npages, &header);
    return verdict != QUIRE_SWAP_UNKNOWN && verdict != QUIRE_SWAP_SUSPENDED;
}

static bool write_header(const struct mkswap *mkswap, int fd, uint64_t npages) {
    uint8_t page[QUIRE_PAGE_SIZE];

    quire_swap_format(page, npages, mkswap->uuid, mkswap->label);
    return pwrite(fd, page, sizeof page, 0) == (ssize_t)sizeof page && fsync(fd) == 0;
}

static bool make(const struct mkswap *mkswap, int fd, uint64_t npages) {
    if (npages < PAGES_MIN) {
        cli_wrong("mkswap %s: it is too small, an area has 40K at least", mkswap->path);
        return false;
    }
    if (!may_overwrite(fd, npages)) {
        cli_wrong("mkswap %s: there is something in it that is no swap area; it was left alone",
                  mkswap->path);
        return false;
    }
    if (!write_header(mkswap, fd, npages)) {
        cli_wrong("mkswap %s: %s", mkswap->path, strerror(errno));
        return false;
    }
    return true;
}

static void report(const struct mkswap *mkswap, uint64_t npages) {
    char text[CLI_TEXT_BYTES];

    printf("%s: %s of swap, %s%s%sUUID ", mkswap->path,
           cli_size_text((npages - 1) << QUIRE_PAGE_SHIFT, text),
           mkswap->label != NULL ? "label " : "", mkswap->label != NULL ? mkswap->label : "",
           mkswap->label != NULL ? ", " : "");
    for (unsigned i = 0; i < 16; i++) {
        printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", mkswap->uuid[i]);
    }
    putchar('\n');
}

int cli_mkswap(struct cli_words *words) {
    struct mkswap mkswap;
    uint64_t bytes;

    if (!take_words(&mkswap, words)) {
        return CLI_EXIT_OURS;
    }
    int fd = open_target(&mkswap, &bytes);
    if (fd < 0) {
        return CLI_EXIT_OURS;
    }
    uint64_t npages = bytes >> QUIRE_PAGE_SHIFT;
    npages = npages < PAGES_MAX ? npages : PAGES_MAX;
    bool good = make(&mkswap, fd, npages);
    close(fd);
    if (good) {
        report(&mkswap, npages);
    } else if (mkswap.size > 0) {
        unlink(mkswap.path); /* ours, and nobody has seen it */
    }
    return good ? 0 : CLI_EXIT_OURS;
}
