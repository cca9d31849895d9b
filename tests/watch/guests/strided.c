/* strided: walks a matrix down its first columns: each access lies a page further than the one
 * before, and a column has more pages than the TLB. */
#include <stdlib.h>

#define ROWS    4096
#define COLUMNS 1024
#define SUMMED  256

static long __attribute__((noinline)) sum_columns(const int *matrix) {
    long sum = 0;
    for (int c = 0; c < SUMMED; c++)
        for (int r = 0; r < ROWS; r++)
            sum += matrix[(size_t)r * COLUMNS + c];
    return sum;
}

int main(void) {
    int *matrix = malloc(sizeof(int) * ROWS * COLUMNS);
    if (!matrix)
        return 1;
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++)
        matrix[i] = 1;
    return sum_columns(matrix) != (long)ROWS * SUMMED;
}
