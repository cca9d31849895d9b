/* samples.c: call paths out of a report, so that their sums are those of the run.
 *
 *     stacks ─────────────▶ one sample each, without TLB misses: those belong to instructions,
 *     functions ──────────▶ so one each of the function alone
 *     processes - these ──▶ (others): what the report had no room for
 *     background ─────────▶ (background): kswapd, start and end of programs
 *
 * I1  Over all samples, each kind adds up to processes + background, which is the run's total.
 */
#include "export/samples.h"

#include <string.h>

const char *const export_kind_keys[EXPORT_KINDS] = {
    [EXPORT_MINOR] = "minor_faults",
    [EXPORT_MAJOR] = "major_faults",
    [EXPORT_FRESH] = "fresh_pages",
    [EXPORT_COPIED] = "copied_pages",
    [EXPORT_SWAP_IN] = "swapped_in_pages",
    [EXPORT_SWAP_OUT] = "swapped_out_pages",
    [EXPORT_FILE_IN] = "file_in_pages",
    [EXPORT_REFAULT] = "refaulted_pages",
    [EXPORT_DIRECT] = "direct_reclaimed_pages",
    [EXPORT_WAIT_NS] = "wait_ns",
    [EXPORT_TLB] = "tlb_misses",
};

struct walk {
    bool (*see)(void *context, const struct export_sample *sample);
    void *context;
    uint64_t left[EXPORT_KINDS]; /* of all processes, not yet seen */
};

static void take_counts(struct export_sample *sample, const json_t *row) {
    for (unsigned i = 0; i < EXPORT_KINDS; i++)
        sample->of[i] = export_count(row, export_kind_keys[i]);
}

/* I1: what was seen is not left. A report that was tampered with may have more in its paths than in
 * its processes; then nothing is left. */
static bool see(struct walk *walk, const struct export_sample *sample) {
    uint64_t any = 0;
    for (unsigned i = 0; i < EXPORT_KINDS; i++) {
        uint64_t left = walk->left[i], n = sample->of[i];
        walk->left[i] = left > n ? left - n : 0;
        any |= n;
    }
    return any == 0 || walk->see(walk->context, sample);
}

static bool see_stack(struct walk *walk, const json_t *row) {
    struct export_sample sample = {0};
    const json_t *frames = json_object_get(row, "frames");
    for (size_t i = 0; i < json_array_size(frames) && i < EXPORT_DEPTH; i++) {
        const char *name = json_string_value(json_array_get(frames, i));
        sample.frames[sample.depth++] = name ? name : "";
    }
    if (sample.depth == 0)
        sample.frames[sample.depth++] = "(unknown)";
    take_counts(&sample, row);
    return see(walk, &sample);
}

static bool see_named(struct walk *walk, const char *name, struct export_sample *sample) {
    sample->depth = 1;
    sample->frames[0] = name;
    return see(walk, sample);
}

static bool see_misses(struct walk *walk, const json_t *row) {
    struct export_sample sample = {0};
    sample.of[EXPORT_TLB] = export_count(row, export_kind_keys[EXPORT_TLB]);
    return see_named(walk, export_text(row, "function"), &sample);
}

static bool see_rest(struct walk *walk, const json_t *root) {
    struct export_sample others = {0}, background = {0};
    memcpy(others.of, walk->left, sizeof others.of);
    take_counts(&background, json_object_get(root, "background"));
    return see_named(walk, "(others)", &others) && see_named(walk, "(background)", &background);
}

bool export_each(const struct export_report *report,
                 bool (*see_one)(void *context, const struct export_sample *sample),
                 void *context) {
    struct walk walk = {.see = see_one, .context = context};
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(report->root, "processes"), i, row) {
        for (unsigned k = 0; k < EXPORT_KINDS; k++)
            walk.left[k] += export_count(row, export_kind_keys[k]);
    }
    json_array_foreach(json_object_get(report->root, "stacks"), i, row) {
        if (!see_stack(&walk, row))
            return false;
    }
    json_array_foreach(json_object_get(report->root, "functions"), i, row) {
        if (!see_misses(&walk, row))
            return false;
    }
    return see_rest(&walk, report->root);
}
