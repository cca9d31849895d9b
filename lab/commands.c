/* commands.c: all tables of commands, and those about the session itself: help, variables,
 * repetition, time travel, facts.
 *
 * A command is a row: its name, what it takes, a line of help, a function. Adding one is adding a
 * row to one of the tables and a function beside it.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define REPEAT_MAX 100000

const struct lab_command *const lab_commands[] = {lab_process_commands,
                                                  lab_memory_commands,
                                                  lab_heap_commands,
                                                  lab_pool_commands,
                                                  lab_view_commands,
                                                  lab_file_commands,
                                                  lab_pressure_commands,
                                                  lab_kernel_commands,
                                                  lab_translation_commands,
                                                  lab_segment_commands,
                                                  lab_device_commands,
                                                  lab_session_commands,
                                                  NULL};

const struct lab_command *lab_command_find(const char *name) {
    for (size_t t = 0; lab_commands[t]; t++) {
        for (const struct lab_command *c = lab_commands[t]; c->name; c++) {
            if (strcmp(c->name, name) == 0)
                return c;
        }
    }
    return NULL;
}

/* ---- help -------------------------------------------------------------------------------------
 */

static bool help(struct lab_call *call) {
    static const char *const groups[] = {"processes",       "memory of a process",
                                         "its heap",        "its own pools",
                                         "views",           "files and shared memory",
                                         "memory pressure", "the kernel's memory",
                                         "translation",     "segments",
                                         "devices",         "this session"};
    if (call->argc == 1) {
        const struct lab_command *c = lab_command_find(call->argv[0]);
        if (!c)
            return lab_wrong(call, "there is no command '%.60s'; `help` lists them", call->argv[0]);
        lab_say(call, "%s %s\n    %s\n", c->name, c->arguments, c->help);
        return true;
    }
    for (size_t t = 0; lab_commands[t]; t++) {
        lab_say(call, "%s%s:\n", t ? "\n" : "", groups[t]);
        for (const struct lab_command *c = lab_commands[t]; c->name; c++)
            lab_say(call, "  %-13s %-28s %s\n", c->name, c->arguments, c->help);
    }
    lab_say(call, "\nNumbers: 4096, 4K, 0x1000, variables, facts, and what C can do with them. "
                  "`p = malloc 100` keeps a result.\n");
    return true;
}

static bool facts(struct lab_call *call) {
    const struct lab_sight *now = lab_now(call->lab);
    const char *prefix = call->argc ? call->argv[0] : "";
    unsigned n = 0;
    for (size_t i = 0; i < lab_nfacts; i++) {
        if (strncmp(lab_facts[i].name, prefix, strlen(prefix)) != 0)
            continue;
        n++;
        lab_say(call, "  %-20s %14" PRIu64 "  %s\n", lab_facts[i].name,
                lab_fact_of(&lab_facts[i], now), lab_facts[i].help);
    }
    for (size_t i = 0; i < lab_nfunctions && !*prefix; i++)
        lab_say(call, "  %s(x)%*s %s\n", lab_functions[i].name,
                (int)(32 - strlen(lab_functions[i].name)), "", lab_functions[i].help);
    return n || lab_wrong(call, "no fact begins with '%.60s'; `facts` lists them", prefix);
}

/* What the last line did, layer by layer. */
static bool changes(struct lab_call *call) {
    const struct lab_sight *before = &call->lab->before, *now = lab_now(call->lab);
    unsigned n = 0;
    for (size_t i = 0; i < lab_nfacts; i++) {
        uint64_t old = lab_fact_of(&lab_facts[i], before), new = lab_fact_of(&lab_facts[i], now);
        if (!lab_facts[i].moves || old == new)
            continue;
        n++;
        lab_say(call, "  %-20s %+10" PRId64 "  to %-12" PRIu64 " %s\n", lab_facts[i].name,
                (int64_t)(new - old), new, lab_facts[i].help);
    }
    if (n == 0)
        lab_say(call, "  nothing changed\n");
    return true;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static bool let(struct lab_call *call) {
    char *equals = strstr(call->argv[0], "=");
    char name[LAB_NAME], error[LAB_ERROR_BYTES];
    int64_t value;
    size_t n = strcspn(call->argv[0], " =");
    if (!equals || n == 0 || n >= sizeof name || equals[1] == '=')
        return lab_wrong(call, "write: let NAME = EXPRESSION");
    memcpy(name, call->argv[0], n);
    name[n] = '\0';
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != n ||
        (name[0] >= '0' && name[0] <= '9'))
        return lab_wrong(call, "'%s' is not a name: letters, digits and _, not a digit first",
                         name);
    if (!lab_evaluate(call->lab, equals + 1, &value, error))
        return lab_wrong(call, "%s", error);
    if (!lab_variable_set(call->lab, name, value))
        return lab_wrong(call, "no room for another name: there are %d", LAB_VARIABLES);
    return lab_value(call, value);
}

