/* doctor.c: `quire doctor`: what this host has and lacks for quire, and what to do about it.
 *
 * A line for each thing, from what is needed for anything to what is needed for little. Whatever
 * can be tried is tried (a machine is made, a socket's place is opened) rather than guessed from
 * versions. Nothing is left behind, and nothing goes to the network.
 *
 *     ok      it is as it should be
 *     note    a part is missing, or goes slower, with advice
 *     fail    no program can be run, with advice; the exit code is 1
 */
#include "cli/look.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "os/os.h"

#define MIB        ((uint64_t)1 << 20)
#define PATH_BYTES 4096
#define TEXT_BYTES 512
#define NEEDED_MIB 320  /* the default machine of 256M, and what it takes beside its RAM */
#define TREE_MIB   1024 /* a tree with Python and a compiler's libraries */
#define FILES_MIN  256

enum state { OK, NOTE, FAIL };

struct doctor {
    bool json, any, failed;
};

static void tell(struct doctor *doctor, enum state state, const char *name, const char *advice,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* advice NULL: nothing to do. */
static void tell(struct doctor *doctor, enum state state, const char *name, const char *advice,
                 const char *format, ...) {
    static const char *const states[] = {"ok", "note", "fail"};
    char text[TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    doctor->failed |= state == FAIL;
    if (!doctor->json) {
        printf("%-5s %-10s %s\n", states[state], name, text);
        if (advice != NULL) {
            printf("%16s %s\n", "", advice);
        }
        return;
    }
    printf("%s{\"name\":\"%s\",\"state\":\"%s\",\"text\":", doctor->any ? "," : "[", name,
           states[state]);
    look_json_string(stdout, text);
    fputs(",\"advice\":", stdout);
    look_json_string(stdout, advice != NULL ? advice : "");
    putchar('}');
    doctor->any = true;
}

/* The first line of a file; false: it cannot be read. */
static bool first_line(const char *path, char line[TEXT_BYTES]) {
    FILE *file = fopen(path, "re");
    bool good = file != NULL && fgets(line, TEXT_BYTES, file) != NULL;

    if (file != NULL) {
        fclose(file);
    }
    if (good) {
        line[strcspn(line, "\n")] = '\0';
    }
    return good;
}

static bool in_path(const char *command) {
    const char *at = getenv("PATH");
    char path[PATH_BYTES];

    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ":");
        int n = snprintf(path, sizeof path, "%.*s/%s", (int)length, at, command);
        if (n > 0 && (size_t)n < sizeof path && access(path, X_OK) == 0) {
            return true;
        }
        at += length + (at[length] == ':');
    }
    return false;
}

/* ---- what every run needs ---------------------------------------------------------------------
 */

static void look_at_kernel(struct doctor *doctor) {
    struct utsname name;

    if (uname(&name) != 0) {
        return;
    }
    bool translates = strcmp(name.machine, "x86_64") == 0;
    tell(doctor, translates ? OK : NOTE, "kernel",
         translates ? NULL : "programs are interpreted here; on x86_64 they are translated",
         "%s %s on %s", name.sysname, name.release, name.machine);
}

/* Can a machine be made? With that compressed store, or without any. */
static bool make_machine(enum quire_zswap zswap, char *message, size_t capacity) {
    struct os_config config = {
        .ram_bytes = 8 * MIB, .seed = 1, .zswap = zswap, .zswap_percent = 20};
    struct os *os = os_create(&config, message, capacity);
    bool good = os != NULL;

    os_destroy(os);
    return good;
}

static void look_at_machine(struct doctor *doctor) {
    char message[TEXT_BYTES];

    if (!make_machine(QUIRE_ZSWAP_NONE, message, sizeof message)) {
        tell(doctor, FAIL, "machine", "see the lines on memory and limits", "%s", message);
        return;
    }
    tell(doctor, OK, "machine", NULL, "a machine can be made");
    bool lz4 = make_machine(QUIRE_ZSWAP_LZ4, message, sizeof message);
    bool zstd = make_machine(QUIRE_ZSWAP_ZSTD, message, sizeof message);
    tell(doctor, lz4 && zstd ? OK : NOTE, "zswap",
         lz4 && zstd ? NULL : "build quire again after: apt-get install liblz4-dev libzstd-dev",
         "compressors: %s%s%s", lz4 ? "lz4 " : "", zstd ? "zstd" : "", lz4 || zstd ? "" : "none");
}

