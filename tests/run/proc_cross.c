/* proc_cross.c: a guest program: takes memory page by page until there is none, and after each page
 * runs an instruction of which two bytes lie in one page of its file and two in the next. Both have
 * to be there at once, when in the end hardly anything else can leave memory. For the OOM killer.
 */
#include <stdint.h>
#include <sys/mman.h>

#define PAGE  4096
#define BYTES ((uint64_t)64 << 20)

long cross(long value);

__asm__(".text\n"
        ".balign 4096\n"
        ".option push\n"
        ".fill 2046, 2, 0x0001\n" /* c.nop, to 4092 */
        ".globl cross\n"
        ".type cross, @function\n"
        "cross:\n"
        "c.nop\n"
        ".option norvc\n"
        "addi a0, a0, 1\n" /* 4094 to 4098 */
        ".option pop\n"
        "ret\n"
        ".balign 4096\n");

int main(void) {
    volatile char *at =
        mmap(0, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    long sum = 0;
    for (uint64_t i = 0; i < BYTES; i += PAGE) {
        at[i] = 1;
        sum = cross(sum);
    }
    return sum != BYTES / PAGE;
}
