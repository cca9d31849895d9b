/* vm.c: the room's own state: its caches, the zero page, the counters that others ask for.
 *
 * Made once by core/boot.c after frames, objects and swap; unmade in the reverse order. What may
 * fail: boot (QUIRE_NOMEM; what was made is unmade). Invariants are those of the files that own the
 * parts.
 */
#include "vm/vm.h"

#include "kmem/slab.h"
#include "vm/huge.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* One row a cache: where the pointer goes, and what its objects are. */
struct cache_plan {
    struct quire_cache **cache;
    const char *name;
    size_t object_bytes;
    void (*constructor)(void *object);
};

#define NCACHES 7

static void plan_caches(struct quire_vm *vm, struct cache_plan plan[NCACHES]) {
    const struct cache_plan rows[NCACHES] = {
        {&vm->space_cache, "space", sizeof(struct quire_space), NULL},
        {&vm->region_cache, "region", sizeof(struct quire_region), NULL},
        {&vm->anon_cache, "anon", sizeof(struct quire_anon), NULL},
        {&vm->rmap_cache, "rmap", sizeof(struct quire_rmap), NULL},
        {&vm->huge_cache, "huge", sizeof(struct quire_huge), NULL},
        {&vm->object_cache, "object", sizeof(struct quire_object), NULL},
        {&vm->node_cache, "radix_node", sizeof(struct quire_radix_node), quire_radix_construct},
    };
    __builtin_memcpy(plan, rows, sizeof rows);
}

static void destroy_caches(struct quire *q) {
    struct cache_plan plan[NCACHES];
    plan_caches(q->vm, plan);
    for (unsigned i = 0; i < NCACHES; i++) {
        if (*plan[i].cache) {
            enum quire_status status = quire_cache_destroy(*plan[i].cache);
            CHECK(q, status == QUIRE_OK); /* else something leaked */
        }
    }
}

/* Frames back, whatever of it was taken. */
static void give_back(struct quire *q) {
    struct quire_vm *vm = q->vm;
    while (vm->stash.count) {
        quire_page_free(q, vm->stash_pages[--vm->stash.count]);
    }
    if (vm->zero) {
        quire_page_free(q, vm->zero);
    }
    destroy_caches(q);
    quire_kfree(q, vm);
    q->vm = NULL;
}

enum quire_status quire_vm_boot(struct quire *q, const struct quire_config *config) {
    struct cache_plan plan[NCACHES];
    struct quire_vm *vm = quire_kzalloc(q, sizeof *vm);
    if (!vm) {
        return QUIRE_NOMEM;
    }
    q->vm = vm;
    vm->thp = config->thp;
    vm->collapse_min = config->thp_min_present ? config->thp_min_present : 1;
    vm->page_cluster = config->page_cluster;
    quire_list_init(&vm->spaces);
    quire_list_init(&vm->objects);
    quire_list_init(&vm->dirty_objects);
    vm->overcommit = (struct quire_overcommit){.ratio_percent = 50};
    vm->max_regions = QUIRE_REGIONS_DEFAULT;
    vm->depth = quire_mach_pmap_depth(q->machine, &vm->large_order);
    vm->root_order = quire_mach_pmap_root_order(q->machine);
    CHECK(q, vm->depth < QUIRE_STASH_MAX && vm->large_order < QUIRE_NORDERS);
    CHECK(q, vm->root_order < QUIRE_NORDERS);
    plan_caches(vm, plan);
    for (unsigned i = 0; i < NCACHES; i++) {
        if (quire_cache_create(q, plan[i].name, plan[i].object_bytes, 0, plan[i].constructor,
                               plan[i].cache) != QUIRE_OK) {
            *plan[i].cache = NULL;
            goto undo;
        }
    }
    vm->nodes =
        (struct quire_radix_memory){quire_slab_node_alloc, quire_slab_node_free, vm->node_cache};
    vm->zero = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    if (!vm->zero || quire_space_fill_stash(q) != QUIRE_OK) {
        goto undo;
    }
    quire_mach_zero(q->machine, quire_page_frame(q, vm->zero));
    return QUIRE_OK;
undo:
    give_back(q);
    return QUIRE_NOMEM;
}

void quire_vm_shutdown(struct quire *q) {
    CHECK(q, quire_list_empty(&q->vm->spaces));
    CHECK(q, quire_list_empty(&q->vm->objects));
    give_back(q);
}

uint64_t quire_vm_swapped(const struct quire *q) {
    return q->vm->swapped;
}

uint64_t quire_vm_committed(const struct quire *q) {
    return q->vm->committed;
}

uint64_t quire_vm_dirty(const struct quire *q) {
    return q->vm->dirty;
}

uint64_t quire_vm_mlocked(const struct quire *q) {
    return q->vm->mlocked;
}

uint64_t quire_vm_lazyfree(const struct quire *q) {
    return q->vm->lazyfree;
}

uint64_t quire_vm_mapped_file(const struct quire *q) {
    return q->vm->mapped_file;
}

uint64_t quire_vm_peak_demand(const struct quire *q) {
    return q->vm->peak_demand;
}
