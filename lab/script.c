/* script.c: the text of a lab, parsed. README.md has the grammar: a line is a command, or one of
 * title, row, ask, wrong and answer; "en:" and "zh:" lines are what is said, and belong to the line
 * above them. Everything is checked before anything is run.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab/script.h"

#define WORDS_MAX (LAB_CHOICES + 4)

struct parsing {
    struct lab_script *script;
    struct lab_item *open; /* who gets the next en: and zh: */
    unsigned line;
    char *error;
};

static bool fail(struct parsing *parsing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct parsing *parsing, const char *format, ...) {
    char what[LAB_ERROR_BYTES - 100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(parsing->error, LAB_ERROR_BYTES, "%.60s:%u: %s", parsing->script->name, parsing->line,
             what);
    return false;
}

static struct lab_item *add_item(struct parsing *parsing, enum lab_item_kind kind) {
    struct lab_script *script = parsing->script;
    if (script->nitems == script->room) {
        size_t room = script->room ? 2 * script->room : 32;
        struct lab_item *items = realloc(script->items, room * sizeof *items);
        if (!items) {
            fail(parsing, "no memory");
            return NULL;
        }
        script->items = items;
        script->room = room;
    }
    struct lab_item *item = &script->items[script->nitems++];
    *item = (struct lab_item){.kind = kind, .line = parsing->line};
    parsing->open = kind == LAB_COMMAND || kind == LAB_ROWS ? NULL : item;
    return item;
}

static bool keep(struct parsing *parsing, char **place, const char *text) {
    *place = strdup(text);
    return *place || fail(parsing, "no memory");
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static bool parse_text(struct parsing *parsing, enum lab_language language, const char *text) {
    if (!parsing->open && !add_item(parsing, LAB_SAY))
        return false;
    struct lab_text *into = &parsing->open->text[language];
    text += strspn(text, " ");
    if (into->length)
        lab_text_add(into, "\n", 1);
    lab_text_add(into, text, strlen(text));
    return !into->failed || fail(parsing, "no memory");
}

static bool parse_command(struct parsing *parsing, const char *text) {
    struct lab_item *item = add_item(parsing, LAB_COMMAND);
    if (!item)
        return false;
    for (; *text == '@' || *text == '!'; text++) {
        item->quiet |= *text == '@';
        item->refused |= *text == '!';
        text += strspn(text + 1, " ");
    }
    return keep(parsing, &item->expression, text);
}

static int split(char *copy, char **words) {
    char *rest;
    int n = 0;
    for (char *word = strtok_r(copy, " ", &rest); word && n < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    return n;
}

/* ask NAME number | ask NAME choice A B ... */
static bool parse_ask(struct parsing *parsing, char *arguments) {
    char *words[WORDS_MAX];
    int n = split(arguments, words);
    bool choice = n >= 4 && strcmp(words[1], "choice") == 0;
    if (!choice && (n != 2 || strcmp(words[1], "number") != 0))
        return fail(parsing, "write: ask NAME number, or ask NAME choice A B (2 to %d choices)",
                    LAB_CHOICES);
    if (choice && n - 2 > LAB_CHOICES)
        return fail(parsing, "%d choices are the most", LAB_CHOICES);
    if (lab_script_item(parsing->script, 0, LAB_ASK, words[0]))
        return fail(parsing, "'%.40s' was asked before", words[0]);
    struct lab_item *item = add_item(parsing, LAB_ASK);
    if (!item || !keep(parsing, &item->name, words[0]))
        return false;
    for (int i = 2; choice && i < n; i++) {
        if (!keep(parsing, &item->choices[item->nchoices], words[i]))
            return false;
        item->nchoices++;
    }
    return true;
}

/* wrong NAME EXPRESSION, answer NAME EXPRESSION [within PERCENT] */
static bool parse_named(struct parsing *parsing, enum lab_item_kind kind, char *arguments) {
    size_t n = strcspn(arguments, " ");
    char *expression = arguments + n + (arguments[n] != '\0');
    arguments[n] = '\0';
    expression += strspn(expression, " ");
    if (!*expression)
        return fail(parsing, "write: %s NAME EXPRESSION", kind == LAB_WRONG ? "wrong" : "answer");
    if (!lab_script_item(parsing->script, 0, LAB_ASK, arguments))
        return fail(parsing, "nobody has asked '%.40s' before", arguments);
    if (kind == LAB_ANSWER && lab_script_item(parsing->script, 0, LAB_ANSWER, arguments))
        return fail(parsing, "'%.40s' was answered before", arguments);
    struct lab_item *item = add_item(parsing, kind);
    if (!item || !keep(parsing, &item->name, arguments))
        return false;
    char *within = kind == LAB_ANSWER ? strstr(expression, " within ") : NULL;
    if (within) {
        const char *end;
        if (!lab_parse_size(within + 8, &end, &item->within) || *end || item->within > 100)
            return fail(parsing, "within what? write: within 5 (percent)");
        *within = '\0';
    }
    return keep(parsing, &item->expression, expression);
}

static bool parse_line(struct parsing *parsing, char *text) {
    size_t end = strlen(text);
    while (end && isspace((unsigned char)text[end - 1]))
        text[--end] = '\0';
    text += strspn(text, " \t");
    size_t n = strcspn(text, " ");
    char *arguments = text + n + strspn(text + n, " ");
    if (!*text || *text == '#') {
        parsing->open = *text ? parsing->open : NULL;
        return true;
    }
    if (end >= LAB_LINE_BYTES)
        return fail(parsing, "a line of more than %d bytes", LAB_LINE_BYTES - 1);
    if (strncmp(text, "en:", 3) == 0)
        return parse_text(parsing, LAB_EN, text + 3);
    if (strncmp(text, "zh:", 3) == 0)
        return parse_text(parsing, LAB_ZH, text + 3);
    if (n == 5 && strncmp(text, "title", n) == 0)
        return add_item(parsing, LAB_TITLE) != NULL;
    if (n == 3 && strncmp(text, "row", n) == 0) {
        struct lab_item *item = add_item(parsing, LAB_ROWS);
        return item && keep(parsing, &item->expression, arguments);
    }
    if (n == 3 && strncmp(text, "ask", n) == 0)
        return parse_ask(parsing, arguments);
    if (n == 5 && strncmp(text, "wrong", n) == 0)
        return parse_named(parsing, LAB_WRONG, arguments);
    if (n == 6 && strncmp(text, "answer", n) == 0)
        return parse_named(parsing, LAB_ANSWER, arguments);
    return parse_command(parsing, text);
}

/* ---- a script ---------------------------------------------------------------------------------
 */

struct lab_script *lab_script_parse(const char *name, const char *text,
                                    char error[LAB_ERROR_BYTES]) {
    struct lab_script *script = calloc(1, sizeof *script);
    char *copy = strdup(text), *rest = copy, *line;
    struct parsing parsing = {.script = script, .error = error};
    bool good = script && copy && (script->name = strdup(name));
    if (!good)
        snprintf(error, LAB_ERROR_BYTES, "%.60s: no memory", name);
    while (good && (line = strsep(&rest, "\n"))) {
        parsing.line++;
        good = parse_line(&parsing, line);
    }
    free(copy);
    if (good)
        return script;
    lab_script_free(script);
    return NULL;
}

void lab_script_free(struct lab_script *script) {
    if (!script)
        return;
    for (size_t i = 0; i < script->nitems; i++) {
        struct lab_item *item = &script->items[i];
        free(item->name);
        free(item->expression);
        for (unsigned k = 0; k < item->nchoices; k++)
            free(item->choices[k]);
        for (unsigned l = 0; l < LAB_NLANGUAGES; l++)
            free(item->text[l].bytes);
    }
    free(script->items);
    free(script->name);
    free(script);
}

const struct lab_item *lab_script_item(const struct lab_script *script, size_t from,
                                       enum lab_item_kind kind, const char *name) {
    for (size_t i = from; i < script->nitems; i++) {
        const struct lab_item *item = &script->items[i];
        if (item->kind == kind && (!name || (item->name && strcmp(item->name, name) == 0)))
            return item;
    }
    return NULL;
}

const char *lab_script_title(const struct lab_script *script, enum lab_language language) {
    const struct lab_item *item = lab_script_item(script, 0, LAB_TITLE, NULL);
    return item ? lab_text_bytes(&item->text[language]) : script->name;
}

const char *lab_script_rows(const struct lab_script *script) {
    const struct lab_item *item = lab_script_item(script, 0, LAB_ROWS, NULL);
    return item ? item->expression : "";
}

/* "13-fork" is found by that, by its number and by the rest. */
const struct lab_builtin *lab_builtin_find(const char *name) {
    for (const struct lab_builtin *b = lab_builtins; b->name; b++) {
        size_t digits = strspn(b->name, "0123456789");
        bool number = strtoul(b->name, NULL, 10) == strtoul(name, NULL, 10) &&
                      name[strspn(name, "0123456789")] == '\0' && *name;
        if (strcmp(b->name, name) == 0 || number ||
            (b->name[digits] == '-' && strcmp(b->name + digits + 1, name) == 0))
            return b;
    }
    return NULL;
}
