/* text.c: text that grows. When the host has no memory it stops to grow and says so (failed): what
 * is shown is then short, never wrong.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"

static bool make_room(struct lab_text *text, size_t more) {
    size_t room = text->room ? text->room : 256;
    if (text->failed)
        return false;
    while (room - text->length <= more)
        room *= 2;
    if (room == text->room)
        return true;
    char *bytes = realloc(text->bytes, room);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->room = room;
    return true;
}

void lab_text_add(struct lab_text *text, const char *bytes, size_t nbytes) {
    if (!make_room(text, nbytes))
        return;
    memcpy(text->bytes + text->length, bytes, nbytes);
    text->length += nbytes;
    text->bytes[text->length] = '\0';
}

void lab_text_print(struct lab_text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    if (n > 0 && make_room(text, (size_t)n + 1)) {
        vsnprintf(text->bytes + text->length, (size_t)n + 1, format, again);
        text->length += (size_t)n;
    }
    va_end(again);
    va_end(arguments);
}

void lab_text_clear(struct lab_text *text) {
    text->length = 0;
    text->failed = false;
    if (text->bytes)
        text->bytes[0] = '\0';
}

const char *lab_text_bytes(const struct lab_text *text) {
    return text->bytes ? text->bytes : "";
}

/* ---- views ------------------------------------------------------------------------------------
 */

void lab_show_system(struct lab_text *text, const struct quire *q, lab_system_view *view) {
    size_t length = view(q, NULL, 0);
    if (make_room(text, length + 1)) {
        view(q, text->bytes + text->length, length + 1);
        text->length += length;
    }
}

void lab_show_space(struct lab_text *text, const struct quire_space *space, lab_space_view *view) {
    size_t length = view(space, NULL, 0);
    if (make_room(text, length + 1)) {
        view(space, text->bytes + text->length, length + 1);
        text->length += length;
    }
}

void lab_show_bytes(char text[32], uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    int places = value == (double)(uint64_t)value ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
    snprintf(text, 32, "%.*f %s", places, value, units[unit]);
}
