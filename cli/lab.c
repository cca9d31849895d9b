/* lab.c: `quire lab`: a shell on a machine, and labs: experiments with a prediction first.
 *
 *     quire lab                    the shell; commands come from standard input
 *     quire lab 1 | tables | FILE  play labs that came with quire, or scripts
 *     quire lab --web              the shell, its machine and the labs as a page: lab_web.c
 *     quire lab --all --check      all of them: their facts must hold (the test of this build)
 *
 * What a line does is lab/'s; here are options, files, and who types the answers.
 */
#include "lab/lab.h"
#include "cli/cli.h"
#include "cli/lab_lines.h"
#include "cli/lab_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWERS_MAX 64
#define LABS_MAX    100       /* named in one line */
#define SCRIPT_MAX  (1 << 20) /* bytes of a script */

enum { RAM, SWAP, FORMAT, POLICY, SEED, LANGUAGE, JSON, ALL, CHECK, LIST, ANSWER, WEB };

static const struct cli_option options[] = {
    [RAM] = {"--ram", "SIZE", "--ram 16M", "memory of the machine (16M)"},
    [SWAP] = {"--swap", "SIZE", "--swap 32M", "a swap device; several: several times"},
    [FORMAT] = {"--format", "NAME", "--format 10/10/12",
                "page tables: Sv48, Sv57, Sv39, 10/10/12 (32 bits), 20/12 (one level)"},
    [POLICY] = {"--policy", "NAME", "--policy sieve", "replacement: linux, mglru, clock, ..."},
    [SEED] = {"--seed", "N", "--seed 7", "for what is drawn at random"},
    [LANGUAGE] = {"--lang", "en|zh", "--lang zh", "of the labs' texts"},
    [JSON] = {"--json", NULL, NULL, "an object for each thing that happens, a line each"},
    [ALL] = {"--all", NULL, NULL, "all labs"},
    [CHECK] = {"--check", NULL, NULL, "grade: exit 1 if a fact fails or an answer is wrong"},
    [LIST] = {"--list", NULL, NULL, "which labs there are"},
    [WEB] = {"--web", "=PORT", NULL, "as a page for this host's browser; its address is written"},
    [ANSWER] = {"--answer", "NAME=VALUE", "--answer copied=1", "a prediction, given beforehand"},
};
#define NOPTIONS (sizeof options / sizeof options[0])

struct session {
    char machine[LAB_LINE_BYTES];
    const char *answers[ANSWERS_MAX];
    unsigned nanswers;
    enum lab_language language;
    bool json, all, check, list, web;
    unsigned port;           /* of the page; 0: a free one */
    bool terminal;           /* a person types */
    struct cli_lines *lines; /* NULL until needed */
    char line[LAB_LINE_BYTES + 1];
};

void cli_lab_help(void) {
    puts("quire lab [OPTION...]              a shell on a machine; `help` says what it knows\n"
         "quire lab [OPTION...] LAB|FILE...  play labs (quire lab --list), or scripts\n"
         "quire lab --web[=PORT]             the shell, its machine and the labs in a browser\n"
         "quire lab --all --check            all labs, and whether their facts hold\n\n"
         "A lab asks for a prediction, runs on the real memory manager, shows what happened and\n"
         "says why. The machine is deterministic: `back` and `step` go to any moment of a "
         "session.\n");
    for (size_t i = 0; i < NOPTIONS; i++) {
        char name[40];
        const char *value = options[i].value ? options[i].value : "";
        snprintf(name, sizeof name,
                 value[0] == '=' ? "%s[%s]"
                 : value[0]      ? "%s %s"
                                 : "%s%s",
                 options[i].name, value);
        printf("  %-22s %s\n", name, options[i].help);
    }
    printf("\nLines are read by %s.\n", cli_lines_kind);
}

/* ---- options ----------------------------------------------------------------------------------
 */

static bool add_machine(struct session *session, const char *name, const char *value) {
    size_t n = strlen(session->machine);
    if (strpbrk(value, " \t\n") != NULL) {
        cli_wrong("%s '%s': one word, without blanks", name, value);
        return false;
    }
    int written =
        snprintf(session->machine + n, sizeof session->machine - n, "%s %s ", name, value);
    if (written < 0 || (size_t)written >= sizeof session->machine - n) {
        cli_wrong("%s: too many options", name);
        return false;
    }
    return true;
}

/* What --web has: a port, or none. */
static bool take_port(struct session *session, const char *value) {
    uint64_t port = 0;
    if (value != NULL && !cli_number_parse("--web", value, &port)) {
        return false;
    }
    if (port > 65535 || (value != NULL && port == 0)) {
        cli_wrong("--web=%s: ports are 1 to 65535; without a number a free one is taken", value);
        return false;
    }
    session->web = true;
    session->port = (unsigned)port;
    return true;
}

