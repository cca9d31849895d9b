/* preload_facts.c: what a program sees of its heap, by /proc/self/maps and malloc's own calls; run
 * under LD_PRELOAD or linked with the heap. One line a fact. No stdio before the facts: it
 * allocates.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The size of [heap], and of all private writable mappings without a name, in KiB. */
static void sizes(long *heap, long *mapped) {
    static char text[1 << 17];
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0) {
        n += (size_t)got;
    }
    close(fd);
    text[n] = 0;
    *heap = *mapped = 0;
    for (char *line = text, *end; line != NULL && *line != 0; line = end ? end + 1 : NULL) {
        unsigned long from, to;
        end = strchr(line, '\n');
        *end = 0;
        if (sscanf(line, "%lx-%lx", &from, &to) == 2) {
            *mapped +=
                strchr(line, '[') == NULL && strchr(line, '/') == NULL && strstr(line, "rw-p")
                    ? (long)(to - from) / 1024
                    : 0;
            *heap += strstr(line, "[heap]") != NULL ? (long)(to - from) / 1024 : 0;
        }
    }
}

static long word_before(const void *block) {
    long word;

    memcpy(&word, (const char *)block - 8, sizeof word);
    return word;
}

int main(void) {
    long heap, mapped, before, large, after, grown;
    static char line[200];

    sizes(&heap, &before);
    char *volatile one = malloc(1);
    *one = 1;
    sizes(&heap, &mapped);
    char *volatile block = malloc(200 * 1024);
    memset(block, 7, 200 * 1024);
    sizes(&after, &large);
    free(block);
    sizes(&after, &mapped);
    int n = snprintf(line, sizeof line, "heap %ld KiB, mapping of %ld KiB, %ld KiB after free\n",
                     heap, large - before, mapped - before);
    n = write(1, line, (size_t)n) == n ? 0 : 1;

    printf("header %ld, usable %zu\n", word_before(one), malloc_usable_size(one));
    /* Adapted: the same size comes from the heap now, and goes back with its end. */
    block = malloc(200 * 1024);
    sizes(&grown, &mapped);
    printf("again: mapping of %ld KiB, the heap has grown: %s\n", mapped - before,
           grown > heap ? "yes" : "no");
    struct mallinfo2 info = mallinfo2();
    printf("in use: %s\n", info.uordblks > 200 * 1024 && info.hblks == 0 ? "yes" : "no");
    free(block);
    char *volatile grows = malloc(100);
    char *volatile moved = realloc(grows, 3000);
    printf("realloc in place: %s\n", moved == grows ? "yes" : "no");
    errno = 0;
    volatile size_t huge = SIZE_MAX / 2;
    printf("too much: %s\n", calloc(huge, 4) == NULL && errno == ENOMEM ? "ENOMEM" : "granted");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        free(moved);
        _exit(malloc(5000) == NULL);
    }
    int status = 1;
    waitpid(child, &status, 0);
    printf("child: %d\n", status);
    return n;
}
