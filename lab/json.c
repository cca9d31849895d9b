/* json.c: results, events and the whole state as JSON, for tools and for the page that draws the
 * machine. The library is jansson. README.md says what is in the objects.
 *
 * Numbers that may be addresses are written as JSON integers, as all others: 64-bit two's
 * complement; addresses have a twin in hexadecimal where a browser would lose their last digits.
 * Values that could not be made are NULL, and putting them somewhere fails: that is remembered.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lab/json.h"

#define PAGES_SHOWN 8192 /* of a process: with frames or slots */

struct out {
    struct lab *lab;
    bool failed;
};

bool lab_has_json(void) {
    return true;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void put(struct out *out, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        out->failed = true;
}

static void append(struct out *out, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0)
        out->failed = true;
}

static void put_number(struct out *out, json_t *object, const char *key, uint64_t value) {
    put(out, object, key, json_integer((json_int_t)value));
}

static void put_address(struct out *out, json_t *object, const char *key, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, value);
    put(out, object, key, json_string(text));
}

/* What a script says need not be UTF-8. */
static void put_text(struct out *out, json_t *object, const char *key, const char *text) {
    json_t *value = json_string(text);
    if (!value) {
        char *clean = strdup(text);
        for (char *at = clean; at && *at; at++)
            *at = (signed char)*at < 0 ? '?' : *at;
        value = clean ? json_string(clean) : NULL;
        free(clean);
    }
    put(out, object, key, value);
}

