/* exec.c: replace a process's program: find it, follow #!, load it, and only then let the old one
 * go.
 *
 * It owns the lists of strings on their way from the old program to the new, and the vdso object.
 * The new program is built in a space of its own beside the old one; execve either succeeds wholly
 * or leaves the caller as it was. (Linux lets go of the old space first and must kill the process
 * when loading then fails; with room for two sets of tables there is no need.)
 *
 *     path ─▶ script? ─▶ its interpreter (at most 5 times)
 *               │
 *              ELF ─▶ parse ─▶ loader's ELF? parse ─▶ new space: map both, stack, trampoline
 *                                                        │ all went well: the point of no return
 *                      other tasks die · space changes hands · handlers reset · files closed
 *
 * I1  Before commit() nothing of the process has changed; after it nothing can fail.
 * I2  Strings and pointers of a caller are limited (ARG_MAX of Linux), whatever it passes.
 *
 * Failures: any errno, with one line of text that os_start shows to people. Called by the
 * system-call table and os.c. Audit: tests/run/proc_elf.c, proc_exec.c.
 */
#include "os/calls.h"
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_LINE_BYTES 256 /* BINPRM_BUF_SIZE: how much of a #! line is looked at */
#define SCRIPT_DEPTH      5
#define STRING_BYTES_MAX  (128u << 10) /* MAX_ARG_STRLEN: 32 pages */
#define STRINGS_BYTES_MAX (6u << 20)   /* Linux: a quarter of the stack's limit, at most 6 MiB */

/* ---- lists of strings ------------------------------------------------------------------------ */

static bool insert_string(struct os_strings *strings, size_t where, const char *text,
                          size_t length) {
    if (strings->count == strings->capacity) {
        size_t capacity = strings->capacity ? strings->capacity * 2 : 16;
        char **items = realloc(strings->items, capacity * sizeof *items);
        if (!items)
            return false;
        strings->items = items;
        strings->capacity = capacity;
    }
    char *copy = malloc(length + 1);
    if (!copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    memmove(strings->items + where + 1, strings->items + where,
            (strings->count - where) * sizeof *strings->items);
    strings->items[where] = copy;
    strings->count++;
    strings->bytes += length + 1;
    return true;
}

bool os_strings_add(struct os_strings *strings, const char *text, size_t length) {
    return insert_string(strings, strings->count, text, length);
}

static void remove_first(struct os_strings *strings) {
    if (strings->count == 0)
        return;
    strings->bytes -= strlen(strings->items[0]) + 1;
    free(strings->items[0]);
    memmove(strings->items, strings->items + 1, --strings->count * sizeof *strings->items);
}

void os_strings_free(struct os_strings *strings) {
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct os_strings){0};
}

/* Copy an array of string pointers that ends with 0 out of the program (I2). va 0 is an empty list.
 */
static int64_t get_strings(struct os_task *task, uint64_t va, struct os_strings *strings,
                           size_t limit) {
    char *buffer = malloc(STRING_BYTES_MAX);
    int64_t result = buffer ? 0 : -OS_ENOMEM;
    while (va != 0 && result == 0) {
        uint64_t pointer;
        result = os_copy_from_user(task, &pointer, va, sizeof pointer);
        if (result != 0 || pointer == 0)
            break;
        int64_t length = os_strncpy_from_user(task, buffer, pointer, STRING_BYTES_MAX);
        if (length < 0)
            result = length == -OS_ENAMETOOLONG ? -OS_E2BIG : length;
        else if (strings->bytes + (uint64_t)length + strings->count * sizeof pointer > limit)
            result = -OS_E2BIG;
        else if (!os_strings_add(strings, buffer, (size_t)length))
            result = -OS_ENOMEM;
        va += sizeof pointer;
    }
    free(buffer);
    return result;
}

/* ---- finding the program --------------------------------------------------------------------- */

static int64_t complain(struct os_load_error *error, int64_t result, const char *path,
                        const char *what) {
    snprintf(error->message, sizeof error->message, "%.380s: %s", path, what);
    return result;
}

