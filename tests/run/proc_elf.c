/* proc_elf.c: broken program files: one clear line each, the right exit code, and never a crash.
 *
 * It makes a small valid RISC-V program by hand (no compiler needed), breaks one thing at a time,
 * and looks at what os_start says; then it breaks bytes at random, by a seed, some thousand times.
 * Damage that leaves the file loadable is fine: nothing is run then.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"

#define FILE_BYTES   0x1100
#define RANDOM_CASES 3000 /* QUIRE_FULL=1: 50 times as many */

static uint8_t file[FILE_BYTES];
static char path[64], directory[] = "/tmp/quire-elf.XXXXXX";
static int failures;

static void put(size_t at, unsigned nbytes, uint64_t value) {
    for (unsigned i = 0; i < nbytes; i++)
        file[at + i] = (uint8_t)(value >> (8 * i));
}

#define HEADERS 64
/* Offsets in the n-th program header. */
#define TYPE(n)   (HEADERS + 56 * (n))
#define FLAGS(n)  (TYPE(n) + 4)
#define OFFSET(n) (TYPE(n) + 8)
#define VA(n)     (TYPE(n) + 16)
#define FILESZ(n) (TYPE(n) + 32)
#define MEMSZ(n)  (TYPE(n) + 40)
#define ALIGN(n)  (TYPE(n) + 48)

static void segment(unsigned n, uint32_t type, uint32_t flags, uint64_t offset, uint64_t va,
                    uint64_t file_bytes, uint64_t memory_bytes) {
    put(TYPE(n), 4, type);
    put(FLAGS(n), 4, flags);
    put(OFFSET(n), 8, offset);
    put(VA(n), 8, va);
    put(FILESZ(n), 8, file_bytes);
    put(MEMSZ(n), 8, memory_bytes);
    put(ALIGN(n), 8, 0x1000);
}

/* Two segments, text at 0x10000 and data with bss at 0x11000+; the program exits with 7. */
static void make_valid(void) {
    static const uint32_t code[] = {0x00700513, 0x05e00893, 0x00000073}; /* a0=7, a7=94, ecall */
    memset(file, 0, sizeof file);
    memcpy(file, "\177ELF\2\1\1", 7);
    put(16, 2, 2);       /* ET_EXEC */
    put(18, 2, 243);     /* RISC-V */
    put(20, 4, 1);       /* version */
    put(24, 8, 0x10200); /* entry */
    put(32, 8, HEADERS); /* program headers: where, */
    put(52, 2, 64);
    put(54, 2, 56); /* how large, */
    put(56, 2, 3);  /* how many */
    segment(0, 1, 5, 0, 0x10000, 0x300, 0x300);
    segment(1, 1, 6, 0x1000, 0x11000, 0x100, 0x5000);
    segment(2, 4, 4, 0x280, 0x10280, 0x20,
            0x20); /* PT_NOTE, until a case makes it something else */
    memcpy(file + 0x200, code, sizeof code);
}

static void write_file(size_t nbytes) {
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(file, 1, nbytes, out) != nbytes || fclose(out) != 0 ||
        chmod(path, 0755) != 0) {
        perror(path);
        exit(1);
    }
}

static struct os *machine(void) {
    struct os_config config = {.ram_bytes = 8 << 20, .seed = 1, .cwd = "/"};
    char message[256];
    struct os *os = os_create(&config, message, sizeof message);
    if (!os) {
        printf("no machine: %s\n", message);
        exit(1);
    }
    return os;
}

/* Start the file. 0 if it was loaded, else the exit code; the message is checked for its form. */
static int start(struct os_start_error *error, int *status) {
    char *argv[] = {path, NULL}, *envp[] = {NULL};
    struct os *os = machine();
    memset(error, 0, sizeof *error);
    bool started = os_start(os, argv, envp, error);
    if (started && status)
        *status = os_run(os);
    os_destroy(os);
    if (started)
        return 0;
    size_t length = strlen(error->message);
    if (length == 0 || length >= sizeof error->message - 1 || strchr(error->message, '\n') ||
        !strstr(error->message, path)) {
        printf("not one clear line: \"%s\"\n", error->message);
        failures++;
    }
    return error->exit_code;
}

/* The file as it is now must be refused with this word in the message. */
static void refused(const char *what, size_t nbytes, const char *word) {
    struct os_start_error error;
    write_file(nbytes);
    int code = start(&error, NULL);
    if (code != 126 || !strstr(error.message, word)) {
        printf("%s: code %d, \"%s\" (expected 126 and \"%s\")\n", what, code, error.message, word);
        failures++;
    }
    make_valid();
}

