/* protobuf.h: inside of export/: messages of protocol buffers, written: numbers, strings, packed
 * numbers and messages in messages, as https://protobuf.dev/programming-guides/encoding/ has them.
 */
#ifndef QUIRE_EXPORT_PROTOBUF_H
#define QUIRE_EXPORT_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message that grows. All zeros is an empty one. Once the host had no memory, failed stays set
 * and nothing more is written: look at it once, at the end. */
struct protobuf {
    unsigned char *bytes;
    size_t size, capacity;
    bool failed;
};

void protobuf_free(struct protobuf *message);
/* Field numbers are 1 to 15. A number of 0 is not written: that is what its absence means. */
void protobuf_number(struct protobuf *message, unsigned field, uint64_t value);
void protobuf_bytes(struct protobuf *message, unsigned field, const void *bytes, size_t size);
/* Numbers in one field, zeros as well. */
void protobuf_packed(struct protobuf *message, unsigned field, const uint64_t *values, size_t n);
/* A message as a field of another; it is emptied, its memory kept for the next. */
void protobuf_message(struct protobuf *message, unsigned field, struct protobuf *inner);

#endif
