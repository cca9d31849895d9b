/* text.h: build text in a buffer that may be too small, for views and messages.
 *
 * Like snprintf: what does not fit is counted, not written, and the end is always a zero byte (if
 * capacity is not 0). No format strings: each append says what it is.
 */
#ifndef QUIRE_BASE_TEXT_H
#define QUIRE_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct quire_text {
    char *bytes;
    size_t capacity; /* with the zero */
    size_t length;   /* of the whole text, fitting or not */
};

/* bytes may be NULL when capacity is 0: to learn the length. */
void quire_text_init(struct quire_text *text, char *bytes, size_t capacity);

void quire_text_char(struct quire_text *text, char c);
void quire_text_string(struct quire_text *text, const char *string);
/* string, padded with blanks to width: on its left (the string ends the field) or on its right. */
void quire_text_right(struct quire_text *text, const char *string, unsigned width);
void quire_text_left(struct quire_text *text, const char *string, unsigned width);

/* Numbers. width is the least number of characters: decimals get blanks on the left (printf's %*u)
 * or on the right (%-*u), hex gets zeros (%0*x). 0: as short as it is. */
void quire_text_decimal(struct quire_text *text, uint64_t value, unsigned width);
void quire_text_decimal_left(struct quire_text *text, uint64_t value, unsigned width);
void quire_text_signed(struct quire_text *text, int64_t value);
void quire_text_hex(struct quire_text *text, uint64_t value, unsigned width);

/* Blanks until the current line (the text since its last newline, which the caller remembers as
 * line_start = text.length) is width long: for columns such as the names in /proc/PID/maps. */
void quire_text_pad_to(struct quire_text *text, size_t line_start, unsigned width);

/* Close with the zero and return the whole length, without the zero. Appending may go on after. */
size_t quire_text_end(struct quire_text *text);

#endif
