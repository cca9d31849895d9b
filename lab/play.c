/* play.c: a script, played: predictions asked for, commands done on the real machine, answers
 * computed from what it did and compared with the predictions, what was said explained.
 *
 *     ask NAME ... -> the student's number, kept
 *     commands     -> the machine; its counters
 *     answer NAME  -> an expression over them: right, or why not: by the text of `wrong NAME VALUE`
 *                     when somebody believed in that value, and always by the answer's own
 *
 * Texts may have {EXPRESSION}, or {EXPRESSION:x} in hexadecimal, {EXPRESSION:size} as "4 KiB",
 * {EXPRESSION:milli} as thousandths, {EXPRESSION:mib} as MiB with three decimals.
 *
 * A player goes through a script in steps, each of which says, asks, does or answers one thing:
 * lab_play takes them all, a page takes one at a time (cli/lab_tour.c).
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab/json.h"
#include "lab/script.h"

#define ANSWERS_MAX 32
#define TRIES_MAX   5

struct given {
    const struct lab_item *ask;
    bool answered, graded; /* graded: it is too late for another prediction */
    int64_t value;
};

struct playing {
    struct lab *lab;
    const struct lab_script *script;
    const struct lab_play *play;
    struct lab_grade *grade;
    struct given given[ANSWERS_MAX];
    unsigned ngiven;
    struct lab_text text; /* what is being said */
};

/* ---- saying -----------------------------------------------------------------------------------
 */

static void event(struct playing *playing, const struct lab_event *event) {
    if (playing->play->json)
        lab_event_json(playing->play->to, event);
}

static bool plain(const struct playing *playing) {
    return !playing->play->json;
}

