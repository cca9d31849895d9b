/* os.h: a minimal Linux for RISC-V programs on the software machine: what the command line needs.
 *
 * The kernel of the machine is host code: a trap of the processor is a return from quire_soft_run
 * into os_run. It is not thread-safe and needs no other thread. Names outside the library begin
 * with os_; only the command is linked with them.
 */
#ifndef QUIRE_OS_OS_H
#define QUIRE_OS_OS_H

#include <quire/quire.h>

#include <stdio.h>

#include "machine/soft/soft.h"

struct os;

struct os_bind {
    const char *host_path;  /* a directory of the host, absolute */
    const char *guest_path; /* where the programs see it, absolute */
};

/* One swap area, in order of use where priorities leave it open. */
struct os_swap {
    int fd;           /* a file with a swap header, open for reading and writing, or -1: memory */
    const char *path; /* of the file, for /proc/swaps */
    uint64_t bytes;   /* whole pages */
    uint64_t step_bytes, max_bytes; /* memory that grows; 0: it does not */
    int priority;                   /* or QUIRE_SWAP_PRIORITY_AUTO */
};
#define OS_SWAPS_MAX QUIRE_SOFT_SWAPS

struct os_config {
    const char *root; /* directory of the host that is the programs' /; NULL: the host's / itself */
    const struct os_bind *binds;
    unsigned nbinds;
    const char *cwd;             /* working directory as the program sees it; NULL: / */
    bool host_clock;             /* times from the host instead of the virtual clock */
    uint64_t seed;               /* AT_RANDOM, getrandom */
    uint64_t stack_limit_bytes;  /* RLIMIT_STACK, 0: 8 MiB */
    unsigned harts;              /* processors, 1 to 64; 0: one */
    uint64_t ram_bytes;          /* of the machine to be made */
    const struct os_swap *swaps; /* used by os_create only; the descriptors stay the caller's */
    unsigned nswaps;
    enum quire_zswap zswap; /* compressed pages in RAM, in so many percent of it */
    unsigned zswap_percent;
    enum quire_thp thp;                /* blocks of 2 MiB */
    const struct quire_policy *policy; /* NULL: the default */
    unsigned overcommit;               /* vm.overcommit_memory: 0, 1 or 2 */
    FILE *trace;      /* a line for each system call; NULL: none; stays the caller's */
    bool oom_group;   /* the OOM killer ends the whole process group of its choice */
    bool check_calls; /* copies that the table of calls does not declare end the run */
};

/* The machine, the memory manager on it, and an empty process table. On failure, NULL and one clear
 * line in message (capacity bytes). */
struct os *os_create(const struct os_config *config, char *message, size_t capacity);
void os_destroy(struct os *os);

/* Why a program could not be started, in the terms of env and docker: 126 (found but cannot be
 * run) or 127 (not found), with one line that says what is wrong and what would be right. */
struct os_start_error {
    int exit_code;
    char message[512];
};

/* Load a program as process 1: argv[0] is searched in PATH of envp if it has no slash. */
bool os_start(struct os *os, char *const argv[], char *const envp[], struct os_start_error *error);

/* Run until process 1 has ended (its orphans are killed then). Returns the exit status that the
 * shell would show: 0-255, 128 + signal. */
int os_run(struct os *os);

/* Ask for a signal to process 1, as Ctrl-C would; safe to call from a host signal handler. */
void os_interrupt(struct os *os, int signal);

/* ---- looking on from outside: visit.c ---- */

/* Who asked for a moment gets it: visit(context), called by os_run between two turns, in its
 * thread, soon after os_visit_ask. It may read, with os_proc_read and the counters of what os_quire
 * and os_machine give; a run is the same whether it is visited or not. Set it before os_run. */
void os_visit(struct os *os, void (*visit)(void *context), void *context);
/* The one call that another thread, or a signal handler, may make while os_run runs. O(1). */
void os_visit_ask(struct os *os);
/* touch is called, in os_run's thread, before programs or this kernel write to the host's terminal
 * (bytes), and before programs read from it or set it up (NULL). touch NULL: nobody is called. */
void os_console_watch(struct os *os, void (*touch)(void *context, const char *bytes, size_t nbytes),
                      void *context);
/* A file of the machine's /proc, path without "/proc/"; of a directory its names, one a line, of a
 * link that leads elsewhere its target. self is process 1. 0, and *bytes is for free() and ends
 * with a 0 that *nbytes does not count; or ENOENT, ENOTDIR, ENAMETOOLONG, ENOMEM, and EACCES for
 * what is no text. Only inside a visit, or after os_run. */
int os_proc_read(struct os *os, const char *path, char **bytes, size_t *nbytes);
/* The same of what pictures need and /proc has not: visit_picture.c has the names. */
int os_picture_read(struct os *os, const char *path, char **bytes, size_t *nbytes);

struct os_summary {
    uint64_t syscalls, unknown_syscalls, processes;
    uint64_t wall_ns; /* the machine's clock */
    unsigned harts;
    bool killed_by_oom;                 /* process 1 was the OOM killer's choice */
    char oom_line[256];                 /* the last OOM decision, empty if none */
    uint64_t oom_decisions, oom_killed; /* how often, and how many processes that were */
    /* The numbers of the unknown calls seen, with their counts; the first 16. */
    struct {
        unsigned number;
        uint64_t count;
    } unknown[16];
};
void os_summary(const struct os *os, struct os_summary *summary);

/* ---- watching -------------------------------------------------------------------------------- */

/* Who wants to know what the programs do beyond what the machine sees. Nothing may be changed. */
struct os_watch {
    void *context;
    /* A system call of the program in this space, with these registers (x[] and pc, at the ecall);
     * the end is told with the same space, NULL if it is gone. */
    void (*call_begins)(void *context, struct quire_space *space, const struct quire_cpu *cpu);
    void (*call_ends)(void *context, struct quire_space *space);
    void (*turn_ends)(void *context); /* some time has gone by: a tenth of a millisecond or more */
    void (*oom)(void *context, int pid, const char *name, const char *why); /* before it goes */
    /* The kernel has copied bytes from or to a program's memory; NULL: nobody asks. */
    void (*copied)(void *context, struct quire_space *space, uint64_t va, size_t nbytes);
};
void os_watch(struct os *os, const struct os_watch *watch); /* copied; NULL: nobody any more */

/* A process that lives in this space; false: none does. name has room for 16 bytes. */
bool os_space_process(const struct os *os, const struct quire_space *space, int *pid, char *name);
/* A file by its name as maps shows it, opened on the host for reading; -1: it can't be. */
int os_image_open(const struct os *os, const char *path);

struct quire *os_quire(struct os *os);
struct quire_machine *os_machine(struct os *os);

#endif
