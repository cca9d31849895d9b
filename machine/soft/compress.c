/* compress.c: pages made shorter and whole again, by the host's libraries.
 *
 * The manager has a store for compressed pages but no codec: those that matter are libraries of
 * their own, and a machine has the ones that it has. Each lies in a file of its own, with a twin
 * that says "not here" for hosts without the library (lz4.c, lz4_none.c; zstd.c, zstd_none.c); the
 * build chooses. What comes out depends on the library's version, so a run with a store is the same
 * on every host only with the same libraries.
 *
 * The clock is charged with what an ordinary processor takes for a page: LZ4 packs about 500 MB/s
 * and unpacks 3 GB/s, zstd 300 MB/s and 1 GB/s (their own benchmarks, one core).
 */
#include "compress.h"

#define LZ4_PACK_NS    8000u
#define LZ4_UNPACK_NS  1400u
#define ZSTD_PACK_NS   14000u
#define ZSTD_UNPACK_NS 4000u

size_t quire_mach_compress(struct quire_machine *machine, enum quire_zswap method,
                           quire_frame frame, void *to, size_t capacity) {
    const void *from = quire_mach_window(machine, frame);
    switch (method) {
    case QUIRE_ZSWAP_LZ4:
        quire_soft_charge(machine, machine->in_tick ? 0 : LZ4_PACK_NS);
        return quire_lz4_pack(from, to, capacity);
    case QUIRE_ZSWAP_ZSTD:
        quire_soft_charge(machine, machine->in_tick ? 0 : ZSTD_PACK_NS);
        return quire_zstd_pack(&machine->codec, from, to, capacity);
    default:
        return 0;
    }
}

bool quire_mach_decompress(struct quire_machine *machine, enum quire_zswap method, const void *from,
                           size_t nbytes, quire_frame frame) {
    void *to = quire_mach_window(machine, frame);
    switch (method) {
    case QUIRE_ZSWAP_LZ4:
        quire_soft_charge(machine, machine->in_tick ? 0 : LZ4_UNPACK_NS);
        return quire_lz4_unpack(from, nbytes, to);
    case QUIRE_ZSWAP_ZSTD:
        quire_soft_charge(machine, machine->in_tick ? 0 : ZSTD_UNPACK_NS);
        return quire_zstd_unpack(&machine->codec, from, nbytes, to);
    default:
        return false;
    }
}
