/* session.c: a line of text becomes a call; what changes the world becomes history.
 *
 *     line -> words -> [VARIABLE =] command -> text, value, error
 *                                      \-> history, if the command changes something
 *
 * I1  The world and the variables are what the first `place` lines made of a new machine: going
 *     back is exact because the machine is. A line that was refused is part of it (refusals
 *     reclaim, too); one that was not understood is not.
 * I2  Commands that only look neither fault pages in nor move the clock.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"

/* ---- a session --------------------------------------------------------------------------------
 */

static bool parse_options(struct lab *lab, const char *options, char error[LAB_ERROR_BYTES]) {
    char copy[LAB_LINE_BYTES], *words[LAB_WORDS], *rest;
    int n = 0;
    snprintf(copy, sizeof copy, "%s", options ? options : "");
    for (char *word = strtok_r(copy, " ", &rest); word && n < LAB_WORDS;
         word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    lab_machine_defaults(&lab->first_machine);
    return lab_machine_parse(lab, n, words, &lab->first_machine, error);
}

struct lab *lab_create(const struct lab_options *options, char error[LAB_ERROR_BYTES]) {
    struct lab *lab = calloc(1, sizeof *lab);
    error[0] = '\0';
    if (!lab) {
        snprintf(error, LAB_ERROR_BYTES, "no memory for a session");
        return NULL;
    }
    lab->options = *options;
    if (parse_options(lab, options->machine, error)) {
        lab->machine = lab->first_machine;
        if (lab_world_up(&lab->world, &lab->machine, error))
            return lab;
    }
    free(lab);
    return NULL;
}

static void forget_from(struct lab *lab, size_t from) {
    while (lab->nlines > from)
        free(lab->lines[--lab->nlines]);
}

void lab_destroy(struct lab *lab) {
    if (!lab)
        return;
    lab_world_down(&lab->world);
    forget_from(lab, 0);
    free(lab->lines);
    free(lab->text.bytes);
    free(lab->log.bytes);
    free(lab->command.bytes);
    free(lab);
}

const char *lab_nearest(struct lab *lab, const char *word, const char *const words[], size_t n) {
    return lab->options.nearest ? lab->options.nearest(word, words, n) : NULL;
}

struct lab_sight *lab_now(struct lab *lab) {
    if (!lab->sight_fresh) {
        lab_look(&lab->world, &lab->now);
        lab->now.steps = lab->place;
        lab->sight_fresh = true;
    }
    return &lab->now;
}

bool lab_variable_set(struct lab *lab, const char *name, int64_t value) {
    size_t i = 0;
    while (i < lab->nvariables && strcmp(lab->variables[i].name, name) != 0)
        i++;
    if (i == LAB_VARIABLES || strlen(name) >= LAB_NAME)
        return false;
    if (i == lab->nvariables)
        snprintf(lab->variables[lab->nvariables++].name, LAB_NAME, "%s", name);
    lab->variables[i].value = value;
    return true;
}

/* ---- what commands say ------------------------------------------------------------------------
 */

void lab_say(struct lab_call *call, const char *format, ...) {
    char line[LAB_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n > 0)
        lab_text_add(&call->lab->text, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

static void set_error(struct lab_call *call, const char *format, va_list arguments) {
    vsnprintf(call->lab->error, sizeof call->lab->error, format, arguments);
}

bool lab_wrong(struct lab_call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    set_error(call, format, arguments);
    va_end(arguments);
    call->usage = true;
    return false;
}

bool lab_refused(struct lab_call *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    set_error(call, format, arguments);
    va_end(arguments);
    return false;
}

bool lab_status(struct lab_call *call, enum quire_status status, const char *what) {
    static const struct {
        enum quire_status status;
        const char *text;
    } words[] = {{QUIRE_NOMEM, "no memory, also not after reclaim (ENOMEM)"},
                 {QUIRE_FAULT, "nothing is mapped there (EFAULT)"},
                 {QUIRE_DENIED, "that is not allowed there (EACCES)"},
                 {QUIRE_BUS, "past the end of the file, or its bytes cannot be had (SIGBUS)"},
                 {QUIRE_KILLED, "the program was killed for want of memory"},
                 {QUIRE_INVAL, "an argument is out of its range, or not a multiple of a page "
                               "(EINVAL)"},
                 {QUIRE_EXIST, "something is mapped there already (EEXIST)"},
                 {QUIRE_UNMAPPED, "part of the range is not mapped (ENOMEM)"},
                 {QUIRE_IO, "a device failed (EIO)"},
                 {QUIRE_BUSY, "in use, or too many are (EBUSY)"},
                 {QUIRE_PERM, "not allowed for this object (EPERM)"},
                 {QUIRE_NOROOM, "not granted: no room for it in addresses or promises (ENOMEM)"}};
    if (status == QUIRE_OK)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].status == status)
            return lab_refused(call, "%s: %s", what, words[i].text);
    }
    return lab_refused(call, "%s: %s", what, quire_status_name(status));
}

