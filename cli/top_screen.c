/* top_screen.c: `quire top` on a terminal: keys, and what they do.
 *
 * One loop: draw, then wait for a key, for the end of the run, or for the delay to be over. The
 * lines are made by top_table.c for the size that the terminal has at that moment; ncurses tells of
 * another size by a key. On the way out the terminal is as it was, however that comes about.
 *
 * There is no k: looking changes nothing in a run.
 */
#include "cli/top.h"

#include <errno.h>
#include <math.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEY_ESCAPE   27
#define KEY_BACK_ONE 8
#define KEY_DELETE   127
#define MESSAGE_LINE 6  /* the empty one above the table */
#define ESCAPE_MS    50 /* within which the rest of a key's sequence comes */
#define WAIT_MAX_MS  1000000
enum { PAIR_WARNING = 1, PAIR_HEAD, PAIR_STRONG };

static volatile sig_atomic_t stopped; /* by a signal: leave as by q */

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static void begin_colours(void) {
    const char *none = getenv("NO_COLOR"); /* no-color.org: set and not empty */

    if ((none != NULL && none[0] != '\0') || !has_colors()) {
        return;
    }
    start_color();
    use_default_colors();
    init_pair(PAIR_WARNING, COLOR_RED, -1);
    init_pair(PAIR_STRONG, COLOR_CYAN, -1);
    init_pair(PAIR_HEAD, COLOR_BLACK, COLOR_GREEN);
}

static attr_t look_of(enum top_style style) {
    switch (style) {
    case TOP_WARNING:
        return A_BOLD | (attr_t)COLOR_PAIR(PAIR_WARNING);
    case TOP_STRONG:
        return A_BOLD | (attr_t)COLOR_PAIR(PAIR_STRONG);
    case TOP_HEAD:
        return A_REVERSE;
    default:
        return A_NORMAL;
    }
}

static bool draw(struct top *top, const char *message) {
    size_t n;
    unsigned width = COLS > 0 ? (unsigned)COLS : 1, height = LINES > 0 ? (unsigned)LINES : 1;
    struct top_line *lines = top_lines(top, width, height, &n);

    if (lines == NULL) {
        return false;
    }
    erase();
    for (size_t i = 0; i < n; i++) {
        attrset(look_of(lines[i].style));
        mvaddnstr((int)i, 0, lines[i].text, COLS);
        if (lines[i].style != TOP_HEAD) {
            continue;
        }
        for (int x = (int)strlen(lines[i].text); x < COLS; x++) {
            mvaddch((int)i, x, ' '); /* the bar goes to the edge */
        }
        mvchgat((int)i, lines[i].from, lines[i].to - lines[i].from, A_BOLD, PAIR_HEAD, NULL);
    }
    attrset(A_BOLD);
    if (message[0] != '\0') {
        mvaddnstr(MESSAGE_LINE < LINES ? MESSAGE_LINE : LINES - 1, 0, message, COLS);
        clrtoeol();
    }
    attrset(A_NORMAL);
    move(MESSAGE_LINE < LINES ? MESSAGE_LINE : LINES - 1, 0);
    refresh();
    free(lines);
    return true;
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static const char *const help_lines[] = {
    "quire top: looking at a running machine",
    "",
    "  q        leave             h ?     this",
    "  M P T N  sort by memory, processor, time, number",
    "  < >      sort by the column to the left, right",
    "  R        the other way round",
    "  d s      seconds between two looks",
    "  / o      only processes with this in their command",
    "  =        all processes     c       names, command lines",
    "  space    look now          arrows  up and down the list",
    "",
    "VIRT RES SHR SWAP: KiB that a process has addresses for, has",
    "in RAM, shares of that, has on swap. minF majF: its faults.",
    "wa: time waiting for the swap disk. Rates are per second of",
    "the machine's clock. Any key goes back.",
};

static void show_help(void) {
    erase();
    for (int i = 0; i < (int)(sizeof help_lines / sizeof help_lines[0]) && i < LINES; i++) {
        mvaddnstr(i, 0, help_lines[i], COLS);
    }
    refresh();
    timeout(-1);
    while (getch() == ERR && errno == EINTR && !stopped) {
    }
}

/* A line of text; false: given up with Escape. */
static bool ask(const char *question, char *text, size_t capacity) {
    size_t length = 0;
    int key = 0;

    text[0] = '\0';
    timeout(-1);
    while (!stopped) {
        int y = MESSAGE_LINE < LINES ? MESSAGE_LINE : LINES - 1;
        mvprintw(y, 0, "%s %s", question, text);
        clrtoeol();
        refresh();
        key = getch();
        if (key == '\n' || key == '\r' || key == KEY_ENTER) {
            return true;
        }
        if (key == KEY_ESCAPE) {
            return false;
        }
        if ((key == KEY_BACKSPACE || key == KEY_BACK_ONE || key == KEY_DELETE) && length > 0) {
            text[--length] = '\0';
        } else if (key >= ' ' && key <= '~' && length + 1 < capacity) {
            text[length++] = (char)key;
            text[length] = '\0';
        }
    }
    return false;
}

static void ask_delay(struct top *top, char *message, size_t capacity) {
    char text[16], *end;

    if (!ask("Seconds between two looks:", text, sizeof text) || text[0] == '\0') {
        return;
    }
    double delay_s = strtod(text, &end);
    if (*end != '\0' || !(delay_s > 0) || delay_s > 1e6) {
        snprintf(message, capacity, "'%s' is no time", text);
        return;
    }
    top->look.delay_s = delay_s;
}

static void ask_filter(struct top *top) {
    char text[TOP_FILTER_BYTES];

    if (ask("Only commands with:", text, sizeof text)) {
        memcpy(top->filter, text, sizeof text);
        top->scroll = 0;
    }
}

static void scroll_by(struct top *top, long step) {
    long to = (long)top->scroll + step, last = (long)top->now.tasks.count - 1;

    to = to > last ? last : to;
    top->scroll = to > 0 ? (size_t)to : 0;
}

/* Sort, move, filter. False: not one of those keys. */
static bool take_table_key(struct top *top, int key) {
    static const struct {
        int key;
        enum top_column order;
    } orders[] = {{'M', TOP_MEM}, {'P', TOP_CPU}, {'T', TOP_TIME}, {'N', TOP_PID}};

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (key == orders[i].key) {
            top->order = orders[i].order;
            return true;
        }
    }
    switch (key) {
    case '<':
    case '>':
        top_order_move(top, key == '<' ? -1 : 1, (unsigned)COLS);
        return true;
    case 'R':
        top->reverse = !top->reverse;
        return true;
    case 'c':
        top->names_only = !top->names_only;
        return true;
    case '=':
        top->filter[0] = '\0';
        return true;
    case KEY_UP:
    case KEY_DOWN:
        scroll_by(top, key == KEY_UP ? -1 : 1);
        return true;
    case KEY_PPAGE:
    case KEY_NPAGE:
        scroll_by(top, (key == KEY_PPAGE ? -1 : 1) * (LINES > 9 ? LINES - 9 : 1));
        return true;
    case KEY_HOME:
        top->scroll = 0;
        return true;
    default:
        return false;
    }
}

