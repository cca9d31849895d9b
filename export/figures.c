/* figures.c: numbers out of the texts of /proc, which is where a machine that runs and a report
 * that was saved say the same thing. */
#include "export/export.h"

#include <stdlib.h>
#include <string.h>

uint64_t export_number(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && (line[length] == ':' || line[length] == ' '))
            return strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}
