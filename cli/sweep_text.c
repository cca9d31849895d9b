/* sweep_text.c: what a sweep has found: a table, a few words, a picture.
 *
 * The slowdown of a run is its time divided by what it would have been had nobody waited for
 * memory, as in the summary of `quire run`. Every figure is measured; nothing is interpolated: "the
 * smallest RAM" is the smallest that was tried from which on all larger ones kept the promise, too.
 */
#include "cli/sweep.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define KILLED 137

double sweep_slowdown(const struct cli_figures *figures) {
    return figures->time_ns > figures->wait_ns
               ? (double)figures->time_ns / (double)(figures->time_ns - figures->wait_ns)
               : 1.0;
}

/* ---- the table ---------------------------------------------------------------------------------
 */

static void cell(const struct cli_figures *figures, char text[CLI_TEXT_BYTES]) {
    double slowdown = sweep_slowdown(figures);

    if (figures->status == KILLED) {
        snprintf(text, CLI_TEXT_BYTES, "killed");
    } else if (slowdown < 1.995) {
        snprintf(text, CLI_TEXT_BYTES, "+%.1f %%", 100 * (slowdown - 1));
    } else {
        snprintf(text, CLI_TEXT_BYTES, "%.2f x", slowdown);
    }
}

static void print_table(const struct sweep *sweep, FILE *to) {
    char text[CLI_TEXT_BYTES];

    fprintf(to, "%-10s", "RAM");
    for (unsigned p = 0; p < sweep->npolicies; p++) {
        fprintf(to, " %10s %9s", sweep->policies[p], "major");
    }
    fputc('\n', to);
    for (unsigned s = 0; s < sweep->nsizes; s++) {
        fprintf(to, "%-10s", cli_size_text(sweep->sizes[s], text));
        for (unsigned p = 0; p < sweep->npolicies; p++) {
            const struct cli_figures *figures = &sweep->figures[s][p];
            cell(figures, text);
            fprintf(to, " %10s", text);
            fprintf(to, " %9s", cli_count_text(figures->major_faults, text));
        }
        fputc('\n', to);
    }
}

/* ---- the words ---------------------------------------------------------------------------------
 */

static bool keeps(const struct cli_figures *figures, double most) {
    return figures->status != KILLED && sweep_slowdown(figures) <= most;
}

/* The smallest size from which on all keep it, with this policy; nsizes: none does. */
static unsigned smallest(const struct sweep *sweep, unsigned policy, double most) {
    unsigned size = sweep->nsizes;

    while (size > 0 && keeps(&sweep->figures[size - 1][policy], most)) {
        size--;
    }
    return size;
}

static void print_promise(const struct sweep *sweep, const char *words, double most, FILE *to) {
    unsigned best = sweep->nsizes, policy = 0;
    char text[CLI_TEXT_BYTES];

    for (unsigned p = 0; p < sweep->npolicies; p++) {
        unsigned size = smallest(sweep, p, most);
        if (size < best) {
            best = size;
            policy = p;
        }
    }
    fprintf(to, "  %-18s ", words);
    if (best == sweep->nsizes) {
        fputs("none of these sizes\n", to);
        return;
    }
    fprintf(to, "--ram %s", cli_size_text(sweep->sizes[best], text));
    if (sweep->npolicies > 1) {
        fprintf(to, " with --policy %s", sweep->policies[policy]);
    }
    fputs(best == 0 ? " (the smallest tried)\n" : "\n", to);
}

/* Geometric mean over the sizes with which no policy's program was killed, so that each counts the
 * same. */
static void print_best(const struct sweep *sweep, FILE *to) {
    double sums[SWEEP_POLICIES] = {0};
    unsigned best = 0, sizes = 0;

    for (unsigned s = 0; s < sweep->nsizes; s++) {
        bool all = true;
        for (unsigned p = 0; p < sweep->npolicies; p++) {
            all = all && sweep->figures[s][p].status != KILLED;
        }
        sizes += all;
        for (unsigned p = 0; all && p < sweep->npolicies; p++) {
            sums[p] += log(sweep_slowdown(&sweep->figures[s][p]));
        }
    }
    for (unsigned p = 1; p < sweep->npolicies; p++) {
        best = sums[p] < sums[best] ? p : best;
    }
    if (sizes > 0 && sweep->npolicies > 1) {
        fprintf(to, "  %-18s %s: %.3f times as slow as without waiting, the mean over %u sizes\n",
                "best policy", sweep->policies[best], exp(sums[best] / sizes), sizes);
    }
}

void sweep_print(const struct sweep *sweep, FILE *to) {
    char text[CLI_TEXT_BYTES];
    uint64_t peak = 0;

    print_table(sweep, to);
    for (unsigned s = 0; s < sweep->nsizes; s++) {
        for (unsigned p = 0; p < sweep->npolicies; p++) {
            uint64_t wanted = sweep->figures[s][p].peak_bytes;
            peak = wanted > peak ? wanted : peak;
        }
    }
    fprintf(to,
            "\nSlowdown for want of memory, and faults that waited for a disk. The programs "
            "wanted %s at\nonce. The smallest RAM for a slowdown of at most\n",
            cli_size_text(peak, text));
    print_promise(sweep, "5 %", 1.05, to);
    print_promise(sweep, "25 %", 1.25, to);
    print_promise(sweep, "2 x", 2.0, to);
    print_best(sweep, to);
}

