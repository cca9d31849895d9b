/* zstd_none.c: for hosts without libzstd: nothing can be packed. */
#include "compress.h"

size_t quire_zstd_pack(struct soft_codec *codec, const void *page, void *to, size_t capacity) {
    (void)codec, (void)page, (void)to, (void)capacity;
    return 0;
}

bool quire_zstd_unpack(struct soft_codec *codec, const void *from, size_t nbytes, void *page) {
    (void)codec, (void)from, (void)nbytes, (void)page;
    return false;
}

void quire_zstd_end(struct soft_codec *codec) {
    (void)codec;
}
