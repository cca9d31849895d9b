/* cmd_memory.c: a process's calls on memory, and its loads and stores: those go through TLB, page
 * tables and faults as a program's own.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define TOUCHES_MAX (4 << 20)

static struct quire_space *space_of(struct lab_call *call) {
    return call->world->current->space;
}

/* ---- loads and stores -------------------------------------------------------------------------
 */

/* The program was ended; say by what, as its shell would. */
static bool ended(struct lab_call *call, enum quire_status status, uint64_t va,
                  enum quire_access access) {
    const char *what = access == QUIRE_ACCESS_WRITE  ? "write to"
                       : access == QUIRE_ACCESS_EXEC ? "execution at"
                                                     : "read of";
    const struct lab_process *process = call->world->current;
    lab_settle(call->world);
    if (status == QUIRE_NOMEM)
        return lab_refused(call, "the host has no memory for a TLB");
    call->result->has_value = true;
    call->result->value = -(int64_t)call->world->last_signal;
    if (status == QUIRE_KILLED)
        lab_say(call, "  process %d: killed for want of memory at 0x%" PRIx64 " (SIGKILL)\n",
                process->pid, va);
    else if (status == QUIRE_BUS)
        lab_say(call,
                "  process %d: bus error: %s 0x%" PRIx64 ": past the end of the file, or its "
                "bytes cannot be had (SIGBUS)\n",
                process->pid, what, va);
    else
        lab_say(call, "  process %d: segmentation fault: %s 0x%" PRIx64 ": %s (SIGSEGV, %s)\n",
                process->pid, what, va,
                status == QUIRE_DENIED ? "the region forbids it" : "nothing is mapped there",
                status == QUIRE_DENIED ? "SEGV_ACCERR" : "SEGV_MAPERR");
    return true;
}

/* Each page of the range once, a byte of it. True: done, or the program was ended (said). */
static bool touch_range(struct lab_call *call, uint64_t va, uint64_t nbytes, uint64_t stride,
                        enum quire_access access, int64_t value) {
    struct lab_process *process = call->world->current;
    for (uint64_t at = 0; at < nbytes; at += stride) {
        uint8_t *host;
        if (call->world->work++ > LAB_WORK_MAX)
            return lab_refused(call, "too much for one line: %u accesses are the end",
                               LAB_WORK_MAX);
        enum quire_status status = lab_access(call->world, process, va + at, access, &host);
        if (status != QUIRE_OK)
            return ended(call, status, va + at, access);
        if (access == QUIRE_ACCESS_WRITE)
            *host = (uint8_t)(value >= 0 ? value : (int64_t)((va + at) / PAGE));
        lab_settle(call->world);
        if (!process->space) { /* chosen by the OOM killer for somebody else's sake */
            lab_say(call, "  process %d: killed for want of memory (SIGKILL)\n", process->pid);
            return true;
        }
    }
    return true;
}

static bool touch_args(struct lab_call *call, int i, int64_t *va, int64_t *nbytes,
                       int64_t *stride) {
    if (!lab_number(call, i, va) || !lab_number_or(call, i + 1, 1, nbytes) ||
        !lab_number_or(call, i + 2, (int64_t)PAGE, stride))
        return false;
    if (*stride < 1)
        return lab_wrong(call, "a stride of %" PRId64 " bytes; write 1 or more", *stride);
    if (*nbytes < 1 || *nbytes / *stride > TOUCHES_MAX)
        return lab_wrong(call, "%" PRId64 " bytes: write 1 or more, and at most %d accesses",
                         *nbytes, TOUCHES_MAX);
    return true;
}

static bool read_bytes(struct lab_call *call) {
    int64_t va, nbytes, stride;
    uint8_t *host;
    if (!touch_args(call, 0, &va, &nbytes, &stride))
        return false;
    if (nbytes > 1)
        return touch_range(call, (uint64_t)va, (uint64_t)nbytes, (uint64_t)stride,
                           QUIRE_ACCESS_READ, 0);
    enum quire_status status =
        lab_access(call->world, call->world->current, (uint64_t)va, QUIRE_ACCESS_READ, &host);
    if (status != QUIRE_OK)
        return ended(call, status, (uint64_t)va, QUIRE_ACCESS_READ);
    int64_t value = *host;
    lab_say(call, "  0x%" PRIx64 " holds %" PRId64 "\n", (uint64_t)va, value);
    lab_settle(call->world);
    return lab_value(call, value);
}

