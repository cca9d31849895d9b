/* process.c: programs without code: a space laid out as a program's, a heap in it, a place in the
 * family tree; and files for them to map.
 *
 *     0     0x400000                                                         top
 *     |     | text (file) | data (file) | bss | heap ->    <- mappings | gap | <- stack |
 *
 * On the 32-bit machine quire_layout32_create does it. The kernel's half of process life (states,
 * zombies, adoption by process 1) is here in its smallest form; os/ has the whole.
 *
 * The heap is the classic one (heap/classic) over the space of `in_heap`: its headers and lists
 * lie in the program's pages, so they are copied by fork and swapped out like anything else.
 */
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"

#define MIB           ((uint64_t)1 << 20)
#define TEXT_AT       0x400000u
#define TEXT_PAGES    5
#define DATA_PAGES    3
#define BSS_PAGES     2
#define STACK_BYTES   (8 * MIB)
#define PROGRAM_BYTES ((TEXT_PAGES + DATA_PAGES) * PAGE)
#define PEEKS_MAX     1000000

/* ---- files ------------------------------------------------------------------------------------
 */

static enum quire_status file_read(void *context, uint64_t offset, void *frame) {
    struct lab_file *file = context;
    uint64_t left = offset < file->nbytes ? file->nbytes - offset : 0;
    uint64_t n = left < PAGE ? left : PAGE;
    file->reads++;
    memcpy(frame, file->bytes + (n ? offset : 0), n);
    memset((uint8_t *)frame + n, 0, PAGE - n);
    return QUIRE_OK;
}

static enum quire_status file_write(void *context, uint64_t offset, const void *frame) {
    struct lab_file *file = context;
    uint64_t left = offset < file->nbytes ? file->nbytes - offset : 0;
    file->writes++;
    memcpy(file->bytes + (left ? offset : 0), frame, left < PAGE ? left : PAGE);
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    return ((struct lab_file *)context)->nbytes;
}

static void file_release(void *context) {
    (void)context; /* the bytes live as long as the world */
}

struct lab_file *lab_file_find(struct lab_world *world, const char *name) {
    for (unsigned i = 0; i < LAB_FILES; i++) {
        if (world->files[i].object && strcmp(world->files[i].name, name) == 0)
            return &world->files[i];
    }
    return NULL;
}

static enum quire_status make_object(struct lab_world *world, struct lab_file *file,
                                     bool shared_memory) {
    static const struct quire_pager pager = {
        .read = file_read, .write = file_write, .size = file_size, .release = file_release};
    if (shared_memory)
        return quire_object_create_shm(world->q, file->nbytes, &file->info, &file->object);
    file->bytes = malloc(file->nbytes + 1);
    if (!file->bytes)
        return QUIRE_NOMEM;
    for (uint64_t i = 0; i < file->nbytes; i++) /* something to be recognised: page and place */
        file->bytes[i] = (uint8_t)(i / PAGE * 16 + i % 16);
    enum quire_status status =
        quire_object_create_file(world->q, &pager, file, &file->info, &file->object);
    if (status != QUIRE_OK) {
        free(file->bytes);
        file->bytes = NULL;
    }
    return status;
}

struct lab_file *lab_file_make(struct lab_world *world, const char *name, uint64_t nbytes,
                               bool shared_memory, enum quire_status *status) {
    for (unsigned i = 0; i < LAB_FILES; i++) {
        struct lab_file *file = &world->files[i];
        if (file->object)
            continue;
        *file = (struct lab_file){.nbytes = nbytes};
        snprintf(file->name, sizeof file->name, "%s", name);
        file->info = (struct quire_object_info){
            .name = file->name, .inode = 100 + i, .device_major = 8, .device_minor = 1};
        *status = make_object(world, file, shared_memory);
        return *status == QUIRE_OK ? file : NULL;
    }
    *status = QUIRE_BUSY;
    return NULL;
}

/* ---- laying a program out ---------------------------------------------------------------------
 */

static enum quire_status map_fixed(struct lab_process *process, uint64_t at, uint64_t nbytes,
                                   unsigned prot, unsigned flags, struct quire_object *object,
                                   uint64_t offset) {
    quire_vaddr va = quire_va(at);
    return quire_map(process->space, &va, nbytes, prot, QUIRE_MAP_FIXED | flags, object, offset);
}

