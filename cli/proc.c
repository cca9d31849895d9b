/* proc.c: `quire proc`, `maps` and `list`: files of a machine's /proc as they are, and which
 * machines there are.
 */
#include "cli/look.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 1024

enum { WATCH, FILE_JSON, RUN, NFILE_OPTIONS }; /* of proc and maps */
enum { JSON, NLIST_OPTIONS };                  /* of list */

static const struct look_option file_options[] = {
    [WATCH] = LOOK_WATCH_OPTION,
    [FILE_JSON] = LOOK_JSON_OPTION,
    [RUN] = LOOK_RUN_OPTION,
};
static const struct look_option list_options[] = {
    [JSON] = LOOK_JSON_OPTION,
};

void cli_proc_help(void) {
    puts("quire proc [options] FILE...\n\n"
         "Files of a running machine's /proc, all of one moment, as its programs would read them:\n"
         "meminfo, vmstat, zoneinfo, 1/smaps, self/status (self is process 1), sys/vm/swappiness.\n"
         "A star for the process means every one; of a directory the names are shown.\n"
         "The file 'quire' is about the run itself: its command, RAM, clock, instructions.\n");
    look_options_print(file_options, NFILE_OPTIONS);
    puts("\nExample:\n  quire proc meminfo\n  quire proc '*/oom_score'");
}

void cli_maps_help(void) {
    puts("quire maps [options] [PID]\n\n"
         "The regions of a process of a running machine, as its /proc/PID/maps has them; of "
         "process\n"
         "1, the program that was run, if none is named.\n");
    look_options_print(file_options, NFILE_OPTIONS);
}

void cli_list_help(void) {
    puts("quire list [--json]\n\n"
         "The machines of yours that run now, and what runs on them; for --run of the other\n"
         "commands. A run started with --no-live is not among them.\n");
    look_options_print(list_options, NLIST_OPTIONS);
}

/* ---- files ------------------------------------------------------------------------------------
 */

/* [{"path":"meminfo","text":"MemTotal: ..."}, {"path":"none","error":"..."}] */
static bool print_files_json(const struct look *look) {
    const struct live_file *file;
    bool good = true;

    for (size_t i = 0; (file = live_nth(look->live, i)) != NULL; i++) {
        fputs(i == 0 ? "[{\"path\":" : ",{\"path\":", stdout);
        look_json_string(stdout, file->path);
        fputs(file->text != NULL ? ",\"text\":" : ",\"error\":", stdout);
        look_json_string(stdout, file->text != NULL ? file->text : file->error);
        putchar('}');
        good = good && file->text != NULL;
    }
    puts("]");
    return good;
}

static bool print_files(const struct look *look, bool first) {
    const struct live_file *file;
    bool several = live_nth(look->live, 1) != NULL, good = true;

    if (!first) {
        putchar('\n');
    }
    for (size_t i = 0; (file = live_nth(look->live, i)) != NULL; i++) {
        if (file->text == NULL) {
            fflush(stdout);
            cli_wrong("/proc/%s of the machine: %s", file->path, file->error);
            good = false;
            continue;
        }
        if (several) {
            printf("%s==> %s <==\n", i > 0 ? "\n" : "", file->path); /* as head(1) does it */
        }
        fwrite(file->text, 1, file->length, stdout);
    }
    return good;
}

static bool show_files(struct look *look, void *context, bool first) {
    (void)context;
    if (live_nth(look->live, 0) == NULL) {
        cli_wrong("no file of that name");
        return false;
    }
    return look->json ? print_files_json(look) : print_files(look, first);
}

/* One line of maps: "START-END PERMISSIONS OFFSET DEVICE INODE          [NAME]", hexadecimal but
 * for the inode. False: it is none. */
static bool print_region_json(const char *line, bool first) {
    uint64_t start, end, offset, inode;
    char permissions[8], device[16], name[LIVE_REQUEST_BYTES] = "";
    int length = 0;

    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %15s %" SCNu64 "%n", &start, &end,
               permissions, &offset, device, &inode, &length) != 6) {
        return false;
    }
    line += length + strspn(line + length, " ");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "\n"), line);
    printf("%s{\"start\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"permissions\":\"%s\","
           "\"offset\":%" PRIu64 ",\"device\":\"%s\",\"inode\":%" PRIu64 ",\"name\":",
           first ? "" : ",", start, end - start, permissions, offset, device, inode);
    look_json_string(stdout, name);
    putchar('}');
    return true;
}

static bool show_maps(struct look *look, void *context, bool first) {
    const struct live_file *file = live_nth(look->live, 0);
    bool none = true;

    (void)context;
    if (!look->json || file == NULL || file->text == NULL) {
        return print_files(look, first); /* which says what is wrong, too */
    }
    putchar('[');
    for (const char *line = file->text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        none = !print_region_json(line, none) && none;
    }
    puts("]");
    return true;
}