static bool take_option(struct session *session, int option, const char *value) {
    switch (option) {
    case LANGUAGE:
        if (strcmp(value, "en") != 0 && strcmp(value, "zh") != 0) {
            cli_wrong("--lang %s: there are en and zh", value);
            return false;
        }
        session->language = value[0] == 'e' ? LAB_EN : LAB_ZH;
        return true;
    case JSON:
        session->json = true;
        if (!lab_has_json()) {
            cli_wrong("--json needs a quire that was built with libjansson-dev");
        }
        return lab_has_json();
    case ALL:
        session->all = true;
        return true;
    case CHECK:
        session->check = true;
        return true;
    case LIST:
        session->list = true;
        return true;
    case WEB:
        return take_port(session, value);
    case ANSWER:
        if (strchr(value, '=') == NULL) {
            cli_wrong("--answer %s: write NAME=VALUE", value);
            return false;
        }
        if (session->nanswers == ANSWERS_MAX) {
            cli_wrong("--answer: %d are the most", ANSWERS_MAX);
            return false;
        }
        session->answers[session->nanswers++] = value;
        return true;
    default:
        return add_machine(session, options[option].name, value);
    }
}

static struct lab *start(struct session *session) {
    const struct lab_options wanted = {.machine = session->machine, .nearest = cli_nearest};
    char error[LAB_ERROR_BYTES];
    struct lab *lab = lab_create(&wanted, error);
    if (lab == NULL) {
        cli_wrong("%s", error);
    }
    return lab;
}

/* ---- the student ------------------------------------------------------------------------------
 */

static bool is_ascii(const char *text) {
    while ((signed char)*text > 0) {
        text++;
    }
    return *text == '\0';
}

static const char *next_line(struct session *session, const char *prompt) {
    if (session->terminal) {
        if (!is_ascii(prompt)) { /* what the locale cannot show, libedit cannot have as a prompt */
            puts(prompt);
            prompt = "  > ";
        }
        if (session->lines == NULL) {
            session->lines = cli_lines_open(NULL);
        }
        return session->lines != NULL ? cli_lines_read(session->lines, prompt) : NULL;
    }
    if (fgets(session->line, sizeof session->line, stdin) == NULL) {
        return NULL;
    }
    session->line[strcspn(session->line, "\r\n")] = '\0';
    return session->line;
}

static const char *answer(void *context, const char *question, bool again) {
    struct session *session = context;
    size_t n = strlen(question);
    for (unsigned i = 0; i < session->nanswers && !again; i++) {
        if (strncmp(session->answers[i], question, n) == 0 && session->answers[i][n] == '=') {
            return session->answers[i] + n + 1;
        }
    }
    if (session->all || (session->check && session->nanswers > 0)) {
        return NULL;
    }
    if (session->terminal && again) {
        puts(session->language == LAB_EN ? "  a number (132K, 0x21000), or a letter, please"
                                         : "  请输入一个数（132K、0x21000），或一个字母");
    }
    return next_line(session, session->language == LAB_EN ? "  your prediction: " : "  你的预测：");
}

static bool wait_for_enter(void *context) {
    (void)next_line(context, "  (Enter)");
    return true;
}

