/* live_guest.c: what the tests of looking at a machine have it do.
 *
 *     live_guest wait [MIB]    say "ready", then one letter a line from standard input:
 *                              a: touch MIB more (4), f: a child that waits as well,
 *                              e, p: write a line, a prompt to standard error, q: end
 *     live_guest work ROUNDS   a child and random pages, no input: the same run every time
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  (1024 * 1024)
#define PAGE 4096

static char *touch(size_t mib) {
    char *memory =
        mmap(NULL, mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(2);
    for (size_t at = 0; at < mib * MIB; at += PAGE)
        memory[at] = (char)(at / PAGE);
    return memory;
}

static void say_to(int fd, const char *word) {
    if (write(fd, word, strlen(word)) < 0)
        _exit(3);
}

static void say(const char *word) {
    say_to(1, word);
}

static int wait_for_letters(size_t mib) {
    char line[64];
    say("ready\n");
    while (fgets(line, sizeof line, stdin)) {
        if (line[0] == 'q')
            return 0;
        if (line[0] == 'a')
            touch(mib);
        if (line[0] == 'e')
            say_to(2, "hello\n");
        if (line[0] == 'p')
            say_to(2, "prompt> ");
        if (line[0] == 'f' && fork() == 0)
            pause();
        say("done\n");
    }
    return 0;
}

static int work(unsigned rounds) {
    char *memory = touch(8);
    unsigned state = 1, sum = 0;
    pid_t child = fork();
    for (unsigned i = 0; i < rounds * 1000; i++) {
        state = state * 1664525u + 1013904223u;
        char *at = memory + state % (8u * MIB);
        sum += (unsigned char)*at;
        *at = (char)i;
    }
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    printf("%u\n", sum);
    return 0;
}

int main(int argc, char *argv[]) {
    unsigned n = argc > 2 ? (unsigned)atoi(argv[2]) : 4;
    return argc > 1 && strcmp(argv[1], "work") == 0 ? work(n) : wait_for_letters(n);
}
