/* page_plain.c: a page zeroed or copied, on hosts that no file is written for.
 *
 * What the C library has for this size is right everywhere, and near the best on most hosts.
 * page_x86.c is the same for x86-64. What may fail: nothing. Called by ram.c and disk.c.
 */
#include <string.h>

#include "machine.h"

void quire_ram_zero_page(void *page, const void *next) {
    (void)next;
    memset(page, 0, QUIRE_PAGE_SIZE);
}

void quire_ram_copy_page(void *restrict target, const void *restrict source) {
    memcpy(target, source, QUIRE_PAGE_SIZE);
}