static bool print(struct lab_call *call) {
    char error[LAB_ERROR_BYTES];
    int64_t value;
    if (!lab_evaluate(call->lab, call->argv[0], &value, error))
        return lab_wrong(call, "%s", error);
    lab_say(call, "  %" PRId64 "  0x%" PRIx64 "\n", value, (uint64_t)value);
    return lab_value(call, value);
}

/* A fact that must hold; both sides of its comparison are shown if it does not. */
static bool expect(struct lab_call *call) {
    static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
    char error[LAB_ERROR_BYTES], left[LAB_LINE_BYTES];
    int64_t value, a, b;
    if (!lab_evaluate(call->lab, call->argv[0], &value, error))
        return lab_wrong(call, "%s", error);
    if (value) {
        lab_say(call, "  holds: %s\n", call->argv[0]);
        return true;
    }
    for (unsigned i = 0; i < 6; i++) {
        char *at = strstr(call->argv[0], operators[i]);
        if (!at)
            continue;
        snprintf(left, sizeof left, "%.*s", (int)(at - call->argv[0]), call->argv[0]);
        if (lab_evaluate(call->lab, left, &a, error) &&
            lab_evaluate(call->lab, at + strlen(operators[i]), &b, error))
            return lab_refused(call, "does not hold: %.200s (%" PRId64 " %s %" PRId64 ")",
                               call->argv[0], a, operators[i], b);
        break;
    }
    return lab_refused(call, "does not hold: %.300s", call->argv[0]);
}

static bool repeat(struct lab_call *call) {
    char count[200], copy[LAB_LINE_BYTES], error[LAB_ERROR_BYTES];
    int64_t n, i;
    size_t length = strcspn(call->argv[0], " ");
    snprintf(count, sizeof count, "%.*s", (int)length, call->argv[0]);
    snprintf(copy, sizeof copy, "%s", call->argv[0] + length);
    if (!copy[strspn(copy, " ")])
        return lab_wrong(call, "repeat what? write: repeat 10 malloc 100");
    if (!lab_evaluate(call->lab, count, &n, error))
        return lab_wrong(call, "%s", error);
    if (n < 0 || n > REPEAT_MAX)
        return lab_wrong(call, "repeat takes 0 to %d, not %" PRId64, REPEAT_MAX, n);
    for (i = 0; i < n; i++) {
        if (!lab_variable_set(call->lab, "i", i))
            return lab_wrong(call, "no room for another name");
        size_t said = call->lab->text.length;
        if (!lab_nested(call, copy))
            return false;
        if (i > 2 && i + 1 < n && call->lab->text.bytes) { /* the first three, and the last */
            call->lab->text.length = said;
            call->lab->text.bytes[said] = '\0';
        }
        if (i == 3 && n > 4)
            lab_say(call, "  ... %" PRId64 " times in all ...\n", n);
    }
    return true;
}

/* ---- history ----------------------------------------------------------------------------------
 */

static bool move_to(struct lab_call *call, size_t place) {
    struct lab *lab = call->lab;
    size_t from = lab->place;
    if (place > lab->nlines)
        return lab_wrong(call, "there are %zu lines of history; this is line %zu", lab->nlines,
                         from);
    if (!lab_goto(lab, place))
        return lab_refused(call, "the host has no memory for another machine");
    lab_say(call, "  at line %zu of %zu%s%s\n", lab->place, lab->nlines,
            lab->place ? ": " : ", the beginning", lab->place ? lab->lines[lab->place - 1] : "");
    return true;
}

static bool back(struct lab_call *call) {
    int64_t n;
    if (!lab_number_or(call, 0, 1, &n))
        return false;
    if (n < 0 || (uint64_t)n > call->lab->place)
        return lab_wrong(call, "%zu lines can be taken back, not %" PRId64, call->lab->place, n);
    return move_to(call, call->lab->place - (size_t)n);
}

