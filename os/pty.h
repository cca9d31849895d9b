/* pty.h: pseudo-terminals: what fs_pty.c (the two ends as files) and pty_line.c (what happens
 * between them) share.
 */
#ifndef QUIRE_OS_PTY_H
#define QUIRE_OS_PTY_H

#include "os/fs.h"

#define OS_PTY_INPUT  4096u  /* N_TTY_BUF_SIZE: the longest line, too */
#define OS_PTY_OUTPUT 65536u /* what the slave's programs are ahead of the master's */

struct os_pty {
    struct os_pty *next;
    struct os *os;
    int number;
    unsigned masters, slaves; /* open files */
    bool slave_opened;        /* ever: before that the master's end waits, afterwards it is EIO */
    bool locked, hung_up;     /* hung_up: the master has gone */
    struct os_termios termios;
    struct os_winsize size;
    int session, group; /* whose terminal it is, and which group is in the foreground; 0: none */
    /* To the slave. ends[i]: 0, or the byte ends a line (LINE), or stands for an end of file. */
    uint8_t input[OS_PTY_INPUT], ends[OS_PTY_INPUT];
    size_t input_count, line_start, column; /* line_start: of the line that is being edited */
    bool literal;                           /* after ^V */
    bool stopped;                           /* after ^S */
    uint8_t output[OS_PTY_OUTPUT];
    size_t output_count;
};

/* ---- pty_line.c: the line discipline, termios(3) --------------------------------------------- */

void os_line_init(struct os_pty *pty);
/* Bytes typed at the master's end. How many were taken. */
size_t os_line_type(struct os_pty *pty, const uint8_t *bytes, size_t nbytes);
/* Bytes printed by the slave's programs. How many were taken. */
size_t os_line_print(struct os_pty *pty, const uint8_t *bytes, size_t nbytes);
/* What a reader of the slave gets: -EAGAIN, 0 at an end of file, or bytes. */
int64_t os_line_read(struct os_pty *pty, uint8_t *to, size_t nbytes);
bool os_line_readable(const struct os_pty *pty);
size_t os_line_waiting(const struct os_pty *pty);
void os_line_flush_input(struct os_pty *pty);
/* The modes were changed. */
void os_line_modes_changed(struct os_pty *pty, const struct os_termios *old);

/* ---- fs_pty.c -------------------------------------------------------------------------------- */

/* To the group in the foreground. */
void os_pty_signal(struct os_pty *pty, int signal);
void os_pty_changed(struct os_pty *pty);
/* The other end of an open master, by TIOCGPTPEER. */
int64_t os_pty_open_peer(struct os_task *task, struct os_file *master, uint32_t flags);

#endif
