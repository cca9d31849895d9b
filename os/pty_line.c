/* pty_line.c: the line discipline of pseudo-terminals: what termios(3) says happens to bytes
 * between who types and who reads.
 *
 *   master writes ─▶ signals, CR and NL, editing, echo ─▶ input ─▶ slave reads (whole lines, if
 *                                         │                        canonical)
 *   master reads  ◀─ output ◀─────────────┴──── NL becomes CR NL ◀─ slave writes
 *
 * Input is one flat buffer with a mark beside each byte that ends a line; 4 KiB are moved in no
 * time and a ring would make editing hard to follow.
 *
 * Invariants:
 *   I1  line_start <= input_count <= OS_PTY_INPUT; no mark lies at or after line_start.
 *   I2  in a canonical mode nothing before line_start is edited any more.
 *
 * Nothing fails; what has no room is dropped where Linux drops it (n_tty(4)).
 */
#include "os/pty.h"

#include <string.h>

/* The flags of struct termios that mean something here: asm-generic/termbits.h. */
enum input_flag {
    IN_INLCR = 0100,
    IN_IGNCR = 0200,
    IN_ICRNL = 0400,
    IN_IUCLC = 01000,
    IN_IXON = 02000,
    IN_IUTF8 = 040000,
};
enum output_flag {
    OUT_OPOST = 1,
    OUT_ONLCR = 4,
    OUT_OCRNL = 010,
    OUT_ONLRET = 040,
    OUT_TABS = 014000
};
enum local_flag {
    LOCAL_ISIG = 1,
    LOCAL_ICANON = 2,
    LOCAL_ECHO = 010,
    LOCAL_ECHOE = 020,
    LOCAL_ECHOK = 040,
    LOCAL_ECHONL = 0100,
    LOCAL_NOFLSH = 0200,
    LOCAL_ECHOCTL = 01000,
    LOCAL_ECHOKE = 04000,
    LOCAL_IEXTEN = 0100000,
};
enum control_character {
    CC_INTR,
    CC_QUIT,
    CC_ERASE,
    CC_KILL,
    CC_EOF,
    CC_TIME,
    CC_MIN,
    CC_SWTC,
    CC_START,
    CC_STOP,
    CC_SUSP,
    CC_EOL,
    CC_REPRINT,
    CC_DISCARD,
    CC_WERASE,
    CC_LNEXT,
    CC_EOL2,
};
enum end_mark { END_NONE, END_LINE, END_OF_FILE };

#define CONTROL_CS8_CREAD_B38400 0277
#define TAB_STOP                 8u

/* What a fresh terminal has (tty_std_termios). */
void os_line_init(struct os_pty *pty) {
    static const uint8_t characters[OS_NCCS] = {3,  28, 127, 21, 4,  0,  1,  0, 17,
                                                19, 26, 0,   18, 15, 23, 22, 0};
    pty->termios = (struct os_termios){
        .input_flags = IN_ICRNL | IN_IXON,
        .output_flags = OUT_OPOST | OUT_ONLCR,
        .control_flags = CONTROL_CS8_CREAD_B38400,
        .local_flags = LOCAL_ISIG | LOCAL_ICANON | LOCAL_ECHO | LOCAL_ECHOE | LOCAL_ECHOK |
                       LOCAL_ECHOCTL | LOCAL_ECHOKE | LOCAL_IEXTEN,
    };
    memcpy(pty->termios.control_characters, characters, sizeof characters);
}

static bool has_local(const struct os_pty *pty, uint32_t flag) {
    return pty->termios.local_flags & flag;
}

static bool is_control(const struct os_pty *pty, enum control_character which, uint8_t byte) {
    return byte != 0 && pty->termios.control_characters[which] == byte; /* 0: there is none */
}

/* ---- output ---------------------------------------------------------------------------------- */

static bool has_room(const struct os_pty *pty, size_t nbytes) {
    return pty->output_count + nbytes <= OS_PTY_OUTPUT;
}

static void put(struct os_pty *pty, uint8_t byte) {
    pty->output[pty->output_count++] = byte;
}

/* One byte with what OPOST makes of it; false: no room. */
static bool print_one(struct os_pty *pty, uint8_t byte) {
    uint32_t flags = pty->termios.output_flags;
    if (!has_room(pty, TAB_STOP))
        return false;
    if (!(flags & OUT_OPOST)) {
        put(pty, byte);
        return true;
    }
    if (byte == '\r' && flags & OUT_OCRNL)
        byte = '\n';
    if (byte == '\n' && flags & OUT_ONLCR)
        put(pty, '\r');
    if (byte == '\t' && (flags & OUT_TABS) == OUT_TABS) {
        do
            put(pty, ' ');
        while (++pty->column % TAB_STOP);
        return true;
    }
    put(pty, byte);
    if (byte == '\r' || (byte == '\n' && flags & (OUT_ONLCR | OUT_ONLRET)))
        pty->column = 0;
    else if (byte == '\b')
        pty->column -= pty->column > 0;
    else if (byte == '\t')
        pty->column = (pty->column / TAB_STOP + 1) * TAB_STOP;
    else if (byte >= ' ' && (byte & 0xc0) != 0x80)
        pty->column++;
    return true;
}

