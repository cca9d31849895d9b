/* lab.h: a laboratory: a machine, programs without code on it, and a line of text for each thing
 * that somebody does to them.
 *
 * A session is a machine and the list of the lines that changed it. The machine is deterministic,
 * so every earlier state can be had again: by doing the first so many lines once more on a new
 * machine. That is all that going back is.
 *
 * Used by cli/lab.c, by tests, and by whoever draws. Thread-safety: one thread at a time for each
 * session; nothing here is global.
 */
#ifndef QUIRE_LAB_H
#define QUIRE_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct lab;

struct lab_options {
    /* As the command `machine` takes it: "--ram 16M --format 10/10/12"; NULL: the defaults. */
    const char *machine;
    /* The nearest of the candidates to a word, NULL if none is near: for "did you mean". May be
     * NULL: no guesses then. */
    const char *(*nearest)(const char *word, const char *const candidates[], size_t ncandidates);
};

/* ---- a session --------------------------------------------------------------------------------
 */

#define LAB_ERROR_BYTES 400

/* NULL: the options are wrong, or the host has no memory; error says which in one line. */
struct lab *lab_create(const struct lab_options *options, char error[LAB_ERROR_BYTES]);
void lab_destroy(struct lab *lab);

/* What a line led to. Texts belong to the session, until its next line. */
struct lab_result {
    bool ok;
    bool has_value; /* an address, a number of pages: what the command gives */
    int64_t value;
    const char *command; /* its name; "" if there is no such command */
    const char *text;    /* what it says, lines that end in '\n'; may be "" */
    const char *error;   /* one line without '\n': what was wrong and what would be right; or "" */
    bool changed;        /* the line is now part of the history */
    bool quit;           /* the command `quit` */
};

/* Do one line: "NAME ARGUMENTS", or "VARIABLE = NAME ARGUMENTS"; "" and "# ..." do nothing. Longer
 * lines than LAB_LINE_BYTES are refused. Returns result->ok. */
#define LAB_LINE_BYTES 2000
bool lab_run(struct lab *lab, const char *line, struct lab_result *result);

/* ---- history ----------------------------------------------------------------------------------
 */

/* Lines that made the present state, and lines known: more, after going back. */
size_t lab_place(const struct lab *lab);
size_t lab_length(const struct lab *lab);
const char *lab_line(const struct lab *lab, size_t index); /* => index < lab_length */

/* The state after the first `place` lines, 0 to lab_length. False: the host has no memory for
 * another machine; the session is then as at the beginning. O(lines done again). */
bool lab_goto(struct lab *lab, size_t place);

/* A hash of everything that a session can see: equal for equal states. O(pages of all spaces). */
uint64_t lab_hash(struct lab *lab);

/* ---- words ------------------------------------------------------------------------------------
 */

/* An expression over numbers, variables and facts: "proc.rss * 4 == 12". False: error says why. */
bool lab_evaluate(struct lab *lab, const char *text, int64_t *value, char error[LAB_ERROR_BYTES]);

/* Names that begin with prefix: of commands (first) or of facts, variables and functions; the
 * index-th, NULL past the last. For completion. */
const char *lab_complete(const struct lab *lab, bool first, const char *prefix, size_t index);

/* What a command takes, as its help says it ("ADDR [BYTES]"); NULL: there is no such command. */
const char *lab_takes(const char *command);

/* ---- texts ------------------------------------------------------------------------------------
 */

/* A text of the machine by its path, as programs would read it in /proc: "meminfo", "2/smaps"; and
 * what pictures need: read.c has the names. malloc'd; NULL: there is none, or no host memory. */
char *lab_read(struct lab *lab, const char *path);
/* The index-th process that is there, 0 past the last. */
int lab_pid(const struct lab *lab, size_t index);

/* ---- JSON -------------------------------------------------------------------------------------
 */

/* One object, malloc'd, without a newline; NULL: no library for it was there at build time, or the
 * host has no memory. lab/README.md says what is in it. */
bool lab_has_json(void);
char *lab_result_json(struct lab *lab, const struct lab_result *result);
char *lab_state_json(struct lab *lab);
/* The labs of this build, an array: name, rows, and a title in each language. */
char *lab_builtins_json(void);

/* ---- labs -------------------------------------------------------------------------------------
 */

enum lab_language { LAB_EN, LAB_ZH, LAB_NLANGUAGES };

/* A lab that came with this build; or one that was read from a file. */
struct lab_script;
struct lab_builtin {
    const char *name; /* "13-fork" */
    const char *text;
};
extern const struct lab_builtin lab_builtins[]; /* ends with a NULL name */

/* By "13-fork", "fork" or "13"; NULL: none of these. */
const struct lab_builtin *lab_builtin_find(const char *name);

/* Parse a script; name is for messages. NULL: error says what is wrong in which line. */
struct lab_script *lab_script_parse(const char *name, const char *text,
                                    char error[LAB_ERROR_BYTES]);
void lab_script_free(struct lab_script *script);
const char *lab_script_title(const struct lab_script *script, enum lab_language language);
const char *lab_script_rows(const struct lab_script *script); /* "F3 F1" */

struct lab_student {
    void *context;
    /* The answer to a question: a line, valid until the next call; NULL: none. again: the last one
     * could not be understood. */
    const char *(*answer)(void *context, const char *question, bool again);
    /* Before each command, at a terminal: Enter goes on. May be NULL. */
    bool (*pause)(void *context);
};

struct lab_grade {
    unsigned questions, right, wrong, unanswered;
    unsigned facts;  /* expectations that held */
    unsigned failed; /* that did not; commands that went wrong; with check, faults of the script */
};

struct lab_play {
    FILE *to;
    enum lab_language language;
    bool json;  /* an object for each thing that happens, instead of text */
    bool check; /* the script itself too: texts in all languages, wrong answers that are wrong */
    struct lab_student student;
};

/* Play a script on a session, which should be new. */
void lab_play(struct lab *lab, const struct lab_script *script, const struct lab_play *play,
              struct lab_grade *grade);

/* The same step by step: each says, asks, does or answers one thing. play is copied; the others
 * must stay until the player ends. play->check and student.pause mean nothing here. NULL: the host
 * has no memory. */
struct lab_player;
struct lab_player *lab_player_start(struct lab *lab, const struct lab_script *script,
                                    const struct lab_play *play, struct lab_grade *grade);
/* False: there was none left. */
bool lab_player_step(struct lab_player *player);
/* Steps taken, and steps that there are. */
size_t lab_player_place(const struct lab_player *player);
size_t lab_player_length(const struct lab_player *player);
/* A prediction for a question that was asked already, instead of an earlier one. False: it was not
 * asked or is answered already, or the text is neither a number nor a choice, as asked. */
bool lab_player_predict(struct lab_player *player, const char *question, const char *text);
void lab_player_end(struct lab_player *player); /* NULL is nothing */

#endif
