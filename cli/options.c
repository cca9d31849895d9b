/* options.c: long options from a table, and the guess at what a mistyped word was meant to be.
 *
 * Options come before the first other word, as POSIX has it: what follows belongs to the program
 * that is run, and must reach it untouched. That is also why there are no short options and no
 * abbreviations: a script that says --r for --root would change its meaning with the next option.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define NOPTIONS_MAX 32 /* rows of a table; only for the list of candidates below */
#define WORD_MAX     24 /* words longer than this are not compared: none of ours is near them */

static int unknown_option(const char *word, size_t name_bytes, const struct cli_option *options,
                          size_t noptions) {
    const char *names[NOPTIONS_MAX];
    char name[WORD_MAX + 1];
    const char *nearest = NULL;

    if (name_bytes <= WORD_MAX && noptions <= NOPTIONS_MAX) {
        memcpy(name, word, name_bytes);
        name[name_bytes] = '\0';
        for (size_t i = 0; i < noptions; i++) {
            names[i] = options[i].name;
        }
        nearest = cli_nearest(name, names, noptions);
    }
    if (nearest != NULL) {
        cli_wrong("there is no option %.*s; did you mean %s?", (int)name_bytes, word, nearest);
    } else {
        cli_wrong("there is no option %.*s; options of the program come after its name",
                  (int)name_bytes, word);
    }
    return CLI_OPTIONS_WRONG;
}

int cli_option_next(struct cli_words *words, const struct cli_option *options, size_t noptions,
                    const char **value) {
    const char *word = words->at[0];

    *value = NULL;
    if (word == NULL || word[0] != '-' || word[1] == '\0') {
        return CLI_OPTIONS_END;
    }
    words->at++;
    if (strcmp(word, "--") == 0) {
        return CLI_OPTIONS_END;
    }
    size_t name_bytes = strcspn(word, "=");
    for (size_t i = 0; i < noptions; i++) {
        if (strlen(options[i].name) != name_bytes ||
            strncmp(options[i].name, word, name_bytes) != 0) {
            continue;
        }
        if (word[name_bytes] == '=') {
            *value = word + name_bytes + 1;
        }
        if (options[i].value == NULL && *value != NULL) {
            cli_wrong("%s takes no value", options[i].name);
            return CLI_OPTIONS_WRONG;
        }
        if (options[i].value != NULL && *value == NULL && options[i].value[0] == '=') {
            return (int)i; /* it may be left out */
        }
        if (options[i].value != NULL && *value == NULL) {
            *value = words->at[0];
            words->at += *value != NULL;
        }
        if (options[i].value != NULL && (*value == NULL || **value == '\0')) {
            cli_wrong("%s needs a %s, as in %s", options[i].name, options[i].value,
                      options[i].example);
            return CLI_OPTIONS_WRONG;
        }
        return (int)i;
    }
    return unknown_option(word, name_bytes, options, noptions);
}

void cli_options_print(const struct cli_option *options, size_t noptions) {
    for (size_t i = 0; i < noptions; i++) {
        char left[40];
        const char *value = options[i].value != NULL ? options[i].value : "";
        bool optional = value[0] == '=';
        snprintf(left, sizeof left, "%s%s%s%s", options[i].name, optional ? "[" : " ", value,
                 optional ? "]" : "");
        printf("  %-22s %s\n", left, options[i].help);
    }
}

/* How many letters must be put in, taken out, changed or swapped with their neighbour to make b of
 * a (the restricted Damerau-Levenshtein distance). Words over WORD_MAX are far from everything. */
static unsigned distance(const char *a, const char *b) {
    unsigned row[3][WORD_MAX + 1]; /* this row of the matrix and the two above it */
    size_t na = strlen(a), nb = strlen(b);

    if (na > WORD_MAX || nb > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= nb; j++) {
        row[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = row[i % 3], *above = row[(i + 2) % 3], *two_above = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two_above[j - 2] + 1 < best) {
                best = two_above[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return row[na % 3][nb];
}

const char *cli_nearest(const char *word, const char *const candidates[], size_t ncandidates) {
    const char *nearest = NULL;
    /* Up to a third of the letters may be wrong: more, and the guess is a joke. */
    unsigned best = strlen(word) > 3 ? (unsigned)strlen(word) / 3 : 1;

    for (size_t i = 0; i < ncandidates; i++) {
        unsigned d = distance(word, candidates[i]);
        if (d < best || (d == best && nearest == NULL)) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
