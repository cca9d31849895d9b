/* lz4.c: LZ4 by liblz4. Its state is 16 KiB on the stack. */
#include <lz4.h>

#include "compress.h"

size_t quire_lz4_pack(const void *page, void *to, size_t capacity) {
    int nbytes = LZ4_compress_default(page, to, (int)QUIRE_PAGE_SIZE, (int)capacity);
    return nbytes > 0 ? (size_t)nbytes : 0;
}

bool quire_lz4_unpack(const void *from, size_t nbytes, void *page) {
    return LZ4_decompress_safe(from, page, (int)nbytes, (int)QUIRE_PAGE_SIZE) ==
           (int)QUIRE_PAGE_SIZE;
}