bool lab_value(struct lab_call *call, int64_t value) {
    call->result->has_value = true;
    call->result->value = value;
    return true;
}

/* ---- arguments --------------------------------------------------------------------------------
 */

bool lab_number(struct lab_call *call, int i, int64_t *value) {
    char error[LAB_ERROR_BYTES];
    if (i >= call->argc)
        return lab_wrong(call, "a number is missing");
    if (lab_evaluate(call->lab, call->argv[i], value, error))
        return true;
    return lab_wrong(call, "%s: %.300s", call->argv[i], error);
}

bool lab_number_or(struct lab_call *call, int i, int64_t otherwise, int64_t *value) {
    *value = otherwise;
    return i >= call->argc || lab_number(call, i, value);
}

bool lab_range(struct lab_call *call, int i, int64_t least, int64_t most, int64_t *value) {
    if (!lab_number(call, i, value))
        return false;
    if (*value >= least && *value <= most)
        return true;
    return lab_wrong(call, "%s: %lld is not between %lld and %lld", call->argv[i],
                     (long long)*value, (long long)least, (long long)most);
}

bool lab_word(struct lab_call *call, int i, const char *const words[], int *index) {
    char list[200] = "";
    size_t n = 0;
    for (; words[n]; n++) {
        if (strcmp(words[n], call->argv[i]) == 0) {
            *index = (int)n;
            return true;
        }
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", n ? ", " : "", words[n]);
    }
    return lab_wrong(call, "'%.40s' is none of: %s", call->argv[i], list);
}

/* "ADDR [BYTES [VALUE]]": words outside of brackets are needed; "..." is any number of them. */
void lab_command_counts(const struct lab_command *command, int *least, int *most) {
    int open = 0;
    *least = *most = 0;
    for (const char *at = command->arguments; *at;) {
        size_t n = strcspn(at, " []");
        if (n == 0) {
            open += *at == '[' ? 1 : *at == ']' ? -1 : 0;
            at++;
            continue;
        }
        if (n >= 3 && strncmp(at + n - 3, "...", 3) == 0)
            *most = -1000;
        *least += open == 0;
        *most += 1;
        at += n;
    }
    if (*most < 0)
        *most = -1;
}

/* ---- a line -----------------------------------------------------------------------------------
 */

struct line {
    char copy[LAB_LINE_BYTES];
    char *words[LAB_WORDS + 1];
    int nwords;
    char *variable; /* NULL: none */
    const struct lab_command *command;
};

/* Blanks separate words, but not within parentheses or quotes. */
static bool split(struct line *line, const char *text) {
    int depth = 0;
    bool inside = false, quoted = false;
    snprintf(line->copy, sizeof line->copy, "%s", text);
    for (char *at = line->copy; *at; at++) {
        bool blank = isspace((unsigned char)*at) && depth <= 0 && !quoted;
        if (*at == '#' && !inside && !quoted) {
            *at = '\0';
            break;
        }
        if (blank) {
            *at = '\0';
            inside = false;
            continue;
        }
        if (!inside) {
            if (line->nwords == LAB_WORDS)
                return false;
            line->words[line->nwords++] = at;
            inside = true;
        }
        quoted ^= *at == '"';
        depth += quoted ? 0 : *at == '(' ? 1 : *at == ')' ? -1 : 0;
    }
    line->words[line->nwords] = NULL;
    return true;
}

static bool is_name(const char *word) {
    if (!isalpha((unsigned char)*word) && *word != '_')
        return false;
    size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return word[n] == '\0' && n < LAB_NAME;
}

static bool unknown_command(struct lab_call *call, const char *name) {
    const char *names[256];
    size_t n = 0;
    for (size_t t = 0; lab_commands[t]; t++) {
        for (const struct lab_command *c = lab_commands[t]; c->name && n < 256; c++)
            names[n++] = c->name;
    }
    const char *nearest = lab_nearest(call->lab, name, names, n);
    if (nearest)
        return lab_wrong(call, "there is no command '%.60s'; did you mean '%s'?", name, nearest);
    return lab_wrong(call, "there is no command '%.60s'; `help` lists them", name);
}