static int64_t open_checked(struct os_process *process, const char *path, struct os_file **file,
                            struct os_load_error *error) {
    int64_t result = os_open_program(process, path, file);
    if (result == -OS_ENOENT)
        return complain(error, result, path, "no such file");
    if (result == -OS_ENOTDIR)
        return complain(error, result, path, "a part of the path is not a directory");
    if (result == -OS_EISDIR)
        return complain(error, -OS_EACCES, path, "is a directory");
    if (result == -OS_ELOOP)
        return complain(error, result, path, "too many symbolic links");
    if (result == -OS_EACCES)
        return complain(error, result, path, "permission denied (is it executable?)");
    if (result != 0)
        return complain(error, result, path, "cannot be opened");
    bool executable = os_file_is_executable(*file);
    if (executable && !os_file_is_written(*file))
        return 0;
    os_file_release(*file);
    return executable ? complain(error, -OS_ETXTBSY, path, "is still open to be written to")
                      : complain(error, -OS_EACCES, path, "is not an executable file (chmod +x?)");
}

/* If line begins with #!, cut out the interpreter and its one argument (NULL if it has none).
 * 1: a script, 0: not, or -ENOEXEC. */
static int64_t parse_script(char *line, char **interpreter, char **argument) {
    if (line[0] != '#' || line[1] != '!')
        return 0;
    char *end = strchr(line, '\n');
    if (end)
        *end = 0;
    char *at = line + 2 + strspn(line + 2, " \t");
    for (char *last = at + strlen(at); last > at && strchr(" \t\r", last[-1]);)
        *--last = 0;
    if (*at == 0)
        return -OS_ENOEXEC;
    *interpreter = at;
    at += strcspn(at, " \t");
    if (*at) {
        *at++ = 0;
        at += strspn(at, " \t");
    }
    *argument = *at ? at : NULL;
    return 1;
}

/* Open path; while it is a script, put its interpreter in front of argv and open that. */
static int64_t open_following(struct os_process *process, const char *path, struct os_strings *argv,
                              struct os_file **out, struct os_load_error *error) {
    char line[SCRIPT_LINE_BYTES + 1], current[OS_PATH_MAX];
    snprintf(current, sizeof current, "%s", path);
    for (unsigned depth = 0; depth <= SCRIPT_DEPTH; depth++) {
        int64_t result = open_checked(process, current, out, error);
        if (result != 0)
            return result;
        int64_t got = os_file_pread(*out, line, SCRIPT_LINE_BYTES, 0);
        line[got > 0 ? got : 0] = 0;
        char *interpreter, *argument;
        result = parse_script(line, &interpreter, &argument);
        if (result == 0)
            return 0;
        os_file_release(*out);
        if (result < 0)
            return complain(error, result, current, "has a #! line that names no interpreter");
        remove_first(argv);
        if (!insert_string(argv, 0, current, strlen(current)) ||
            (argument && !insert_string(argv, 0, argument, strlen(argument))) ||
            !insert_string(argv, 0, interpreter, strlen(interpreter)))
            return complain(error, -OS_ENOMEM, current, "the host has no memory");
        snprintf(current, sizeof current, "%s", interpreter);
    }
    return complain(error, -OS_ELOOP, path, "too many #! interpreters, one behind the other");
}

/* ---- building the new space ------------------------------------------------------------------ */

/* A program on its way into memory. */
struct load {
    struct os_file *file, *loader; /* loader: the ld.so, NULL for a static program */
    struct os_elf elf, loader_elf;
    struct os_memory *memory;
    uint64_t entry_va, sp;
};

static int64_t open_loader(struct os_process *process, struct load *load,
                           struct os_load_error *error) {
    const char *name = load->elf.interpreter, *path = os_file_path(load->file);
    int64_t result = os_open_program(process, name, &load->loader);
    if (result != 0) {
        const char *root = process->os->config.root;
        load->loader = NULL;
        snprintf(error->message, sizeof error->message,
                 "%.128s needs its loader %.128s, which is not in the root %.96s: run with --root "
                 "DIR, a RISC-V userland as `quire root create DIR PACKAGE` makes it",
                 path, name, root ? root : "/");
        return -OS_ENOENT;
    }
    result = os_elf_parse(load->loader, &load->loader_elf, error);
    if (result != 0)
        return result == -OS_ENOEXEC ? -OS_ELIBBAD : result;
    return 0;
}

