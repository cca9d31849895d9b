/* lab_tour.c: a built-in lab on the page of `quire lab --web`: one is chosen, its steps are taken
 * one by one, predictions are given where it asks for them, and answers explained.
 *
 * Nothing is kept but how far the reader is and what he predicted: going back is the lab once more
 * from its beginning, up to one step less, and so is another language, or a machine to which he did
 * something himself meanwhile. The machine is deterministic, so that is exact.
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "cli/lab_tour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define PREDICTIONS_MAX 32
#define WORD_BYTES      100
#define LABS_MAX        128

struct lab_tour {
    struct lab *lab;
    enum lab_language language;
    const struct lab_builtin *builtin; /* NULL: none is open */
    struct lab_script *script;
    struct lab_player *player;
    struct lab_grade grade;
    FILE *to; /* into events: an object a line */
    char *events;
    size_t nbytes;
    struct prediction {
        char question[WORD_BYTES], value[WORD_BYTES];
    } predictions[PREDICTIONS_MAX];
    unsigned npredictions;
    size_t place, length; /* of the lab's history after the last step: as it should be */
};

struct lab_tour *lab_tour_new(struct lab *lab, enum lab_language language) {
    struct lab_tour *tour = calloc(1, sizeof *tour);
    if (tour != NULL) {
        tour->lab = lab;
        tour->language = language;
    }
    return tour;
}

static void stop(struct lab_tour *tour) {
    lab_player_end(tour->player);
    if (tour->to != NULL) {
        fclose(tour->to);
    }
    free(tour->events);
    tour->player = NULL;
    tour->to = NULL;
    tour->events = NULL;
    tour->nbytes = 0;
}

void lab_tour_free(struct lab_tour *tour) {
    if (tour != NULL) {
        stop(tour);
        lab_script_free(tour->script);
        free(tour);
    }
}

/* ---- predictions ------------------------------------------------------------------------------
 */

static struct prediction *prediction_to(struct lab_tour *tour, const char *question) {
    for (unsigned i = 0; i < tour->npredictions; i++) {
        if (strcmp(tour->predictions[i].question, question) == 0) {
            return &tour->predictions[i];
        }
    }
    return NULL;
}

/* lab_student's: what was predicted when this question was reached before. */
static const char *predicted(void *context, const char *question, bool again) {
    const struct prediction *prediction = prediction_to(context, question);
    return prediction != NULL && !again ? prediction->value : NULL;
}

static bool predict(struct lab_tour *tour, const struct web_lab *wanted,
                    char message[WEB_MESSAGE_BYTES]) {
    struct prediction *prediction = prediction_to(tour, wanted->question);
    if (!lab_player_predict(tour->player, wanted->question, wanted->value)) {
        snprintf(message, WEB_MESSAGE_BYTES,
                 tour->language == LAB_EN
                     ? "A number, as in 132K or 0x21000, or one of the choices."
                     : "请输入一个数（132K、0x21000），或选一项。");
        return false;
    }
    if (prediction == NULL && tour->npredictions < PREDICTIONS_MAX) {
        prediction = &tour->predictions[tour->npredictions++];
    }
    if (prediction != NULL) {
        snprintf(prediction->question, WORD_BYTES, "%s", wanted->question);
        snprintf(prediction->value, WORD_BYTES, "%s", wanted->value);
    }
    return true;
}

/* ---- going ------------------------------------------------------------------------------------
 */

static void forward(struct lab_tour *tour, size_t place) {
    while (lab_player_place(tour->player) < place && lab_player_step(tour->player)) {
    }
    fflush(tour->to);
    tour->place = lab_place(tour->lab);
    tour->length = lab_length(tour->lab);
}

/* The lab from its beginning, on a machine of its own, up to there. */
static bool from_start(struct lab_tour *tour, size_t place, char message[WEB_MESSAGE_BYTES]) {
    const struct lab_play how = {.language = tour->language,
                                 .json = true,
                                 .student = {.context = tour, .answer = predicted}};
    struct lab_play play = how;
    stop(tour);
    tour->to = play.to = open_memstream(&tour->events, &tour->nbytes);
    if (tour->to == NULL || !lab_goto(tour->lab, 0) ||
        (tour->player = lab_player_start(tour->lab, tour->script, &play, &tour->grade)) == NULL) {
        snprintf(message, WEB_MESSAGE_BYTES, "No memory for another machine.");
        return false;
    }
    forward(tour, place);
    return true;
}

