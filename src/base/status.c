/* status.c: the names of outcomes, for messages and logs.
 *
 * A switch rather than a table: the compiler warns (-Wswitch) when a status is added and not named.
 */
#include <quire/status.h>

const char *quire_status_name(enum quire_status status) {
    switch (status) {
    case QUIRE_OK:
        return "QUIRE_OK";
    case QUIRE_NOMEM:
        return "QUIRE_NOMEM";
    case QUIRE_FAULT:
        return "QUIRE_FAULT";
    case QUIRE_DENIED:
        return "QUIRE_DENIED";
    case QUIRE_BUS:
        return "QUIRE_BUS";
    case QUIRE_KILLED:
        return "QUIRE_KILLED";
    case QUIRE_RESTART:
        return "QUIRE_RESTART";
    case QUIRE_INVAL:
        return "QUIRE_INVAL";
    case QUIRE_EXIST:
        return "QUIRE_EXIST";
    case QUIRE_UNMAPPED:
        return "QUIRE_UNMAPPED";
    case QUIRE_IO:
        return "QUIRE_IO";
    case QUIRE_BUSY:
        return "QUIRE_BUSY";
    case QUIRE_PERM:
        return "QUIRE_PERM";
    case QUIRE_NOROOM:
        return "QUIRE_NOROOM";
    }
    return "QUIRE_?";
}