static char *finish(struct out *out, json_t *object) {
    char *text = out->failed || !object ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

/* ---- results and events -----------------------------------------------------------------------
 */

static json_t *walk_json(struct out *out, const struct quire_walk *walk) {
    static const char *const kinds[] = {"selector", "descriptor", "segment", "check", "linear",
                                        "tlb",      "table",      "leaf",    "datum", "fault"};
    json_t *object = json_object(), *steps = json_array();
    for (unsigned i = 0; i < walk->nsteps; i++) {
        const struct quire_walk_step *step = &walk->steps[i];
        json_t *one = json_object();
        put_text(out, one, "kind", kinds[step->kind]);
        put_number(out, one, "level", step->level);
        put_number(out, one, "index", step->index);
        if (step->at != UINT64_MAX)
            put_address(out, one, "at", step->at);
        put_address(out, one, "value", step->value);
        put_number(out, one, "order", step->order);
        append(out, steps, one);
    }
    put(out, object, "steps", steps);
    put_number(out, object, "accesses", walk->accesses);
    put_address(out, object, "linear", walk->linear);
    put_address(out, object, "physical", walk->physical);
    put_number(out, object, "fault", walk->fault);
    return object;
}

/* What the line changed: names and differences. */
static json_t *changes_json(struct out *out) {
    const struct lab_sight *before = &out->lab->before, *now = lab_now(out->lab);
    json_t *object = json_object();
    for (size_t i = 0; i < lab_nfacts; i++) {
        uint64_t old = lab_fact_of(&lab_facts[i], before), new = lab_fact_of(&lab_facts[i], now);
        if (lab_facts[i].moves && old != new)
            put_number(out, object, lab_facts[i].name, new - old);
    }
    return object;
}

char *lab_result_json(struct lab *lab, const struct lab_result *result) {
    struct out out = {.lab = lab};
    json_t *object = json_object();
    put_text(&out, object, "command", result->command);
    put(&out, object, "ok", json_boolean(result->ok));
    if (result->has_value) {
        put_number(&out, object, "value", (uint64_t)result->value);
        put_address(&out, object, "hex", (uint64_t)result->value);
    }
    put_text(&out, object, "text", result->text);
    if (!result->ok)
        put_text(&out, object, "error", result->error);
    put_number(&out, object, "place", lab->place);
    put_number(&out, object, "length", lab->nlines);
    if (result->changed)
        put(&out, object, "changes", changes_json(&out));
    if (strstr(result->command, "walk"))
        put(&out, object, "walk", walk_json(&out, &lab->world.walk));
    return finish(&out, object);
}

void lab_event_json(FILE *to, const struct lab_event *event) {
    struct out out = {.failed = false};
    json_t *object = json_object();
    put_text(&out, object, "event", event->kind);
    if (event->name)
        put_text(&out, object, "name", event->name);
    put_text(&out, object, "text", event->text);
    if (event->nchoices > 0) {
        json_t *choices = json_array();
        for (unsigned i = 0; i < event->nchoices; i++)
            append(&out, choices, json_string(event->choices[i]));
        put(&out, object, "choices", choices);
    }
    if (event->graded) {
        put_number(&out, object, "value", (uint64_t)event->value);
        put(&out, object, "answered", json_boolean(event->answered));
        put(&out, object, "right", json_boolean(event->right));
        if (event->answered)
            put_number(&out, object, "given", (uint64_t)event->given);
        if (event->explained)
            put_text(&out, object, "explained", event->explained);
    }
    char *text = finish(&out, object);
    fprintf(to, "%s\n", text ? text : "{}");
    free(text);
}

/* ---- the state --------------------------------------------------------------------------------
 */

static json_t *machine_json(struct out *out) {
    const struct lab_machine *machine = &out->lab->machine;
    const struct quire_radix_format *format = machine->format;
    json_t *object = json_object(), *bits = json_array();
    put_number(out, object, "ram", machine->ram_bytes);
    put_number(out, object, "seed", machine->seed);
    put_text(out, object, "policy", machine->policy->name);
    put_text(out, object, "format", format->name);
    for (unsigned i = 0; i < format->levels; i++)
        append(out, bits, json_integer((json_int_t)format->bits[i]));
    put(out, object, "bits", bits);
    put(out, object, "kernel_map", json_boolean(machine->kernel_map));
    return object;
}

static json_t *facts_json(struct out *out) {
    const struct lab_sight *now = lab_now(out->lab);
    json_t *object = json_object();
    for (size_t i = 0; i < lab_nfacts; i++)
        put_number(out, object, lab_facts[i].name, lab_fact_of(&lab_facts[i], now));
    return object;
}

static const char *region_name(const struct quire_region_info *info) {
    if (info->object)
        return quire_object_info(info->object)->name;
    return info->flags & QUIRE_MAP_STACK_TAG  ? "[stack]"
           : info->flags & QUIRE_MAP_HEAP_TAG ? "[heap]"
                                              : "";
}

/* Pages that are somewhere, as [page number in the region, frame] or [page number, -1 - slot]. */
static json_t *pages_json(struct out *out, const struct quire_space *space,
                          const struct quire_region_info *info, uint64_t *budget) {
    json_t *pages = json_array();
    uint64_t n = (info->end.value - info->start.value) / PAGE;
    if (info->resident_anon + info->resident_file + info->swapped == 0)
        return pages;
    for (uint64_t i = 0; i < n && *budget; i++, --*budget) {
        uint64_t word = quire_view_pagemap(space, quire_va(info->start.value + i * PAGE));
        int64_t number = (int64_t)(word & (((uint64_t)1 << 55) - 1));
        if (!(word >> 62))
            continue;
        append(out, pages,
               json_pack("[I,I]", (json_int_t)i,
                         (json_int_t)(word >> 63 ? number : -1 - (number >> 5))));
    }
    return pages;
}

static json_t *regions_json(struct out *out, const struct quire_space *space) {
    json_t *regions = json_array();
    struct quire_region_info info;
    uint64_t budget = PAGES_SHOWN, at = 0;
    while (quire_region_at_or_after(space, quire_va(at), true, &info)) {
        json_t *one = json_object();
        char prot[5];
        snprintf(prot, sizeof prot, "%c%c%c%c", info.prot & QUIRE_PROT_READ ? 'r' : '-',
                 info.prot & QUIRE_PROT_WRITE ? 'w' : '-', info.prot & QUIRE_PROT_EXEC ? 'x' : '-',
                 info.flags & QUIRE_MAP_SHARED ? 's' : 'p');
        put_address(out, one, "start", info.start.value);
        put_address(out, one, "end", info.end.value);
        put_text(out, one, "prot", prot);
        put_text(out, one, "name", region_name(&info));
        put_number(out, one, "anon", info.resident_anon);
        put_number(out, one, "file", info.resident_file);
        put_number(out, one, "swapped", info.swapped);
        put(out, one, "pages", pages_json(out, space, &info, &budget));
        append(out, regions, one);
        at = info.end.value;
    }
    return regions;
}

static json_t *processes_json(struct out *out) {
    json_t *processes = json_array();
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        const struct lab_process *process = &out->lab->world.processes[i];
        if (process->state == LAB_GONE)
            continue;
        json_t *one = json_object();
        put_number(out, one, "pid", (uint64_t)process->pid);
        put_number(out, one, "parent", (uint64_t)process->parent);
        put_text(out, one, "name", process->name);
        put_text(out, one, "state", lab_state_word(process->state));
        put(out, one, "current", json_boolean(process == out->lab->world.current));
        if (process->space) {
            struct quire_space_usage usage;
            quire_space_usage(process->space, &usage);
            put_number(out, one, "virtual", usage.virtual_pages);
            put_number(out, one, "rss",
                       usage.resident_anon + usage.resident_file + usage.resident_shmem);
            put_number(out, one, "swapped", usage.swapped);
            put_number(out, one, "page_tables", usage.page_tables);
            put_number(out, one, "minor_faults", usage.minor_faults);
            put_number(out, one, "major_faults", usage.major_faults);
            put(out, one, "regions", regions_json(out, process->space));
        }
        append(out, processes, one);
    }
    return processes;
}

