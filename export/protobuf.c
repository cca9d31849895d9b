/* protobuf.c: see protobuf.h. A field is its number and kind in one varint, then the value; a
 * varint has seven bits a byte, the low ones first. Everything that is not a number has its length
 * in front, which is why messages are made inside out. */
#include "export/protobuf.h"

#include <stdlib.h>
#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

static void append(struct protobuf *message, const void *bytes, size_t size) {
    if (size > message->capacity - message->size && !message->failed) {
        size_t capacity = 2 * message->capacity + size + 64;
        unsigned char *more = realloc(message->bytes, capacity);
        message->failed = more == NULL;
        if (more) {
            message->bytes = more;
            message->capacity = capacity;
        }
    }
    if (message->failed || size == 0)
        return;
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void varint(struct protobuf *message, uint64_t value) {
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n++] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    append(message, bytes, n);
}

static void key(struct protobuf *message, unsigned field, enum wire wire) {
    varint(message, field << 3 | wire);
}

void protobuf_free(struct protobuf *message) {
    free(message->bytes);
    *message = (struct protobuf){0};
}

void protobuf_number(struct protobuf *message, unsigned field, uint64_t value) {
    if (value == 0)
        return;
    key(message, field, WIRE_VARINT);
    varint(message, value);
}

void protobuf_bytes(struct protobuf *message, unsigned field, const void *bytes, size_t size) {
    key(message, field, WIRE_LENGTH);
    varint(message, size);
    append(message, bytes, size);
}

void protobuf_packed(struct protobuf *message, unsigned field, const uint64_t *values, size_t n) {
    struct protobuf packed = {0};
    for (size_t i = 0; i < n; i++)
        varint(&packed, values[i]);
    protobuf_message(message, field, &packed);
    protobuf_free(&packed);
}

void protobuf_message(struct protobuf *message, unsigned field, struct protobuf *inner) {
    message->failed |= inner->failed;
    protobuf_bytes(message, field, inner->bytes, inner->size);
    inner->size = 0;
}