static uint64_t available_mib(void) {
    char line[TEXT_BYTES];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib / 1024;
}

static void look_at_memory(struct doctor *doctor) {
    uint64_t mib = available_mib();
    struct rlimit limit;
    char line[TEXT_BYTES], text[CLI_TEXT_BYTES];

    tell(doctor, mib >= NEEDED_MIB ? OK : NOTE, "memory",
         mib >= NEEDED_MIB ? NULL : "the default machine has 256M; give it less with --ram",
         "%s are available", cli_size_text(mib * MIB, text));
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        bool enough = limit.rlim_cur >= 4 * NEEDED_MIB * MIB;
        tell(doctor, enough ? OK : NOTE, "limit", enough ? NULL : "ulimit -v unlimited lifts it",
             "address space: %s", cli_size_text(limit.rlim_cur, text));
    }
    /* Of a container: its own group is the root of what it sees. */
    if (first_line("/sys/fs/cgroup/memory.max", line) && strcmp(line, "max") != 0) {
        uint64_t most = strtoull(line, NULL, 10);
        tell(doctor, most >= NEEDED_MIB * MIB ? OK : NOTE, "limit",
             most >= NEEDED_MIB * MIB ? NULL : "give machines less with --ram",
             "memory of this container: %s", cli_size_text(most, text));
    }
    if (first_line("/proc/sys/vm/overcommit_memory", line) && strcmp(line, "2") == 0) {
        tell(doctor, NOTE, "overcommit", "sysctl vm.overcommit_memory=0, as root",
             "this host promises only what it has: machines cannot be larger than that");
    }
}

static void look_at_thp(struct doctor *doctor) {
    char line[TEXT_BYTES];

    if (!first_line("/sys/kernel/mm/transparent_hugepage/enabled", line)) {
        tell(doctor, NOTE, "thp", "runs are right, and somewhat slower",
             "this kernel has no transparent huge pages");
        return;
    }
    bool never = strstr(line, "[never]") != NULL;
    tell(doctor, never ? NOTE : OK, "thp",
         never ? "faster, as root: echo madvise >/sys/kernel/mm/transparent_hugepage/enabled"
               : NULL,
         "transparent huge pages of the host: %s", line);
}

static void look_at_files(struct doctor *doctor) {
    struct rlimit limit;
    char path[PATH_BYTES];

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        bool enough = limit.rlim_cur >= FILES_MIN;
        tell(doctor, enough ? OK : NOTE, "files", enough ? NULL : "ulimit -n 1024",
             "%" PRIu64 " may be open at once", (uint64_t)limit.rlim_cur);
    }
    if (live_place(path, sizeof path)) {
        tell(doctor, OK, "live", NULL, "runs can be looked at through %s", path);
    } else {
        tell(doctor, NOTE, "live",
             "set TMPDIR to a shorter path, and run where sockets are allowed",
             "there is no name for sockets: quire top and its like see no run");
    }
}

/* ---- what trees of programs need --------------------------------------------------------------
 */

static void look_at_space(struct doctor *doctor) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[PATH_BYTES], text[CLI_TEXT_BYTES];
    struct statvfs fs;

    if (cache != NULL && cache[0] == '/') {
        snprintf(path, sizeof path, "%s", cache);
    } else if (home != NULL && home[0] == '/') {
        snprintf(path, sizeof path, "%s", home);
    } else {
        tell(doctor, NOTE, "space", "set HOME, or XDG_CACHE_HOME",
             "there is no place for downloaded packages");
        return;
    }
    if (statvfs(path, &fs) != 0 || access(path, W_OK) != 0) {
        tell(doctor, NOTE, "space", "set XDG_CACHE_HOME to a directory that can be written",
             "%s cannot be written", path);
        return;
    }
    uint64_t bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    bool enough = bytes >= TREE_MIB * MIB;
    tell(doctor, enough ? OK : NOTE, "space",
         enough ? NULL : "a tree of programs takes some hundred MiB; set XDG_CACHE_HOME elsewhere",
         "%s free for trees of programs, in %s", cli_size_text(bytes, text), path);
}