/* Where a position-independent image of this size can go: at want if nothing is known against it,
 * or below map_top. 0 when there is no room. */
static uint64_t place(struct quire_space *space, const struct os_elf *elf, uint64_t want) {
    uint64_t span = elf->high - elf->low, slack = elf->align - QUIRE_PAGE_SIZE;
    if (want != 0) {
        want = (want + elf->align - 1) & ~(elf->align - 1);
        return span < OS_USER_HIGH - want ? want : 0;
    }
    /* Ask the manager for a free range by reserving one, and give it back. */
    quire_vaddr va = {0};
    if (span + slack < span || span + slack > OS_USER_HIGH ||
        quire_map(space, &va, span + slack, QUIRE_PROT_NONE, QUIRE_MAP_NORESERVE, NULL, 0) !=
            QUIRE_OK)
        return 0;
    if (quire_unmap(space, va, span + slack) != QUIRE_OK)
        return 0;
    return (va.value + elf->align - 1) & ~(elf->align - 1);
}

static int64_t map_image(struct load *load, struct os_file *file, const struct os_elf *elf,
                         uint64_t want, uint64_t *bias, struct os_load_error *error) {
    *bias = 0;
    if (elf->position_independent) {
        uint64_t base = place(load->memory->space, elf, want);
        if (base == 0)
            return complain(error, -OS_ENOMEM, os_file_path(file),
                            "is larger than the address space has room for");
        *bias = base - elf->low; /* may wrap; sums with linked addresses come out right */
    }
    return os_elf_map(load->memory->space, file, elf, *bias, error);
}

/* Map the program, its loader, the trampoline and the stack into load->memory. */
static int64_t build(struct os *os, struct load *load, const char *filename,
                     const struct os_strings *argv, const struct os_strings *envp,
                     uint64_t stack_limit, struct os_load_error *error) {
    const char *path = os_file_path(load->file);
    struct quire_space *space = load->memory->space;
    uint64_t bias, loader_bias = 0;
    int64_t result = map_image(load, load->file, &load->elf, OS_PIE_BASE, &bias, error);
    if (result != 0)
        return result;
    quire_brk_start(space, quire_va(load->elf.high + bias));
    load->entry_va = load->elf.entry + bias;
    os_file_identity(load->file, &load->memory->exe_device, &load->memory->exe_inode);
    if (load->loader) {
        result = map_image(load, load->loader, &load->loader_elf, 0, &loader_bias, error);
        if (result != 0)
            return result;
        load->entry_va = load->loader_elf.entry + loader_bias;
    }
    quire_vaddr trampoline = {0};
    if (quire_map(space, &trampoline, QUIRE_PAGE_SIZE, QUIRE_PROT_READ | QUIRE_PROT_EXEC, 0,
                  os->vdso, 0) != QUIRE_OK)
        return complain(error, -OS_ENOMEM, path, "no memory for the signal trampoline");
    load->memory->trampoline_va = trampoline.value;
    struct os_stack_image image = {
        .argv = argv,
        .envp = envp,
        .filename = filename,
        .headers_va = load->elf.headers_va ? load->elf.headers_va + bias : 0,
        .nheaders = load->elf.nheaders,
        .base_va = load->loader ? load->loader_elf.low + loader_bias : 0,
        .entry_va = load->elf.entry + bias,
        .executable = load->elf.executable_stack,
    };
    result = os_stack_build(os, space, stack_limit, &image, &load->sp);
    if (result == -OS_E2BIG)
        return complain(error, result, path, "the argument list is too long for the stack");
    if (result != 0)
        return complain(error, result, path, "no memory for the stack");
    return 0;
}

/* ---- the point of no return ------------------------------------------------------------------ */

/* For /proc/PID/cmdline and environ. Without memory on the host they stay what they were. */
static void set_text(char **text, size_t *nbytes, const struct os_strings *strings) {
    char *copy = malloc(strings->bytes + 1), *at = copy;
    if (!copy)
        return;
    for (size_t i = 0; i < strings->count; i++) {
        size_t length = strlen(strings->items[i]) + 1;
        memcpy(at, strings->items[i], length);
        at += length;
    }
    free(*text);
    *text = copy;
    *nbytes = strings->bytes;
}

