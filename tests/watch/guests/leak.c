/* leak: allocates small pieces, writes to each once, and never looks at them nor frees them. */
#include <stdlib.h>
#include <string.h>

#define PIECES 24000

static char *__attribute__((noinline)) remember(size_t nbytes) {
    char *piece = malloc(nbytes);
    if (piece)
        memset(piece, 1, nbytes);
    return piece;
}

static volatile unsigned long work;

int main(void) {
    for (int i = 0; i < PIECES; i++) {
        if (!remember(512))
            return 1;
        for (int k = 0; k < 100; k++)
            work += (unsigned long)k;
    }
    return 0;
}