/* ---- labs -------------------------------------------------------------------------------------
 */

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = file != NULL ? malloc(SCRIPT_MAX + 1) : NULL;
    size_t n = text != NULL ? fread(text, 1, SCRIPT_MAX + 1, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    if (text == NULL || n > SCRIPT_MAX || memchr(text, '\0', n) != NULL) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

static int unknown_lab(const char *name) {
    const char *names[128], *nearest;
    size_t n = 0;
    for (const struct lab_builtin *b = lab_builtins; b->name != NULL && n < 128; b++) {
        const char *dash = strchr(b->name, '-');
        names[n++] = dash != NULL ? dash + 1 : b->name;
    }
    nearest = cli_nearest(name, names, n);
    if (nearest != NULL) {
        return cli_wrong("there is no lab '%s'; did you mean '%s'?", name, nearest);
    }
    return cli_wrong("there is no lab and no script '%s'; quire lab --list shows them", name);
}

static int play(struct session *session, const char *name, const char *text) {
    char error[LAB_ERROR_BYTES];
    struct lab_script *script = lab_script_parse(name, text, error);
    if (script == NULL) {
        return cli_wrong("%s", error);
    }
    struct lab *lab = start(session);
    if (lab == NULL) {
        lab_script_free(script);
        return CLI_EXIT_OURS;
    }
    bool interactive = session->terminal && !session->check && !session->all && !session->json;
    const struct lab_play how = {.to = stdout,
                                 .language = session->language,
                                 .json = session->json,
                                 .check = session->check,
                                 .student = {.context = session,
                                             .answer = answer,
                                             .pause = interactive ? wait_for_enter : NULL}};
    struct lab_grade grade;
    lab_play(lab, script, &how, &grade);
    if (!session->json) {
        printf("\n-- %s: %u questions: %u right, %u wrong, %u without a prediction; %u facts hold, "
               "%u fail\n\n",
               name, grade.questions, grade.right, grade.wrong, grade.unanswered, grade.facts,
               grade.failed);
    }
    lab_destroy(lab);
    lab_script_free(script);
    return grade.failed > 0 || (session->check && grade.wrong > 0) ? 1 : 0;
}

static int play_named(struct session *session, const char *name) {
    const struct lab_builtin *builtin = lab_builtin_find(name);
    if (builtin != NULL) {
        return play(session, builtin->name, builtin->text);
    }
    if (access(name, R_OK) != 0) {
        return unknown_lab(name);
    }
    char *text = read_file(name);
    if (text == NULL) {
        return cli_wrong("%s: not a script: a text of at most %d bytes", name, SCRIPT_MAX);
    }
    int status = play(session, name, text);
    free(text);
    return status;
}

static int play_all(struct session *session) {
    int status = 0;
    unsigned n = 0;
    for (const struct lab_builtin *b = lab_builtins; b->name != NULL; b++, n++) {
        int one = play(session, b->name, b->text);
        status = one > status ? one : status;
    }
    if (!session->json) {
        printf("%u labs: %s\n", n, status == 0 ? "all facts hold" : "something failed");
    }
    return status;
}

static int list(struct session *session) {
    char error[LAB_ERROR_BYTES];
    for (const struct lab_builtin *b = lab_builtins; b->name != NULL; b++) {
        struct lab_script *script = lab_script_parse(b->name, b->text, error);
        if (script == NULL) {
            return cli_wrong("%s", error);
        }
        printf("%-18s %-10s %s\n", b->name, lab_script_rows(script),
               lab_script_title(script, session->language));
        lab_script_free(script);
    }
    return 0;
}

/* ---- the shell --------------------------------------------------------------------------------
 */

static void show(struct session *session, struct lab *lab, const struct lab_result *result) {
    if (session->json) {
        char *json = lab_result_json(lab, result);
        puts(json != NULL ? json : "{}");
        free(json);
    } else {
        fputs(result->text, stdout);
        if (!result->ok) {
            printf("  %s\n", result->error);
        }
    }
    fflush(stdout);
}

static int shell(struct session *session) {
    struct lab *lab = start(session);
    struct lab_result result = {.quit = false};
    unsigned failed = 0;
    if (lab == NULL) {
        return CLI_EXIT_OURS;
    }
    if (session->terminal) {
        session->lines = cli_lines_open(lab);
        puts("A machine, its memory manager, and nothing on it yet. `help` lists the commands, "
             "`proc` "
             "makes\na process, `quit` ends.");
    }
    while (!result.quit) {
        const char *line = next_line(session, "quire> ");
        if (line == NULL) {
            break;
        }
        if (line[strspn(line, " \t")] == '\0') {
            continue;
        }
        failed += !lab_run(lab, line, &result);
        show(session, lab, &result);
    }
    lab_destroy(lab);
    return failed > 0 && !session->terminal ? 1 : 0;
}

static int web(struct session *session) {
    struct lab *lab = start(session);
    int status = lab != NULL ? lab_web(lab, session->port, session->language) : CLI_EXIT_OURS;
    lab_destroy(lab);
    return status;
}

/* ---- the command ------------------------------------------------------------------------------
 */

/* Options may also follow the names: no program's arguments come after them. */
static bool take_options(struct session *session, struct cli_words *words) {
    const char *value;
    int option;
    while ((option = cli_option_next(words, options, NOPTIONS, &value)) >= 0) {
        if (!take_option(session, option, value)) {
            return false;
        }
    }
    return option != CLI_OPTIONS_WRONG;
}

static int run(struct session *session, char *names[], unsigned nnames) {
    int status = 0;
    if (session->web) {
        return nnames > 0 || session->all || session->check || session->json
                   ? cli_wrong(
                         "--web takes no lab, --all, --json and --check: choose one on the page")
                   : web(session);
    }
    if (session->list) {
        return list(session);
    }
    if (session->all) {
        return nnames > 0 ? cli_wrong("--all is all labs, without '%s'", names[0])
                          : play_all(session);
    }
    if (nnames == 0) {
        return session->check ? cli_wrong("--check what? name a lab, or --all") : shell(session);
    }
    for (unsigned i = 0; i < nnames; i++) {
        int one = play_named(session, names[i]);
        status = one > status ? one : status;
    }
    return status;
}

int cli_lab(struct cli_words *words) {
    struct session session = {.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    char *names[LABS_MAX];
    unsigned nnames = 0;

    for (;;) {
        if (!take_options(&session, words)) {
            return CLI_EXIT_OURS;
        }
        if (words->at[0] == NULL) {
            break;
        }
        if (nnames == LABS_MAX) {
            return cli_wrong("more than %d labs at once", LABS_MAX);
        }
        names[nnames++] = *words->at++;
    }
    int status = run(&session, names, nnames);
    if (session.lines != NULL) {
        cli_lines_close(session.lines);
    }
    if (fflush(stdout) != 0) {
        return cli_wrong("standard output cannot be written");
    }
    return status;
}