/* Options, then words. False: the line is wrong, and that has been said. */
static bool take_file_words(struct cli_words *given, struct look *look, char ***words_at) {
    struct look_words words = {given->at, NULL};
    const char *value;
    int option;
    bool good = true;

    *look = (struct look){.run = 0};
    while (good && (option = look_option_next(&words, file_options, NFILE_OPTIONS, &value)) >= 0) {
        look->json = look->json || option == FILE_JSON;
        good = option == WATCH ? look_take_delay(look, "--watch", value)
               : option == RUN ? look_take_run(look, value)
                               : true;
    }
    *words_at = words.at;
    return good && option != CLI_OPTIONS_WRONG;
}

int cli_proc(struct cli_words *given) {
    char paths[LIVE_REQUEST_BYTES] = "", **at;
    struct look look;
    size_t length = 0;

    if (!take_file_words(given, &look, &at)) {
        return CLI_EXIT_OURS;
    }
    if (at[0] == NULL) {
        return cli_wrong("proc needs a file, as in quire proc meminfo");
    }
    for (; *at != NULL; at++) {
        const char *path = *at;
        if (strncmp(path, "/proc/", 6) == 0) {
            path += 6;
        }
        if (strpbrk(path, " \n") != NULL) {
            return cli_wrong("proc %s: no file of /proc has such a name", path);
        }
        int n = snprintf(paths + length, sizeof paths - length, "%s%s", length > 0 ? " " : "",
                         *path != '\0' ? path : "/");
        if (n < 0 || (size_t)n >= sizeof paths - length) {
            return cli_wrong("proc: too many files at once; %d bytes of names are the most",
                             LIVE_REQUEST_BYTES);
        }
        length += (size_t)n;
    }
    return look_run(&look, paths, show_files, NULL);
}

int cli_maps(struct cli_words *given) {
    char path[32] = "1/maps", **at;
    struct look look;
    uint64_t pid;

    if (!take_file_words(given, &look, &at)) {
        return CLI_EXIT_OURS;
    }
    if (at[0] != NULL) {
        if (at[1] != NULL) {
            return cli_wrong("maps takes one process, not '%s' as well", at[1]);
        }
        if (!cli_number_parse("maps", at[0], &pid)) {
            return CLI_EXIT_OURS;
        }
        snprintf(path, sizeof path, "%" PRIu64 "/maps", pid);
    }
    return look_run(&look, path, show_maps, NULL);
}

/* ---- machines ----------------------------------------------------------------------------------
 */

/* False: it has ended since it was listed. */
static bool show_run(int pid, bool json, bool first) {
    char message[LIVE_MESSAGE_BYTES], command[LIVE_REQUEST_BYTES] = "", ram[CLI_TEXT_BYTES];
    struct live *live = live_connect(pid, message);

    if (live == NULL || !live_read(live, "quire uptime meminfo", message)) {
        live_disconnect(live);
        return false;
    }
    const char *about = live_text(live, "quire"), *uptime = live_text(live, "uptime");
    uint64_t bytes = live_number(live_text(live, "meminfo"), "MemTotal") * 1024;
    double up_s = uptime != NULL ? strtod(uptime, NULL) : 0;
    live_word(about, "command", command, sizeof command);
    if (json) {
        printf("%s{\"run\":%d,\"ram_bytes\":%" PRIu64 ",\"uptime_s\":%.2f,\"command\":",
               first ? "" : ",", pid, bytes, up_s);
        look_json_string(stdout, command);
        putchar('}');
    } else {
        if (first) {
            printf("%7s %9s %10s COMMAND\n", "RUN", "RAM", "CLOCK");
        }
        printf("%7d %9s %8.2f s %s\n", pid, cli_size_text(bytes, ram), up_s, command);
    }
    live_disconnect(live);
    return true;
}

int cli_list(struct cli_words *given) {
    static int pids[RUNS_MAX];
    struct look_words words = {given->at, NULL};
    const char *value;
    bool json = false, first = true;
    int option;

    while ((option = look_option_next(&words, list_options, NLIST_OPTIONS, &value)) >= 0) {
        json = true;
    }
    if (option == CLI_OPTIONS_WRONG) {
        return CLI_EXIT_OURS;
    }
    if (words.at[0] != NULL) {
        return cli_wrong("list takes options only, not '%s'", words.at[0]);
    }
    size_t n = live_list(pids, RUNS_MAX);
    if (json) {
        putchar('[');
    }
    for (size_t i = 0; i < n && i < RUNS_MAX; i++) {
        first = !show_run(pids[i], json, first) && first;
    }
    if (json) {
        puts("]");
    } else if (first) {
        cli_wrong("no machine runs that could be looked at; 'quire run -- PROGRAM' starts one");
    }
    return fflush(stdout) == 0 ? 0 : cli_wrong("standard output cannot be written");
}
