/* lab_lines.c: lines by libedit: emacs keys, arrows through the history, Tab completes.
 *
 * The first word of a line is a command, later ones are numbers' names. One candidate is put in;
 * of several, the part that they share, and at the second Tab they are listed.
 */
#include "cli/lab_lines.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"

#define HISTORY_LINES 1000
#define LISTED_MAX    60

const char cli_lines_kind[] = "libedit";

struct cli_lines {
    EditLine *edit;
    History *history;
    struct lab *lab;
    const char *prompt;
    char line[LAB_LINE_BYTES];
};

static char *show_prompt(EditLine *edit) {
    struct cli_lines *lines;
    static char none[] = "";
    if (el_get(edit, EL_CLIENTDATA, &lines) != 0) {
        return none;
    }
    return (char *)(uintptr_t)lines->prompt;
}

static size_t shared(const char *a, const char *b) {
    size_t n = 0;
    while (a[n] != '\0' && a[n] == b[n]) {
        n++;
    }
    return n;
}

static void list(struct cli_lines *lines, bool first, const char *word) {
    const char *name;
    putchar('\n');
    for (size_t i = 0; i < LISTED_MAX && (name = lab_complete(lines->lab, first, word, i)); i++) {
        printf("%s%s", i > 0 ? "  " : "", name);
    }
    putchar('\n');
}

/* A command's name stands first, after "NAME =", or after help. */
static bool at_command(const char *line, const char *start) {
    char before[64];
    size_t n = (size_t)(start - line);
    if (n >= sizeof before) {
        return false;
    }
    memcpy(before, line, n);
    before[n] = '\0';
    size_t name = strspn(before, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n == 0 || strcmp(before, "help ") == 0 ||
           (name > 0 && strcmp(before + name, " = ") == 0);
}

static unsigned char complete(EditLine *edit, int key) {
    struct cli_lines *lines;
    const LineInfo *line = el_line(edit);
    const char *start = line->cursor;
    char word[64], more[64];
    (void)key;
    if (el_get(edit, EL_CLIENTDATA, &lines) != 0 || lines->lab == NULL) {
        return CC_ERROR;
    }
    while (start > line->buffer && strchr(" (+-*/%<>=!&|", start[-1]) == NULL) {
        start--;
    }
    size_t n = (size_t)(line->cursor - start);
    if (n >= sizeof word) {
        return CC_ERROR;
    }
    memcpy(word, start, n);
    word[n] = '\0';
    bool first = at_command(line->buffer, start);
    const char *name = lab_complete(lines->lab, first, word, 0), *other;
    if (name == NULL) {
        return CC_ERROR;
    }
    size_t length = strlen(name);
    for (size_t i = 1; (other = lab_complete(lines->lab, first, word, i)) != NULL; i++) {
        size_t same = shared(name, other);
        length = same < length ? same : length;
    }
    if (length == n && strlen(name) != n) {
        list(lines, first, word);
        return CC_REDISPLAY;
    }
    bool whole = lab_complete(lines->lab, first, word, 1) == NULL;
    snprintf(more, sizeof more, "%.*s%s", (int)(length - n), name + n, whole ? " " : "");
    return *more == '\0' || el_insertstr(edit, more) == 0 ? CC_REFRESH : CC_ERROR;
}

struct cli_lines *cli_lines_open(struct lab *lab) {
    struct cli_lines *lines = calloc(1, sizeof *lines);
    HistEvent event;
    if (lines == NULL) {
        return NULL;
    }
    lines->lab = lab;
    lines->prompt = "";
    lines->edit = el_init("quire", stdin, stdout, stderr);
    lines->history = history_init();
    if (lines->edit == NULL || lines->history == NULL) {
        cli_lines_close(lines);
        return NULL;
    }
    history(lines->history, &event, H_SETSIZE, HISTORY_LINES);
    el_set(lines->edit, EL_CLIENTDATA, lines);
    el_set(lines->edit, EL_PROMPT, show_prompt);
    el_set(lines->edit, EL_EDITOR, "emacs");
    el_set(lines->edit, EL_SIGNAL, 1);
    el_set(lines->edit, EL_HIST, history, lines->history);
    el_set(lines->edit, EL_ADDFN, "quire-complete", "complete a name", complete);
    el_set(lines->edit, EL_BIND, "^I", "quire-complete", NULL);
    return lines;
}

const char *cli_lines_read(struct cli_lines *lines, const char *prompt) {
    int n = 0;
    HistEvent event;
    lines->prompt = prompt;
    const char *line = el_gets(lines->edit, &n);
    if (line == NULL || n <= 0) {
        return NULL;
    }
    snprintf(lines->line, sizeof lines->line, "%s", line);
    lines->line[strcspn(lines->line, "\r\n")] = '\0';
    if (lines->line[0] != '\0') {
        history(lines->history, &event, H_ENTER, lines->line);
    }
    return lines->line;
}

void cli_lines_close(struct cli_lines *lines) {
    if (lines->edit != NULL) {
        el_end(lines->edit);
    }
    if (lines->history != NULL) {
        history_end(lines->history);
    }
    free(lines);
}
