/* proc_float.c: a guest program: the processor's floating-point state is the program's own, while
 * pages come, go to swap and come back, and while others run. A flag that somebody else raised, or
 * a rounding mode that did not come back, shows.
 */
#include "proc_test.h"

#include <fenv.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  ((size_t)4096)
#define BYTES ((size_t)12 << 20)

static volatile double one = 1, three = 3, huge = 1e308;

/* Every page is written, then read: with little memory it has been on swap between. The pages are
 * of words that a codec shortens. */
static void move_memory(unsigned char *at) {
    for (size_t i = 0; i < BYTES; i += PAGE)
        for (size_t j = 0; j < PAGE; j += 16)
            at[i + j] = (unsigned char)(i / PAGE * j);
    for (size_t i = 0; i < BYTES; i += PAGE)
        EXPECT(at[i + 32] == (unsigned char)(i / PAGE * 32));
}

static void on_signal(int signal) {
    (void)signal;
    fesetround(FE_TOWARDZERO);
    volatile double other = one / three + huge * huge; /* raises three flags, in its own frame */
    (void)other;
}

int main(void) {
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    unsigned char *at =
        mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGUSR1, on_signal);
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        fesetround(modes[i]);
        feclearexcept(FE_ALL_EXCEPT);
        move_memory(at);
        EXPECT(fetestexcept(FE_ALL_EXCEPT) == 0 && fegetround() == modes[i]);
        volatile double third = one / three;
        move_memory(at);
        EXPECT(fetestexcept(FE_ALL_EXCEPT) == FE_INEXACT && fegetround() == modes[i]);
        EXPECT(third == one / three && (modes[i] == FE_UPWARD) == (third * 3 > 1));
        feclearexcept(FE_ALL_EXCEPT);
        pid_t child = fork();
        if (child == 0) {
            EXPECT(fetestexcept(FE_ALL_EXCEPT) == 0 && fegetround() == modes[i]);
            volatile double much = huge * huge;
            (void)much;
            _exit(failures != 0);
        }
        int status = -1;
        raise(SIGUSR1);
        EXPECT(waitpid(child, &status, 0) == child && status == 0);
        EXPECT(fetestexcept(FE_ALL_EXCEPT) == 0 && fegetround() == modes[i]);
    }
    return report("proc_float");
}