static void set_names(struct os_process *process, const char *filename, const char *exe) {
    const char *base = strrchr(filename, '/');
    memset(process->name, 0, sizeof process->name);
    strncpy(process->name, base ? base + 1 : filename, sizeof process->name - 1);
    char *copy = strdup(exe);
    if (copy) {
        free(process->exe);
        process->exe = copy;
    }
}

static void commit(struct os_task *task, struct load *load, const char *filename,
                   const struct os_strings *argv, const struct os_strings *envp) {
    struct os_process *process = task->process;
    os_process_keep_only(task);
    os_robust_list_exit(task);
    os_memory_adopt(process, load->memory);
    load->memory = NULL;
    os_process_release_vfork(process);
    os_posix_timers_drop(task->process);
    os_signal_exec(task);
    os_files_close_on_exec(process->files);
    set_text(&process->command_line, &process->command_line_bytes, argv);
    set_text(&process->environment, &process->environment_bytes, envp);
    set_names(process, filename, os_file_path(load->file));
    process->has_execed = true;
    task->tid = process->pid;
    task->clear_tid_va = task->robust_list_va = 0;
    memset(&task->cpu, 0, sizeof task->cpu);
    task->cpu.x[2] = load->sp;
    task->cpu.pc = load->entry_va;
}

int64_t os_exec(struct os_task *task, const char *path, struct os_strings *argv,
                struct os_strings *envp, struct os_load_error *error) {
    struct os_process *process = task->process;
    struct load *load = calloc(1, sizeof *load);
    if (!load)
        return complain(error, -OS_ENOMEM, path, "the host has no memory");
    uint64_t stack_limit = process->rlimits[OS_RLIMIT_STACK][0];
    if (stack_limit > OS_USER_HIGH / 4)
        stack_limit = OS_USER_HIGH / 4;
    int64_t result = open_following(process, path, argv, &load->file, error);
    if (result != 0)
        goto no_file;
    result = os_elf_parse(load->file, &load->elf, error);
    if (result == 0 && load->elf.has_interpreter)
        result = open_loader(process, load, error);
    if (result != 0)
        goto done;
    load->memory = os_memory_create(task->os, stack_limit);
    if (!load->memory) {
        result = complain(error, -OS_ENOMEM, path, "the machine has no memory for a new program");
        goto done;
    }
    if (process->space) /* the process's word, not the program's: it stays (choom execs) */
        quire_space_set_oom_score_adj(load->memory->space,
                                      quire_space_oom_score_adj(process->space));
    result = build(task->os, load, path, argv, envp, stack_limit, error);
    if (result == 0)
        commit(task, load, path, argv, envp);
    else
        os_memory_release(load->memory);
done:
    if (load->loader)
        os_file_release(load->loader);
    os_file_release(load->file);
no_file:
    free(load);
    return result;
}

int64_t os_sys_execve(struct os_task *task, const uint64_t args[6]) {
    struct os_strings argv = {0}, envp = {0};
    struct os_load_error error = {{0}};
    char path[OS_PATH_MAX];
    int64_t result = os_strncpy_from_user(task, path, args[0], sizeof path);
    if (result < 0)
        return result;
    if (result == 0)
        return -OS_ENOENT;
    uint64_t limit = task->process->rlimits[OS_RLIMIT_STACK][0] / 4;
    if (limit > STRINGS_BYTES_MAX)
        limit = STRINGS_BYTES_MAX;
    if (limit < STRING_BYTES_MAX)
        limit = STRING_BYTES_MAX;
    result = get_strings(task, args[1], &argv, limit);
    if (result == 0)
        result = get_strings(task, args[2], &envp, limit);
    /* Linux gives a program without arguments one empty argument. */
    if (result == 0 && argv.count == 0 && !os_strings_add(&argv, "", 0))
        result = -OS_ENOMEM;
    if (result == 0)
        result = os_exec(task, path, &argv, &envp, &error);
    os_strings_free(&argv);
    os_strings_free(&envp);
    return result == 0 ? OS_NO_RETURN : result;
}
