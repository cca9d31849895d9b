/* zstd.c: Zstandard by libzstd, at its fastest ordinary level. Contexts are reused: making one
 * takes longer than packing a page.
 */
#include <zstd.h>

#include "compress.h"

#define LEVEL 1 /* 3, zswap's default, takes half as long again for one part in thirty less */

size_t quire_zstd_pack(struct soft_codec *codec, const void *page, void *to, size_t capacity) {
    if (!codec->pack)
        codec->pack = ZSTD_createCCtx();
    if (!codec->pack)
        return 0;
    size_t nbytes = ZSTD_compressCCtx(codec->pack, to, capacity, page, QUIRE_PAGE_SIZE, LEVEL);
    return ZSTD_isError(nbytes) ? 0 : nbytes;
}

bool quire_zstd_unpack(struct soft_codec *codec, const void *from, size_t nbytes, void *page) {
    if (!codec->unpack)
        codec->unpack = ZSTD_createDCtx();
    return codec->unpack && ZSTD_decompressDCtx(codec->unpack, page, QUIRE_PAGE_SIZE, from,
                                                nbytes) == QUIRE_PAGE_SIZE;
}

void quire_zstd_end(struct soft_codec *codec) {
    ZSTD_freeCCtx(codec->pack);
    ZSTD_freeDCtx(codec->unpack);
    *codec = (struct soft_codec){NULL, NULL};
}
