/* top_screen_none.c: `quire top` where ncurses was not there when quire was built. */
#include "cli/top.h"

int top_screen(struct top *top) {
    (void)top;
    return cli_wrong("this quire was built without ncurses (libncurses-dev); 'quire top -b' works");
}
