/* complete.c: names that begin with what was typed, and what they take. */
#include <string.h>

#include "lab/inside.h"

const char *lab_complete(const struct lab *lab, bool first, const char *prefix, size_t index) {
    size_t n = strlen(prefix), found = 0;
    for (size_t t = 0; first && lab_commands[t]; t++) {
        for (const struct lab_command *c = lab_commands[t]; c->name; c++) {
            if (strncmp(c->name, prefix, n) == 0 && found++ == index)
                return c->name;
        }
    }
    for (size_t i = 0; i < lab->nvariables; i++) {
        if (strncmp(lab->variables[i].name, prefix, n) == 0 && found++ == index)
            return lab->variables[i].name;
    }
    for (size_t i = 0; i < lab_nfacts; i++) {
        if (!first && strncmp(lab_facts[i].name, prefix, n) == 0 && found++ == index)
            return lab_facts[i].name;
    }
    for (size_t i = 0; i < lab_nfunctions; i++) {
        if (!first && strncmp(lab_functions[i].name, prefix, n) == 0 && found++ == index)
            return lab_functions[i].name;
    }
    return NULL;
}

const char *lab_takes(const char *command) {
    const struct lab_command *found = command ? lab_command_find(command) : NULL;
    return found ? found->arguments : NULL;
}