static enum quire_status lay_out_32(struct lab_world *world, struct lab_process *process) {
    static const char *const environment[] = {"HOME=/root", "LANG=C", NULL};
    const char *const arguments[] = {process->name, NULL};
    struct quire_image32 image;
    struct quire_program32 program = {.text_bytes = TEXT_PAGES * PAGE,
                                      .data_bytes = DATA_PAGES * PAGE,
                                      .bss_bytes = BSS_PAGES * PAGE,
                                      .path = process->name,
                                      .arguments = arguments,
                                      .environment = environment,
                                      .owner = process};
    enum quire_status status = quire_layout32_create(world->q, &program, &process->space, &image);
    if (status != QUIRE_OK)
        return status;
    process->text = image.text;
    process->text_bytes = image.text_end - image.text;
    process->data = image.data;
    process->bss = image.bss;
    process->heap_start = image.brk;
    process->stack_top = QUIRE_LAYOUT32_USER_END;
    return QUIRE_OK;
}

static enum quire_status map_program(struct lab_process *process, struct lab_file *program) {
    const unsigned rw = QUIRE_PROT_READ | QUIRE_PROT_WRITE;
    enum quire_status status =
        map_fixed(process, process->text, process->text_bytes, QUIRE_PROT_READ | QUIRE_PROT_EXEC,
                  QUIRE_MAP_DENY_WRITE, program->object, 0);
    if (status == QUIRE_OK)
        status = map_fixed(process, process->data, DATA_PAGES * PAGE, rw, 0, program->object,
                           TEXT_PAGES * PAGE);
    if (status == QUIRE_OK)
        status = map_fixed(process, process->bss, BSS_PAGES * PAGE, rw, 0, NULL, 0);
    if (status == QUIRE_OK)
        status = map_fixed(process, process->stack_top - 2 * PAGE, 2 * PAGE, rw,
                           QUIRE_MAP_GROWSDOWN | QUIRE_MAP_STACK_TAG, NULL, 0);
    return status;
}

static enum quire_status lay_out(struct lab_world *world, struct lab_process *process,
                                 struct lab_file *program) {
    uint64_t end = world->layout.user_end;
    struct quire_space_config config = {.low = quire_va(0x10000),
                                        .high = quire_va(end),
                                        .map_top = quire_va(end - 128 * MIB),
                                        .stack_limit_bytes = STACK_BYTES,
                                        .stack_gap_bytes = MIB,
                                        .owner = process};
    enum quire_status status = quire_space_create(world->q, &config, &process->space);
    if (status != QUIRE_OK)
        return status;
    process->text = TEXT_AT;
    process->text_bytes = TEXT_PAGES * PAGE;
    process->data = process->text + process->text_bytes;
    process->bss = process->data + DATA_PAGES * PAGE;
    process->heap_start = process->bss + BSS_PAGES * PAGE;
    process->stack_top = end;
    status = map_program(process, program);
    if (status == QUIRE_OK)
        quire_brk_start(process->space, quire_va(process->heap_start));
    return status;
}

bool lab_process_start(struct lab_world *world, struct lab_process *process, const char *program,
                       enum quire_status *status) {
    struct lab_file *file = NULL;
    if (!world->config.layout32) {
        file = lab_file_find(world, program);
        if (!file)
            file = lab_file_make(world, program, PROGRAM_BYTES, false, status);
        if (!file)
            return false;
    }
    *status = file ? lay_out(world, process, file) : lay_out_32(world, process);
    if (*status == QUIRE_OK)
        return true;
    if (process->space)
        quire_space_destroy(process->space);
    process->space = NULL;
    return false;
}

/* ---- life -------------------------------------------------------------------------------------
 */

struct lab_process *lab_process_new(struct lab_world *world, const char *name) {
    for (unsigned i = 1; i < LAB_PROCESSES; i++) {
        struct lab_process *process = &world->processes[i];
        if (process->state != LAB_GONE)
            continue;
        memset(process, 0, sizeof *process);
        process->state = LAB_RUNNING;
        process->pid = world->next_pid++;
        process->parent = 1;
        snprintf(process->name, sizeof process->name, "%s", name);
        return process;
    }
    return NULL;
}

/* By number, or by name: the youngest that lives. */
struct lab_process *lab_process_find(struct lab_world *world, const char *word) {
    struct lab_process *found = NULL;
    char *end;
    long pid = strtol(word, &end, 10);
    bool number = *word && !*end;
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        struct lab_process *process = &world->processes[i];
        if (process->state == LAB_GONE)
            continue;
        if (number ? process->pid == pid : strcmp(process->name, word) == 0) {
            if (!found || (process->space && (!found->space || process->pid > found->pid)))
                found = process;
        }
    }
    return found;
}

