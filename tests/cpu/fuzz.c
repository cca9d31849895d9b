/* fuzz.c: random instructions, on our processor and on qemu-riscv64: every register, flag and byte
 * of the sandbox must be the same afterwards.
 *
 *     fuzz [COUNT [SEED [interpret]]]
 *                                COUNT sequences from SEED on; exit 0 same, 1 different, 77 no qemu
 *
 * Sequences go in batches, each one executable that both run. Of a batch that differs, the first
 * sequence that does is shrunk: an instruction is taken away as long as the difference stays. What
 * is printed is enough to repeat it: `fuzz 1 SEED`.
 */
#include "flat.h"
#include "fuzz.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

extern char **environ;

#define QEMU         "qemu-riscv64"
#define BATCH        5000
#define EXIT_SKIPPED 77 /* what CTest's SKIP_RETURN_CODE is set to */
#define SYS_WRITE    64
#define SYS_EXIT     93

struct files {
    char program[64], output[64];
};

/* ---- the two runs ---------------------------------------------------------------------------- */

/* false: the program did not end with exit(0). */
static bool run_ours(const struct fuzz_image *image, uint64_t *results, size_t bytes) {
    struct flat *flat =
        flat_create(image->memory, QUIRE_PROT_READ | QUIRE_PROT_WRITE | QUIRE_PROT_EXEC);
    memcpy(flat->memory + image->load_va, image->bytes, image->size);
    struct quire_cpu cpu = {.pc = image->entry};
    struct quire_trap trap;
    bool good = false;
    for (;;) {
        quire_soft_run(&flat->machine, &flat->pmap, &cpu, UINT64_MAX, &trap);
        if (trap.kind != QUIRE_TRAP_ECALL || cpu.x[17] == SYS_EXIT)
            break;
        good = cpu.x[17] == SYS_WRITE && cpu.x[12] == bytes;
        if (good)
            memcpy(results, flat->memory + cpu.x[11], bytes);
        cpu.x[10] = bytes;
        cpu.pc += 4;
    }
    if (trap.kind != QUIRE_TRAP_ECALL)
        fprintf(stderr, "ours: trap %d at %#llx, instruction %#x, va %#llx\n", (int)trap.kind,
                (unsigned long long)cpu.pc, trap.instruction, (unsigned long long)trap.va);
    good = good && trap.kind == QUIRE_TRAP_ECALL && cpu.x[10] == 0;
    flat_destroy(flat);
    return good;
}

static bool write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(bytes, 1, size, file) == size;
    return file && fclose(file) == 0 && good;
}

