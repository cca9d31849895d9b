/* root.c: `quire root create`: checks the words, then lets the shell script beside it do the work.
 *
 * The script (root_create.sh) is carried inside the command, as bytes that the build makes of the
 * file, and handed to /bin/sh: so the command is one file that works from the build tree, after an
 * installation, and copied anywhere. What it does is apt's and tar's work; in C it would be the
 * same five programs started with more lines around each.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Made from root_create.sh by cmake/embed.cmake; ends with a zero byte. */
extern const char cli_root_create_script[];

/* No option yet; the table is what makes "--help" and unknown ones behave as everywhere. */
static const struct cli_option options[] = {
    {"--help", NULL, NULL, "this text"},
};

void cli_root_help(void) {
    puts(
        "quire root create DIR PACKAGE...\n\n"
        "Makes DIR a tree of RISC-V programs: the distribution's riscv64 packages with all that\n"
        "they need, downloaded through this machine's apt configuration, signatures verified, and\n"
        "unpacked. It needs no privilege. Downloads are kept in ~/.cache/quire, so the next tree\n"
        "takes a second. If DIR is such a tree already, the packages are added to it.\n\n"
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

int cli_root(struct cli_words *words) {
    static const char *const verbs[] = {"create"};
    const char *verb = words->at[0], *value;

    if (verb == NULL) {
        return cli_wrong("root needs to know what to do: quire root create DIR PACKAGE...");
    }
    if (strcmp(verb, "create") != 0) {
        const char *nearest = cli_nearest(verb, verbs, 1);
        return cli_wrong("root cannot '%s'; %s 'quire root create DIR PACKAGE...'%s", verb,
                         nearest != NULL ? "did you mean" : "there is", nearest != NULL ? "?" : "");
    }
    words->at++;
    switch (cli_option_next(words, options, 1, &value)) {
    case 0:
        cli_root_help();
        return 0;
    case CLI_OPTIONS_WRONG:
        return CLI_EXIT_OURS;
    default:
        break;
    }
    if (words->at[0] == NULL || words->at[0][0] == '\0' || words->at[1] == NULL) {
        return cli_wrong("root create needs a directory and packages, as in "
                         "quire root create ~/riscv coreutils");
    }
    return create(words->at);
}