/* ---- the picture -------------------------------------------------------------------------------
 */

#define WIDTH  720
#define HEIGHT 400
#define LEFT   64
#define RIGHT  120
#define TOP    44
#define BOTTOM 46

static double x_of(const struct sweep *sweep, unsigned size) {
    double low = log((double)sweep->sizes[0]);
    double span = log((double)sweep->sizes[sweep->nsizes - 1]) - low;
    double part = span > 0 ? (log((double)sweep->sizes[size]) - low) / span : 0.5;
    return LEFT + part * (WIDTH - LEFT - RIGHT);
}

/* Slowdowns on a logarithmic scale from 1 to most. */
static double y_of(double slowdown, double most) {
    return HEIGHT - BOTTOM - log(slowdown) / log(most) * (HEIGHT - TOP - BOTTOM);
}

/* Text of a person in XML. */
static void put_text(const char *text, FILE *to) {
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        default:
            fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
        }
    }
}

static void draw_axes(const struct sweep *sweep, double most, FILE *to) {
    char text[CLI_TEXT_BYTES];

    for (double mark = 1; mark <= most * 1.001; mark *= most > 40 ? 10 : 2) {
        fprintf(to,
                "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f x</text>\n",
                LEFT, WIDTH - RIGHT, y_of(mark, most), y_of(mark, most), LEFT - 8,
                y_of(mark, most) + 4, mark);
    }
    for (unsigned s = 0; s < sweep->nsizes; s += 1 + sweep->nsizes / 9) {
        fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x_of(sweep, s),
                HEIGHT - BOTTOM + 20, cli_size_text(sweep->sizes[s], text));
    }
}

/* One policy: a line through the sizes with which the program was not killed, a point at each. */
static void draw_policy(const struct sweep *sweep, unsigned policy, double most, FILE *to) {
    static const char *const colors[] = {"#2f6fb0", "#c8553d", "#3f8f5f", "#8a63b0",
                                         "#b8860b", "#008b8b", "#a0527a", "#6b6b6b"};
    const char *color = colors[policy % (sizeof colors / sizeof colors[0])];
    double y = TOP + 12 + 20 * policy;

    fprintf(to, "<g stroke=\"%s\" fill=\"%s\"><polyline fill=\"none\" points=\"", color, color);
    for (unsigned s = 0; s < sweep->nsizes; s++) {
        const struct cli_figures *figures = &sweep->figures[s][policy];
        if (figures->status != KILLED) {
            fprintf(to, "%.1f,%.1f ", x_of(sweep, s), y_of(sweep_slowdown(figures), most));
        }
    }
    fputs("\"/>\n", to);
    for (unsigned s = 0; s < sweep->nsizes; s++) {
        const struct cli_figures *figures = &sweep->figures[s][policy];
        if (figures->status != KILLED) {
            fprintf(to,
                    "<circle r=\"3\" cx=\"%.1f\" cy=\"%.1f\"><title>%s, %" PRIu64
                    " bytes: %.4f</title></circle>\n",
                    x_of(sweep, s), y_of(sweep_slowdown(figures), most), sweep->policies[policy],
                    sweep->sizes[s], sweep_slowdown(figures));
        }
    }
    fprintf(to,
            "<circle r=\"4\" cx=\"%d\" cy=\"%.0f\"/></g>"
            "<text x=\"%d\" y=\"%.0f\">%s</text>\n",
            WIDTH - RIGHT + 22, y, WIDTH - RIGHT + 32, y + 4, sweep->policies[policy]);
}

bool sweep_plot(const struct sweep *sweep, const char *title, FILE *to) {
    double most = 2;

    for (unsigned s = 0; s < sweep->nsizes; s++) {
        for (unsigned p = 0; p < sweep->npolicies; p++) {
            double slowdown = sweep_slowdown(&sweep->figures[s][p]);
            most = slowdown > most ? slowdown : most;
        }
    }
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
            "font-family=\"system-ui, sans-serif\" font-size=\"12\">\n"
            "<style>svg{background:#fff;color:#1d1f24} text{fill:currentColor} "
            ".grid{stroke:#8884;stroke-width:1} polyline{stroke-width:2} "
            "@media (prefers-color-scheme:dark){svg{background:#14161b;color:#e8e6e0}}</style>\n"
            "<text x=\"%d\" y=\"24\" font-size=\"14\" font-weight=\"600\">",
            WIDTH, HEIGHT, LEFT);
    put_text(title, to);
    fputs(": slowdown by RAM</text>\n", to);
    draw_axes(sweep, most, to);
    for (unsigned p = 0; p < sweep->npolicies; p++) {
        draw_policy(sweep, p, most, to);
    }
    fputs("</svg>\n", to);
    return fflush(to) == 0 && !ferror(to);
}