/* Somebody typed a line, or went through the history. */
static bool is_disturbed(const struct lab_tour *tour) {
    return lab_place(tour->lab) != tour->place || lab_length(tour->lab) != tour->length;
}

static bool go(struct lab_tour *tour, int64_t steps, char message[WEB_MESSAGE_BYTES]) {
    size_t place = lab_player_place(tour->player);
    int64_t to = (int64_t)place + steps;
    to = to < 1 ? 1 : to; /* the title */
    if (is_disturbed(tour) || to < (int64_t)place) {
        return from_start(tour, (size_t)to, message);
    }
    forward(tour, (size_t)to);
    return true;
}

static bool open_lab(struct lab_tour *tour, const char *name, char message[WEB_MESSAGE_BYTES]) {
    char error[LAB_ERROR_BYTES];
    const struct lab_builtin *builtin = lab_builtin_find(name);
    if (builtin == NULL) {
        const char *names[LABS_MAX];
        size_t n = 0;
        for (const struct lab_builtin *b = lab_builtins; b->name != NULL && n < LABS_MAX; b++) {
            names[n++] = b->name;
        }
        const char *nearest = cli_nearest(name, names, n);
        snprintf(message, WEB_MESSAGE_BYTES, "there is no lab '%.60s'%s%s%s", name,
                 nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                 nearest != NULL ? "'?" : "");
        return false;
    }
    struct lab_script *script = lab_script_parse(builtin->name, builtin->text, error);
    if (script == NULL) {
        snprintf(message, WEB_MESSAGE_BYTES, "%s", error);
        return false;
    }
    stop(tour);
    lab_script_free(tour->script);
    tour->script = script;
    tour->builtin = builtin;
    tour->npredictions = 0;
    return from_start(tour, 2, message); /* its title, and what it says first */
}

/* ---- what the page gets -----------------------------------------------------------------------
 */

static char *as_json(const struct lab_tour *tour) {
    const struct lab_grade *grade = &tour->grade;
    char *json = malloc(tour->nbytes + 400), *at = json;
    if (json == NULL) {
        return NULL;
    }
    at += sprintf(at,
                  "{\"name\":\"%s\",\"language\":\"%s\",\"place\":%zu,\"length\":%zu,"
                  "\"questions\":%u,\"right\":%u,\"wrong\":%u,\"unanswered\":%u,\"facts\":%u,"
                  "\"failed\":%u,\"events\":[",
                  tour->builtin->name, tour->language == LAB_EN ? "en" : "zh",
                  lab_player_place(tour->player), lab_player_length(tour->player), grade->questions,
                  grade->right, grade->wrong, grade->unanswered, grade->facts, grade->failed);
    for (size_t i = 0; i < tour->nbytes; i++) { /* lines become elements */
        bool last = i + 1 == tour->nbytes;
        if (tour->events[i] != '\n') {
            *at++ = tour->events[i];
        } else if (!last) {
            *at++ = ',';
        }
    }
    strcpy(at, "]}");
    return json;
}

char *lab_tour_do(struct lab_tour *tour, const struct web_lab *wanted,
                  char message[WEB_MESSAGE_BYTES]) {
    enum lab_language language = wanted->language[0] == 'z'   ? LAB_ZH
                                 : wanted->language[0] == 'e' ? LAB_EN
                                                              : tour->language;
    bool other = language != tour->language, good = true;
    tour->language = language;
    if (wanted->name[0] != '\0') {
        good = open_lab(tour, wanted->name, message);
    } else if (tour->player == NULL) {
        snprintf(message, WEB_MESSAGE_BYTES, "No lab is open: choose one.");
        return NULL;
    } else if (other) {
        good = from_start(tour, lab_player_place(tour->player), message);
    }
    good = good && (wanted->question[0] == '\0' || predict(tour, wanted, message));
    good = good && (wanted->steps == 0 || go(tour, wanted->steps, message));
    char *json = good ? as_json(tour) : NULL;
    if (good && json == NULL) {
        snprintf(message, WEB_MESSAGE_BYTES, "no memory");
    }
    return json;
}
