/* symbols_dw.c: functions, files and lines by libdw (elfutils), from what the compiler wrote with
 * -g, or from the distribution's debug files if they are installed. Set up at the first report: the
 * modules are those of /proc/self/maps then.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "heap/check/check.h"

static Dwfl *dwfl;

static bool start(void) {
    static char *debug_path = NULL;
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debug_path,
    };

    if (dwfl == NULL) {
        dwfl = dwfl_begin(&callbacks);
        if (dwfl == NULL || dwfl_linux_proc_report(dwfl, getpid()) != 0 ||
            dwfl_report_end(dwfl, NULL, NULL) != 0) {
            return false;
        }
    }
    return true;
}

/* The innermost function, one that was inlined too. */
static const char *function_at(Dwfl_Module *module, Dwarf_Addr pc) {
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = dwfl_module_addrdie(module, pc, &bias), *scopes = NULL;
    int n = unit != NULL ? dwarf_getscopes(unit, pc - bias, &scopes) : 0;

    for (int i = 0; i < n; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) {
            Dwarf_Attribute attribute;
            const char *name =
                dwarf_formstring(dwarf_attr_integrate(&scopes[i], DW_AT_name, &attribute));
            if (name != NULL) {
                return name;
            }
        }
    }
    return dwfl_module_addrname(module, pc);
}

void check_symbol(uintptr_t pc, char *text, size_t nbytes) {
    Dwfl_Module *module = start() ? dwfl_addrmodule(dwfl, pc) : NULL;
    Dwarf_Addr begins = 0;
    int line = 0;

    if (module == NULL) {
        snprintf(text, nbytes, "0x%zx", (size_t)pc);
        return;
    }
    const char *file = dwfl_module_info(module, NULL, &begins, NULL, NULL, NULL, NULL, NULL);
    const char *function = function_at(module, pc);
    Dwfl_Line *at = dwfl_module_getsrc(module, pc);
    const char *source = at != NULL ? dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL) : NULL;
    function = function != NULL ? function : "in a function without a name";
    if (source != NULL) {
        snprintf(text, nbytes, "%s at %s:%d", function, source, line);
    } else {
        snprintf(text, nbytes, "%s (%s+0x%zx)", function, file, (size_t)(pc - begins));
    }
}
