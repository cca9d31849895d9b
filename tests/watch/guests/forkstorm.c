/* forkstorm: fills memory, then forks again and again, and each child writes all of it. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES    1024
#define CHILDREN 6

static void __attribute__((noinline)) write_all(volatile char *array) {
    for (size_t i = 0; i < PAGES; i++)
        array[i * 4096]++;
}

int main(void) {
    char *array = malloc((size_t)PAGES * 4096);
    if (!array)
        return 1;
    for (size_t i = 0; i < PAGES; i++)
        array[i * 4096] = 1;
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return 1;
        if (pid == 0) {
            write_all(array);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
    return 0;
}
