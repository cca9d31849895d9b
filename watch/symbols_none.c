/* symbols_none.c: for a build without libdw: no code has a name. */
#include "watch/account.h"

struct watch_symbols *watch_symbols_create(struct os *os, const struct watch_sites *sites) {
    (void)os, (void)sites;
    return NULL;
}

void watch_symbols_destroy(struct watch_symbols *symbols) {
    (void)symbols;
}

struct watch_symbol watch_symbol_of(struct watch_symbols *symbols, struct watch_code code) {
    (void)symbols, (void)code;
    return (struct watch_symbol){"", "", 0};
}
