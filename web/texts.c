/* texts.c: finding lines and numbers in texts as Linux writes them. Knows no particular text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/room.h"

const char *text_of(const struct web_source *source, const char *path) {
    const char *name, *text, *error;

    for (size_t i = 0; source->nth(source->context, i, &name, &text, &error); i++) {
        if (strcmp(name, path) == 0) {
            return text;
        }
    }
    return NULL;
}

bool text_line(const char **at, char *line, size_t capacity) {
    if (*at == NULL || **at == '\0') {
        return false;
    }
    size_t length = strcspn(*at, "\n");
    size_t kept = length < capacity ? length : capacity - 1;
    memcpy(line, *at, kept);
    line[kept] = '\0';
    *at += length + ((*at)[length] == '\n');
    return true;
}

/* What is behind the name, NULL if no line begins with it. */
static const char *behind(const char *text, const char *name) {
    size_t length = strlen(name);

    while (text != NULL && *text != '\0') {
        if (strncmp(text, name, length) == 0 && strchr(": \t=", text[length]) != NULL) {
            return text + length + strspn(text + length, ": \t=");
        }
        text = strchr(text, '\n');
        text += text != NULL;
    }
    return NULL;
}

uint64_t text_number(const char *text, const char *name) {
    const char *at = behind(text, name);
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

void text_word(const char *text, const char *name, char *word, size_t capacity) {
    const char *at = behind(text, name);

    word[0] = '\0';
    if (at != NULL) {
        text_line(&at, word, capacity);
    }
}