static void complain(struct playing *playing, const struct lab_item *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void complain(struct playing *playing, const struct lab_item *item, const char *format,
                     ...) {
    char what[2 * LAB_ERROR_BYTES], line[2 * LAB_ERROR_BYTES + 100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    playing->grade->failed++;
    snprintf(line, sizeof line, "%s:%u: %s", playing->script->name, item->line, what);
    if (plain(playing))
        fprintf(playing->play->to, "FAILED %s\n", line);
    event(playing, &(struct lab_event){.kind = "failed", .text = line});
}

static void show_value(struct lab_text *text, int64_t value, const char *format) {
    char size[32];
    if (strcmp(format, "x") == 0) {
        lab_text_print(text, "0x%" PRIx64, (uint64_t)value);
    } else if (strcmp(format, "size") == 0) {
        lab_show_bytes(size, (uint64_t)value);
        lab_text_print(text, "%s", size);
    } else if (strcmp(format, "milli") == 0) {
        lab_text_print(text, "%.3f", (double)value / 1000);
    } else if (strcmp(format, "mib") == 0) {
        lab_text_print(text, "%.3f MiB", (double)value / (1 << 20));
    } else {
        lab_text_print(text, "%" PRId64, value);
    }
}

/* The text with its {...} replaced; false: one could not be evaluated (told). */
static bool fill_in(struct playing *playing, const struct lab_item *item, const char *from) {
    char inside[300], error[LAB_ERROR_BYTES];
    lab_text_clear(&playing->text);
    while (*from) {
        size_t n = strcspn(from, "{");
        lab_text_add(&playing->text, from, n);
        from += n;
        if (!*from)
            break;
        size_t length = strcspn(++from, "}");
        if (!from[length] || length >= sizeof inside) {
            complain(playing, item, "a { without } in a text");
            return false;
        }
        snprintf(inside, sizeof inside, "%.*s", (int)length, from);
        from += length + 1;
        char *format = strchr(inside, ':');
        if (format)
            *format++ = '\0';
        int64_t value;
        if (!lab_evaluate(playing->lab, inside, &value, error)) {
            complain(playing, item, "{%s}: %s", inside, error);
            return false;
        }
        show_value(&playing->text, value, format ? format : "");
    }
    return true;
}

/* In the language that is wanted, or the one that there is. */
static const char *words_of(struct playing *playing, const struct lab_item *item) {
    const struct lab_text *text = &item->text[playing->play->language];
    if (playing->play->check) {
        for (unsigned l = 0; l < LAB_NLANGUAGES; l++) {
            if (item->text[l].length == 0)
                complain(playing, item, "there are no words in %s", l == LAB_EN ? "en" : "zh");
        }
    }
    if (text->length == 0)
        text = &item->text[playing->play->language == LAB_EN ? LAB_ZH : LAB_EN];
    const char *words = lab_text_bytes(text);
    return fill_in(playing, item, words) ? lab_text_bytes(&playing->text) : "";
}

static void say(struct playing *playing, const char *before, const char *words) {
    FILE *to = playing->play->to;
    while (*words) {
        size_t n = strcspn(words, "\n");
        fprintf(to, "%s%.*s\n", before, (int)n, words);
        words += n + (words[n] == '\n');
    }
}

/* ---- asking -----------------------------------------------------------------------------------
 */

static bool understand(const struct lab_item *ask, const char *line, int64_t *value) {
    const char *end;
    char word[100];
    line += strspn(line, " \t");
    snprintf(word, sizeof word, "%s", line);
    word[strcspn(word, " \t\r\n")] = '\0';
    if (ask->nchoices == 0)
        return lab_parse_size(word, &end, value) && !*end;
    for (unsigned i = 0; i < ask->nchoices; i++) {
        bool letter = (word[0] == (char)('a' + i) || word[0] == (char)('A' + i)) && !word[1];
        if (letter || strcmp(word, ask->choices[i]) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

static void show_choices(struct playing *playing, const struct lab_item *ask) {
    for (unsigned i = 0; i < ask->nchoices; i++)
        fprintf(playing->play->to, "    %c) %s\n", (char)('a' + i), ask->choices[i]);
}

static void ask(struct playing *playing, const struct lab_item *item) {
    const struct lab_student *student = &playing->play->student;
    if (playing->ngiven == ANSWERS_MAX) {
        complain(playing, item, "more than %d questions", ANSWERS_MAX);
        return;
    }
    struct given *given = &playing->given[playing->ngiven++];
    *given = (struct given){.ask = item};
    playing->grade->questions++;
    const char *words = words_of(playing, item);
    if (plain(playing)) {
        fprintf(playing->play->to, "\n");
        say(playing, "? ", words);
        show_choices(playing, item);
    }
    event(playing, &(struct lab_event){.kind = "question",
                                       .name = item->name,
                                       .text = words,
                                       .choices = (const char *const *)item->choices,
                                       .nchoices = item->nchoices});
    for (unsigned i = 0; i < TRIES_MAX && !given->answered && student->answer; i++) {
        const char *line = student->answer(student->context, item->name, i > 0);
        if (!line || !*line)
            break;
        given->answered = understand(item, line, &given->value);
    }
}

static struct given *given_to(struct playing *playing, const char *name) {
    for (unsigned i = 0; i < playing->ngiven; i++) {
        if (strcmp(playing->given[i].ask->name, name) == 0)
            return &playing->given[i];
    }
    return NULL;
}

/* ---- grading ----------------------------------------------------------------------------------
 */

static bool near_enough(const struct lab_item *answer, int64_t right, int64_t value) {
    if (value == right)
        return true;
    __int128 difference = (__int128)value - right, size = right;
    difference = difference < 0 ? -difference : difference;
    size = size < 0 ? -size : size;
    return difference * 100 <= size * answer->within;
}

/* What somebody who believed in this value should know; NULL: nothing in particular. */
static const struct lab_item *misbelief(struct playing *playing, const char *name, int64_t value) {
    char error[LAB_ERROR_BYTES];
    for (size_t i = 0; i < playing->script->nitems; i++) {
        const struct lab_item *item = &playing->script->items[i];
        int64_t believed;
        if (item->kind == LAB_WRONG && strcmp(item->name, name) == 0 &&
            lab_evaluate(playing->lab, item->expression, &believed, error) && believed == value)
            return item;
    }
    return NULL;
}

static void value_text(const struct lab_item *ask, int64_t value, char text[100]) {
    if (ask->nchoices && value >= 0 && value < (int64_t)ask->nchoices)
        snprintf(text, 100, "%s", ask->choices[value]);
    else
        snprintf(text, 100, "%" PRId64, value);
}

static void grade_one(struct playing *playing, struct given *given, const struct lab_item *answer,
                      int64_t right) {
    static const char *const unanswered[] = {"no prediction; it is", "没有预测；答案是"};
    static const char *const good[] = {"right:", "正确："};
    enum lab_language language = playing->play->language;
    bool agrees = given->answered && near_enough(answer, right, given->value);
    char said[100], is[100], verdict[200];
    value_text(given->ask, given->value, said);
    value_text(given->ask, right, is);
    given->graded = true;
    playing->grade->right += agrees;
    playing->grade->wrong += given->answered && !agrees;
    playing->grade->unanswered += !given->answered;
    if (!given->answered)
        snprintf(verdict, sizeof verdict, "%s", unanswered[language]);
    else if (agrees)
        snprintf(verdict, sizeof verdict, "%s", good[language]);
    else if (language == LAB_EN)
        snprintf(verdict, sizeof verdict, "not %s but", said);
    else
        snprintf(verdict, sizeof verdict, "不是 %s，而是", said);
    if (plain(playing))
        fprintf(playing->play->to, "\n= %s: %s %s\n", given->ask->name, verdict, is);
    const struct lab_item *belief =
        given->answered && !agrees ? misbelief(playing, answer->name, given->value) : NULL;
    struct lab_event what = {.kind = "answer",
                             .name = answer->name,
                             .graded = true,
                             .answered = given->answered,
                             .right = agrees,
                             .value = right,
                             .given = given->value};
    char *explained = belief ? strdup(words_of(playing, belief)) : NULL;
    what.explained = explained;
    what.text = words_of(playing, answer);
    if (plain(playing) && explained)
        say(playing, "  ", explained);
    if (plain(playing))
        say(playing, "  ", what.text);
    event(playing, &what);
    free(explained);
}

/* Every wrong belief that the script knows must be wrong, and be explained. */
static void check_beliefs(struct playing *playing, const struct lab_item *answer, int64_t right) {
    char error[LAB_ERROR_BYTES];
    unsigned beliefs = 0;
    for (size_t i = 0; i < playing->script->nitems; i++) {
        const struct lab_item *item = &playing->script->items[i];
        int64_t value;
        if (item->kind != LAB_WRONG || strcmp(item->name, answer->name) != 0)
            continue;
        beliefs++;
        if (!lab_evaluate(playing->lab, item->expression, &value, error))
            complain(playing, item, "wrong %s: %s", item->name, error);
        else if (near_enough(answer, right, value))
            complain(playing, item, "wrong %s %s is right", item->name, item->expression);
        else if (misbelief(playing, item->name, value) != item)
            complain(playing, item, "wrong %s %s is there twice", item->name, item->expression);
        else
            (void)words_of(playing, item);
    }
    if (beliefs == 0)
        complain(playing, answer, "no wrong answer to '%s' is explained", answer->name);
}

static void answer(struct playing *playing, const struct lab_item *item) {
    char error[LAB_ERROR_BYTES];
    struct given *given = given_to(playing, item->name);
    int64_t right;
    if (!lab_evaluate(playing->lab, item->expression, &right, error)) {
        complain(playing, item, "answer %s: %s", item->name, error);
        return;
    }
    if (!given) {
        complain(playing, item, "'%s' was not asked", item->name);
        return;
    }
    if (given->ask->nchoices && (right < 0 || right >= (int64_t)given->ask->nchoices))
        complain(playing, item, "answer %s: %" PRId64 " is no choice", item->name, right);
    grade_one(playing, given, item, right);
    if (playing->play->check)
        check_beliefs(playing, item, right);
}

/* ---- running ----------------------------------------------------------------------------------
 */

static void command(struct playing *playing, const struct lab_item *item) {
    struct lab_result result;
    bool show = !item->quiet && plain(playing);
    if (playing->play->student.pause && show &&
        !playing->play->student.pause(playing->play->student.context))
        return;
    if (show)
        fprintf(playing->play->to, "> %s\n", item->expression);
    if (!item->quiet)
        event(playing, &(struct lab_event){.kind = "line", .text = item->expression});
    bool good = lab_run(playing->lab, item->expression, &result);
    if (show)
        fputs(result.text, playing->play->to);
    if (playing->play->json) {
        char *json = lab_result_json(playing->lab, &result);
        fprintf(playing->play->to, "%s\n", json ? json : "{}");
        free(json);
    }
    playing->grade->facts += good && strcmp(result.command, "expect") == 0;
    if (good == item->refused && good)
        complain(playing, item, "%s: was not refused", item->expression);
    else if (!good && !item->refused)
        complain(playing, item, "%s", result.error);
    else if (!good && show)
        fprintf(playing->play->to, "  %s\n", result.error);
}

static void check_questions(struct playing *playing) {
    const struct lab_script *script = playing->script;
    for (size_t i = 0; i < script->nitems; i++) {
        const struct lab_item *item = &script->items[i];
        if (item->kind == LAB_ASK && !lab_script_item(script, 0, LAB_ANSWER, item->name))
            complain(playing, item, "'%s' has no answer", item->name);
    }
    if (!lab_script_item(script, 0, LAB_TITLE, NULL) || !lab_script_item(script, 0, LAB_ROWS, NULL))
        complain(playing, &script->items[0], "a lab has a title and a row");
    if (!lab_script_item(script, 0, LAB_ASK, NULL))
        complain(playing, &script->items[0], "a lab asks something");
}

static void play_title(struct playing *playing, const struct lab_item *item) {
    const char *words = words_of(playing, item);
    if (plain(playing))
        fprintf(playing->play->to, "== %s: %s  [%s]\n", playing->script->name, words,
                lab_script_rows(playing->script));
    event(playing,
          &(struct lab_event){.kind = "lab", .name = playing->script->name, .text = words});
}

static void play_words(struct playing *playing, const struct lab_item *item) {
    const char *words = words_of(playing, item);
    if (plain(playing)) {
        fprintf(playing->play->to, "\n");
        say(playing, "", words);
    }
    event(playing, &(struct lab_event){.kind = "say", .text = words});
}

static void play_item(struct playing *playing, const struct lab_item *item) {
    switch (item->kind) {
    case LAB_TITLE:
        play_title(playing, item);
        break;
    case LAB_SAY:
        play_words(playing, item);
        break;
    case LAB_COMMAND:
        command(playing, item);
        break;
    case LAB_ASK:
        ask(playing, item);
        break;
    case LAB_ANSWER:
        answer(playing, item);
        break;
    default:
        break; /* WRONG: looked up when somebody is; ROWS: in the title */
    }
}

/* ---- step by step -----------------------------------------------------------------------------
 */

struct lab_player {
    struct playing playing;
    struct lab_play play;
    size_t next, place; /* the next item; steps taken */
};

/* What a step is made for. Facts that are asserted belong to the step before them, what is done
 * without being shown to the one behind it. */
static bool is_step(const struct lab_item *item) {
    bool fact = item->kind == LAB_COMMAND && (strncmp(item->expression, "expect ", 7) == 0 ||
                                              strncmp(item->expression, "let ", 4) == 0);
    return item->kind != LAB_WRONG && item->kind != LAB_ROWS && !item->quiet && !fact;
}

static bool belongs(const struct lab_item *item) {
    return !is_step(item) && !item->quiet;
}

struct lab_player *lab_player_start(struct lab *lab, const struct lab_script *script,
                                    const struct lab_play *play, struct lab_grade *grade) {
    struct lab_player *player = calloc(1, sizeof *player);
    *grade = (struct lab_grade){0};
    if (!player)
        return NULL;
    player->play = *play;
    player->playing =
        (struct playing){.lab = lab, .script = script, .play = &player->play, .grade = grade};
    return player;
}

bool lab_player_step(struct lab_player *player) {
    const struct lab_script *script = player->playing.script;
    bool stepped = false;
    while (player->next < script->nitems && !stepped) {
        const struct lab_item *item = &script->items[player->next++];
        stepped = is_step(item);
        play_item(&player->playing, item);
    }
    while (player->next < script->nitems && belongs(&script->items[player->next]))
        play_item(&player->playing, &script->items[player->next++]);
    player->place += stepped;
    return stepped;
}

size_t lab_player_place(const struct lab_player *player) {
    return player->place;
}

size_t lab_player_length(const struct lab_player *player) {
    const struct lab_script *script = player->playing.script;
    size_t n = 0;
    for (size_t i = 0; i < script->nitems; i++)
        n += is_step(&script->items[i]);
    return n;
}

bool lab_player_predict(struct lab_player *player, const char *question, const char *text) {
    struct given *given = given_to(&player->playing, question);
    int64_t value;
    if (!given || given->graded || !understand(given->ask, text, &value))
        return false;
    given->answered = true;
    given->value = value;
    return true;
}

void lab_player_end(struct lab_player *player) {
    if (player)
        free(player->playing.text.bytes);
    free(player);
}

void lab_play(struct lab *lab, const struct lab_script *script, const struct lab_play *play,
              struct lab_grade *grade) {
    struct playing playing = {.lab = lab, .script = script, .play = play, .grade = grade};
    *grade = (struct lab_grade){0};
    for (size_t i = 0; i < script->nitems; i++)
        play_item(&playing, &script->items[i]);
    if (play->check && script->nitems)
        check_questions(&playing);
    free(playing.text.bytes);
}
