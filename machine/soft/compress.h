/* compress.h: the codecs behind compress.c. Each packs one page into at most capacity bytes and
 * says into how many, 0: not possible; unpack says whether a whole page came out.
 */
#ifndef QUIRE_SOFT_COMPRESS_H
#define QUIRE_SOFT_COMPRESS_H

#include "machine.h"

size_t quire_lz4_pack(const void *page, void *to, size_t capacity);
bool quire_lz4_unpack(const void *from, size_t nbytes, void *page);

/* codec is the machine's: made at the first use. */
size_t quire_zstd_pack(struct soft_codec *codec, const void *page, void *to, size_t capacity);
bool quire_zstd_unpack(struct soft_codec *codec, const void *from, size_t nbytes, void *page);
void quire_zstd_end(struct soft_codec *codec);

#endif
