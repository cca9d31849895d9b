/* fuzz.c: hostile lines, scripts and answers, drawn from a seed: a session refuses what is wrong,
 * and the manager below is sound whatever was said to it (lab_destroy ends in the manager's own
 * check for leaks; each session is gone back in, too).
 *
 * lab_fuzz [SEED [SESSIONS]]; QUIRE_FULL=1 makes it longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/random.h"
#include "lab/lab.h"

static uint64_t seed = 1, sessions = 40;
#define LINES 60

static const char *pick(uint64_t *random, const char *const words[], size_t n) {
    return words[next_random(random) % n];
}

/* Numbers that somebody might hand in: some right, some at an edge. */
static void number(uint64_t *random, char *text, size_t room) {
    static const char *const words[] = {"0",
                                        "1",
                                        "3",
                                        "16",
                                        "4095",
                                        "4096",
                                        "4097",
                                        "0x400000",
                                        "132K",
                                        "1M",
                                        "8M",
                                        "0x7fffffffffff",
                                        "0xffffffffffffffff",
                                        "0x8000000000000000",
                                        "-1",
                                        "p",
                                        "q",
                                        "k",
                                        "p+4096",
                                        "q*4096",
                                        "1/0",
                                        "proc.data",
                                        "proc.text",
                                        "proc.stack_top",
                                        "proc.stack_top-1",
                                        "proc.heap_start",
                                        "frame(p)",
                                        "direct_base",
                                        "vmalloc_base",
                                        "nonsense",
                                        "((((",
                                        "12",
                                        "200",
                                        "64K",
                                        "2",
                                        "7",
                                        "5"};
    snprintf(text, room, "%s", pick(random, words, sizeof words / sizeof words[0]));
}

static const char *const others[] = {
    "rw",        "r",          "rwx",         "-",        "shared", "fixed",      "at=0x20000000",
    "at=p",      "file=notes", "offset=4096", "populate", "locked", "growsdown",  "noreserve",
    "dontneed",  "pageout",    "free",        "cold",     "remove", "wipeonfork", "hugepage",
    "a",         "b",          "notes",       "mine",     "gdt",    "ldt",        "cs",
    "ss",        "ds",         "es",          "data",     "code",   "down",       "readonly",
    "absent",    "pages",      "first",       "best",     "worst",  "next",       "compact",
    "swap",      "alone",      "paging",      "single",   "block",  "demand",     "always",
    "never",     "lz4",        "heuristic",   "read",     "write",  "execute",    "kernel",
    "tlb",       "from",       "to",          "dma",      "normal", "stack",      "address",
    "divisible", "registers"};

/* A word where the help has this one: mostly of its kind. */
static void draw_word(uint64_t *random, const char *kind, char *word, size_t room) {
    static const char *const names[] = {"a", "b", "notes", "mine", "other"};
    const char *bar = strchr(kind, '|');
    if (next_random(random) % 12 == 0) {
        snprintf(word, room, "%s", pick(random, others, sizeof others / sizeof others[0]));
    } else if (bar) {
        unsigned skip = (unsigned)(next_random(random) % 4);
        for (; skip > 0 && bar; skip--, bar = strchr(kind, '|'))
            kind = bar + 1;
        snprintf(word, room, "%.*s", (int)strcspn(kind, "|"), kind);
    } else if (strcmp(kind, "NAME") == 0 || strcmp(kind, "PROCESS") == 0) {
        snprintf(word, room, "%s", pick(random, names, 5));
    } else if (strcmp(kind, "PROT") == 0) {
        snprintf(word, room, "%s", next_random(random) % 3 ? "rw" : "r");
    } else if (strcmp(kind, "FLAG...") == 0 || strcmp(kind, "ADVICE") == 0 ||
               strcmp(kind, "KIND") == 0) {
        snprintf(word, room, "%s", pick(random, others, sizeof others / sizeof others[0]));
    } else {
        number(random, word, room);
    }
}

/* A line with a real command and words as its help has them, or nearly. */
static void draw_line(struct lab *lab, uint64_t *random, char line[LAB_LINE_BYTES]) {
    static const char *const keep[] = {"", "", "", "", "p = ", "q = ", "k = ", "repeat 3 "};
    char words[400] = "", word[64], takes[200], *rest = takes;
    size_t ncommands = 0;
    while (lab_takes(lab_complete(lab, true, "", ncommands)))
        ncommands++;
    const char *command = lab_complete(lab, true, "", next_random(random) % ncommands), *kind;
    if (strcmp(command, "machine") == 0) /* those take long: see hostile_machines() */
        command = "proc";
    snprintf(takes, sizeof takes, "%s", lab_takes(command));
    while ((kind = strsep(&rest, " []"))) {
        if (!*kind)
            continue;
        if (kind > takes && kind[-1] == '[' && next_random(random) % 2)
            break;
        draw_word(random, kind, word, sizeof word);
        size_t length = strlen(words);
        snprintf(words + length, sizeof words - length, " %s", word);
    }
    snprintf(line, LAB_LINE_BYTES, "%s%s%s", pick(random, keep, 8), command, words);
}