size_t os_line_print(struct os_pty *pty, const uint8_t *bytes, size_t nbytes) {
    size_t done = 0;
    while (done < nbytes && !pty->stopped && print_one(pty, bytes[done]))
        done++;
    return done;
}

/* ---- echo ------------------------------------------------------------------------------------ */

static bool shown_as_caret(const struct os_pty *pty, uint8_t byte) {
    return has_local(pty, LOCAL_ECHOCTL) && (byte < ' ' || byte == 0x7f) && byte != '\t' &&
           byte != '\n';
}

static void echo(struct os_pty *pty, uint8_t byte) {
    if (!has_local(pty, LOCAL_ECHO) &&
        !(byte == '\n' && has_local(pty, LOCAL_ECHONL) && has_local(pty, LOCAL_ICANON)))
        return;
    if (shown_as_caret(pty, byte)) {
        print_one(pty, '^');
        byte ^= 0100;
    }
    print_one(pty, byte);
}

static void rub_out(struct os_pty *pty, size_t columns) {
    for (; columns > 0; columns--) {
        print_one(pty, '\b');
        print_one(pty, ' ');
        print_one(pty, '\b');
    }
}

/* ---- editing --------------------------------------------------------------------------------- */

/* Take the last character of the line away (all bytes of it, in UTF-8). */
static void erase_one(struct os_pty *pty, bool quietly) {
    uint8_t byte;
    do
        byte = pty->input[--pty->input_count];
    while (pty->termios.input_flags & IN_IUTF8 && (byte & 0xc0) == 0x80 &&
           pty->input_count > pty->line_start);
    if (!has_local(pty, LOCAL_ECHO) || quietly)
        return;
    if (!has_local(pty, LOCAL_ECHOE))
        echo(pty, pty->termios.control_characters[CC_ERASE]);
    else
        rub_out(pty, shown_as_caret(pty, byte) ? 2 : byte == '\t' ? 1 : byte < ' ' ? 0 : 1);
}

static bool is_word(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}

static void erase_word(struct os_pty *pty) {
    bool seen = false;
    while (pty->input_count > pty->line_start) {
        bool word = is_word(pty->input[pty->input_count - 1]);
        if (seen && !word)
            return;
        seen |= word;
        erase_one(pty, false);
    }
}

static void erase_line(struct os_pty *pty) {
    bool visibly =
        has_local(pty, LOCAL_ECHOK) && has_local(pty, LOCAL_ECHOKE) && has_local(pty, LOCAL_ECHOE);
    while (pty->input_count > pty->line_start)
        erase_one(pty, !visibly);
    if (visibly || !has_local(pty, LOCAL_ECHO))
        return;
    echo(pty, pty->termios.control_characters[CC_KILL]);
    if (has_local(pty, LOCAL_ECHOK))
        echo(pty, '\n');
}

/* ---- input ----------------------------------------------------------------------------------- */

void os_line_flush_input(struct os_pty *pty) {
    pty->input_count = pty->line_start = 0;
}

static void append(struct os_pty *pty, uint8_t byte, enum end_mark mark) {
    /* The last place is for what ends the line: a line that is too long loses its tail. */
    if (pty->input_count >= OS_PTY_INPUT || (pty->input_count == OS_PTY_INPUT - 1 && !mark))
        return;
    pty->input[pty->input_count] = byte;
    pty->ends[pty->input_count++] = (uint8_t)mark;
    if (mark || !has_local(pty, LOCAL_ICANON))
        pty->line_start = pty->input_count; /* I2 */
}

/* ^C, ^\ and ^Z; true if the byte was one. */
static bool is_signal(struct os_pty *pty, uint8_t byte) {
    int signal = is_control(pty, CC_INTR, byte)   ? OS_SIGINT
                 : is_control(pty, CC_QUIT, byte) ? OS_SIGQUIT
                 : is_control(pty, CC_SUSP, byte) ? OS_SIGTSTP
                                                  : 0;
    if (!has_local(pty, LOCAL_ISIG) || signal == 0)
        return false;
    if (!has_local(pty, LOCAL_NOFLSH)) {
        os_line_flush_input(pty);
        pty->output_count = 0;
    }
    echo(pty, byte);
    os_pty_signal(pty, signal);
    return true;
}

static bool is_flow(struct os_pty *pty, uint8_t byte) {
    if (!(pty->termios.input_flags & IN_IXON))
        return false;
    bool start = is_control(pty, CC_START, byte), stop = is_control(pty, CC_STOP, byte);
    if (start || stop)
        pty->stopped = stop;
    return start || stop;
}

