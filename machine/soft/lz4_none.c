/* lz4_none.c: for hosts without liblz4: nothing can be packed. */
#include "compress.h"

size_t quire_lz4_pack(const void *page, void *to, size_t capacity) {
    (void)page, (void)to, (void)capacity;
    return 0;
}

bool quire_lz4_unpack(const void *from, size_t nbytes, void *page) {
    (void)from, (void)nbytes, (void)page;
    return false;
}
