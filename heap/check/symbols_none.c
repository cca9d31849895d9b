/* symbols_none.c: without libdw: the nearest exported function, or the place in its file, which
 * addr2line -f -e FILE understands. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdio.h>

#include "heap/check/check.h"

void check_symbol(uintptr_t pc, char *text, size_t nbytes) {
    Dl_info info;

    if (dladdr((void *)pc, &info) == 0 || info.dli_fname == NULL) {
        snprintf(text, nbytes, "0x%zx", (size_t)pc);
    } else {
        snprintf(text, nbytes, "%s (%s+0x%zx)",
                 info.dli_sname != NULL ? info.dli_sname : "in a function without a name",
                 info.dli_fname, (size_t)(pc - (uintptr_t)info.dli_fbase));
    }
}
