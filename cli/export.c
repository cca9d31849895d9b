/* export.c: `quire export`: a saved run in the formats of other tools.
 *
 * One run gives all: --json FILE keeps it, and this makes of it what is wanted, then or later. The
 * same words as of --export; a format without a file goes to standard output, for a pipe.
 *
 *     RUN.json ──export/──▶ report ──format──▶ FILE, or standard output
 */
#include "export/export.h"

#include "cli/run.h"

#include <errno.h>
#include <string.h>

void cli_export_help(void) {
    puts("quire export RUN.json FORMAT[:FILE]...\n\n"
         "Makes of a run that 'quire run --json RUN.json' has saved what other tools read. '-' is\n"
         "standard input; without FILE it goes to standard output. 'quire run --export\n"
         "FORMAT:FILE' does the same at once.");
    cli_export_formats();
    puts("\nExamples:\n"
         "  quire run --json run.json --ram 16M -- ./program\n"
         "  quire export run.json chrome:run.trace.json pprof:run.pb.gz\n"
         "  quire export run.json collapsed.wait | flamegraph.pl > wait.svg\n"
         "  go tool pprof -http : -sample_index=major_faults run.pb.gz");
}

static struct export_report *load(const char *path) {
    char message[256] = "";
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");

    if (file == NULL) {
        cli_wrong("%s: %s; a file that quire run --json made is wanted", path, strerror(errno));
        return NULL;
    }
    struct export_report *report = export_load(file, message, sizeof message);
    if (report == NULL) {
        cli_wrong("%s: %s", path, message);
    }
    if (!standard) {
        fclose(file);
    }
    return report;
}

/* One word. False: it could not be written, and that has been said. */
static bool write_word(const struct export_report *report, const char *word) {
    const char *path;
    const struct export_format *format = cli_export_parse(word, &path);
    bool standard = path[0] == '\0' || strcmp(path, "-") == 0;
    FILE *file = standard ? stdout : fopen(path, "we");

    if (file == NULL) {
        cli_wrong("%s: %s; name a file that can be written", word, strerror(errno));
        return false;
    }
    bool good = export_write(report, format, file);
    int why = errno;
    if (!standard && fclose(file) != 0 && good) { /* some disks say only now that they are full */
        good = false;
        why = errno;
    }
    if (!good) {
        cli_wrong("%s: %s; %s is not whole", word, strerror(why),
                  standard ? "standard output" : "the file");
    }
    return good;
}

int cli_export(struct cli_words *words) {
    const char *value, *path;
    unsigned standard = 0;

    if (cli_option_next(words, NULL, 0, &value) == CLI_OPTIONS_WRONG) {
        return CLI_EXIT_OURS;
    }
    if (words->at[0] == NULL || words->at[1] == NULL) {
        return cli_wrong("export needs a saved run and a format, as in quire export run.json "
                         "chrome:run.trace.json");
    }
    for (char **word = words->at + 1; *word != NULL; word++) {
        if (cli_export_parse(*word, &path) == NULL) {
            return CLI_EXIT_OURS;
        }
        standard += path[0] == '\0' || strcmp(path, "-") == 0;
    }
    if (standard > 1) {
        return cli_wrong("only one format can go to standard output; name files for the others");
    }
    struct export_report *report = load(words->at[0]);
    bool good = report != NULL;
    for (char **word = words->at + 1; good && *word != NULL; word++) {
        good = write_word(report, *word);
    }
    export_unload(report);
    return good ? 0 : CLI_EXIT_OURS;
}