static bool step(struct lab_call *call) {
    size_t ahead = call->lab->nlines - call->lab->place;
    int64_t n;
    if (!lab_number_or(call, 0, 1, &n))
        return false;
    if (n < 0 || (uint64_t)n > ahead)
        return lab_wrong(call, "%zu lines lie ahead, not %" PRId64 "; `back` goes back", ahead, n);
    return move_to(call, call->lab->place + (size_t)n);
}

static bool go(struct lab_call *call) {
    int64_t n;
    return lab_range(call, 0, 0, (int64_t)call->lab->nlines, &n) && move_to(call, (size_t)n);
}

static bool history(struct lab_call *call) {
    const struct lab *lab = call->lab;
    for (size_t i = 0; i < lab->nlines; i++)
        lab_say(call, "%c %4zu  %s\n", i + 1 == lab->place ? '>' : ' ', i + 1, lab->lines[i]);
    if (lab->nlines == 0)
        lab_say(call, "  nothing yet\n");
    return true;
}

static bool hash(struct lab_call *call) {
    uint64_t value = lab_hash(call->lab);
    lab_say(call, "  %016" PRIx64 "\n", value);
    return lab_value(call, (int64_t)value);
}

static bool seed(struct lab_call *call) {
    int64_t value;
    if (!lab_number(call, 0, &value))
        return false;
    call->world->random = (uint64_t)value * 2 + 1;
    return true;
}

/* Another machine: power off, power on. Tried beside the old one first. */
static bool machine(struct lab_call *call) {
    struct lab *lab = call->lab;
    struct lab_machine wanted;
    static const char no_memory[] = "the host has no memory for another machine";
    char error[LAB_ERROR_BYTES];
    struct lab_world trial = {.log = NULL};
    lab_machine_defaults(&wanted);
    if (!lab_machine_parse(lab, call->argc, call->argv, &wanted, error))
        return lab_wrong(call, "%s", error);
    if (!lab_world_up(&trial, &wanted, error))
        return lab_wrong(call, "%s", error);
    lab_world_down(&trial);
    lab_world_down(&lab->world);
    lab->machine = wanted;
    if (!lab_world_up(&lab->world, &wanted, error))
        return lab_refused(call, "%s", no_memory);
    char ram[32];
    lab_show_bytes(ram, wanted.ram_bytes);
    lab_say(call, "  a machine with %s of RAM, page tables %s, policy %s\n", ram,
            wanted.format->name, wanted.policy->name);
    return true;
}

static bool quit(struct lab_call *call) {
    call->result->quit = true;
    return true;
}

const struct lab_command lab_session_commands[] = {
    {"let", "NAME = EXPRESSION", "keep a number", let, LAB_CHANGES | LAB_RAW},
    {"print", "EXPRESSION", "show a number", print, LAB_RAW},
    {"expect", "EXPRESSION", "something that must be true", expect, LAB_RAW},
    {"repeat", "N COMMAND...", "do a command N times; i counts from 0", repeat,
     LAB_CHANGES | LAB_RAW},
    {"facts", "[PREFIX]", "all numbers that there are", facts, 0},
    {"changes", "", "what the last line changed, layer by layer", changes, 0},
    {"back", "[N]", "undo the last N lines (1): exactly", back, LAB_ALONE},
    {"step", "[N]", "do N lines again that were undone", step, LAB_ALONE},
    {"goto", "LINE", "to the state after this line of history", go, LAB_ALONE},
    {"history", "", "the lines that made this state", history, 0},
    {"hash", "", "a hash of the whole state", hash, 0},
    {"seed", "N", "for addresses drawn at random", seed, LAB_CHANGES},
    {"machine", "[OPTION...]",
     "power off, and on another: --ram 16M --swap 32M --swap-step --swap-max --swap-off "
     "--format Sv48|Sv39|Sv57|10/10/12|20/12 --policy linux|mglru|clock|2q|arc|s3fifo|sieve "
     "--seed N --swappiness N --page-cluster N --min-free PAGES --overcommit "
     "heuristic|always|never --thp madvise|always|never --dma none|single|block|demand "
     "--dma-reach SIZE --reserve SIZE --check-objects --no-kernel-map",
     machine, LAB_CHANGES | LAB_ALONE},
    {"help", "[COMMAND]", "this list, or one of it", help, 0},
    {"quit", "", "end", quit, 0},
    {NULL, "", "", NULL, 0}};
