/* look.c: the frame of every command that looks at a running machine.
 *
 * Options are read here rather than by getopt_long for the messages: a wrong word is answered with
 * what would have been right, as everywhere in this command. Letters may be joined (-hw), a value
 * may follow its letter at once (-s2), as the users of free and top write them.
 *
 *     words ─▶ struct look ─▶ connect ─▶ read ─▶ show ─▶ wait ─┐
 *                                         ▲                     │
 *                                         └─────────────────────┘  until count, or the run ends
 *
 * I1  A run that ends while it is watched without end ends the command with 0: that is how one
 * waits for it. When a count was asked for and did not come about, with LOOK_EXIT_GONE.
 */
#include "cli/look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELAY_MAX_S 1e6
#define NAMES_MAX   24
#define NAME_BYTES  32

/* ---- options ----------------------------------------------------------------------------------
 */

static int wrong_name(const char *word, const struct look_option *options, size_t noptions) {
    char dashed[NAMES_MAX][NAME_BYTES], given[NAME_BYTES];
    const char *names[NAMES_MAX];
    size_t n = noptions < NAMES_MAX ? noptions : NAMES_MAX;

    for (size_t i = 0; i < n; i++) {
        snprintf(dashed[i], NAME_BYTES, "--%s", options[i].name);
        names[i] = dashed[i];
    }
    snprintf(given, sizeof given, "%.*s", (int)strcspn(word, "="), word);
    const char *nearest = cli_nearest(given, names, n);
    if (nearest != NULL) {
        cli_wrong("there is no option %s; did you mean %s?", given, nearest);
    } else {
        cli_wrong("there is no option %s; --help lists them", given);
    }
    return CLI_OPTIONS_WRONG;
}

/* The value of an option: what is left of its word, or the next word. */
static bool take_value(struct look_words *words, const struct look_option *option, const char *rest,
                       const char **value) {
    bool optional = option->value[0] == '=';

    *value = rest;
    if (optional && rest == NULL &&
        (words->at[0] == NULL || words->at[0][0] < '0' || words->at[0][0] > '9')) {
        return true;
    }
    if (*value == NULL && words->at[0] != NULL) {
        *value = *words->at++;
    }
    if (*value == NULL || **value == '\0') {
        cli_wrong("--%s needs %s, as in %s", option->name, option->value + optional,
                  option->example);
        return false;
    }
    return true;
}

static int long_option(struct look_words *words, const struct look_option *options, size_t noptions,
                       const char **value) {
    const char *word = *words->at++, *name = word + 2;
    size_t length = strcspn(name, "=");

    for (size_t i = 0; i < noptions; i++) {
        if (strlen(options[i].name) != length || strncmp(options[i].name, name, length) != 0) {
            continue;
        }
        const char *rest = name[length] == '=' ? name + length + 1 : NULL;
        if (options[i].value == NULL) {
            if (rest != NULL) {
                cli_wrong("--%s takes no value", options[i].name);
                return CLI_OPTIONS_WRONG;
            }
            return (int)i;
        }
        return take_value(words, &options[i], rest, value) ? (int)i : CLI_OPTIONS_WRONG;
    }
    return wrong_name(word, options, noptions);
}

static int letter_option(struct look_words *words, const struct look_option *options,
                         size_t noptions, const char **value) {
    char letter = *words->in_word++;
    const char *rest = *words->in_word != '\0' ? words->in_word : NULL;

    if (rest == NULL) {
        words->in_word = NULL;
        words->at++;
    }
    for (size_t i = 0; i < noptions; i++) {
        if (options[i].letter != letter) {
            continue;
        }
        if (options[i].value == NULL) {
            return (int)i;
        }
        if (rest != NULL) {
            words->in_word = NULL;
            words->at++;
        }
        return take_value(words, &options[i], rest, value) ? (int)i : CLI_OPTIONS_WRONG;
    }
    cli_wrong("there is no option -%c; --help lists them", letter);
    return CLI_OPTIONS_WRONG;
}

int look_option_next(struct look_words *words, const struct look_option *options, size_t noptions,
                     const char **value) {
    *value = NULL;
    if (words->in_word != NULL) {
        return letter_option(words, options, noptions, value);
    }
    if (words->at[0] == NULL || words->at[0][0] != '-' || words->at[0][1] == '\0') {
        return CLI_OPTIONS_END;
    }
    if (strcmp(words->at[0], "--") == 0) {
        words->at++;
        return CLI_OPTIONS_END;
    }
    if (words->at[0][1] == '-') {
        return long_option(words, options, noptions, value);
    }
    words->in_word = words->at[0] + 1;
    return letter_option(words, options, noptions, value);
}

