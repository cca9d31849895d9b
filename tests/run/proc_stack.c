/* proc_stack.c: a guest program: the stack that a program begins with, and how it dies.
 *
 *   proc_stack            look at the first stack
 *   proc_stack literal    write to a string literal
 *   proc_stack overflow   call without end
 *   proc_stack heap       malloc(1) and malloc(200 KiB) in /proc/self/maps
 */
#include "proc_test.h"

#include <elf.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

static void first_stack(char **argv) {
    unsigned long *words = (unsigned long *)argv;
    size_t i = 0;
    EXPECT((unsigned long)(words - 1) % 16 == 0 || words[-1] != 0); /* argc lies below argv */
    EXPECT(words[-1] == 1 && words[1] == 0 && (char **)(words + 2) == environ);
    for (words += 2; *words; words++)
        i++;
    words++;
    EXPECT(i > 0);
    int found = 0;
    for (; words[0] != AT_NULL; words += 2)
        found++;
    EXPECT(found > 10);
    EXPECT(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100);
    EXPECT(getauxval(AT_UID) == getuid() && getauxval(AT_SECURE) == 0);
    EXPECT(strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
    EXPECT(getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    Elf64_Phdr *headers = (Elf64_Phdr *)getauxval(AT_PHDR);
    int loads = 0;
    for (i = 0; i < getauxval(AT_PHNUM); i++)
        loads += headers[i].p_type == PT_LOAD;
    EXPECT(loads >= 2);
    EXPECT(getauxval(AT_RANDOM) != 0);
    char zeros[16] = {0};
    EXPECT(memcmp((void *)getauxval(AT_RANDOM), zeros, 16) != 0);
}

/* Print the line of maps that has this address in it, without the addresses; its size in hex. */
static void show_map(const char *what, unsigned long address) {
    FILE *file = fopen("/proc/self/maps", "r");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        unsigned long start, end;
        char prot[8], name[256] = "";
        sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, prot, name);
        if (address >= start && address < end) {
            printf("%s: 0x%lx %s %s\n", what, end - start, prot, name);
            fclose(file);
            return;
        }
    }
    printf("%s: not mapped\n", what);
    if (file)
        fclose(file);
}

static int heap(void) {
    static char buffer[1024];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); /* stdio shall not be first in the heap */
    void *small = malloc(1);
    void *large = malloc(200 << 10);
    unsigned long at = (unsigned long)large;
    show_map("malloc(1)", (unsigned long)small);
    show_map("malloc(200 KiB)", at);
    free(large);
    show_map("after free", at);
    return 0;
}

__attribute__((noinline)) static int overflow(int n) {
    volatile char room[1000];
    room[0] = (char)n;
    if (n < 0)
        return 0;
    return overflow(n + 1) + room[0];
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "literal") == 0)
        *(volatile char *)"literal" = 'x';
    if (argc > 1 && strcmp(argv[1], "overflow") == 0)
        return overflow(0);
    if (argc > 1 && strcmp(argv[1], "heap") == 0)
        return heap();
    first_stack(argv);
    return report("stack");
}
