/* mistakes.cpp: the mistakes that only C++ has: blocks that go by another operator than they came.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

static void *volatile sink;

struct thing {
    int value = 1;
    ~thing() {
        value = 0;
    }
};

__attribute__((noinline)) static void new_free() {
    sink = new int(5);
    std::free(sink); // LINE(new_free)
}

__attribute__((noinline)) static void malloc_delete() {
    sink = std::malloc(sizeof(int));
    delete static_cast<int *>(sink); // LINE(malloc_delete)
}

__attribute__((noinline)) static void array_delete() {
    sink = new int[20];
    delete static_cast<int *>(sink); // LINE(array_delete)
}

__attribute__((noinline)) static void delete_twice() {
    int *block = new int(7);
    sink = block;
    delete block;
    delete static_cast<int *>(sink); // LINE(delete_twice)
}

__attribute__((noinline)) static void leak_object() {
    sink = new thing[3]; // LINE(leak_object)
    sink = nullptr;
}

/* All forms of new, containers, exceptions, and new that can't. */
__attribute__((noinline)) static void none() {
    struct alignas(128) wide {
        char bytes[256];
    };
    delete new wide;
    delete[] new wide[3];
    delete new (std::nothrow) thing;
    delete[] new (std::nothrow) thing[4];
    std::vector<std::string> names;
    for (int i = 0; i < 1000; i++) {
        names.push_back(std::string(static_cast<size_t>(i % 50), 'x'));
    }
    volatile size_t much = static_cast<size_t>(1) << 62;
    try {
        sink = ::operator new(much);
    } catch (const std::bad_alloc &) {
        std::puts("refused");
    }
    if (::operator new(much, std::nothrow) == nullptr &&names.size() == 1000) {
        std::puts("nothing wrong");
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*make)();
    } all[] = {
        {"new_free", new_free},         {"malloc_delete", malloc_delete},
        {"array_delete", array_delete}, {"delete_twice", delete_twice},
        {"leak_object", leak_object},   {"none", none},
    };

    for (const auto &one : all) {
        if (argc == 2 && std::strcmp(one.name, argv[1]) == 0) {
            one.make();
            return 0;
        }
    }
    return 3;
}