/* Does apt know any place that packages come from? */
static bool has_sources(void) {
    struct stat st;
    bool any = stat("/etc/apt/sources.list", &st) == 0 && st.st_size > 0;
    DIR *names = opendir("/etc/apt/sources.list.d");
    const struct dirent *entry;
    while (names != NULL && (entry = readdir(names)) != NULL) {
        any |= strstr(entry->d_name, ".list") != NULL || strstr(entry->d_name, ".sources") != NULL;
    }
    if (names != NULL) {
        closedir(names);
    }
    return any;
}

static void look_at_packages(struct doctor *doctor) {
    static const char *const tools[][2] = {
        {"apt-get", "apt"}, {"dpkg-deb", "dpkg"}, {"flock", "util-linux"}};
    char missing[TEXT_BYTES] = "", packages[TEXT_BYTES] = "apt-get install";

    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        if (!in_path(tools[i][0])) {
            strncat(missing, " ", sizeof missing - strlen(missing) - 1);
            strncat(missing, tools[i][0], sizeof missing - strlen(missing) - 1);
            strncat(packages, " ", sizeof packages - strlen(packages) - 1);
            strncat(packages, tools[i][1], sizeof packages - strlen(packages) - 1);
        }
    }
    if (missing[0] != '\0') {
        tell(doctor, NOTE, "packages",
             in_path("apt-get") ? packages
                                : "quire root create needs a Debian or Ubuntu; other trees work "
                                  "with --root as well",
             "quire root create cannot work without:%s", missing);
    } else if (!has_sources()) {
        tell(doctor, NOTE, "packages",
             "put a source into /etc/apt/sources.list, see sources.list(5)",
             "apt has no sources of packages");
    } else {
        tell(doctor, OK, "packages", NULL,
             "apt is here and has sources: quire root create makes trees of RISC-V programs");
    }
}

static void look_at_compiler(struct doctor *doctor) {
    bool compiler = in_path("riscv64-linux-gnu-gcc");
    bool libc = access("/usr/riscv64-linux-gnu/include/stdio.h", R_OK) == 0;

    if (compiler && libc) {
        tell(doctor, OK, "compiler", NULL, "riscv64-linux-gnu-gcc, with a C library");
    } else {
        tell(doctor, NOTE, "compiler",
             "apt-get install gcc-riscv64-linux-gnu libc6-dev-riscv64-cross",
             "no %s for programs of your own",
             compiler ? "C library of RISC-V" : "compiler for RISC-V");
    }
}

/* ---- the command ------------------------------------------------------------------------------
 */

enum { JSON };

static const struct look_option options[] = {
    [JSON] = {0, "json", NULL, NULL, "as one line of JSON"},
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_doctor_help(void) {
    puts("quire doctor [--json]\n\n"
         "What this host has and lacks for quire: a line for each thing, and what to do about it.\n"
         "The exit code is 1 if no program can be run here. Nothing is changed.\n");
    look_options_print(options, NOPTIONS);
}

int cli_doctor(struct cli_words *given) {
    struct look_words words = {given->at, NULL};
    struct doctor doctor = {.json = false};
    const char *value;
    int option;

    while ((option = look_option_next(&words, options, NOPTIONS, &value)) >= 0) {
        doctor.json = true;
    }
    if (option == CLI_OPTIONS_WRONG) {
        return CLI_EXIT_OURS;
    }
    if (words.at[0] != NULL) {
        return cli_wrong("doctor takes options only, not '%s'", words.at[0]);
    }
    look_at_kernel(&doctor);
    look_at_machine(&doctor);
    look_at_memory(&doctor);
    look_at_thp(&doctor);
    look_at_files(&doctor);
    look_at_space(&doctor);
    look_at_packages(&doctor);
    look_at_compiler(&doctor);
    if (doctor.json) {
        puts("]");
    }
    if (fflush(stdout) != 0) {
        return cli_wrong("standard output cannot be written");
    }
    return doctor.failed ? 1 : 0;
}
