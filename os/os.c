/* os.c: bring the whole machine up and down, and answer the memory manager's last resort.
 *
 * It owns struct os: the machine, the manager on it, the file system's state, the process table.
 *
 *      os_create ─▶ machine ─▶ manager, swap ─▶ files ─▶ vdso page
 *      os_start  ─▶ process 1 ─▶ program found in PATH, loaded
 *      os_run    ─▶ sched.c
 *      os_destroy: the same backwards
 *
 * The OOM killer's choice comes as a call from inside some memory operation. What can be done at
 * once is done at once (the space goes, so that its memory is free when the call returns); all
 * else, which might call the manager again, waits until the victim's turn comes: a SIGKILL does the
 * rest. The one space that may not go is that of the task at work: it learns of it by QUIRE_KILLED.
 *
 * I1  After os_create each pointer of struct os is valid until os_destroy.
 * I2  The space of os->current is never destroyed by oom_kill.
 *
 * Failures: one line of text for people. Called by the command and by tests. Audit: quire_destroy
 * panics over a leaked space or object.
 */
#include "os/os.h"
#include "os/call_table.h"
#include "os/process.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_CANNOT_RUN 126 /* as env(1) and sh(1) */
#define EXIT_NOT_FOUND  127

void os_log(struct os *os, const char *format, ...) {
    char line[512];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    os_console_touched(os, "\n", 1); /* how it ends */
    fprintf(stderr, "quire: %s\n", line);
}

static void machine_log(void *context, const char *line) {
    os_log(context, "%s", line);
}

/* ---- out of memory --------------------------------------------------------------------------- */

/* End all processes in this memory. What can go goes now; returns how many they were. */
static unsigned end_memory(struct os *os, struct os_memory *memory, const char *why) {
    bool current = os->current && os->current->process->memory == memory;
    unsigned ended = 0;
    for (struct os_process *process = os->processes; process; process = process->next) {
        if (process->memory != memory || process->zombie)
            continue;
        ended++;
        if (os->watch.context)
            os->watch.oom(os->watch.context, process->pid, process->name, why);
        process->oom_killed = true;
        process->infos[OS_SIGKILL] =
            (struct os_signal_info){.signo = OS_SIGKILL, .code = OS_SI_KERNEL};
        os_signal_process(process, OS_SIGKILL, &process->infos[OS_SIGKILL]);
        if (!current)
            process->space = NULL;
    }
    if (ended && !current && memory->space) { /* I2 */
        quire_space_destroy(memory->space);
        memory->space = NULL;
    }
    return ended;
}

/* The victim's whole job, as memory.oom.group has it: but for those that said never. */
static unsigned end_group(struct os *os, int group, const char *why) {
    unsigned ended = 0;
    for (struct os_process *process = os->processes; process; process = process->next)
        if (process->group == group && !process->zombie && !process->oom_killed && process->space &&
            quire_space_oom_score_adj(process->space) != OS_OOM_NEVER)
            ended += end_memory(os, process->memory, why);
    return ended;
}

static void oom_kill(void *context, void *owner, const char *why) {
    struct os *os = context;
    struct os_memory *memory = owner;
    const char *numbers = strstr(why, "total-vm"); /* what comes before, we say ourselves */
    const struct os_process *victim = os->processes;
    char others[64] = "";
    while (victim && (victim->memory != memory || victim->zombie))
        victim = victim->next;
    if (!victim)
        return;
    unsigned ended = end_memory(os, memory, why);
    if (os->config.oom_group)
        ended += end_group(os, victim->group, why);
    if (os->config.oom_group)
        snprintf(others, sizeof others, ", and with it %u more of its process group %d", ended - 1,
                 victim->group);
    else if (ended > 1)
        snprintf(others, sizeof others, ", and %u more that used its memory", ended - 1);
    os->summary.oom_decisions++;
    os->summary.oom_killed += ended;
    snprintf(os->summary.oom_line, sizeof os->summary.oom_line,
             "out of memory: killed process %d (%s)%s: %s", victim->pid, victim->name, others,
             numbers ? numbers : why);
    os_log(os, "%s", os->summary.oom_line);
}

/* ---- up and down ----------------------------------------------------------------------------- */

/* The page that signal handlers return to: `li a7, 139` (rt_sigreturn) and `ecall`, in these very
 * words because unwinders recognise a signal frame by them. */
static const uint32_t trampoline[] = {0x08b00893, 0x00000073};

static enum quire_status vdso_read(void *context, uint64_t offset, void *frame) {
    (void)context;
    memset(frame, 0, QUIRE_PAGE_SIZE);
    if (offset == 0)
        memcpy(frame, trampoline, sizeof trampoline);
    return QUIRE_OK;
}

static uint64_t vdso_size(void *context) {
    (void)context;
    return QUIRE_PAGE_SIZE;
}

static void vdso_release(void *context) {
    (void)context;
}

