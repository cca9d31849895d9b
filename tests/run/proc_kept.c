/* proc_kept.c: a guest program: what becomes of a file's pages when nobody maps it any more. They
 * stay for the next mapping, and nobody ever sees in them what the file is no longer.
 *
 *   proc_kept             all of it, in a directory of its own under /tmp
 *   proc_kept other FILE  map FILE, unmap it, say so, and wait for a line: somebody outside changes
 *                         it meanwhile; then print its first word, mapped again and read
 *   proc_kept passes N    map a file of 8 MiB and touch its pages, N times, from the last down
 */
#include "proc_test.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, BYTES = PAGES * PAGE };

static void make(const char *name, char byte, size_t nbytes) {
    static char bytes[BYTES];
    memset(bytes, byte, nbytes);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    EXPECT(fd >= 0 && write(fd, bytes, nbytes) == (ssize_t)nbytes && close(fd) == 0);
}

static char *map(const char *name, int prot, size_t nbytes) {
    int fd = open(name, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
    char *at = mmap(NULL, nbytes, prot, MAP_SHARED, fd, 0);
    EXPECT(at != MAP_FAILED && close(fd) == 0);
    return at;
}

/* All its pages, mapped for a moment: do they begin and end with this? */
static int holds(const char *name, char byte, size_t nbytes) {
    char *at = map(name, PROT_READ, nbytes);
    int right = 1;
    for (size_t i = 0; i < nbytes; i += PAGE)
        right &= at[i] == byte && at[(i + PAGE < nbytes ? i + PAGE : nbytes) - 1] == byte;
    EXPECT(munmap(at, nbytes) == 0);
    return right;
}

static long major_faults(void) {
    struct rusage usage;
    EXPECT(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_majflt;
}

static void mapped_again(void) {
    make("a", 'a', BYTES);
    EXPECT(holds("a", 'a', BYTES));
    long before = major_faults();
    EXPECT(holds("a", 'a', BYTES));
    EXPECT(major_faults() == before);
}

static void written_through_it(void) {
    char byte = 0;
    char *at = map("a", PROT_READ | PROT_WRITE, BYTES);
    at[3 * PAGE] = 'A';
    EXPECT(munmap(at, BYTES) == 0);
    int fd = open("a", O_RDONLY);
    EXPECT(pread(fd, &byte, 1, 3 * PAGE) == 1 && byte == 'A' && close(fd) == 0);
    at = map("a", PROT_READ, BYTES);
    EXPECT(at[3 * PAGE] == 'A' && at[3 * PAGE + 1] == 'a' && munmap(at, BYTES) == 0);
}

static void written_behind_it(void) {
    make("b", 'b', BYTES);
    EXPECT(holds("b", 'b', BYTES));
    int fd = open("b", O_WRONLY);
    char byte = 0;
    EXPECT(pwrite(fd, "B", 1, PAGE) == 1 && close(fd) == 0);
    fd = open("b", O_RDONLY);
    EXPECT(pread(fd, &byte, 1, PAGE) == 1 && byte == 'B' && close(fd) == 0);
    char *at = map("b", PROT_READ, BYTES);
    EXPECT(at[PAGE] == 'B' && at[PAGE + 1] == 'b' && munmap(at, BYTES) == 0);
    make("b", 'c', BYTES); /* cut to nothing, and written anew */
    EXPECT(holds("b", 'c', BYTES));
}

static void shorter_and_longer(void) {
    make("b", 'b', BYTES);
    EXPECT(holds("b", 'b', BYTES));
    EXPECT(truncate("b", PAGE + 10) == 0 && truncate("b", BYTES) == 0);
    char *at = map("b", PROT_READ, BYTES);
    EXPECT(at[PAGE + 9] == 'b' && at[PAGE + 10] == 0 && at[2 * PAGE] == 0);
    EXPECT(munmap(at, BYTES) == 0);
}

/* Another file under the name, and the file under another name. */
static void names(void) {
    char line[PATH_MAX + 100];
    make("c", 'c', BYTES);
    EXPECT(holds("c", 'c', BYTES) && unlink("c") == 0);
    make("c", 'd', BYTES);
    EXPECT(holds("c", 'd', BYTES));
    make("d", 'e', BYTES);
    EXPECT(rename("d", "c") == 0 && holds("c", 'e', BYTES));
    EXPECT(rename("c", "moved") == 0);
    char *at = map("moved", PROT_READ, BYTES);
    EXPECT(*at == 'e');
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        found += strstr(line, "/moved\n") != NULL;
    EXPECT(found == 1 && fclose(maps) == 0 && munmap(at, BYTES) == 0);
}

/* The last mapping goes, and the same call makes another: nothing was let go in between. */
static void mapped_over_itself(void) {
    enum { PROT = PROT_READ | PROT_WRITE };
    char bytes[4] = "";
    make("e", 'e', BYTES);
    int fd = open("e", O_RDWR);
    char *at = mmap(NULL, BYTES, PROT, MAP_SHARED, fd, 0);
    char *place = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    at[0] = 'E';
    EXPECT(mmap(at, BYTES, PROT, MAP_SHARED | MAP_FIXED, fd, 0) == at && at[0] == 'E');
    at[1] = 'F';
    EXPECT(mremap(at, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
    place[2] = 'G';
    EXPECT(munmap(place, BYTES) == 0 && pread(fd, bytes, 3, 0) == 3 && !strcmp(bytes, "EFG"));
    at = mmap(NULL, BYTES, PROT, MAP_SHARED, fd, 0);
    EXPECT(unlink("e") == 0); /* a file without a name is still one file */
    at = mremap(at, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    EXPECT(at == place);
    at[3] = 'H';
    char *other = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(other[3] == 'H' && munmap(at, BYTES) == 0 && munmap(other, BYTES) == 0);
    EXPECT(pread(fd, bytes, 3, 1) == 3 && !strcmp(bytes, "FGH") && close(fd) == 0);
}

/* More files than are kept, and than the host lets one process have open. */
static void many(void) {
    enum { FILES = 1500 };
    char name[20];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < FILES; i++) {
            snprintf(name, sizeof name, "many%d", i);
            if (round == 0)
                make(name, (char)('A' + i % 26), PAGE + 1);
            EXPECT(holds(name, (char)('A' + i % 26), PAGE + 1));
        }
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "many%d", i);
        EXPECT(unlink(name) == 0);
    }
}

static int changed_outside(const char *name) {
    char line[10], word[10] = "";
    char *at = map(name, PROT_READ, PAGE);
    printf("%.5s\n", at);
    fflush(stdout);
    EXPECT(munmap(at, PAGE) == 0);
    EXPECT(fgets(line, sizeof line, stdin) != NULL);
    int fd = open(name, O_RDONLY);
    EXPECT(read(fd, word, 5) == 5 && close(fd) == 0);
    at = map(name, PROT_READ, PAGE);
    printf("%s %.5s\n", word, at);
    return report("proc_kept");
}

static int pass(int passes) {
    enum { LARGE = 8 << 20 };
    FILE *file = tmpfile();
    EXPECT(file && ftruncate(fileno(file), LARGE) == 0);
    volatile char *at = mmap(NULL, LARGE, PROT_READ, MAP_SHARED, fileno(file), 0);
    for (int n = 0; n < passes; n++)
        for (size_t i = LARGE; i > 0; i -= PAGE)
            EXPECT(at[i - PAGE] == 0);
    return report("proc_kept");
}

int main(int argc, char **argv) {
    if (argc == 3)
        return strcmp(argv[1], "passes") == 0 ? pass(atoi(argv[2])) : changed_outside(argv[2]);
    char directory[] = "/tmp/keptXXXXXX";
    EXPECT(mkdtemp(directory) && chdir(directory) == 0);
    mapped_again();
    written_through_it();
    written_behind_it();
    shorter_and_longer();
    names();
    mapped_over_itself();
    many();
    EXPECT(unlink("a") == 0 && unlink("b") == 0 && unlink("moved") == 0);
    EXPECT(chdir("/") == 0 && rmdir(directory) == 0);
    return report("proc_kept");
}