static bool write_bytes(struct lab_call *call) {
    int64_t va, nbytes = 1, value;
    if (!lab_number(call, 0, &va) || !lab_number_or(call, 1, -1, &value) ||
        !lab_number_or(call, 2, 1, &nbytes))
        return false;
    if (nbytes < 1 || nbytes / (int64_t)PAGE > TOUCHES_MAX)
        return lab_wrong(call, "%" PRId64 " bytes: write 1 or more, and at most %d pages", nbytes,
                         TOUCHES_MAX);
    return touch_range(call, (uint64_t)va, (uint64_t)nbytes, PAGE, QUIRE_ACCESS_WRITE, value & 255);
}

static bool touch(struct lab_call *call) {
    int64_t va, nbytes, stride;
    return touch_args(call, 0, &va, &nbytes, &stride) &&
           touch_range(call, (uint64_t)va, (uint64_t)nbytes, (uint64_t)stride, QUIRE_ACCESS_WRITE,
                       -1);
}

static bool execute(struct lab_call *call) {
    int64_t va, nbytes, stride;
    return touch_args(call, 0, &va, &nbytes, &stride) &&
           touch_range(call, (uint64_t)va, (uint64_t)nbytes, (uint64_t)stride, QUIRE_ACCESS_EXEC,
                       0);
}

/* Pages of a range in random order: n accesses. */
static bool wander(struct lab_call *call) {
    static const char *const words[] = {"read", "write", NULL};
    int64_t va, nbytes, n;
    int which = 0;
    if (!lab_number(call, 0, &va) || !lab_range(call, 1, 1, INT64_MAX, &nbytes) ||
        !lab_range(call, 2, 0, TOUCHES_MAX, &n) ||
        (call->argc == 4 && !lab_word(call, 3, words, &which)))
        return false;
    for (int64_t i = 0; i < n && call->world->current->space; i++) {
        uint64_t *random = &call->world->random;
        *random ^= *random >> 12; /* xorshift64* (Vigna 2016) */
        *random ^= *random << 25;
        *random ^= *random >> 27;
        uint64_t at = (*random * UINT64_C(0x2545F4914F6CDD1D) >> 11) % (uint64_t)nbytes;
        if (!touch_range(call, (uint64_t)va + at, 1, 1,
                         which ? QUIRE_ACCESS_WRITE : QUIRE_ACCESS_READ, -1))
            return false;
    }
    return true;
}

/* The kernel reads or writes the program's memory: what it cannot is counted, nobody is ended. */
static bool copy_user(struct lab_call *call) {
    static const char *const words[] = {"from", "to", NULL};
    static uint8_t bytes[PAGE];
    int64_t va, nbytes;
    int which;
    if (!lab_word(call, 0, words, &which) || !lab_number(call, 1, &va) ||
        !lab_range(call, 2, 0, (int64_t)1 << 30, &nbytes))
        return false;
    uint64_t left = (uint64_t)nbytes, at = (uint64_t)va;
    memset(bytes, 0x5A, sizeof bytes);
    while (left) {
        size_t n = left < PAGE ? left : PAGE;
        size_t missed = which ? quire_copy_out(space_of(call), quire_va(at), bytes, n)
                              : quire_copy_in(space_of(call), bytes, quire_va(at), n);
        left -= n - missed;
        at += n - missed;
        if (missed)
            break;
    }
    lab_say(call, "  copy_%s_user: %" PRIu64 " of %" PRId64 " bytes were not copied\n",
            words[which], left, nbytes);
    lab_settle(call->world);
    return lab_value(call, (int64_t)left);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

struct flag_word {
    const char *word;
    unsigned flag;
};

/* "rwx" or "-". */
static bool parse_prot(struct lab_call *call, const char *word, unsigned *prot) {
    *prot = 0;
    for (const char *at = word; *at; at++) {
        unsigned bit = *at == 'r' ? 1 : *at == 'w' ? 2 : *at == 'x' ? 4 : 0;
        if (!bit && *at != '-')
            return lab_wrong(call, "'%.20s' is no protection; write r, rw, rx, rwx or -", word);
        *prot |= bit;
    }
    return true;
}

static bool map_flag(struct lab_call *call, const char *word, unsigned *flags, uint64_t *at,
                     struct lab_file **file, uint64_t *offset) {
    static const struct flag_word words[] = {
        {"shared", QUIRE_MAP_SHARED},       {"fixed", QUIRE_MAP_FIXED},
        {"noreplace", QUIRE_MAP_NOREPLACE}, {"growsdown", QUIRE_MAP_GROWSDOWN},
        {"populate", QUIRE_MAP_POPULATE},   {"noreserve", QUIRE_MAP_NORESERVE},
        {"locked", QUIRE_MAP_LOCKED}};
    char error[LAB_ERROR_BYTES];
    int64_t number;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, word) == 0) {
            *flags |= words[i].flag;
            return true;
        }
    }
    if (strncmp(word, "file=", 5) == 0) {
        *file = lab_file_find(call->world, word + 5);
        return *file ||
               lab_wrong(call, "there is no file '%.40s'; make it: file NAME BYTES", word + 5);
    }
    bool is_at = strncmp(word, "at=", 3) == 0, is_offset = strncmp(word, "offset=", 7) == 0;
    if (!is_at && !is_offset)
        return lab_wrong(call,
                         "'%.40s' is no flag of mmap; there are shared, fixed, noreplace, "
                         "growsdown, populate, noreserve, locked, at=ADDR, file=NAME and "
                         "offset=BYTES",
                         word);
    if (!lab_evaluate(call->lab, word + (is_at ? 3 : 7), &number, error))
        return lab_wrong(call, "%.40s: %.300s", word, error);
    *(is_at ? at : offset) = (uint64_t)number;
    return true;
}