static void spoil(uint64_t *random, char *text) {
    size_t length = strlen(text);
    for (unsigned n = (unsigned)(next_random(random) % 4); n > 0 && length > 0; n--) {
        size_t at = next_random(random) % length;
        text[at] = next_random(random) % 4 ? (char)(1 + next_random(random) % 255) : ' ';
    }
}

static void hostile_lines(void **state) {
    (void)state;
    static const char *const machines[] = {
        "--ram 3M --swap 8M", "--ram 8M --format 10/10/12 --reserve 1M --swap 4M --swap-off",
        "--ram 16M --format 20/12", "--ram 4M --swap 4M --swap 4M --policy sieve --thp always",
        "--ram 4M --swap 2M --overcommit always --dma block --check-objects"};
    char line[LAB_LINE_BYTES], error[LAB_ERROR_BYTES];
    uint64_t random = seed, ok = 0, refused = 0;
    for (uint64_t s = 0; s < sessions; s++) {
        const struct lab_options options = {.machine = machines[s % 5]};
        struct lab *lab = lab_create(&options, error);
        struct lab_result result;
        assert_non_null(lab);
        lab_run(lab, "proc a", &result);
        lab_run(lab, "p = mmap 2M", &result);
        lab_run(lab, "file notes 20000", &result);
        for (unsigned i = 0; i < LINES; i++) {
            if (i % 8 == 0) /* the last one may have ended */
                lab_run(lab, "proc a", &result);
            draw_line(lab, &random, line);
            if (next_random(&random) % 8 == 0)
                spoil(&random, line);
            lab_run(lab, line, &result);
            ok += result.ok;
            refused += !result.ok;
            assert_true(result.ok || result.error[0] != '\0');
        }
        uint64_t hash = lab_hash(lab);
        size_t place = lab_place(lab);
        assert_true(lab_goto(lab, place / 2));
        assert_true(lab_goto(lab, place));
        if (lab_hash(lab) != hash)
            fail_msg("seed %llu, session %llu: back and forth is another state",
                     (unsigned long long)seed, (unsigned long long)s);
        lab_destroy(lab);
    }
    print_message("%llu lines were done, %llu refused\n", (unsigned long long)ok,
                  (unsigned long long)refused);
    assert_true(ok > sessions * LINES / 5 && refused > sessions * LINES / 5);
}

/* Options of a machine, by themselves: most are refused, none brings anything down. */
static void hostile_machines(void **state) {
    (void)state;
    static const char *const words[] = {"--ram",
                                        "--swap",
                                        "--swap-step",
                                        "--swap-max",
                                        "--swap-off",
                                        "--format",
                                        "--policy",
                                        "--seed",
                                        "--swappiness",
                                        "--page-cluster",
                                        "--min-free",
                                        "--overcommit",
                                        "--thp",
                                        "--dma",
                                        "--dma-reach",
                                        "--reserve",
                                        "--check-objects",
                                        "--no-kernel-map",
                                        "2M",
                                        "4M",
                                        "5M",
                                        "0",
                                        "4096",
                                        "1",
                                        "9",
                                        "Sv39",
                                        "Sv57",
                                        "10/10/12",
                                        "20/12",
                                        "sieve",
                                        "2q",
                                        "arc",
                                        "always",
                                        "never",
                                        "single",
                                        "1K",
                                        "63",
                                        "100000",
                                        "3",
                                        "lots",
                                        "--"};
    char options[400], error[LAB_ERROR_BYTES];
    uint64_t random = seed ^ 0x55, up = 0;
    for (uint64_t i = 0; i < 20 * sessions; i++) {
        options[0] = '\0';
        for (unsigned n = (unsigned)(next_random(&random) % 6); n > 0; n--) {
            size_t length = strlen(options);
            snprintf(options + length, sizeof options - length, "%s ",
                     pick(&random, words, sizeof words / sizeof words[0]));
        }
        const struct lab_options wanted = {.machine = options};
        struct lab *lab = lab_create(&wanted, error);
        up += lab != NULL;
        assert_true(lab != NULL || error[0] != '\0');
        lab_destroy(lab);
    }
    assert_true(up > 0 && up < 20 * sessions);
}

