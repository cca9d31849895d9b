/* web_guest.c: a program whose memory makes a picture, for the tests of the page.
 *
 * It says "ready", then takes a letter a line from standard input and says "done" after each:
 *
 *     a   touch 2 MiB more
 *     q   end
 *
 * At the beginning RAM is full, and a third is on swap, in stripes; a child shares it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB  (1024 * 1024)
#define PAGE 4096

static char *new_memory(size_t bytes) {
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(2);
    return memory;
}

static void say(const char *word) {
    if (write(1, word, 6) != 6)
        _exit(3);
}

/* Memory in stripes, then more than RAM holds, some of it given back; then old parts again. */
static char *paint(void) {
    char *stripes = new_memory(4 * MIB), *large = new_memory(14 * MIB);
    unsigned seed = 7;
    for (size_t at = 0; at < 4 * MIB; at += PAGE)
        if (at / PAGE / 32 % 3 != 2)
            stripes[at] = 1;
    for (size_t at = 0; at < 14 * MIB; at += PAGE)
        large[at] = (char)(at / PAGE);
    for (unsigned i = 0; i < 700; i++) {
        seed = seed * 1664525u + 1013904223u;
        stripes[seed / 4096 % 1024 * PAGE] ^= 1;
    }
    munmap(large + 5 * MIB, MIB + 300 * 1024);
    for (size_t at = 0; at < 2 * MIB; at += 5 * PAGE)
        large[at] ^= 1;
    return large;
}

int main(void) {
    char line[64], *heap[200], *large = paint();
    for (unsigned i = 0; i < 200; i++) {
        heap[i] = malloc(1000 + i * 10);
        heap[i][0] = 1;
    }
    if (fork() == 0) {
        for (size_t at = 8 * MIB; at < 9 * MIB; at += 2 * PAGE)
            large[at] = 2;
        say("ready\n");
        pause();
    }
    while (fgets(line, sizeof line, stdin)) {
        if (line[0] == 'q')
            return 0;
        if (line[0] == 'a') {
            char *more = new_memory(2 * MIB);
            for (size_t at = 0; at < 2 * MIB; at += PAGE)
                more[at] = 3;
        }
        say("done \n");
    }
    return 0;
}