static void put_view(struct out *out, json_t *object, const char *key, lab_system_view *view) {
    struct lab_text text = {0};
    lab_show_system(&text, out->lab->world.q, view);
    put_text(out, object, key, lab_text_bytes(&text));
    free(text.bytes);
}

/* The texts of /proc, so that what is drawn can be compared with them. */
static json_t *views_json(struct out *out) {
    json_t *object = json_object();
    put_view(out, object, "meminfo", quire_view_meminfo);
    put_view(out, object, "buddyinfo", quire_view_buddyinfo);
    put_view(out, object, "pagetypeinfo", quire_view_pagetypeinfo);
    put_view(out, object, "slabinfo", quire_view_slabinfo);
    put_view(out, object, "swaps", quire_view_swaps);
    put_view(out, object, "zoneinfo", quire_view_zoneinfo);
    put_view(out, object, "vmstat", quire_view_vmstat);
    return object;
}

char *lab_state_json(struct lab *lab) {
    struct out out = {.lab = lab};
    json_t *object = json_object(), *history = json_array();
    if (!lab->world.q) {
        json_decref(object);
        json_decref(history);
        return NULL;
    }
    put_number(&out, object, "place", lab->place);
    put_number(&out, object, "length", lab->nlines);
    for (size_t i = 0; i < lab->nlines; i++) {
        json_t *line = json_string(lab->lines[i]);
        append(&out, history, line ? line : json_string("?"));
    }
    put(&out, object, "history", history);
    put(&out, object, "machine", machine_json(&out));
    put(&out, object, "facts", facts_json(&out));
    put(&out, object, "processes", processes_json(&out));
    put(&out, object, "views", views_json(&out));
    put(&out, object, "walk", walk_json(&out, &lab->world.walk));
    return finish(&out, object);
}

char *lab_builtins_json(void) {
    struct out out = {.failed = false};
    json_t *labs = json_array();
    char error[LAB_ERROR_BYTES];
    for (const struct lab_builtin *b = lab_builtins; b->name; b++) {
        struct lab_script *script = lab_script_parse(b->name, b->text, error);
        json_t *one = json_object();
        if (!script) {
            json_decref(one);
            out.failed = true;
            break;
        }
        put_text(&out, one, "name", b->name);
        put_text(&out, one, "rows", lab_script_rows(script));
        put_text(&out, one, "en", lab_script_title(script, LAB_EN));
        put_text(&out, one, "zh", lab_script_title(script, LAB_ZH));
        append(&out, labs, one);
        lab_script_free(script);
    }
    return finish(&out, labs);
}
