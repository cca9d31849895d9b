/* cli.h: what the commands of `quire` share: options, sizes, messages, the table of commands.
 *
 * Everything that the command itself says goes to standard error: standard input, output and error
 * belong to the program that it runs. A wrong command line gets one line, which names what was
 * wrong and what would be right.
 */
#ifndef QUIRE_CLI_CLI_H
#define QUIRE_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes as env(1), timeout(1), chroot(1) and docker-run(1) have them. A program's own status
 * and 128 + signal lie beside them. */
#define CLI_EXIT_OURS      125 /* quire itself failed, or the command line is wrong */
#define CLI_EXIT_NOT_RUN   126 /* the program was found but cannot be run */
#define CLI_EXIT_NOT_FOUND 127 /* there is no such program */

/* ---- options --------------------------------------------------------------------------------- */

/* One long option. value says what it takes ("SIZE"), NULL for a flag; example is a right use of
 * it, shown when the value is missing. A value that may be left out begins with '=': it is only
 * taken from "--name=value", and has no example. */
struct cli_option {
    const char *name; /* with its dashes */
    const char *value;
    const char *example;
    const char *help;
};

/* Where we are in a command line: a NULL-ended array, at the next word. */
struct cli_words {
    char **at;
};

#define CLI_OPTIONS_END   (-1) /* words->at is the first word that is not an option (or NULL) */
#define CLI_OPTIONS_WRONG (-2) /* the line is wrong; it has been said */

/* Take the next option: its index in options, or one of the above. "--name value" and
 * "--name=value" are the same; "--" ends the options and is taken. *value is NULL for a flag, or
 * for a value that may be left out and was. */
int cli_option_next(struct cli_words *words, const struct cli_option *options, size_t noptions,
                    const char **value);

/* A line for each option, as help shows them. */
void cli_options_print(const struct cli_option *options, size_t noptions);

/* "did you mean ..." : the candidate nearest to word, NULL if none is near enough to be meant. */
const char *cli_nearest(const char *word, const char *const candidates[], size_t ncandidates);

/* ---- sizes and numbers ------------------------------------------------------------------------
 */

/* "64M", "1.5GiB", "4096": bytes. K M G T are powers of 1024, as everywhere in Linux's memory
 * tools. On failure the line is printed with option as its subject, and false comes back. */
bool cli_size_parse(const char *option, const char *text, uint64_t *bytes);
/* An unsigned number, decimal or 0x. */
bool cli_number_parse(const char *option, const char *text, uint64_t *number);
/* The value of --harts. */
bool cli_harts_parse(const char *text, unsigned *harts);

#define CLI_TEXT_BYTES 32 /* enough for every text that the next two make */
/* 412316860416 as "384 GiB", 1.5 * 2^20 as "1.50 MiB". Returns text. */
const char *cli_size_text(uint64_t bytes, char text[CLI_TEXT_BYTES]);
/* 1234567 as "1,234,567". Returns text. */
const char *cli_count_text(uint64_t count, char text[CLI_TEXT_BYTES]);

/* ---- messages ---------------------------------------------------------------------------------
 */

/* One line on standard error, after "quire: ". Returns CLI_EXIT_OURS, for `return cli_wrong(...)`.
 */
int cli_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- commands ---------------------------------------------------------------------------------
 */

struct cli_command {
    const char *name;
    const char *summary;                 /* one line in the list of commands */
    int (*run)(struct cli_words *words); /* words after the name; returns the exit code */
    void (*help)(void);                  /* on standard output */
};

int cli_run(struct cli_words *words);
void cli_run_help(void);
int cli_sh(struct cli_words *words);
void cli_sh_help(void);
int cli_sweep(struct cli_words *words);
void cli_sweep_help(void);
int cli_mkswap(struct cli_words *words);
void cli_mkswap_help(void);
int cli_doctor(struct cli_words *words);
void cli_doctor_help(void);
int cli_export(struct cli_words *words);
void cli_export_help(void);
int cli_metrics(struct cli_words *words);
void cli_metrics_help(void);
int cli_free(struct cli_words *words);
void cli_free_help(void);
int cli_lab(struct cli_words *words);
void cli_lab_help(void);
int cli_list(struct cli_words *words);
void cli_list_help(void);
int cli_maps(struct cli_words *words);
void cli_maps_help(void);
int cli_proc(struct cli_words *words);
void cli_proc_help(void);
int cli_ps(struct cli_words *words);
void cli_ps_help(void);
int cli_top(struct cli_words *words);
void cli_top_help(void);
int cli_vmstat(struct cli_words *words);
void cli_vmstat_help(void);
int cli_root(struct cli_words *words);
void cli_root_help(void);

#endif
