/* inside.h: what the files of this room share: the world (machine, manager, processes, kernel's
 * things), the session around it, and how commands speak. Internal to lab/.
 */
#ifndef LAB_INSIDE_H
#define LAB_INSIDE_H

#include <quire/heap.h>
#include <quire/kmap.h>
#include <quire/kmem.h>
#include <quire/layout.h>
#include <quire/machine.h>
#include <quire/policy.h>
#include <quire/pool.h>
#include <quire/quire.h>
#include <quire/segment.h>
#include <quire/space.h>
#include <quire/view.h>

#include "lab/lab.h"
#include "machine/soft/dma.h"
#include "machine/soft/segment.h"
#include "machine/soft/segpage.h"
#include "machine/soft/soft.h"
#include "machine/soft/walk.h"

#define PAGE QUIRE_PAGE_SIZE

#define LAB_WORDS     32
#define LAB_NAME      24  /* bytes of a name, its end included */
#define LAB_PROCESSES 160 /* a hundred and some, for the lab with a hundred */
#define LAB_THINGS    4096
#define LAB_FILES     16
#define LAB_VARIABLES 256
/* Accesses that one line may make, whatever it repeats: some seconds. A line inside of another
 * counts as LAB_WORK_LINE of them. */
#define LAB_WORK_MAX  20000000u
#define LAB_WORK_LINE 100u

/* ---- text that grows --------------------------------------------------------------------------
 */

