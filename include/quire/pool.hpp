/* pool.hpp: the pools, arenas and heaps of quire as C++17's memory resources.
 *
 *     quire::arena_resource arena;                   // all at once, back to a mark
 *     std::pmr::vector<int> numbers(&arena);
 *
 *     quire::pool_resource pools;                    // one pool a size, larger ones from upstream
 *     std::pmr::map<int, std::pmr::string> names(&pools);
 *
 *     quire::heap_resource heap(quire_malloc_heap());
 *     quire::object_pool<Node> nodes;                // typed: create and destroy
 *
 * Failures are std::bad_alloc. A resource must outlive what was allocated from it. Thread-safety as
 * in pool.h: one thread at a time, but heap_resource, whose heap has a lock. Header only, over the
 * C library.
 */
#ifndef QUIRE_POOL_HPP
#define QUIRE_POOL_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory_resource>
#include <new>
#include <utility>

#include <quire/heap.h>
#include <quire/pool.h>

namespace quire {

/* ---- sources ----------------------------------------------------------------------------------
 */

namespace detail {

/* An exception must not pass through C: here it becomes NULL, and bad_alloc again further up. */
inline void *upstream_get(void *context, std::size_t bytes, std::size_t align) noexcept {
    try {
        return static_cast<std::pmr::memory_resource *>(context)->allocate(bytes, align);
    } catch (...) {
        return nullptr;
    }
}

inline void upstream_put(void *context, void *piece, std::size_t bytes,
                         std::size_t align) noexcept {
    static_cast<std::pmr::memory_resource *>(context)->deallocate(piece, bytes, align);
}

inline void *or_throw(void *block) {
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

} // namespace detail

/* A source of pool.h over any memory resource. */
inline quire_pool_source source_of(std::pmr::memory_resource *upstream) noexcept {
    quire_pool_source source{};
    source.context = upstream;
    source.get = detail::upstream_get;
    source.put = detail::upstream_put;
    return source;
}

/* ---- a heap -----------------------------------------------------------------------------------
 */

/* A classic heap that is reached by pointers. Equal when the heap is the same. */
class heap_resource : public std::pmr::memory_resource {
  public:
    explicit heap_resource(quire_heap *heap) noexcept : heap_(heap) {
    }

    quire_heap *heap() const noexcept {
        return heap_;
    }

  private:
    void *do_allocate(std::size_t bytes, std::size_t align) override {
        return detail::or_throw(reinterpret_cast<void *>(
            static_cast<std::uintptr_t>(quire_heap_memalign(heap_, align, bytes))));
    }

    void do_deallocate(void *block, std::size_t, std::size_t) override {
        quire_heap_free(heap_, reinterpret_cast<std::uintptr_t>(block));
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
        auto same = dynamic_cast<const heap_resource *>(&other);
        return same != nullptr && same->heap_ == heap_;
    }

    quire_heap *heap_;
};

/* ---- an arena ---------------------------------------------------------------------------------
 */

/* Deallocation does nothing; memory comes back by reset, rewind or the destructor. */
class arena_resource : public std::pmr::memory_resource {
  public:
    explicit arena_resource(
        std::size_t piece_bytes = 0,
        std::pmr::memory_resource *upstream = std::pmr::get_default_resource()) noexcept {
        const quire_pool_source source = source_of(upstream);
        quire_arena_init(&arena_, &source, piece_bytes);
    }

    ~arena_resource() override {
        quire_arena_fini(&arena_);
    }

    arena_resource(const arena_resource &) = delete;
    arena_resource &operator=(const arena_resource &) = delete;

    quire_arena_place mark() const noexcept {
        return quire_arena_mark(&arena_);
    }

    void rewind(const struct quire_arena_place &mark) noexcept {
        quire_arena_rewind(&arena_, mark);
    }

    void reset() noexcept {
        quire_arena_reset(&arena_);
    }

    std::size_t used_bytes() const noexcept {
        return arena_.used_bytes;
    }

    std::size_t held_bytes() const noexcept {
        return arena_.held_bytes;
    }

  private:
    void *do_allocate(std::size_t bytes, std::size_t align) override {
        return detail::or_throw(quire_arena_alloc(&arena_, bytes, align));
    }

    void do_deallocate(void *, std::size_t, std::size_t) override {
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
        return this == &other;
    }

    quire_arena arena_;
};

/* ---- pools ------------------------------------------------------------------------------------
 */

/* A pool for each size, 16 bytes apart up to 128, then four to each doubling, up to 4 KiB; what is
 * larger, or aligned to more than 64, comes from upstream. What is freed with another size than it
 * had, or twice, ends the program: std::abort. */
class pool_resource : public std::pmr::memory_resource {
  public:
    explicit pool_resource(
        std::pmr::memory_resource *upstream = std::pmr::get_default_resource()) noexcept
        : upstream_(upstream) {
        const quire_pool_source source = source_of(upstream);
        for (std::size_t i = 0; i < classes; i++) {
            if (!quire_pool_init(&pools_[i], &source, class_bytes(i), align_of(class_bytes(i)),
                                 0)) {
                std::abort();
            }
        }
    }