static bool run_qemu(const struct files *files, const struct fuzz_image *image, uint64_t *results,
                     size_t bytes) {
    if (!write_file(files->program, image->bytes, image->size) || chmod(files->program, 0700) != 0)
        return false;
    char qemu[] = QEMU, program[sizeof(files->program)];
    char *arguments[] = {qemu, program, NULL};
    memcpy(program, files->program, sizeof(program));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, files->output, O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    pid_t child;
    int status = -1;
    if (posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ) == 0)
        waitpid(child, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    FILE *file = fopen(files->output, "rb");
    size_t got = file ? fread(results, 1, bytes, file) : 0;
    if (file)
        fclose(file);
    if (status != 0)
        fprintf(stderr, "qemu: wait status %#x\n", (unsigned)status);
    return status == 0 && got == bytes;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool same(const uint64_t *ours, const uint64_t *theirs) {
    for (unsigned i = 0; i < RESULT_WORDS; i++)
        if (ours[i] != theirs[i] && i != RESULT_X - 1 + REG_DRIVER && i != RESULT_F - 1)
            return false;
    return true;
}

static void print_difference(const uint64_t *ours, const uint64_t *theirs) {
    for (unsigned i = 0; i < RESULT_WORDS; i++) {
        if (ours[i] == theirs[i] || i == RESULT_X - 1 + REG_DRIVER || i == RESULT_F - 1)
            continue;
        if (i == RESULT_FCSR || i == RESULT_HASH)
            printf("  %-4s", i ? "hash" : "fcsr");
        else
            printf("  %c%-3u", i < RESULT_F ? 'x' : 'f', i < RESULT_F ? i : i - RESULT_F);
        printf(" ours %016llx  qemu %016llx\n", (unsigned long long)ours[i],
               (unsigned long long)theirs[i]);
    }
}

/* Run these on both. Returns the first that differs, or count; count + 1 if one of them failed. */
static unsigned compare(const struct files *files, const struct fuzz_sequence *sequences,
                        unsigned count, bool print) {
    size_t bytes = (size_t)count * RESULT_WORDS * 8;
    uint64_t *ours = calloc(2, bytes), *theirs = ours + count * RESULT_WORDS;
    struct fuzz_image image;
    fuzz_image_make(sequences, count, &image);
    unsigned first = count + 1;
    if (ours && run_ours(&image, ours, bytes) && run_qemu(files, &image, theirs, bytes))
        for (first = 0; first < count; first++)
            if (!same(ours + first * RESULT_WORDS, theirs + first * RESULT_WORDS))
                break;
    if (print && first < count)
        print_difference(ours + first * RESULT_WORDS, theirs + first * RESULT_WORDS);
    free(image.bytes);
    free(ours);
    return first;
}

/* Take units away as long as it still differs (or fails), and print what is left. */
static void shrink(const struct files *files, struct fuzz_sequence *sequence) {
    for (unsigned i = 0; i < sequence->count; i++) {
        sequence->units[i].removed = true;
        if (compare(files, sequence, 1, false) == 1)
            sequence->units[i].removed = false;
    }
    printf("seed %llu differs; the shortest sequence that does:\n",
           (unsigned long long)sequence->seed);
    for (unsigned i = 0; i < sequence->count; i++)
        for (unsigned word = 0; word < sequence->units[i].count && !sequence->units[i].removed;
             word++)
            printf("  %08x\n", sequence->units[i].words[word]);
    printf("before: fcsr %02llx\n", (unsigned long long)sequence->fcsr);
    for (unsigned i = 0; i < 32; i++)
        printf("  x%-2u %016llx  f%-2u %016llx\n", i, (unsigned long long)sequence->x[i], i,
               (unsigned long long)sequence->f[i]);
    compare(files, sequence, 1, true);
}

/* ---- main ------------------------------------------------------------------------------------ */

static bool have_qemu(void) {
    char qemu[] = QEMU, version[] = "--version";
    char *arguments[] = {qemu, version, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int status = -1;
    bool started = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ) == 0;
    if (started)
        waitpid(child, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    return started && status == 0;
}

/* A batch that cannot be compared as a whole (one program crashed) is looked at one by one. */
static unsigned find_failing(const struct files *files, const struct fuzz_sequence *sequences,
                             unsigned count) {
    unsigned first = compare(files, sequences, count, false);
    if (first <= count)
        return first;
    for (first = 0; first < count; first++)
        if (compare(files, &sequences[first], 1, false) != 1)
            break;
    return first;
}

int main(int argc, char **argv) {
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    flat_take_engine(argc > 3 ? argv[3] : NULL);
    if (!have_qemu()) {
        printf("skipped: no qemu-riscv64 to compare with\n");
        return EXIT_SKIPPED;
    }
    struct files files;
    char folder[] = "/tmp/quire-fuzz-XXXXXX";
    struct fuzz_sequence *sequences = calloc(BATCH, sizeof(*sequences));
    if (!sequences || !mkdtemp(folder))
        return 1;
    snprintf(files.program, sizeof(files.program), "%s/program", folder);
    snprintf(files.output, sizeof(files.output), "%s/output", folder);
    bool good = true;
    for (uint64_t done = 0; done < count && good; done += BATCH) {
        unsigned batch = count - done < BATCH ? (unsigned)(count - done) : BATCH;
        for (unsigned i = 0; i < batch; i++)
            fuzz_generate(&sequences[i], seed + done + i);
        unsigned first = find_failing(&files, sequences, batch);
        good = first == batch;
        if (!good)
            shrink(&files, &sequences[first]);
    }
    if (good)
        printf("%llu sequences from seed %llu: the same on both\n", (unsigned long long)count,
               (unsigned long long)seed);
    unlink(files.program);
    unlink(files.output);
    rmdir(folder);
    free(sequences);
    return good ? 0 : 1;
}
