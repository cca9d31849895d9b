/* checked.c: objects that are looked at: red zones, poison, second frees, frees into the wrong
 * cache.
 *
 *     | red zone | object                  | red zone | red zone | object …
 *       BB BB      free: 6B 6B … (poison)    BB BB
 *       CC CC      out: the user's           CC CC
 *
 * A cache with QUIRE_CACHE_CHECKED has red zones before and after each object and no magazines, so
 * that next[] says at once who is out. In audit builds every cache is looked at without red zones,
 * and its magazines stay: next[] has a mark for objects in them. The bytes are those of Linux
 * (POISON_FREE, SLUB_RED_*), known from its oopses.
 *
 * Objects with a constructor hold its work while they are free, so they are not poisoned.
 *
 * Nothing fails; what is wrong ends in quire_cache_complain: "kmem: NAME: object 0x…: …".
 */
#include "base/text.h"
#include "kmem/cache.h"

#define POISON   0x6B
#define RED_FREE 0xBB
#define RED_OUT  0xCC

_Noreturn void quire_cache_complain(struct quire_cache *cache, const void *object, const char *what,
                                    const struct quire_cache *other) {
    struct quire_kmem *kmem = cache->q->kmem;
    struct quire_text text;
    quire_text_init(&text, kmem->words, sizeof kmem->words);
    quire_text_string(&text, cache->name);
    quire_text_string(&text, ": object 0x");
    quire_text_hex(&text, (uintptr_t)object, 0);
    quire_text_char(&text, ' ');
    quire_text_string(&text, what);
    if (other) {
        quire_text_char(&text, ' ');
        quire_text_string(&text, other->name);
    }
    (void)quire_text_end(&text);
    quire_mach_panic(cache->q->machine, __FILE__, __LINE__, kmem->words);
}

static bool all_bytes(const void *bytes, size_t n, unsigned char value) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < n; i++) {
        if (at[i] != value) {
            return false;
        }
    }
    return true;
}

static bool has_poison(const struct quire_cache *cache) {
    return !cache->constructor;
}

/* ---- red zones ------------------------------------------------------------------------------- */

static size_t red_after(const struct quire_cache *cache) {
    return cache->stride - cache->object_bytes - cache->red_bytes;
}

static void paint(const struct quire_cache *cache, char *object, unsigned char value) {
    if (cache->red_bytes > 0) {
        __builtin_memset(object - cache->red_bytes, value, cache->red_bytes);
        __builtin_memset(object + cache->object_bytes, value, red_after(cache));
    }
}

static void check_paint(struct quire_cache *cache, const char *object, unsigned char value) {
    if (cache->red_bytes == 0) {
        return;
    }
    if (!all_bytes(object - cache->red_bytes, cache->red_bytes, value)) {
        quire_cache_complain(cache, object, "was written to before its start", NULL);
    }
    if (!all_bytes(object + cache->object_bytes, red_after(cache), value)) {
        quire_cache_complain(cache, object, "was written to past its end", NULL);
    }
}

/* ---- comings and goings ---------------------------------------------------------------------- */

void quire_checked_grow(struct quire_cache *cache, struct slab *slab) {
    for (uint32_t i = 0; i < cache->objects_per_slab; i++) {
        char *object = slab->first + (size_t)i * cache->stride;
        paint(cache, object, RED_FREE);
        if (has_poison(cache)) {
            __builtin_memset(object, POISON, cache->object_bytes);
        }
    }
}

void quire_checked_alloc(struct quire_cache *cache, void *object) {
    uint32_t index;
    struct slab *slab = quire_slab_find(cache, object, &index);
    check_paint(cache, object, RED_FREE);
    if (has_poison(cache) && !all_bytes(object, cache->object_bytes, POISON)) {
        quire_cache_complain(cache, object, "was written to after it was freed", NULL);
    }
    paint(cache, object, RED_OUT);
    slab->next[index] = INDEX_OUT;
}

void quire_checked_free(struct quire_cache *cache, void *object) {
    uint32_t index;
    struct slab *slab = quire_slab_find(cache, object, &index);
    if (slab->next[index] != INDEX_OUT) {
        quire_cache_complain(cache, object, "was freed twice", NULL);
    }
    check_paint(cache, object, RED_OUT);
    paint(cache, object, RED_FREE);
    if (has_poison(cache)) {
        __builtin_memset(object, POISON, cache->object_bytes);
    }
    if (QUIRE_AUDITING) {
        slab->next[index] = INDEX_HOT;
    }
}

void quire_checked_audit(struct quire_cache *cache, const struct slab *slab) {
    for (uint32_t i = 0; cache->red_bytes > 0 && i < cache->objects_per_slab; i++) {
        const char *object = slab->first + (size_t)i * cache->stride;
        check_paint(cache, object, slab->next[i] == INDEX_OUT ? RED_OUT : RED_FREE);
    }
}