struct lab_text {
    char *bytes; /* NULL while empty */
    size_t length, room;
    bool failed;
};
void lab_text_add(struct lab_text *text, const char *bytes, size_t nbytes);
void lab_text_print(struct lab_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void lab_text_clear(struct lab_text *text);
const char *lab_text_bytes(const struct lab_text *text); /* never NULL */

/* ---- the machine that is wanted ---------------------------------------------------------------
 */

struct lab_machine {
    uint64_t ram_bytes, seed;
    uint64_t swap_bytes[QUIRE_SOFT_SWAPS];
    uint64_t swap_step_bytes, swap_max_bytes; /* of the first */
    bool swap_on;                             /* swapon at boot, all of them */
    const struct quire_radix_format *format;
    bool kernel_map;
    bool layout32; /* processes as quire_layout32_create makes them, and zones to match */
    unsigned harts;
    enum quire_soft_dma dma;
    uint64_t dma_reach_bytes, reserve_bytes, min_free_pages;
    unsigned swappiness, page_cluster;
    unsigned overcommit; /* enum overcommit_mode */
    enum quire_thp thp;
    const struct quire_policy *policy;
    bool check_objects;
};
/* Parse "--ram 16M ..." into what the defaults were; false: error. */
bool lab_machine_parse(struct lab *lab, int argc, char **argv, struct lab_machine *machine,
                       char error[LAB_ERROR_BYTES]);
void lab_machine_defaults(struct lab_machine *machine);

/* ---- the world --------------------------------------------------------------------------------
 */

enum lab_state { LAB_GONE, LAB_RUNNING, LAB_SLEEPING, LAB_STOPPED, LAB_ZOMBIE };

struct lab_process {
    enum lab_state state;
    int pid, parent;
    char name[LAB_NAME];
    struct quire_space *space; /* NULL: init, and who has ended */
    struct quire_heap *heap;   /* NULL until its first malloc */
    _Alignas(16) unsigned char storage[QUIRE_HEAP_STORAGE_BYTES];
    uint64_t text, text_bytes, data, bss, heap_start, stack_top;
    int status;  /* of who has ended: exit code, or 128 + signal */
    bool killed; /* by the OOM killer, while inside a fault */
};

/* A file of the machine: bytes of the host, pages of an object. Shared memory: no bytes. */
struct lab_file {
    char name[LAB_NAME];
    uint8_t *bytes;
    uint64_t nbytes, reads, writes; /* pages */
    struct quire_object *object;
    struct quire_object_info info;
};

/* Something the kernel has taken, by the address that the user sees. */
enum lab_thing_kind {
    LAB_FRAMES,
    LAB_KMALLOC,
    LAB_CACHE,
    LAB_OBJECT,
    LAB_VMALLOC,
    LAB_POOL,
    LAB_ELEMENT,
    LAB_KMAP,
    LAB_REGION,
    LAB_IOREMAP,
    LAB_DMA_MEMORY,
    LAB_SEGMENT,
    LAB_USER_POOL,
    LAB_USER_OBJECT,
    LAB_NKINDS
};
struct lab_thing {
    enum lab_thing_kind kind;
    bool used;
    char name[LAB_NAME]; /* of caches, pools, regions, segments; names stay where they are */
    uint64_t address;    /* as it is shown, and found again */
    void *pointer;
    uint64_t nbytes;         /* frames: order */
    struct lab_thing *owner; /* of an object its cache, of an element its pool */
    quire_frame frame;
};

struct lab_world {
    struct lab_machine config;
    struct quire_machine *machine;
    struct quire *q;
    struct quire_soft_layout layout;
    struct lab_process *processes; /* LAB_PROCESSES; [0] is init */
    int next_pid;
    struct lab_process *current; /* the one that commands are about */
    struct lab_process *running; /* in a fault now: cannot be ended at once */
    struct lab_process *in_heap; /* whose memory the heap's port reaches */
    bool peeking;                /* the heap is only looked at: no faults */
    uint64_t peeks;              /* words that were looked at so */
    struct lab_file files[LAB_FILES];
    struct lab_thing *things; /* LAB_THINGS */
    uint64_t random;
    uint64_t work;               /* of the line that is being done: LAB_WORK_MAX is the end */
    uint64_t accesses, tlb_hits; /* by programs, through the memory unit */
    uint64_t signals, last_signal, oom_kills;
    int last_killed;        /* pid */
    struct quire_walk walk; /* the last one */
    struct quire_segments *segments;
    struct quire_segment_unit unit;
    struct lab_thing *unit_tables; /* NULL: off; a frame: GDT, and from 2 KiB on LDT */
    struct quire_segment_fault unit_fault;
    bool segments_swap; /* device 0 is theirs */
    struct quire_segpage segpage;
    bool segpage_on;
    uint64_t dma_cycles; /* seen by the probe */
    struct lab_piece {   /* memory of the host that programs' pools have had */
        struct lab_piece *next;
        void *memory;
        size_t nbytes, align;
        bool idle; /* given back */
    } * pieces;
    size_t pool_bytes;
    struct lab_text *log; /* what the manager says, for the command that runs */
};

/* False: error, and nothing is up. */
bool lab_world_up(struct lab_world *world, const struct lab_machine *config,
                  char error[LAB_ERROR_BYTES]);
void lab_world_down(struct lab_world *world);

/* One access of a program: TLB, tables, fault. Not QUIRE_OK: the program was ended by a signal. */
enum quire_status lab_access(struct lab_world *world, struct lab_process *process, uint64_t va,
                             enum quire_access access, uint8_t **host);
/* After anything that may have waited: time, the background worker, those that were killed. */
void lab_settle(struct lab_world *world);

struct lab_process *lab_process_find(struct lab_world *world, const char *word);
struct lab_process *lab_process_new(struct lab_world *world, const char *name);
bool lab_process_start(struct lab_world *world, struct lab_process *process, const char *program,
                       enum quire_status *status);
/* Memory goes, children are adopted; a zombie is left for the parent. */
void lab_process_end(struct lab_world *world, struct lab_process *process, int status);
void lab_process_reap(struct lab_process *process);
const char *lab_state_word(enum lab_state state);

struct quire_heap *lab_heap(struct lab_world *world, struct lab_process *process);

struct lab_file *lab_file_find(struct lab_world *world, const char *name);
/* bytes UINT64_MAX: shared memory of shm_bytes. NULL: no room. */
struct lab_file *lab_file_make(struct lab_world *world, const char *name, uint64_t nbytes,
                               bool shared_memory, enum quire_status *status);

struct lab_thing *lab_thing_new(struct lab_world *world, enum lab_thing_kind kind,
                                const char *name);
struct lab_thing *lab_thing_at(struct lab_world *world, enum lab_thing_kind kind, uint64_t address);
struct lab_thing *lab_thing_named(struct lab_world *world, enum lab_thing_kind kind,
                                  const char *name);
/* The address to show for a pointer of the kernel's: its virtual one, else physical. */
uint64_t lab_kernel_address(struct lab_world *world, const void *pointer);

/* What programs' pools have had goes back to the host. */
void lab_pools_end(struct lab_world *world);

/* The manager has this frame: it is no hole, and not the machine's own. */
bool lab_is_ram(struct lab_world *world, uint64_t frame);

/* ---- facts: all numbers that can be asked for, at one moment ----------------------------------
 */

struct lab_sight {
    struct quire_usage mem;
    struct quire_counters vm;
    struct quire_soft_counters cpu;
    struct quire_space_usage proc;
    struct quire_heap_figures heap;
    struct quire_radix_cost tables;
    struct quire_segments_figures seg;
    uint64_t rss, regions, tables_all, now_ns, accesses, tlb_hits, signals, last_signal, nprocesses,
        zombies, pid, oom_score, walk_accesses, walk_physical, walk_linear, walk_fault, walk_entry,
        walk_steps, file_resident, frames_of_tables, unit_checks, unit_refusals, segpage_accesses,
        segpage_hits, dma_cycles, last_killed, steps, heap_start, text, data, bss, stack_top,
        user_end, direct_base, direct_bytes, area_base, page_bytes, ram_bytes, reads, writes;
};
void lab_look(struct lab_world *world, struct lab_sight *sight);

struct lab_fact {
    const char *name, *help;
    size_t offset;
    unsigned nbytes; /* 8 or 4 */
    bool moves;      /* of interest when it changes */
};
extern const struct lab_fact lab_facts[];
extern const size_t lab_nfacts;
uint64_t lab_fact_of(const struct lab_fact *fact, const struct lab_sight *sight);

struct lab_function {
    const char *name, *help;
    bool (*call)(struct lab *lab, int64_t argument, int64_t *value);
};
extern const struct lab_function lab_functions[];
extern const size_t lab_nfunctions;

/* ---- the session ------------------------------------------------------------------------------
 */

struct lab_variable {
    char name[LAB_NAME];
    int64_t value;
};

struct lab {
    struct lab_options options;
    struct lab_machine first_machine, machine; /* at line 0; the one that is up */
    struct lab_world world;
    struct lab_variable variables[LAB_VARIABLES];
    size_t nvariables;
    char **lines;
    size_t nlines, place, lines_room;
    struct lab_text text, log, command;
    char error[LAB_ERROR_BYTES];
    struct lab_sight before; /* the last line that changed something */
    bool sight_fresh;        /* `now` is of this moment */
    struct lab_sight now;
    unsigned depth; /* of repeat */
};

struct lab_sight *lab_now(struct lab *lab);
bool lab_variable_set(struct lab *lab, const char *name, int64_t value);

/* ---- commands ---------------------------------------------------------------------------------
 */

struct lab_call {
    struct lab *lab;
    struct lab_world *world;
    int argc; /* arguments, the command's name not counted */
    char **argv;
    struct lab_result *result;
    bool usage; /* the line was wrong: nothing was tried */
};

enum lab_command_flag {
    LAB_CHANGES = 1, /* part of the history */
    LAB_PROCESS = 2, /* needs a process that lives */
    LAB_RAW = 4,     /* its argument is the rest of the line, one word */
    LAB_ALONE = 8,   /* not inside of another line: it moves through them */
};

struct lab_command {
    const char *name, *arguments, *help;
    bool (*run)(struct lab_call *call);
    unsigned flags;
};
/* Tables, one a file; each ends with a NULL name. The last of them is NULL. */
extern const struct lab_command *const lab_commands[];
extern const struct lab_command lab_session_commands[], lab_process_commands[],
    lab_memory_commands[], lab_heap_commands[], lab_kernel_commands[], lab_pressure_commands[],
    lab_view_commands[], lab_translation_commands[], lab_segment_commands[], lab_file_commands[],
    lab_device_commands[], lab_pool_commands[];
const struct lab_command *lab_command_find(const char *name);
/* How many words "ADDR [BYTES]" allows; -1: any number. */
void lab_command_counts(const struct lab_command *command, int *least, int *most);

void lab_say(struct lab_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The line is wrong: false, and it does not become history. */
bool lab_wrong(struct lab_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The machine said no: false. */
bool lab_refused(struct lab_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool lab_status(struct lab_call *call, enum quire_status status, const char *what);
bool lab_value(struct lab_call *call, int64_t value); /* true */

/* Do a line inside of this one. */
bool lab_nested(struct lab_call *call, const char *text);

/* The i-th argument as a number; false: it was said. Missing: otherwise. */
bool lab_number(struct lab_call *call, int i, int64_t *value);
bool lab_number_or(struct lab_call *call, int i, int64_t otherwise, int64_t *value);
/* Between least and most, else a word about it. */
bool lab_range(struct lab_call *call, int i, int64_t least, int64_t most, int64_t *value);
/* One of these words, NULL-ended: its index. */
bool lab_word(struct lab_call *call, int i, const char *const words[], int *index);
const char *lab_nearest(struct lab *lab, const char *word, const char *const words[], size_t n);
bool lab_parse_size(const char *text, const char **end, int64_t *value);

/* Text of a view, whatever its length, added to the command's. */
typedef size_t lab_system_view(const struct quire *q, char *text, size_t capacity);
typedef size_t lab_space_view(const struct quire_space *space, char *text, size_t capacity);
void lab_show_system(struct lab_text *text, const struct quire *q, lab_system_view *view);
void lab_show_space(struct lab_text *text, const struct quire_space *space, lab_space_view *view);
void lab_show_bytes(char text[32], uint64_t bytes); /* "1.50 MiB" */

#endif