static bool mmap_call(struct lab_call *call) {
    int64_t nbytes;
    unsigned prot = QUIRE_PROT_READ | QUIRE_PROT_WRITE, flags = 0;
    uint64_t at = 0, offset = 0;
    struct lab_file *file = NULL;
    if (!lab_number(call, 0, &nbytes))
        return false;
    if (call->argc > 1 && !parse_prot(call, call->argv[1], &prot))
        return false;
    for (int i = 2; i < call->argc; i++) {
        if (!map_flag(call, call->argv[i], &flags, &at, &file, &offset))
            return false;
    }
    quire_vaddr va = quire_va(at);
    enum quire_status status = quire_map(space_of(call), &va, (uint64_t)nbytes, prot, flags,
                                         file ? file->object : NULL, offset);
    lab_settle(call->world);
    if (status != QUIRE_OK)
        return lab_status(call, status, "mmap");
    char size[32];
    lab_show_bytes(size, quire_round_up((uint64_t)nbytes));
    lab_say(call, "  mmap: %s at 0x%" PRIx64 "\n", size, va.value);
    return lab_value(call, (int64_t)va.value);
}

static bool range_args(struct lab_call *call, int64_t *va, int64_t *nbytes) {
    return lab_number(call, 0, va) && lab_number(call, 1, nbytes);
}

static bool munmap_call(struct lab_call *call) {
    int64_t va, nbytes;
    if (!range_args(call, &va, &nbytes))
        return false;
    enum quire_status status =
        quire_unmap(space_of(call), quire_va((uint64_t)va), (uint64_t)nbytes);
    lab_settle(call->world);
    return lab_status(call, status, "munmap");
}

static bool mprotect_call(struct lab_call *call) {
    int64_t va, nbytes;
    unsigned prot;
    if (!range_args(call, &va, &nbytes) || !parse_prot(call, call->argv[2], &prot))
        return false;
    enum quire_status status =
        quire_protect(space_of(call), quire_va((uint64_t)va), (uint64_t)nbytes, prot);
    lab_settle(call->world);
    return lab_status(call, status, "mprotect");
}

static bool mremap_call(struct lab_call *call) {
    int64_t va, old_bytes, new_bytes;
    quire_vaddr moved = quire_va(0);
    if (!range_args(call, &va, &old_bytes) || !lab_number(call, 2, &new_bytes))
        return false;
    enum quire_status status =
        quire_remap(space_of(call), quire_va((uint64_t)va), (uint64_t)old_bytes,
                    (uint64_t)new_bytes, QUIRE_REMAP_MAY_MOVE, &moved);
    lab_settle(call->world);
    if (status != QUIRE_OK)
        return lab_status(call, status, "mremap");
    lab_say(call, "  mremap: at 0x%" PRIx64 "\n", moved.value);
    return lab_value(call, (int64_t)moved.value);
}

