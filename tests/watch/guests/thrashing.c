/* thrashing: reads an array from end to end, again and again; run with less RAM than the array. */
#include <stdlib.h>

#define PAGES  3000
#define ROUNDS 8

static long __attribute__((noinline)) read_round(const volatile char *array) {
    long sum = 0;
    for (size_t i = 0; i < PAGES; i++)
        sum += array[i * 4096];
    return sum;
}

int main(void) {
    char *array = malloc((size_t)PAGES * 4096);
    long sum = 0;
    if (!array)
        return 1;
    for (size_t i = 0; i < (size_t)PAGES * 4096; i++)
        array[i] = (char)(i * 2654435761u >> 13); /* no two pages alike, and none is zero */
    for (int i = 0; i < ROUNDS; i++)
        sum += read_round(array);
    return sum == 1;
}