static enum quire_status make_vdso(struct os *os) {
    static const struct quire_pager pager = {
        .read = vdso_read, .size = vdso_size, .release = vdso_release};
    static const struct quire_object_info info = {.name = "[vdso]"};
    return quire_object_create_file(os->quire, &pager, os, &info, &os->vdso);
}

static void free_config(struct os_config *config) {
    free((char *)config->root);
    free((char *)config->cwd);
    for (unsigned i = 0; config->binds && i < config->nbinds; i++) {
        free((char *)config->binds[i].host_path);
        free((char *)config->binds[i].guest_path);
    }
    free((struct os_bind *)config->binds);
}

/* False: the host has no memory. What was copied is in *to all the same. */
static bool copy_config(struct os_config *to, const struct os_config *from) {
    *to = *from;
    to->root = from->root ? strdup(from->root) : NULL;
    to->cwd = from->cwd ? strdup(from->cwd) : NULL;
    struct os_bind *binds = calloc(from->nbinds + 1, sizeof *binds);
    to->binds = binds;
    bool good = binds && (to->root || !from->root) && (to->cwd || !from->cwd);
    for (unsigned i = 0; binds && i < from->nbinds; i++) {
        binds[i].host_path = strdup(from->binds[i].host_path);
        binds[i].guest_path = strdup(from->binds[i].guest_path);
        good = good && binds[i].host_path && binds[i].guest_path;
    }
    return good;
}

static enum quire_status use_swap(struct os *os, unsigned device) {
    const struct os_swap *swap = &os->config.swaps[device];
    enum quire_status status = QUIRE_OK;
    if (swap->fd < 0)
        return quire_swapon(os->quire, device, swap->priority);
    status = quire_soft_swap_attach(os->machine, device, swap->fd, swap->bytes >> QUIRE_PAGE_SHIFT);
    if (status == QUIRE_OK)
        status = quire_swapon_file(os->quire, device, swap->priority, swap->path);
    if (status == QUIRE_OK)
        os_swap_note(os, device, swap->fd);
    return status;
}

/* Nobody knows how large a disk that grows will be: beside one, mode 0 has nothing to refuse by. */
static enum quire_overcommit_mode overcommit_of(const struct os_config *config) {
    bool grows = false;
    for (unsigned i = 0; i < config->nswaps; i++)
        grows |= config->swaps[i].step_bytes > 0;
    return config->overcommit == QUIRE_OVERCOMMIT_HEURISTIC && grows
               ? QUIRE_OVERCOMMIT_ALWAYS
               : (enum quire_overcommit_mode)config->overcommit;
}

static enum quire_status make_machine(struct os *os) {
    struct quire_soft_config soft = {
        .ram_bytes = os->config.ram_bytes,
        .seed = os->config.seed,
        .harts = os->nharts,
        .oom_kill = oom_kill,
        .log = machine_log,
        .context = os,
    };
    for (unsigned i = 0; i < os->config.nswaps; i++) {
        const struct os_swap *swap = &os->config.swaps[i];
        if (swap->fd >= 0)
            continue;
        soft.swap_bytes[i] = swap->bytes;
        soft.swap_step_bytes[i] = swap->step_bytes;
        soft.swap_max_bytes[i] = swap->max_bytes;
    }
    enum quire_status status = quire_soft_create(&soft, &os->machine);
    if (status != QUIRE_OK)
        return status;
    struct quire_soft_layout layout;
    quire_soft_layout(os->machine, &layout);
    struct quire_config config = {.machine = os->machine,
                                  .kernel_area_va = layout.area_base,
                                  .swappiness = OS_SWAPPINESS,
                                  .page_cluster = OS_PAGE_CLUSTER,
                                  .ncpus = os->nharts,
                                  .thp = os->config.thp,
                                  .policy = os->config.policy,
                                  .overcommit = overcommit_of(&os->config)};
    status = quire_create(&config, &os->quire);
    if (status != QUIRE_OK)
        return status;
    if (os->config.zswap != QUIRE_ZSWAP_NONE)
        status = quire_zswap(os->quire, os->config.zswap, os->config.zswap_percent);
    if (status != QUIRE_OK)
        return status;
    for (unsigned i = 0; i < os->config.nswaps && status == QUIRE_OK; i++)
        status = use_swap(os, i);
    return status == QUIRE_OK ? make_vdso(os) : status;
}

struct os *os_create(const struct os_config *config, char *message, size_t capacity) {
    struct os *os = calloc(1, sizeof *os);
    if (!os || !copy_config(&os->config, config)) {
        snprintf(message, capacity, "the host has no memory");
        goto undo;
    }
    os->random_state = config->seed;
    os_harts_begin(os);
    if (config->check_calls && !(os->check = os_check_create())) {
        snprintf(message, capacity, "the host has no memory");
        goto undo;
    }
    enum quire_status status = make_machine(os);
    if (status == QUIRE_INVAL) {
        snprintf(message, capacity,
                 "a machine of %llu bytes of RAM with this swap cannot be made%s",
                 (unsigned long long)config->ram_bytes,
                 os->quire && config->zswap != QUIRE_ZSWAP_NONE
                     ? "; was this quire built without the library for --zswap?"
                     : "");
        goto undo;
    }
    if (status != QUIRE_OK) {
        snprintf(
            message, capacity,
            "%s: no memory for a machine of %llu bytes of RAM (too small for the memory manager "
            "itself, or too large for the host)",
            quire_status_name(status), (unsigned long long)config->ram_bytes);
        goto undo;
    }
    os->fs = os_fs_create(os, &os->config, message, capacity);
    if (!os->fs)
        goto undo;
    return os;
undo:
    os_destroy(os);
    return NULL;
}

