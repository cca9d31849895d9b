/* pmr.cpp: the C++ header: containers of the standard library over each resource. No framework:
 * what is wrong is named with its line, and the exit code says so.
 */
#include <cstdio>
#include <cstring>
#include <list>
#include <map>
#include <memory_resource>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include <quire/pool.hpp>

namespace {

int failures;

#define EXPECT(what)                                                       \
    do {                                                                   \
        if (!(what)) {                                                     \
            std::printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            failures++;                                                    \
        }                                                                  \
    } while (0)

/* Counts what is out; refuses when told to. */
class counting : public std::pmr::memory_resource {
  public:
    std::size_t bytes = 0, pieces = 0;
    bool refuse = false;

  private:
    void *do_allocate(std::size_t n, std::size_t align) override {
        if (refuse) {
            throw std::bad_alloc();
        }
        void *block = ::operator new(n, std::align_val_t(align));
        bytes += n;
        pieces++;
        return block;
    }

    void do_deallocate(void *block, std::size_t n, std::size_t align) override {
        bytes -= n;
        pieces--;
        ::operator delete(block, std::align_val_t(align));
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override {
        return this == &other;
    }
};

/* The same work on a resource and on the default one gives the same. */
template <class Resource> void containers(Resource &resource) {
    std::pmr::vector<int> numbers(&resource);
    std::pmr::map<int, std::pmr::string> names(&resource);
    std::pmr::unordered_map<std::pmr::string, long> counts(&resource);
    std::pmr::list<std::vector<char>> plain(&resource);
    std::map<int, std::string> model;
    std::mt19937 random(7);

    for (int i = 0; i < 20000; i++) {
        const int key = static_cast<int>(random() % 3000);
        numbers.push_back(i);
        if (random() % 3 == 0) {
            names.erase(key);
            model.erase(key);
        } else {
            const std::string text(random() % 60, static_cast<char>('a' + key % 26));
            names[key] = text.c_str();
            model[key] = text;
        }
        counts[std::pmr::string("a name that is long enough to be outside ", &resource) +
               std::to_string(key % 100).c_str()]++;
        if (i % 100 == 0) {
            plain.emplace_back(10);
        }
    }
    EXPECT(numbers.size() == 20000 && numbers[12345] == 12345);
    EXPECT(names.size() == model.size());
    auto expected = model.begin();
    for (const auto &[key, name] : names) {
        EXPECT(key == expected->first && name == expected->second.c_str());
        ++expected;
    }
    long sum = 0;
    for (const auto &[name, count] : counts) {
        sum += count;
    }
    EXPECT(sum == 20000 && counts.size() == 100);
}

void arenas() {
    counting upstream;
    {
        quire::arena_resource arena(1024, &upstream);
        containers(arena);
        EXPECT(upstream.bytes == arena.held_bytes() && arena.used_bytes() > 0);
        const auto mark = arena.mark();
        const std::size_t used = arena.used_bytes();
        {
            std::pmr::vector<double> many(5000, 1.5, &arena);
            EXPECT(many[4999] == 1.5);
        }
        arena.rewind(mark);
        EXPECT(arena.used_bytes() == used);
        arena.reset();
        EXPECT(upstream.pieces == 1 && arena.used_bytes() == 0);
        upstream.refuse = true;
        bool thrown = false;
        try {
            (void)arena.allocate(std::size_t{1} << 30, 8);
        } catch (const std::bad_alloc &) {
            thrown = true;
        }
        EXPECT(thrown);
        EXPECT(arena == arena && !(arena == *std::pmr::get_default_resource()));
    }
    EXPECT(upstream.bytes == 0);
}

void pools() {
    counting upstream;
    {
        quire::pool_resource pools(&upstream);
        containers(pools);
        EXPECT(pools.objects() == 0);
        EXPECT(pools.trim() > 0 && upstream.bytes == 0);
        for (std::size_t bytes = 1; bytes <= 5000; bytes += 7) {
            for (std::size_t align = 1; align <= 256; align *= 2) {
                void *block = pools.allocate(bytes, align);
                EXPECT(reinterpret_cast<std::uintptr_t>(block) % align == 0);
                std::memset(block, 1, bytes);
                pools.deallocate(block, bytes, align);
            }
        }
        EXPECT(pools.objects() == 0);
        EXPECT(pools.upstream_resource() == &upstream);
        (void)pools.trim();
        upstream.refuse = true;
        bool thrown = false;
        try {
            (void)pools.allocate(100, 8);
        } catch (const std::bad_alloc &) {
            thrown = true;
        }
        EXPECT(thrown);
        upstream.refuse = false;
        (void)pools.allocate(64, 8); /* the destructor gives back what is still out */
    }
    EXPECT(upstream.bytes == 0);
}

void heaps() {
    quire::heap_resource heap(quire_malloc_heap()), same(quire_malloc_heap());
    containers(heap);
    EXPECT(heap == same && heap.heap() == same.heap());
    EXPECT(!(heap == *std::pmr::new_delete_resource()));
    EXPECT(quire_heap_audit(heap.heap()) == nullptr);
    /* Resources stand on each other. */
    quire::pool_resource pools(&heap);
    containers(pools);
    quire::arena_resource arena(0, &pools);
    containers(arena);
    bool thrown = false;
    try {
        (void)heap.allocate(std::size_t{1} << 48, 8);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    EXPECT(thrown);
}

struct node {
    static inline int alive = 0;
    int value;
    node *next;
    explicit node(int number, node *after = nullptr) : value(number), next(after) {
        if (number < 0) {
            throw number;
        }
        alive++;
    }
    ~node() {
        alive--;
    }
};

void objects() {
    quire::object_pool<node> pool(1000);
    node *first = nullptr;
    EXPECT(pool.reserve(1000) && !pool.reserve(1001));
    for (int i = 0; i < 1000; i++) {
        first = pool.create(i, first);
    }
    bool thrown = false;
    try {
        (void)pool.create(1);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    EXPECT(thrown && pool.objects() == 1000 && node::alive == 1000);
    for (int i = 999; first != nullptr; i--) {
        node *next = first->next;
        EXPECT(first->value == i);
        pool.destroy(first);
        first = next;
    }
    pool.destroy(nullptr);
    thrown = false;
    try {
        (void)pool.create(-1);
    } catch (int) {
        thrown = true;
    }
    EXPECT(thrown && pool.objects() == 0 && node::alive == 0);
}

} // namespace

int main() {
    arenas();
    pools();
    heaps();
    objects();
    std::printf(failures == 0 ? "all as it should be\n" : "%d failures\n", failures);
    return failures != 0;
}