/* ---- scripts and answers ----------------------------------------------------------------------
 */

static const char *any_answer(void *context, const char *question, bool again) {
    static const char *const words[] = {"",
                                        "a",
                                        "b",
                                        "z",
                                        "1",
                                        "4096",
                                        "0x",
                                        "-5",
                                        "yes",
                                        "mmap",
                                        "99999999999999999999",
                                        "4M extra",
                                        "\xff\xfe",
                                        "%s%n",
                                        "((",
                                        "proc.rss"};
    (void)question;
    (void)again;
    return pick(context, words, sizeof words / sizeof words[0]);
}

/* A lab with lines swapped, doubled, left out and spoiled. */
static char *mutate(const char *text, uint64_t *random) {
    size_t length = strlen(text), used = 0;
    char *copy = strdup(text), *out = calloc(1, 2 * length + 2), *rest = copy, *line;
    assert_true(copy && out);
    while ((line = strsep(&rest, "\n"))) {
        unsigned draw = (unsigned)(next_random(random) % 60);
        unsigned times = draw == 0 ? 0 : draw == 1 ? 2 : 1;
        if (draw == 2)
            spoil(random, line);
        for (; times > 0; times--)
            used += (size_t)snprintf(out + used, 2 * length + 2 - used, "%s\n", line);
    }
    free(copy);
    return out;
}

/* Step by step, with any prediction to anything asked or not, and back to the start in between. */
static void play_by_steps(struct lab *lab, const struct lab_script *script,
                          const struct lab_play *play, struct lab_grade *grade, uint64_t *random) {
    static const char *const questions[] = {"where", "heap", "cost", "", "frames", "%s", "lost"};
    for (unsigned again = 0; again < 2; again++) {
        struct lab_player *player = lab_player_start(lab, script, play, grade);
        size_t steps = 0, length, left = again ? SIZE_MAX : (size_t)(next_random(random) % 20);
        assert_non_null(player);
        length = lab_player_length(player);
        while (left-- > 0 && lab_player_step(player)) {
            assert_int_equal(lab_player_place(player), ++steps);
            (void)lab_player_predict(
                player, pick(random, questions, sizeof questions / sizeof questions[0]),
                any_answer(random, "", false));
        }
        assert_true(steps <= length && (!again || steps == length));
        lab_player_end(player);
        assert_true(again || lab_goto(lab, 0));
    }
}

static void hostile_scripts(void **state) {
    (void)state;
    uint64_t random = seed ^ 0x77, parsed = 0, refused = 0;
    size_t nlabs = 0;
    char error[LAB_ERROR_BYTES];
    FILE *nowhere = tmpfile();
    assert_non_null(nowhere);
    while (lab_builtins[nlabs].name)
        nlabs++;
    for (uint64_t i = 0; i < sessions; i++) {
        char *text = mutate(lab_builtins[next_random(&random) % nlabs].text, &random);
        struct lab_script *script = lab_script_parse("mutant", text, error);
        free(text);
        parsed += script != NULL;
        refused += script == NULL;
        if (!script) {
            assert_non_null(strstr(error, "mutant:"));
            continue;
        }
        const struct lab_options options = {.machine = NULL};
        struct lab *lab = lab_create(&options, error);
        const struct lab_play play = {.to = nowhere,
                                      .language = i % 2 ? LAB_EN : LAB_ZH,
                                      .check = i % 3 == 0,
                                      .json = i % 4 == 0 && lab_has_json(),
                                      .student = {&random, any_answer, NULL}};
        struct lab_grade grade;
        assert_non_null(lab);
        if (i % 2)
            play_by_steps(lab, script, &play, &grade, &random);
        else
            lab_play(lab, script, &play, &grade);
        assert_true(grade.right + grade.wrong + grade.unanswered <= grade.questions);
        lab_destroy(lab);
        lab_script_free(script);
        rewind(nowhere);
    }
    fclose(nowhere);
    print_message("%llu mutants were played, %llu not parsed\n", (unsigned long long)parsed,
                  (unsigned long long)refused);
    assert_true(parsed > 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_lines),
        cmocka_unit_test(hostile_machines),
        cmocka_unit_test(hostile_scripts),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    sessions = argc > 2 ? strtoull(argv[2], NULL, 10) : getenv("QUIRE_FULL") ? 2000 : 40;
    seed = seed ? seed : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