void lab_process_end(struct lab_world *world, struct lab_process *process, int status) {
    if (process->space)
        quire_space_destroy(process->space);
    process->space = NULL;
    process->heap = NULL;
    process->state = LAB_ZOMBIE;
    process->status = status;
    if (process->parent == 1) /* who waits at once for all of its own */
        lab_process_reap(process);
    for (unsigned i = 1; i < LAB_PROCESSES; i++) {
        struct lab_process *child = &world->processes[i];
        if (child->state != LAB_GONE && child->parent == process->pid) {
            child->parent = 1;
            if (child->state == LAB_ZOMBIE)
                lab_process_reap(child);
        }
    }
}

void lab_process_reap(struct lab_process *process) {
    process->state = LAB_GONE;
}

const char *lab_state_word(enum lab_state state) {
    static const char *const words[] = {"-", "R", "S", "T", "Z"};
    return words[state];
}

/* ---- the heap of a program --------------------------------------------------------------------
 */

static struct quire_space *heap_space(void *context) {
    return ((struct lab_world *)context)->in_heap->space;
}

static uint64_t heap_grow(void *context, int64_t delta) {
    struct quire_space *space = heap_space(context);
    uint64_t end = quire_brk(space, quire_va(0)).value, wanted = end + (uint64_t)delta;
    if (delta != 0 && quire_brk(space, quire_va(wanted)).value != wanted)
        return 0;
    return end;
}

static uint64_t heap_map(void *context, uint64_t nbytes) {
    quire_vaddr at = quire_va(0);
    return quire_map(heap_space(context), &at, nbytes, QUIRE_PROT_READ | QUIRE_PROT_WRITE, 0, NULL,
                     0) == QUIRE_OK
               ? at.value
               : 0;
}

static bool heap_unmap(void *context, uint64_t at, uint64_t nbytes) {
    return quire_unmap(heap_space(context), quire_va(at), nbytes) == QUIRE_OK;
}

static uint64_t heap_remap(void *context, uint64_t at, uint64_t old_bytes, uint64_t new_bytes) {
    quire_vaddr moved = quire_va(0);
    return quire_remap(heap_space(context), quire_va(at), old_bytes, new_bytes,
                       QUIRE_REMAP_MAY_MOVE, &moved) == QUIRE_OK
               ? moved.value
               : 0;
}

static void heap_discard(void *context, uint64_t at, uint64_t nbytes) {
    (void)quire_advise(heap_space(context), quire_va(at), nbytes, QUIRE_ADVISE_DONTNEED);
}

/* To look on must change nothing: what is not mapped then reads as zeros, which end every list. */
static bool heap_peek(struct quire_space *space, void *to, uint64_t from, uint64_t nbytes) {
    uint8_t *at = to;
    while (nbytes) {
        uint64_t n = PAGE - (from & QUIRE_PAGE_MASK);
        n = n < nbytes ? n : nbytes;
        if (!quire_soft_peek(quire_space_pmap(space), from, at, n))
            memset(at, 0, n);
        at += n;
        from += n;
        nbytes -= n;
    }
    return true;
}

static bool heap_read(void *context, void *to, uint64_t from, uint64_t nbytes) {
    struct lab_world *world = context;
    if (world->peeking && world->peeks++ > PEEKS_MAX) {
        memset(to, 0, nbytes); /* a list that somebody has tied into a ring */
        return true;
    }
    if (world->peeking)
        return heap_peek(world->in_heap->space, to, from, nbytes);
    return quire_copy_in(heap_space(context), to, quire_va(from), nbytes) == 0;
}

static bool heap_write(void *context, uint64_t to, const void *from, uint64_t nbytes) {
    return quire_copy_out(heap_space(context), quire_va(to), from, nbytes) == 0;
}

static void heap_mistake(void *context, const char *what, uint64_t address) {
    struct lab_world *world = context;
    if (world->log)
        lab_text_print(world->log, "  malloc: 0x%llx: %s\n", (unsigned long long)address, what);
}

struct quire_heap *lab_heap(struct lab_world *world, struct lab_process *process) {
    const struct quire_heap_port port = {.context = world,
                                         .grow = heap_grow,
                                         .map = heap_map,
                                         .unmap = heap_unmap,
                                         .remap = heap_remap,
                                         .discard = heap_discard,
                                         .read = heap_read,
                                         .write = heap_write,
                                         .mistake = heap_mistake};
    if (!process->heap)
        process->heap = quire_heap_init(process->storage, &port);
    world->in_heap = process;
    return process->heap;
}