/* What a key does. True: it is time to look again. */
static bool take_key(struct top *top, int key, char *message, size_t capacity) {
    message[0] = '\0';
    if (take_table_key(top, key)) {
        return false;
    }
    switch (key) {
    case 'q':
        stopped = 1;
        return false;
    case 'h':
    case '?':
        show_help();
        return false;
    case 'd':
    case 's':
        ask_delay(top, message, capacity);
        return false;
    case '/':
    case 'o':
        ask_filter(top);
        return false;
    case 'k':
    case 'r':
        snprintf(message, capacity, "looking changes nothing; kill %d ends the run",
                 live_pid(top->look.live));
        return false;
    case ' ':
    case '\n':
        return true;
    case KEY_RESIZE:
    case ERR:
        return false;
    default:
        snprintf(message, capacity, "no such key; h lists them");
        return false;
    }
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

/* Wait for a key or the end of the run, at most so long; what is left of the time. */
static long wait_for(struct top *top, long ms) {
    struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {live_descriptor(top->look.live), POLLIN, 0}};
    struct timespec before, after;

    clock_gettime(CLOCK_MONOTONIC, &before);
    poll(fds, 2, (int)ms);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (fds[1].revents != 0) {
        return 0; /* reading it will say so */
    }
    if ((fds[0].revents & (POLLHUP | POLLERR)) != 0) {
        stopped = 1; /* the terminal is gone */
    }
    return ms - (after.tv_sec - before.tv_sec) * 1000 - (after.tv_nsec - before.tv_nsec) / 1000000;
}

/* Draw, and answer keys until it is time to look again. False: no memory. */
static bool between_looks(struct top *top, char *message, size_t capacity) {
    double delay_ms = ceil(top->look.delay_s * 1000);
    long left_ms = delay_ms < WAIT_MAX_MS ? (long)delay_ms : WAIT_MAX_MS;

    while (!stopped) {
        if (!draw(top, message)) {
            return false;
        }
        if (left_ms <= 0) {
            return true;
        }
        left_ms = wait_for(top, left_ms);
        timeout(0);
        double before_s = top->look.delay_s;
        for (int key = getch(); key != ERR; timeout(0), key = getch()) {
            if (take_key(top, key, message, capacity) || top->look.delay_s != before_s) {
                return draw(top, message);
            }
            if (stopped) {
                return true;
            }
        }
    }
    return true;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = stop};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int top_screen(struct top *top) {
    char message[LIVE_MESSAGE_BYTES], said[TOP_LINE_BYTES] = "";
    bool memory = true, ended = false;
    uint64_t looks = 0;

    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
        return cli_wrong("top needs a terminal; 'quire top -b' writes to a file or a pipe");
    }
    catch_signals(); /* before ncurses, which leaves what is caught */
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        const char *term = getenv("TERM");
        return cli_wrong(
            "top: the terminal '%s' is not known here; set TERM, or use 'quire top -b'",
            term != NULL ? term : "");
    }
    set_escdelay(ESCAPE_MS);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    begin_colours();
    while (!stopped && memory && !ended && (top->look.count == 0 || looks++ < top->look.count)) {
        ended = !live_read(top->look.live, TOP_FILES, message);
        memory = ended || (top_take(top) && between_looks(top, said, sizeof said));
    }
    endwin();
    delscreen(screen);
    if (!memory) {
        return cli_wrong("top: no memory");
    }
    if (ended) {
        cli_wrong("%s", message);
        return looks > 0 || top->now.machine_ns > 0 ? 0 : LOOK_EXIT_GONE;
    }
    return 0;
}
