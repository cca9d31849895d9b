/* cpu.c: seven kernels that a processor spends its time on, for the ratio to native.
 *
 * The same source runs natively and under `quire run`; each row is the best of several runs in
 * milliseconds, and a checksum that must be the same everywhere. Four are bound by the processor
 * (sha, sort, fp, switch), three by memory (sieve, chase, stream).
 *
 *   cpu [repetitions]
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SORT_WORDS  300000
#define SIEVE_BYTES 2000000
#define CHASE_WORDS (2 * 1024 * 1024) /* 8 MiB: larger than most second-level caches */
#define ROUNDS_DEFAULT                                                         \
    9 /* a shared host is noisy: the best of nine is what the processor can do \
       */

static uint32_t *numbers; /* sort and sieve: CHASE_WORDS words are enough for both */
static uint32_t *ring;    /* chase and stream: one cycle through all words */

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Numerical Recipes' 32-bit congruential generator. */
static uint32_t congruential(uint32_t x) {
    return x * 1664525u + 1013904223u;
}

static uint32_t rotate_right(uint32_t x, int bits) {
    return x >> bits | x << (32 - bits);
}

/* The rounds of SHA-256 with constants of our own: 32-bit arithmetic and rotations. */
static void sha_block(uint32_t state[8], const uint32_t k[64], uint32_t w[64]) {
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3) + w[i - 7] +
               (rotate_right(y, 17) ^ rotate_right(y, 19) ^ y >> 10);
    }
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = h + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
                      ((e & f) ^ (~e & g)) + k[i] + w[i];
        uint32_t t2 = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
                      ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static uint64_t sha(void) {
    uint32_t h[8] = {1, 2, 3, 4, 5, 6, 7, 8}, k[64], w[64], x = 7;

    for (uint32_t i = 0; i < 64; i++) {
        k[i] = (i * 0x9E3779B9u) ^ 0x428a2f98u;
    }
    for (int block = 0; block < 40000; block++) {
        for (int i = 0; i < 16; i++) {
            w[i] = x = congruential(x);
        }
        sha_block(h, k, w);
    }
    return h[0] ^ ((uint64_t)h[5] << 32);
}

static void quicksort(uint32_t *a, long low, long high) {
    while (low < high) {
        uint32_t pivot = a[(low + high) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) {
                i++;
            }
            while (a[j] > pivot) {
                j--;
            }
            if (i <= j) {
                uint32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        /* The shorter side by recursion, the longer by the loop. */
        if (j - low < high - i) {
            quicksort(a, low, j);
            low = i;
        } else {
            quicksort(a, i, high);
            high = j;
        }
    }
}

static uint64_t sort(void) {
    uint32_t x = 1;

    for (int i = 0; i < SORT_WORDS; i++) {
        x = congruential(x);
        numbers[i] = x >> 3;
    }
    quicksort(numbers, 0, SORT_WORDS - 1);
    return numbers[SORT_WORDS / 2] + numbers[7];
}

static uint64_t sieve(void) {
    uint8_t *is_prime = (uint8_t *)numbers;
    uint64_t count = 0;

    memset(is_prime, 1, SIEVE_BYTES);
    for (long i = 2; i < SIEVE_BYTES; i++) {
        if (is_prime[i]) {
            count++;
            for (long j = i * 2; j < SIEVE_BYTES; j += i) {
                is_prime[j] = 0;
            }
        }
    }
    return count;
}

/* Doubles: multiplication, addition, division, in a chain. */
static uint64_t fp(void) {
    double x = 0.3, y = 0.5, z = 0.25, sum = 0;

    for (int i = 0; i < 1500000; i++) {
        x = 3.7 * x * (1 - x);
        y = y * 0.5 + x / (1.0 + z * z);
        z = z * 0.25 + (y - x) * 0.5;
        sum += x * y - z;
    }
    return (uint64_t)(sum * 1000);
}

/* An interpreter's loop: what the machine itself is made of. */
static uint64_t dispatch(void) {
    static const uint8_t program[] = {0, 1, 2, 3, 4, 5, 1, 0, 3, 2, 4, 1, 5, 6};
    uint64_t a = 1, b = 2, c = 0;
    int pc = 0;

    for (int i = 0; i < 6000000; i++) {
        switch (program[pc]) {
        case 0:
            a += b;
            break;
        case 1:
            b ^= a >> 3;
            break;
        case 2:
            c += a & b;
            break;
        case 3:
            a = a * 5 + 1;
            break;
        case 4:
            b -= c;
            break;
        case 5:
            c ^= c << 7;
            break;
        case 6:
            pc = -1;
            break;
        }
        pc++;
    }
    return a ^ b ^ c;
}

static void make_ring(void) {
    uint64_t x = 88172645463325252u; /* xorshift64, Marsaglia 2003 */

    for (uint32_t i = 0; i < CHASE_WORDS; i++) {
        ring[i] = i;
    }
    for (uint32_t i = CHASE_WORDS - 1; i > 0; i--) { /* Sattolo's shuffle: a single cycle */
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint32_t j = (uint32_t)(x % i), t = ring[i];
        ring[i] = ring[j];
        ring[j] = t;
    }
}

static uint64_t chase(void) {
    uint32_t at = 0;

    for (int i = 0; i < 1000000; i++) {
        at = ring[at];
    }
    return at;
}

/* The ring as words of eight bytes, whole loads and stores on every machine. */
typedef uint64_t __attribute__((may_alias)) wide;

static uint64_t stream(void) {
    wide *words = (wide *)ring;
    uint64_t sum = 0;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < CHASE_WORDS / 2; i++) {
            sum += words[i];
            words[i] ^= sum;
        }
    }
    return sum;
}

static const struct {
    const char *name;
    uint64_t (*run)(void);
} kernels[] = {
    {"sha", sha},         {"sort", sort},   {"sieve", sieve},   {"fp", fp},
    {"switch", dispatch}, {"chase", chase}, {"stream", stream},
};

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS_DEFAULT;

    numbers = malloc(CHASE_WORDS * sizeof *numbers);
    ring = malloc(CHASE_WORDS * sizeof *ring);
    if (numbers == NULL || ring == NULL) {
        return 1;
    }
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        double best = 1e18;
        uint64_t result = 0;
        make_ring();
        for (int round = 0; round < rounds; round++) {
            double start = now_ms();
            uint64_t got = kernels[i].run();
            double took = now_ms() - start;
            best = took < best ? took : best;
            result = round == 0 ? got : result;
        }
        printf("%-8s %10.2f ms  %016" PRIx64 "\n", kernels[i].name, best, result);
        fflush(stdout);
    }
    return 0;
}