static void break_header(void) {
    refused("empty", 0, "empty");
    refused("cut in the header", 40, "truncated");
    refused("cut in the program headers", 100, "truncated");
    refused("cut in the data", 0x1080, "truncated");
    put(0, 4, 0x64636261);
    refused("text", FILE_BYTES, "not a program");
    put(18, 2, 62);
    refused("x86-64", FILE_BYTES, "quire root create");
    put(18, 2, 183);
    refused("aarch64", FILE_BYTES, "aarch64");
    file[4] = 1;
    refused("32 bits", FILE_BYTES, "32-bit");
    file[5] = 2;
    refused("big-endian", FILE_BYTES, "big-endian");
    put(16, 2, 1);
    refused("object file", FILE_BYTES, "object file");
    put(16, 2, 4);
    refused("core", FILE_BYTES, "core");
    put(16, 2, 77);
    refused("odd type", FILE_BYTES, "type");
    put(20, 4, 9);
    refused("version", FILE_BYTES, "version");
    put(48, 4, 8);
    refused("RV64E", FILE_BYTES, "RV64E");
    put(54, 2, 32);
    refused("entry size", FILE_BYTES, "headers");
    put(56, 2, 0);
    refused("no headers", FILE_BYTES, "no program headers");
    put(56, 2, 0xffff);
    refused("many headers", FILE_BYTES, "headers");
    put(32, 8, UINT64_MAX - 8);
    refused("headers nowhere", FILE_BYTES, "truncated");
    put(24, 8, 0x11010);
    refused("entry in data", FILE_BYTES, "entry");
    put(24, 8, 0);
    refused("no entry", FILE_BYTES, "entry");
}

static void break_segments(void) {
    put(TYPE(0), 4, 0);
    put(TYPE(1), 4, 0);
    refused("no PT_LOAD", FILE_BYTES, "PT_LOAD");
    put(VA(1), 8, 0x10000);
    refused("overlap", FILE_BYTES, "overlap");
    put(VA(0), 8, 0x20000);
    put(24, 8, 0x20200);
    refused("out of order", FILE_BYTES, "out of order");
    put(VA(0), 8, 0);
    put(24, 8, 0x200);
    refused("page zero", FILE_BYTES, "below");
    put(VA(1), 8, 0x11008);
    refused("not aligned", FILE_BYTES, "aligned");
    put(ALIGN(1), 8, 12345);
    refused("odd alignment", FILE_BYTES, "alignment");
    put(FILESZ(0), 8, 0x400);
    refused("more file than memory", FILE_BYTES, "more bytes in the file");
    put(OFFSET(1), 8, UINT64_MAX - 0xfff);
    refused("offset wraps", FILE_BYTES, "truncated");
    put(MEMSZ(1), 8, UINT64_MAX);
    refused("memory wraps", FILE_BYTES, "outside");
    put(VA(1), 8, UINT64_C(1) << 63);
    refused("kernel address", FILE_BYTES, "outside");
    put(VA(1), 8, UINT64_C(0x7ffffffff000));
    put(MEMSZ(1), 8, 0x1000);
    refused("where the stack is", FILE_BYTES, "");
    segment(2, 3, 4, 0x280, 0x10280, 0, 0);
    refused("loader without a name", FILE_BYTES, "loader");
    segment(2, 3, 4, 0x280, 0x10280, 4, 4);
    memcpy(file + 0x280, "abcd", 4);
    refused("loader's name without end", FILE_BYTES, "loader");
    segment(2, 3, 4, 0x280, 0x10280, 9, 9);
    memcpy(file + 0x280, "/no/such", 9);
    refused("loader missing", FILE_BYTES, "--root");
    segment(2, 3, 4, 0x280, 0x10280, strlen(path) + 1, strlen(path) + 1);
    strcpy((char *)file + 0x280, path);
    refused("its own loader", FILE_BYTES, "");
}

static uint64_t next_random(uint64_t *state) {
    uint64_t x = (*state += UINT64_C(0x9E3779B97F4A7C15));
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* Numbers on which arithmetic goes wrong, and any. */
static uint64_t nasty(uint64_t *state) {
    static const uint64_t values[] = {0,
                                      1,
                                      0xfff,
                                      0x1000,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x7ffffffff000u,
                                      UINT64_C(1) << 47,
                                      UINT64_C(1) << 63,
                                      UINT64_MAX,
                                      UINT64_MAX - 0xfff};
    uint64_t pick = next_random(state) % 16;
    return pick < 12 ? values[pick] : next_random(state) >> next_random(state) % 64;
}

static unsigned random_damage(uint64_t seed) {
    struct os_start_error error;
    uint64_t state = seed;
    make_valid();
    if (next_random(&state) % 4 == 0)
        put(16, 2, 3); /* position-independent */
    unsigned count = 1 + next_random(&state) % 4;
    for (unsigned i = 0; i < count; i++) {
        if (next_random(&state) % 2)
            file[next_random(&state) % 240] = (uint8_t)next_random(&state);
        else
            put(24 + next_random(&state) % 26 * 8, 8, nasty(&state));
    }
    size_t nbytes = next_random(&state) % 8 ? FILE_BYTES : next_random(&state) % FILE_BYTES;
    write_file(nbytes);
    return start(&error, NULL) == 0;
}

int main(void) {
    struct os_start_error error;
    int status = -1;
    if (!mkdtemp(directory))
        return 1;
    snprintf(path, sizeof path, "%s/program", directory);
    make_valid();
    write_file(FILE_BYTES);
    if (start(&error, &status) != 0 || status != 7) {
        printf("the valid program: status %d, \"%s\"\n", status, error.message);
        failures++;
    }
    break_header();
    break_segments();
    unsigned loaded = 0, cases = getenv("QUIRE_FULL") ? 50 * RANDOM_CASES : RANDOM_CASES;
    for (unsigned i = 0; i < cases; i++)
        loaded += random_damage(i);
    unlink(path);
    if (start(&error, NULL) != 127) {
        printf("a missing program: code %d\n", error.exit_code);
        failures++;
    }
    rmdir(directory);
    printf("%u damaged files, %u of them still loadable; %d failures\n", cases, loaded, failures);
    return failures != 0;
}
