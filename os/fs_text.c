/* fs_text.c: two growing things of the file side: a text and a directory listing.
 *
 * The files of /proc are made whole when they are read (their text is a consistent picture, however
 * many reads it takes), and directories are listed whole and sorted by name: the host gives names
 * in an order that depends on its file system's history, and a run must not depend on that. Both
 * live on the host's heap, as this kernel's own data does; only programs' memory is the machine's
 * RAM.
 *
 * Invariants:
 *   I1  bytes[length] is always 0 when bytes is not NULL, so that a text is also a string.
 *   I2  after failed was set, the content is what fitted before; the user answers ENOMEM.
 *
 * May fail: only by running out of host memory, which sets failed. Users: proc*.c, fs_dir.c.
 */
#include "os/fs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_FIRST_BYTES 1024
#define LISTING_FIRST    32

char *os_text_room(struct os_text *text, size_t nbytes) {
    if (text->failed)
        return NULL;
    if (text->capacity - text->length < nbytes + 1 || !text->bytes) {
        size_t capacity = text->capacity ? text->capacity : TEXT_FIRST_BYTES;
        while (capacity - text->length < nbytes + 1)
            capacity *= 2;
        char *bytes = realloc(text->bytes, capacity);
        if (!bytes) {
            text->failed = true; /* I2 */
            return NULL;
        }
        text->bytes = bytes;
        text->capacity = capacity;
        text->bytes[text->length] = 0;
    }
    return text->bytes + text->length;
}

void os_text_bytes(struct os_text *text, const void *bytes, size_t nbytes) {
    char *to = os_text_room(text, nbytes);
    if (!to)
        return;
    memcpy(to, bytes, nbytes);
    text->length += nbytes;
    text->bytes[text->length] = 0; /* I1 */
}

void os_text_printf(struct os_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *to = length < 0 ? NULL : os_text_room(text, (size_t)length);
    if (!to) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(to, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void os_text_free(struct os_text *text) {
    free(text->bytes);
    *text = (struct os_text){0};
}

int os_text_hand_over(struct os_text *text, int error, char **bytes, size_t *nbytes) {
    if (error == 0 && (text->failed || !os_text_room(text, 0)))
        error = ENOMEM;
    if (error) {
        os_text_free(text);
        return error;
    }
    *bytes = text->bytes;
    *nbytes = text->length;
    return 0;
}

/* ---- listings -------------------------------------------------------------------------------- */

void os_listing_add(struct os_listing *listing, const char *name, uint64_t inode, uint8_t type) {
    if (listing->failed)
        return;
    if (listing->count == listing->capacity) {
        size_t capacity = listing->capacity ? 2 * listing->capacity : LISTING_FIRST;
        void *entries = realloc(listing->entries, capacity * sizeof *listing->entries);
        if (!entries) {
            listing->failed = true;
            return;
        }
        listing->entries = entries;
        listing->capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy) {
        listing->failed = true;
        return;
    }
    listing->entries[listing->count++] = (struct os_listing_entry){copy, inode, type};
}

/* "." before "..", both before all other names; otherwise by bytes. */
static int compare_entries(const void *a, const void *b) {
    const struct os_listing_entry *one = a, *other = b;
    bool one_dots = !strcmp(one->name, ".") || !strcmp(one->name, "..");
    bool other_dots = !strcmp(other->name, ".") || !strcmp(other->name, "..");
    if (one_dots != other_dots)
        return one_dots ? -1 : 1;
    return strcmp(one->name, other->name);
}

void os_listing_sort(struct os_listing *listing) {
    if (listing->count == 0)
        return;
    qsort(listing->entries, listing->count, sizeof *listing->entries, compare_entries);
    size_t kept = 1;
    for (size_t i = 1; i < listing->count; i++) {
        if (!strcmp(listing->entries[i].name, listing->entries[kept - 1].name))
            free(listing->entries[i].name); /* a mount over a name of the host */
        else
            listing->entries[kept++] = listing->entries[i];
    }
    listing->count = kept;
}

void os_listing_free(struct os_listing *listing) {
    for (size_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    *listing = (struct os_listing){0};
}