void os_destroy(struct os *os) {
    if (!os)
        return;
    while (os->processes) {
        struct os_process *process = os->processes;
        os->processes = process->next;
        os_process_free(process);
    }
    if (os->fs)
        os_fs_destroy(os->fs);
    os_shm_destroy_all(os);
    os_sem_destroy_all(os);
    os_msg_destroy_all(os);
    if (os->vdso)
        quire_object_unref(os->vdso);
    if (os->quire)
        quire_destroy(os->quire);
    if (os->machine)
        quire_soft_destroy(os->machine);
    os_check_destroy(os->check);
    free_config(&os->config);
    free(os);
}

/* ---- the first program ----------------------------------------------------------------------- */

static const char *find_variable(char *const envp[], const char *name) {
    size_t length = strlen(name);
    for (; *envp; envp++)
        if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
            return *envp + length + 1;
    return NULL;
}

/* Load name from each directory of PATH in turn, as execvp does: permission denied is remembered,
 * not found goes on. */
static int64_t exec_in_path(struct os_task *task, const char *name, const char *search,
                            struct os_strings *argv, struct os_strings *envp,
                            struct os_load_error *error) {
    int64_t result = -OS_ENOENT;
    while (true) {
        size_t length = strcspn(search, ":");
        char path[OS_PATH_MAX];
        struct os_file *file;
        int printed =
            snprintf(path, sizeof path, "%.*s/%s", (int)length, length ? search : ".", name);
        if (length == 0)
            printed = snprintf(path, sizeof path, "./%s", name);
        if (printed > 0 && (size_t)printed < sizeof path &&
            os_open_program(task->process, path, &file) == 0) {
            bool executable = os_file_is_executable(file);
            os_file_release(file);
            if (executable)
                return os_exec(task, path, argv, envp, error);
            if (result == -OS_ENOENT) {
                result = -OS_EACCES;
                snprintf(error->message, sizeof error->message, "%.380s: is not an executable file",
                         path);
            }
        }
        search += length;
        if (*search == 0)
            break;
        search++;
    }
    if (result == -OS_ENOENT)
        snprintf(error->message, sizeof error->message,
                 "%s: not found in PATH of the programs' root", name);
    return result;
}

static bool copy_strings(struct os_strings *to, char *const from[]) {
    for (; *from; from++)
        if (!os_strings_add(to, *from, strlen(*from)))
            return false;
    return true;
}

bool os_start(struct os *os, char *const argv[], char *const envp[], struct os_start_error *error) {
    struct os_strings arguments = {0}, environment = {0};
    struct os_load_error why = {{0}};
    int64_t result = -OS_ENOMEM;
    os->init = os_process_create_first(os);
    snprintf(why.message, sizeof why.message, "the host has no memory");
    if (os->init && copy_strings(&arguments, argv) && copy_strings(&environment, envp)) {
        const char *search = find_variable(envp, "PATH");
        os->current = os->init->tasks;
        os->summary.processes = 1;
        if (strchr(argv[0], '/'))
            result = os_exec(os->current, argv[0], &arguments, &environment, &why);
        else
            result = exec_in_path(os->current, argv[0], search ? search : "/usr/bin:/bin",
                                  &arguments, &environment, &why);
        os->current = NULL;
    }
    os_strings_free(&arguments);
    os_strings_free(&environment);
    if (result == 0)
        return true;
    bool missing = result == -OS_ENOENT || result == -OS_ENOTDIR;
    /* The program is there when only its loader is missing. */
    if (missing && strstr(why.message, "needs its loader"))
        missing = false;
    error->exit_code = missing ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    snprintf(error->message, sizeof error->message, "%s", why.message);
    return false;
}

/* ---- for the command ------------------------------------------------------------------------- */

void os_interrupt(struct os *os, int signal) {
    if (signal < 1 || signal > OS_NSIG)
        return;
    os->interrupts[signal] = 1;
    os->interrupted = 1;
}

void os_summary(const struct os *os, struct os_summary *summary) {
    *summary = os->summary;
    summary->harts = os->nharts;
}

struct quire *os_quire(struct os *os) {
    return os->quire;
}

struct quire_machine *os_machine(struct os *os) {
    return os->machine;
}

struct os_fs *os_fs(struct os *os) {
    return os->fs;
}

const struct os_config *os_config(const struct os *os) {
    return &os->config;
}