void look_options_print(const struct look_option *options, size_t noptions) {
    for (size_t i = 0; i < noptions; i++) {
        char left[48], letter[8] = "    ";
        if (options[i].letter != 0) {
            snprintf(letter, sizeof letter, "-%c, ", options[i].letter);
        }
        const char *value = options[i].value != NULL ? options[i].value : "";
        snprintf(left, sizeof left, value[0] == '=' ? "%s--%s[%s]" : "%s--%s %s", letter,
                 options[i].name, value);
        printf("  %-24s %s\n", left, options[i].help);
    }
}

bool look_take_run(struct look *look, const char *value) {
    uint64_t pid;

    if (!cli_number_parse("--run", value, &pid)) {
        return false;
    }
    if (pid == 0 || pid > 0x7fffffff) {
        cli_wrong("--run %s: no process has that number; 'quire list' names the runs", value);
        return false;
    }
    look->run = (int)pid;
    return true;
}

bool look_take_delay(struct look *look, const char *option, const char *value) {
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end != '\0' || !(seconds > 0) || seconds > DELAY_MAX_S) {
        cli_wrong("%s %s: a time in seconds, as in %s 0.5", option, value, option);
        return false;
    }
    look->delay_s = seconds;
    return true;
}

bool look_take_count(struct look *look, const char *option, const char *value) {
    if (!cli_number_parse(option, value, &look->count)) {
        return false;
    }
    if (look->count == 0) {
        cli_wrong("%s 0: once is the least", option);
        return false;
    }
    return true;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static int gone(const char *message) {
    fflush(stdout);
    cli_wrong("%s", message);
    return LOOK_EXIT_GONE;
}

int look_run(struct look *look, const char *files, bool (*show)(struct look *, void *, bool first),
             void *context) {
    char message[LIVE_MESSAGE_BYTES];
    uint64_t done = 0, count = look->delay_s > 0 ? look->count : 1;

    look->live = live_connect(look->run, message);
    if (look->live == NULL) {
        return gone(message);
    }
    int status = 0;
    while (true) {
        if (!live_read(look->live, files, message)) {
            status = gone(message);
            break;
        }
        if (!show(look, context, done == 0)) {
            status = LOOK_EXIT_GONE;
            break;
        }
        if (fflush(stdout) != 0 || ferror(stdout)) {
            status = cli_wrong("standard output cannot be written");
            break;
        }
        if (++done == count) {
            break;
        }
        if (!live_wait(look->live, (uint64_t)ceil(look->delay_s * 1000), message)) {
            status = gone(message);
            break;
        }
    }
    live_disconnect(look->live);
    return status != 0 && done > 0 && look->delay_s > 0 && look->count == 0 ? 0 : status; /* I1 */
}

const char *look_text(struct look *look, const char *path) {
    const struct live_file *file;

    for (size_t i = 0; (file = live_nth(look->live, i)) != NULL; i++) {
        if (strcmp(file->path, path) != 0) {
            continue;
        }
        if (file->text == NULL) {
            cli_wrong("/proc/%s of the machine: %s", path, file->error);
        }
        return file->text;
    }
    cli_wrong("the run said nothing of /proc/%s; is it of another version?", path);
    return NULL;
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

/* How many bytes the UTF-8 sequence at text has; 0: it is none (RFC 3629). */
static size_t sequence(const unsigned char *text) {
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc2 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf5 ? 4
                                     : 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)) {
        return 0; /* too long for what it says, a surrogate, or beyond the last one */
    }
    return length;
}

void look_json_string(FILE *to, const char *text) {
    const unsigned char *at = (const unsigned char *)text;

    fputc('"', to);
    while (*at != '\0') {
        size_t length = sequence(at);
        if (*at == '"' || *at == '\\') {
            fprintf(to, "\\%c", *at);
        } else if (*at < 0x20) {
            fprintf(to, "\\u%04x", *at);
        } else if (length == 0) {
            fputs("\\ufffd", to);
        } else {
            fwrite(at, 1, length, to);
        }
        at += length > 0 ? length : 1;
    }
    fputc('"', to);
}
