/* host.h: the heap of this process, between the files that make it. */
#ifndef HEAP_HOST_H
#define HEAP_HOST_H

#include <quire/heap.h>

/* What `line` makes of the figures, for malloc_stats and malloc_info: see text.c. Both write to a
 * descriptor's or stream's function of the caller's, a piece of text at a time. */
typedef void host_write(void *context, const char *text, size_t nbytes);
void host_stats(struct quire_heap *heap, host_write *write, void *context);
void host_info(struct quire_heap *heap, host_write *write, void *context);

#endif
