/* proc_test.h: what the guest programs proc_*.c share. They run on any Linux: natively, under
 * qemu-riscv64, and on the machine, and must say the same everywhere.
 */
#ifndef QUIRE_TESTS_PROC_TEST_H
#define QUIRE_TESTS_PROC_TEST_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define EXPECT(condition)                                                                      \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            printf("%s:%d: %s does not hold (errno %d: %s)\n", __FILE__, __LINE__, #condition, \
                   errno, strerror(errno));                                                    \
            failures++;                                                                        \
        }                                                                                      \
    } while (0)

static inline int report(const char *name) {
    printf("%s: %s\n", name, failures ? "FAILED" : "good");
    return failures != 0;
}

#endif