    ~pool_resource() override {
        for (auto &pool : pools_) {
            quire_pool_fini(&pool);
        }
    }

    pool_resource(const pool_resource &) = delete;
    pool_resource &operator=(const pool_resource &) = delete;

    std::pmr::memory_resource *upstream_resource() const noexcept {
        return upstream_;
    }

    /* Give empty slabs back upstream; returns how many. */
    std::size_t trim() noexcept {
        std::size_t slabs = 0;
        for (auto &pool : pools_) {
            slabs += quire_pool_trim(&pool);
        }
        return slabs;
    }

    /* Objects that are out, of all sizes that pools have. */
    std::size_t objects() const noexcept {
        std::size_t sum = 0;
        for (const auto &pool : pools_) {
            sum += pool.objects;
        }
        return sum;
    }

    static constexpr std::size_t largest = 4096;

  private:
    static constexpr std::size_t exact = 8, classes = exact + 5 * 4;

    static constexpr std::size_t class_bytes(std::size_t index) noexcept {
        if (index < exact) {
            return (index + 1) * 16;
        }
        const std::size_t power = (index - exact) / 4, part = (index - exact) % 4;
        return (std::size_t{128} << power) + (part + 1) * (std::size_t{32} << power);
    }

    static constexpr std::size_t class_of(std::size_t bytes) noexcept {
        std::size_t index = bytes <= 128 ? (bytes + 15) / 16 : exact;
        index -= index != 0 && bytes <= 128;
        while (class_bytes(index) < bytes) {
            index++;
        }
        return index;
    }

    /* What all objects of a size are aligned to: the largest power of two in it, 64 at most. */
    static constexpr std::size_t align_of(std::size_t bytes) noexcept {
        const std::size_t power = bytes & (~bytes + 1);
        return power < 64 ? power : 64;
    }

    /* The class whose objects are long enough and aligned enough; classes: none. */
    static std::size_t find(std::size_t bytes, std::size_t align) noexcept {
        if (bytes > largest || align > 64) {
            return classes;
        }
        std::size_t index = class_of(bytes);
        while (index < classes && align_of(class_bytes(index)) < align) {
            index++;
        }
        return index;
    }

    void *do_allocate(std::size_t bytes, std::size_t align) override {
        const std::size_t index = find(bytes, align);
        return index == classes ? upstream_->allocate(bytes, align)
                                : detail::or_throw(quire_pool_alloc(&pools_[index]));
    }

    void do_deallocate(void *block, std::size_t bytes, std::size_t align) override {
        const std::size_t index = find(bytes, align);
        if (index == classes) {
            upstream_->deallocate(block, bytes, align);
        } else if (!quire_pool_free(&pools_[index], block)) {
            std::abort();
        }
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource *upstream_;
    quire_pool pools_[classes];
};

/* Objects of one type. create throws std::bad_alloc, or what the constructor throws. Objects that
 * are not destroyed before the pool are freed without their destructors. */
template <class T> class object_pool {
  public:
    explicit object_pool(std::size_t limit = 0,
                         std::pmr::memory_resource *upstream = std::pmr::get_default_resource()) {
        const quire_pool_source source = source_of(upstream);
        if (!quire_pool_init(&pool_, &source, sizeof(T), alignof(T), limit)) {
            throw std::bad_alloc();
        }
    }

    ~object_pool() {
        quire_pool_fini(&pool_);
    }

    object_pool(const object_pool &) = delete;
    object_pool &operator=(const object_pool &) = delete;

    template <class... Arguments> T *create(Arguments &&...arguments) {
        void *place = detail::or_throw(quire_pool_alloc(&pool_));
        try {
            return ::new (place) T(std::forward<Arguments>(arguments)...);
        } catch (...) {
            (void)quire_pool_free(&pool_, place);
            throw;
        }
    }

    /* An object that is not this pool's, or was destroyed before, ends the program: std::abort.
     * Whether it is out is only known after its destructor has run. */
    void destroy(T *object) noexcept {
        if (object != nullptr) {
            object->~T();
            if (!quire_pool_free(&pool_, object)) {
                std::abort();
            }
        }
    }

    bool reserve(std::size_t objects) noexcept {
        return quire_pool_reserve(&pool_, objects);
    }

    std::size_t objects() const noexcept {
        return pool_.objects;
    }

  private:
    quire_pool pool_;
};

} // namespace quire

#endif
