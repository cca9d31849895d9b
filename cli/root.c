/* root.c: `quire root create|add`: checks the words, then lets the shell script beside it do the
 * work; `quire root list|remove`: the trees that were made, and one less.
 *
 * The script (root_create.sh) is carried inside the command, as bytes that the build makes of the
 * file, and handed to /bin/sh: so the command is one file that works from the build tree, after an
 * installation, and copied anywhere. What it does is apt's and tar's work; in C it would be the
 * same five programs started with more lines around each.
 */
#define _XOPEN_SOURCE 700 /* nftw */
#define _DEFAULT_SOURCE 1

#include "cli/cli.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Made from root_create.sh by cmake/embed.cmake; ends with a zero byte. */
extern const char cli_root_create_script[];

/* No option yet; the table is what makes "--help" and unknown ones behave as everywhere. */
static const struct cli_option options[] = {
    {"--help", NULL, NULL, "this text"},
};

void cli_root_help(void) {
    puts(
        "quire root create DIR PACKAGE...\n"
        "quire root add DIR PACKAGE...\n"
        "quire root list\n"
        "quire root remove DIR\n\n"
        "Makes DIR a tree of RISC-V programs: the distribution's riscv64 packages with all that\n"
        "they need, downloaded through this machine's apt configuration, signatures verified, and\n"
        "unpacked. It needs no privilege. Downloads are kept in ~/.cache/quire, so the next tree\n"
        "takes a second. If DIR is such a tree already, the packages are added to it; add wants\n"
        "one that is there. list tells where there are trees, with the packages that were asked\n"
        "for. remove deletes a tree with all that is in it.\n\n"
        "Example:\n"
        "  quire root create ~/riscv coreutils python3 xz-utils\n"
        "  quire run --root ~/riscv -- python3 -c 'print(2**100)'");
}

/* Replace this process by the script: its exit code is ours, its Ctrl-C too. */
static int create(char **names) {
    char *arguments[1024];
    size_t n = 0;

    arguments[n++] = (char *)"sh";
    arguments[n++] = (char *)"-c";
    arguments[n++] = (char *)cli_root_create_script;
    arguments[n++] = (char *)"quire root create"; /* $0 */
    for (; *names != NULL; names++) {
        if (n + 1 == sizeof arguments / sizeof arguments[0]) {
            return cli_wrong("root create: a thousand packages at once are enough");
        }
        arguments[n++] = *names;
    }
    arguments[n] = NULL;
    execv("/bin/sh", arguments);
    return cli_wrong("root create: /bin/sh: %s", strerror(errno));
}

/* ---- the trees that there are ------------------------------------------------------------------
 */

/* What the script leaves in each tree: lines "package NAME" for what was asked for, "deb FILE". */
#define RECORD_NAME ".quire-root"

static bool record_path(char path[PATH_MAX], const char *dir) {
    int length = snprintf(path, PATH_MAX, "%s/" RECORD_NAME, dir);
    return length > 0 && length < PATH_MAX;
}

static bool is_tree(const char *dir) {
    char path[PATH_MAX];
    return record_path(path, dir) && access(path, F_OK) == 0;
}

/* ~/.cache/quire/trees: a line for each tree that was made, as root_create.sh writes it. */
static FILE *open_trees(void) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[PATH_MAX];
    int length = cache != NULL && cache[0] != '\0'
                     ? snprintf(path, sizeof path, "%s/quire/trees", cache)
                     : snprintf(path, sizeof path, "%s/.cache/quire/trees", home ? home : "");
    return length > 0 && (size_t)length < sizeof path ? fopen(path, "r") : NULL;
}

static void print_tree(const char *dir) {
    char path[PATH_MAX], line[512];
    FILE *record = record_path(path, dir) ? fopen(path, "r") : NULL;
    unsigned debs = 0;

    printf("%s:", dir);
    while (record != NULL && fgets(line, sizeof line, record) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "package ", 8) == 0) {
            printf(" %s", line + 8);
        }
        debs += strncmp(line, "deb ", 4) == 0;
    }
    printf(" (%u packages)\n", debs);
    if (record != NULL) {
        fclose(record);
    }
}

/* A tree that was moved or deleted by other means is not listed: it says nothing to anybody. */
static int list(void) {
    char line[PATH_MAX + 1];
    FILE *trees = open_trees();

    while (trees != NULL && fgets(line, sizeof line, trees) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (is_tree(line)) {
            print_tree(line);
        }
    }
    if (trees != NULL) {
        fclose(trees);
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    char record[PATH_MAX];
    (void)status;
    if (where->level == 1 && strcmp(path + where->base, RECORD_NAME) == 0) {
        return 0; /* the last of all: until then it is a tree, which can be removed again */
    }
    if (where->level == 0 && (!record_path(record, path) || unlink(record) != 0)) {
        return -1;
    }
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

#define OPEN_DIRECTORIES 64

/* Only what quire made, without following links and without leaving the file system. */
static int remove_tree(const char *dir) {
    char real[PATH_MAX];

    if (!is_tree(dir)) {
        return cli_wrong("root remove: %s is not a tree that quire made", dir);
    }
    if (realpath(dir, real) == NULL ||
        nftw(real, remove_one, OPEN_DIRECTORIES, FTW_PHYS | FTW_DEPTH | FTW_MOUNT) != 0) {
        return cli_wrong("root remove: %s: %s", dir, strerror(errno));
    }
    return 0;
}

/* ---- the command -------------------------------------------------------------------------------
 */

enum { VERB_CREATE, VERB_ADD, VERB_LIST, VERB_REMOVE, VERBS };
static const char *const verbs[VERBS] = {"create", "add", "list", "remove"};

static int carry_out(int verb, struct cli_words *words) {
    bool named = words->at[0] != NULL && words->at[0][0] != '\0';

    if (verb == VERB_LIST) {
        return named ? cli_wrong("root list takes no words, not '%s'", words->at[0]) : list();
    }
    if (verb == VERB_REMOVE) {
        if (!named || words->at[1] != NULL) {
            return cli_wrong("root remove needs one directory, as in quire root remove ~/riscv");
        }
        return remove_tree(words->at[0]);
    }
    if (!named || words->at[1] == NULL) {
        return cli_wrong("root %s needs a directory and packages, as in "
                         "quire root %s ~/riscv coreutils",
                         verbs[verb], verbs[verb]);
    }
    if (verb == VERB_ADD && !is_tree(words->at[0])) {
        return cli_wrong(
            "root add: %s is not a tree that quire made; 'quire root create' makes one",
            words->at[0]);
    }
    return create(words->at);
}

int cli_root(struct cli_words *words) {
    const char *name = words->at[0], *value;
    int verb = 0;

    if (name == NULL) {
        return cli_wrong("root needs to know what to do: quire root create DIR PACKAGE...");
    }
    while (verb < VERBS && strcmp(name, verbs[verb]) != 0) {
        verb++;
    }
    if (verb == VERBS) {
        const char *nearest = cli_nearest(name, verbs, VERBS);
        return cli_wrong("root cannot '%s'; %s 'quire root %s%s'%s", name,
                         nearest != NULL ? "did you mean" : "there is",
                         nearest != NULL ? nearest : "create",
                         nearest == NULL || nearest == verbs[VERB_CREATE] ? " DIR PACKAGE..." : "",
                         nearest != NULL ? "?" : "");
    }
    words->at++;
    switch (cli_option_next(words, options, 1, &value)) {
    case 0:
        cli_root_help();
        return 0;
    case CLI_OPTIONS_WRONG:
        return CLI_EXIT_OURS;
    default:
        return carry_out(verb, words);
    }
}
