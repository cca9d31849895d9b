/* frames.c: frames for who can wait: the allocator, and compaction and reclaim when it says no.
 *
 * quire_frames_alloc answers at once, as the allocator's part of a kernel must. A driver that comes
 * up, or whoever may take as long as a disk takes, asks here: for more than one frame what is free
 * is first moved together (reclaim/compact.c), then pages are reclaimed, then both again (retry.h).
 *
 * Nobody is killed for it: a request can be refused. Called by embedders.
 */
#include <quire/kmem.h>

#include "core/retry.h"

bool quire_again(struct quire *q, enum quire_status status, struct retry *retry) {
    return status == QUIRE_NOMEM && quire_retry_nomem(q, retry);
}

enum quire_status quire_frames_get(struct quire *q, unsigned order, enum quire_zone_kind zone,
                                   quire_frame *out) {
    enum quire_status status;
    WITH_MEMORY(q, NULL, status, quire_frames_alloc_zone(q, order, zone, out));
    return status;
}
