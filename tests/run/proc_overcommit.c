/* proc_overcommit.c: a guest program: promises beyond what there is. Takes SIZE MiB in PARTS parts,
 * and touches it all if asked to.
 *
 *   proc_overcommit SIZE PARTS [touch]
 *
 * Status 0: had (and filled); 1: refused; by signal 9 if the OOM killer came.
 */
#include "proc_test.h"

#include <sys/mman.h>

int main(int argc, char **argv) {
    size_t bytes = strtoul(argv[1], NULL, 10) << 20, parts = strtoul(argv[2], NULL, 10);
    if (argc < 3)
        return 2;
    for (size_t part = 0; part < parts; part++) {
        char *at = mmap(NULL, bytes / parts, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                        -1, 0);
        if (at == MAP_FAILED) {
            printf("refused: %s\n", strerrorname_np(errno));
            return 1;
        }
        for (size_t i = 0; argc > 3 && i < bytes / parts; i += 4096)
            at[i] = (char)part;
    }
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "Commit", 6) == 0)
            fputs(line, stdout);
    }
    return 0;
}