/* A byte of a canonical mode that edits the line or ends it; true if it was one. */
static bool edits(struct os_pty *pty, uint8_t byte) {
    bool extended = has_local(pty, LOCAL_IEXTEN);
    if (is_control(pty, CC_ERASE, byte)) {
        if (pty->input_count > pty->line_start)
            erase_one(pty, false);
    } else if (extended && is_control(pty, CC_WERASE, byte)) {
        erase_word(pty);
    } else if (is_control(pty, CC_KILL, byte)) {
        erase_line(pty);
    } else if (extended && is_control(pty, CC_LNEXT, byte)) {
        pty->literal = true;
        if (has_local(pty, LOCAL_ECHO) && has_local(pty, LOCAL_ECHOCTL)) {
            print_one(pty, '^');
            print_one(pty, '\b');
        }
    } else if (is_control(pty, CC_EOF, byte)) {
        append(pty, 0, END_OF_FILE);
    } else if (byte == '\n' || is_control(pty, CC_EOL, byte) ||
               (extended && is_control(pty, CC_EOL2, byte))) {
        echo(pty, byte);
        append(pty, byte, END_LINE);
    } else {
        return false;
    }
    return true;
}

static void type_one(struct os_pty *pty, uint8_t byte) {
    uint32_t flags = pty->termios.input_flags;
    uint8_t typed = byte;
    if (pty->literal) {
        pty->literal = false;
        echo(pty, byte);
        append(pty, byte, END_NONE);
        return;
    }
    if (is_flow(pty, byte) || is_signal(pty, byte))
        return;
    if (byte == '\r') {
        if (flags & IN_IGNCR)
            return;
        if (flags & IN_ICRNL)
            byte = '\n';
    } else if (byte == '\n' && flags & IN_INLCR) {
        byte = '\r';
    }
    if (has_local(pty, LOCAL_ICANON) && edits(pty, byte))
        return;
    if (typed == '\n' && byte == '\n' && has_local(pty, LOCAL_ECHO) &&
        has_local(pty, LOCAL_ECHOCTL)) { /* not canonical: a byte as any other */
        print_one(pty, '^');
        print_one(pty, 'J');
    } else {
        echo(pty, byte);
    }
    append(pty, byte, END_NONE);
}

size_t os_line_type(struct os_pty *pty, const uint8_t *bytes, size_t nbytes) {
    size_t done = 0;
    for (; done < nbytes; done++) {
        bool full = pty->input_count >= OS_PTY_INPUT - 1;
        if (full && pty->line_start > 0) /* somebody can make room by reading */
            break;
        type_one(pty, bytes[done]);
    }
    return done;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool os_line_readable(const struct os_pty *pty) {
    if (has_local(pty, LOCAL_ICANON))
        return pty->line_start > 0;
    uint8_t least = pty->termios.control_characters[CC_MIN];
    bool timed = pty->termios.control_characters[CC_TIME] != 0;
    return pty->input_count >= (timed || least == 0 ? 1u : least);
}

size_t os_line_waiting(const struct os_pty *pty) {
    size_t count = has_local(pty, LOCAL_ICANON) ? pty->line_start : pty->input_count, ends = 0;
    for (size_t i = 0; i < count; i++)
        ends += pty->ends[i] == END_OF_FILE;
    return count - ends;
}

static void drop_input(struct os_pty *pty, size_t count) {
    pty->input_count -= count;
    pty->line_start -= count < pty->line_start ? count : pty->line_start;
    memmove(pty->input, pty->input + count, pty->input_count);
    memmove(pty->ends, pty->ends + count, pty->input_count);
}

int64_t os_line_read(struct os_pty *pty, uint8_t *to, size_t nbytes) {
    bool canonical = has_local(pty, LOCAL_ICANON);
    if (!os_line_readable(pty)) {
        bool never_waits = !canonical && pty->termios.control_characters[CC_MIN] == 0;
        return never_waits ? 0 : -OS_EAGAIN;
    }
    size_t count = canonical ? pty->line_start : pty->input_count, done = 0, used = 0;
    while (used < count && done < nbytes) {
        enum end_mark mark = canonical ? (enum end_mark)pty->ends[used] : END_NONE;
        if (mark != END_OF_FILE)
            to[done++] = pty->input[used];
        used++;
        if (mark)
            break;
    }
    /* An end of file right behind the last byte that was asked for belongs to this read. */
    if (canonical && done == nbytes && used < count && pty->ends[used] == END_OF_FILE &&
        !pty->ends[used - 1])
        used++;
    drop_input(pty, used);
    return (int64_t)done;
}

/* Leaving the canonical mode makes what was being edited readable; coming back, all that is there
 * is a line. */
void os_line_modes_changed(struct os_pty *pty, const struct os_termios *old) {
    if (!((old->local_flags ^ pty->termios.local_flags) & LOCAL_ICANON))
        return;
    pty->literal = false;
    if (has_local(pty, LOCAL_ICANON) && pty->input_count > 0)
        pty->ends[pty->input_count - 1] = END_LINE;
    pty->line_start = pty->input_count;
    if (!(pty->termios.input_flags & IN_IXON))
        pty->stopped = false;
}