static bool brk_call(struct lab_call *call) {
    int64_t wanted;
    if (!lab_number_or(call, 0, 0, &wanted))
        return false;
    uint64_t end = quire_brk(space_of(call), quire_va((uint64_t)wanted)).value;
    lab_settle(call->world);
    lab_say(call, "  brk: the heap ends at 0x%" PRIx64 "%s\n", end,
            wanted && end != (uint64_t)wanted ? ": it could not be moved" : "");
    return lab_value(call, (int64_t)end);
}

static bool madvise_call(struct lab_call *call) {
    static const char *const words[] = {"normal",        "willneed",       "dontneed", "free",
                                        "cold",          "pageout",        "dontfork", "dofork",
                                        "wipeonfork",    "keeponfork",     "hugepage", "nohugepage",
                                        "populate_read", "populate_write", "remove",   NULL};
    int64_t va, nbytes;
    int advice;
    if (!range_args(call, &va, &nbytes) || !lab_word(call, 2, words, &advice))
        return false;
    enum quire_status status = quire_advise(space_of(call), quire_va((uint64_t)va),
                                            (uint64_t)nbytes, (enum quire_advice)advice);
    lab_settle(call->world);
    return lab_status(call, status, "madvise");
}

static bool mlock_call(struct lab_call *call) {
    int64_t va, nbytes;
    if (!range_args(call, &va, &nbytes))
        return false;
    enum quire_status status =
        quire_lock(space_of(call), quire_va((uint64_t)va), (uint64_t)nbytes, false);
    lab_settle(call->world);
    return lab_status(call, status, "mlock");
}

static bool munlock_call(struct lab_call *call) {
    int64_t va, nbytes;
    if (!range_args(call, &va, &nbytes))
        return false;
    return lab_status(call, quire_unlock(space_of(call), quire_va((uint64_t)va), (uint64_t)nbytes),
                      "munlock");
}

static bool msync_call(struct lab_call *call) {
    int64_t va, nbytes;
    if (!range_args(call, &va, &nbytes))
        return false;
    enum quire_status status = quire_sync(space_of(call), quire_va((uint64_t)va), (uint64_t)nbytes);
    lab_settle(call->world);
    return lab_status(call, status, "msync");
}

const struct lab_command lab_memory_commands[] = {
    {"read", "ADDR [BYTES [STRIDE]]", "load a byte, or one every STRIDE (4096)", read_bytes,
     LAB_CHANGES | LAB_PROCESS},
    {"write", "ADDR [VALUE [BYTES]]", "store a byte, or one in each page", write_bytes,
     LAB_CHANGES | LAB_PROCESS},
    {"touch", "ADDR [BYTES [STRIDE]]", "store a byte every STRIDE (4096)", touch,
     LAB_CHANGES | LAB_PROCESS},
    {"execute", "ADDR [BYTES [STRIDE]]", "fetch instructions", execute, LAB_CHANGES | LAB_PROCESS},
    {"wander", "ADDR BYTES N [read|write]", "N accesses at random places", wander,
     LAB_CHANGES | LAB_PROCESS},
    {"copy_user", "from|to ADDR BYTES", "the kernel copies; says what it could not", copy_user,
     LAB_CHANGES | LAB_PROCESS},
    {"mmap", "BYTES [PROT [FLAG...]]", "rw; shared, fixed, at=, file=, offset=, populate, ...",
     mmap_call, LAB_CHANGES | LAB_PROCESS},
    {"munmap", "ADDR BYTES", "", munmap_call, LAB_CHANGES | LAB_PROCESS},
    {"mprotect", "ADDR BYTES PROT", "r, rw, rx, rwx or -", mprotect_call,
     LAB_CHANGES | LAB_PROCESS},
    {"mremap", "ADDR BYTES NEW_BYTES", "grow, shrink or move", mremap_call,
     LAB_CHANGES | LAB_PROCESS},
    {"brk", "[END]", "where the heap ends; move it", brk_call, LAB_CHANGES | LAB_PROCESS},
    {"madvise", "ADDR BYTES ADVICE", "dontneed, free, cold, pageout, hugepage, ...", madvise_call,
     LAB_CHANGES | LAB_PROCESS},
    {"mlock", "ADDR BYTES", "keep it in RAM", mlock_call, LAB_CHANGES | LAB_PROCESS},
    {"munlock", "ADDR BYTES", "no longer", munlock_call, LAB_CHANGES | LAB_PROCESS},
    {"msync", "ADDR BYTES", "write a file's changed pages back", msync_call,
     LAB_CHANGES | LAB_PROCESS},
    {NULL, "", "", NULL, 0}};