static bool check_count(struct lab_call *call, const struct lab_command *command) {
    int least, most;
    lab_command_counts(command, &least, &most);
    if (command->flags & LAB_RAW) {
        least = least > 0;
        most = -1;
    }
    if (call->argc >= least && (most < 0 || call->argc <= most))
        return true;
    if (command->arguments[0] == '\0')
        return lab_wrong(call, "%s takes nothing, not '%.60s'", command->name, call->argv[0]);
    return lab_wrong(call, "%s takes %s, not %d word%s", command->name, command->arguments,
                     call->argc, call->argc == 1 ? "" : "s");
}

/* The rest of the line as it was typed, from its first word on. */
static const char *rest_of(const struct line *line, const char *text, int from) {
    return text + (line->words[from] - line->copy);
}

static bool check_process(struct lab_call *call, const struct lab_command *command) {
    struct lab_process *current = call->world->current;
    if (!(command->flags & LAB_PROCESS) || (current && current->space))
        return true;
    if (current)
        return lab_wrong(call, "%s: process %d has ended; choose or make another: proc NAME",
                         command->name, current->pid);
    return lab_wrong(call, "%s needs a process; make one: proc NAME", command->name);
}

static bool dispatch(struct lab_call *call, struct line *line, const char *text) {
    int first = 0;
    char raw[LAB_LINE_BYTES];
    if (line->nwords >= 2 && strcmp(line->words[1], "=") == 0) {
        if (!is_name(line->words[0]))
            return lab_wrong(call, "'%.60s' is not a name for a number", line->words[0]);
        line->variable = line->words[0];
        first = 2;
        if (first == line->nwords)
            return lab_wrong(call, "%s = what? a command follows, as in %s = malloc 100",
                             line->variable, line->variable);
    }
    const struct lab_command *command = lab_command_find(line->words[first]);
    if (!command)
        return unknown_command(call, line->words[first]);
    line->command = command;
    call->result->command = command->name;
    call->argc = line->nwords - first - 1;
    call->argv = line->words + first + 1;
    if (!check_count(call, command) || !check_process(call, command))
        return false;
    if (command->flags & LAB_ALONE && call->lab->depth > 0)
        return lab_wrong(call, "%s cannot be repeated", command->name);
    if (command->flags & LAB_RAW && call->argc > 0) {
        snprintf(raw, sizeof raw, "%s", rest_of(line, text, first + 1));
        call->argv[0] = raw;
    }
    if (!command->run(call))
        return false;
    if (line->variable && !call->result->has_value)
        return lab_refused(call, "%s gives no number to keep in %s", command->name, line->variable);
    if (line->variable && !lab_variable_set(call->lab, line->variable, call->result->value))
        return lab_refused(call, "no room for another name: there are %d", LAB_VARIABLES);
    return true;
}

static bool remember(struct lab *lab, const char *text) {
    forget_from(lab, lab->place);
    if (lab->nlines == lab->lines_room) {
        size_t room = lab->lines_room ? 2 * lab->lines_room : 64;
        char **lines = realloc(lab->lines, room * sizeof *lines);
        if (!lines)
            return false;
        lab->lines = lines;
        lab->lines_room = room;
    }
    lab->lines[lab->nlines] = strdup(text);
    if (!lab->lines[lab->nlines])
        return false;
    lab->place = ++lab->nlines;
    return true;
}

static void add_log(struct lab *lab) {
    if (lab->log.length == 0)
        return;
    lab_text_add(&lab->text, lab->log.bytes, lab->log.length);
    lab_text_clear(&lab->log);
}

/* One line, on the world as it is; history is the caller's. */
static bool do_line(struct lab *lab, const char *text, struct lab_result *result, bool *changes) {
    struct line line = {.nwords = 0};
    struct lab_call call = {.lab = lab, .world = &lab->world, .result = result};
    *changes = false;
    *result = (struct lab_result){.command = "", .text = "", .error = ""};
    lab->error[0] = '\0';
    lab->world.log = &lab->log;
    if (lab->depth == 0)
        lab->world.work = 0;
    if (!lab->world.q)
        lab_wrong(&call, "there is no machine any more: the host had no memory for another");
    else if (strlen(text) >= LAB_LINE_BYTES)
        lab_wrong(&call, "a line of more than %d bytes", LAB_LINE_BYTES - 1);
    else if (!split(&line, text))
        lab_wrong(&call, "more than %d words", LAB_WORDS);
    else
        result->ok = line.nwords == 0 || dispatch(&call, &line, text);
    *changes = !call.usage && ((line.command && line.command->flags & LAB_CHANGES) ||
                               (result->ok && line.variable));
    return result->ok;
}

/* A line inside a line (repeat). */
bool lab_nested(struct lab_call *call, const char *text) {
    struct lab_result result;
    bool changes;
    if (call->lab->depth >= 4)
        return lab_wrong(call, "repeat inside repeat inside repeat: four deep is the end");
    call->world->work += LAB_WORK_LINE;
    if (call->world->work > LAB_WORK_MAX)
        return lab_refused(call, "too much for one line: %u accesses are the end", LAB_WORK_MAX);
    call->lab->depth++;
    bool good = do_line(call->lab, text, &result, &changes);
    call->lab->depth--;
    call->lab->sight_fresh = false;
    if (result.has_value)
        lab_value(call, result.value);
    return good;
}

bool lab_run(struct lab *lab, const char *text, struct lab_result *result) {
    bool changes;
    lab_text_clear(&lab->text);
    lab_text_clear(&lab->log);
    struct lab_sight before = *lab_now(lab);
    do_line(lab, text, result, &changes);
    add_log(lab);
    if (changes) {
        lab->before = before;
        lab->sight_fresh = false;
        result->changed = remember(lab, text);
        if (!result->changed) {
            result->ok = false;
            snprintf(lab->error, sizeof lab->error, "the host has no memory for the history");
        }
    }
    result->text = lab_text_bytes(&lab->text);
    result->error = lab->error;
    return result->ok;
}

/* ---- history ----------------------------------------------------------------------------------
 */

size_t lab_place(const struct lab *lab) {
    return lab->place;
}

size_t lab_length(const struct lab *lab) {
    return lab->nlines;
}

const char *lab_line(const struct lab *lab, size_t index) {
    return lab->lines[index];
}

/* One more of the lines that are known, on the world as it is. */
static void redo(struct lab *lab) {
    struct lab_result result;
    bool changes;
    lab->before = *lab_now(lab);
    do_line(lab, lab->lines[lab->place], &result, &changes);
    lab->sight_fresh = false;
    lab->place++;
}

static bool begin_again(struct lab *lab) {
    lab_world_down(&lab->world);
    lab->machine = lab->first_machine;
    lab->nvariables = 0;
    lab->place = 0;
    lab->sight_fresh = false;
    return lab_world_up(&lab->world, &lab->machine, lab->error);
}

bool lab_goto(struct lab *lab, size_t place) {
    if (place < lab->place && !begin_again(lab))
        return false;
    struct lab_text text = lab->text; /* what the lines say was said before */
    lab->text = (struct lab_text){0};
    while (lab->place < place && lab->place < lab->nlines)
        redo(lab);
    free(lab->text.bytes);
    lab->text = text;
    lab_text_clear(&lab->log);
    lab->error[0] = '\0';
    return true;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t nbytes) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < nbytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3); /* FNV-1a */
    return hash;
}

uint64_t lab_hash(struct lab *lab) {
    struct lab_world *world = &lab->world;
    uint64_t hash = UINT64_C(0xCBF29CE484222325), trace = quire_trace_hash(world->q);
    struct lab_sight sight = *lab_now(lab);
    struct lab_text text = {0};
    sight.steps = 0;
    hash = mix(hash, &trace, sizeof trace);
    for (size_t i = 0; i < lab_nfacts; i++) {
        uint64_t value = lab_fact_of(&lab_facts[i], &sight);
        hash = mix(hash, &value, sizeof value);
    }
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        struct lab_process *process = &world->processes[i];
        hash = mix(hash, &process->state, sizeof process->state);
        if (process->space)
            lab_show_space(&text, process->space, quire_view_smaps);
    }
    lab_show_system(&text, world->q, quire_view_zoneinfo);
    lab_show_system(&text, world->q, quire_view_slabinfo);
    hash = mix(hash, lab_text_bytes(&text), text.length);
    for (size_t i = 0; i < lab->nvariables; i++) {
        hash = mix(hash, lab->variables[i].name, strlen(lab->variables[i].name));
        hash = mix(hash, &lab->variables[i].value, sizeof(int64_t));
    }
    free(text.bytes);
    return hash;
}
