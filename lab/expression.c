/* expression.c: numbers, variables, facts and functions, with the operators of C.
 *
 *     or:       and { "||" and }             compare:  sum [ "==" "!=" "<" "<=" ">" ">=" sum ]
 *     and:      compare { "&&" compare }     sum:      product { "+" "-" product }
 *     unary:    "-" "!" unary | primary      product:  unary { "*" "/" "%" unary }
 *     primary:  NUMBER | NAME | FUNCTION "(" or ")" | "(" or ")"
 *
 * Values are 64-bit two's complement and wrap; addresses above 2^63 are negative in between and
 * compare as such. Numbers may end in K, M, G or T: powers of 1024. A recursive descent, as deep as
 * DEPTH_MAX: text is not to be trusted.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define DEPTH_MAX 60
#define NAMES_MAX 640 /* candidates for a guess */

struct parser {
    struct lab *lab;
    const char *at;
    unsigned depth;
    char *error; /* [0] != 0: it has failed */
};

static bool fail(struct parser *parser, const char *format, const char *word, int nbytes) {
    if (!parser->error[0])
        snprintf(parser->error, LAB_ERROR_BYTES, format, nbytes, word);
    return false;
}

static void skip(struct parser *parser) {
    while (*parser->at == ' ')
        parser->at++;
}

static bool take(struct parser *parser, const char *operator) {
    size_t n = strlen(operator);
    skip(parser);
    if (strncmp(parser->at, operator, n) != 0)
        return false;
    parser->at += n;
    return true;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static int digit_of(char c) {
    if (isdigit((unsigned char)c))
        return c - '0';
    return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : 99;
}

bool lab_parse_size(const char *text, const char **end, int64_t *value) {
    static const char letters[] = "KMGT";
    uint64_t number = 0, base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (digit_of(*text) >= (int)base)
        return false;
    for (; digit_of(*text) < (int)base; text++) {
        if (number > (UINT64_MAX - 15) / base)
            return false;
        number = number * base + (uint64_t)digit_of(*text);
    }
    const char *unit = *text ? strchr(letters, toupper((unsigned char)*text)) : NULL;
    if (unit) {
        unsigned shift = 10 * (unsigned)(unit - letters + 1);
        if (number >> (64 - shift))
            return false;
        number <<= shift;
        text++;
        text += strncmp(text, "iB", 2) == 0 ? 2 : 0;
    }
    *end = text;
    *value = (int64_t)number;
    return true;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static bool unknown(struct parser *parser, const char *name) {
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < parser->lab->nvariables && n < NAMES_MAX; i++)
        names[n++] = parser->lab->variables[i].name;
    for (size_t i = 0; i < lab_nfacts && n < NAMES_MAX; i++)
        names[n++] = lab_facts[i].name;
    for (size_t i = 0; i < lab_nfunctions && n < NAMES_MAX; i++)
        names[n++] = lab_functions[i].name;
    const char *nearest = lab_nearest(parser->lab, name, names, n);
    if (parser->error[0])
        return false;
    if (nearest)
        snprintf(parser->error, LAB_ERROR_BYTES, "there is no number '%s'; did you mean '%s'?",
                 name, nearest);
    else
        snprintf(parser->error, LAB_ERROR_BYTES,
                 "there is no number '%s'; `facts` lists them, `let %s = 1` makes one", name, name);
    return false;
}

static bool look_up(struct parser *parser, const char *name, int64_t *value) {
    struct lab *lab = parser->lab;
    for (size_t i = 0; i < lab->nvariables; i++) {
        if (strcmp(lab->variables[i].name, name) == 0) {
            *value = lab->variables[i].value;
            return true;
        }
    }
    for (size_t i = 0; i < lab_nfacts; i++) {
        if (strcmp(lab_facts[i].name, name) == 0) {
            *value = (int64_t)lab_fact_of(&lab_facts[i], lab_now(lab));
            return true;
        }
    }
    return unknown(parser, name);
}

static bool parse_or(struct parser *parser, int64_t *value);

static bool call(struct parser *parser, const char *name, int64_t *value) {
    int64_t argument;
    if (!parse_or(parser, &argument))
        return false;
    if (!take(parser, ")"))
        return fail(parser, "%.*s( has no )", name, (int)strlen(name));
    for (size_t i = 0; i < lab_nfunctions; i++) {
        if (strcmp(lab_functions[i].name, name) == 0) {
            if (lab_functions[i].call(parser->lab, argument, value))
                return true;
            return fail(parser, "%.*s() has no answer for that number here", name,
                        (int)strlen(name));
        }
    }
    return unknown(parser, name);
}

static bool parse_name(struct parser *parser, int64_t *value) {
    char name[2 * LAB_NAME];
    size_t n = 0;
    const char *from = parser->at;
    while (isalnum((unsigned char)from[n]) || from[n] == '_' || from[n] == '.')
        n++;
    if (n >= sizeof name)
        return fail(parser, "'%.*s...' is too long for a name", from, 20);
    memcpy(name, from, n);
    name[n] = '\0';
    parser->at += n;
    return *parser->at == '(' ? (parser->at++, call(parser, name, value))
                              : look_up(parser, name, value);
}

/* ---- operators --------------------------------------------------------------------------------
 */

static bool parse_primary(struct parser *parser, int64_t *value) {
    skip(parser);
    if (isdigit((unsigned char)*parser->at)) {
        if (lab_parse_size(parser->at, &parser->at, value))
            return true;
        return fail(parser, "'%.*s' is not a number below 2^64; write 4096, 4K or 0x1000",
                    parser->at, (int)strcspn(parser->at, " "));
    }
    if (isalpha((unsigned char)*parser->at) || *parser->at == '_')
        return parse_name(parser, value);
    if (take(parser, "(")) {
        if (!parse_or(parser, value))
            return false;
        return take(parser, ")") || fail(parser, "a ( has no )%.*s", "", 0);
    }
    if (*parser->at == '\0')
        return fail(parser, "a number is missing at the end%.*s", "", 0);
    return fail(parser, "'%.*s' is not a number; write 4096, 4K, 0x1000 or the name of a fact",
                parser->at, 1);
}

static bool parse_unary(struct parser *parser, int64_t *value) {
    if (++parser->depth > DEPTH_MAX)
        return fail(parser, "an expression that is nested too deeply%.*s", "", 0);
    bool good;
    if (take(parser, "-")) {
        good = parse_unary(parser, value);
        if (good)
            *value = (int64_t)(0 - (uint64_t)*value);
    } else if (parser->at[0] == '!' && parser->at[1] != '=') {
        parser->at++;
        good = parse_unary(parser, value);
        if (good)
            *value = !*value;
    } else {
        good = parse_primary(parser, value);
    }
    parser->depth--;
    return good;
}

static bool divide(struct parser *parser, char operator, int64_t * value, int64_t by) {
    if (by == 0)
        return fail(parser, "a division by zero%.*s", "", 0);
    if (by == -1) /* the smallest number has no counterpart */
        *value = operator== '/' ? (int64_t)(0 - (uint64_t)*value) : 0;
    else
        *value = operator== '/' ? *value / by : * value % by;
    return true;
}

static bool parse_product(struct parser *parser, int64_t *value) {
    if (!parse_unary(parser, value))
        return false;
    for (;;) {
        int64_t right;
        skip(parser);
        char operator= * parser->at;
        if (!operator|| !strchr("*/%", operator))
            return true;
        parser->at++;
        if (!parse_unary(parser, &right))
            return false;
        if (operator== '*')
            *value = (int64_t)((uint64_t)*value * (uint64_t)right);
        else if (!divide(parser, operator, value, right))
            return false;
    }
}

static bool parse_sum(struct parser *parser, int64_t *value) {
    if (!parse_product(parser, value))
        return false;
    for (;;) {
        int64_t right;
        bool plus = take(parser, "+");
        if (!plus && !take(parser, "-"))
            return true;
        if (!parse_product(parser, &right))
            return false;
        *value = (int64_t)(plus ? (uint64_t)*value + (uint64_t)right
                                : (uint64_t)*value - (uint64_t)right);
    }
}

static bool parse_compare(struct parser *parser, int64_t *value) {
    static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
    int64_t right;
    if (!parse_sum(parser, value))
        return false;
    for (unsigned i = 0; i < 6; i++) {
        if (!take(parser, operators[i]))
            continue;
        if (!parse_sum(parser, &right))
            return false;
        int64_t left = *value;
        *value = i == 0   ? left == right
                 : i == 1 ? left != right
                 : i == 2 ? left <= right
                 : i == 3 ? left >= right
                 : i == 4 ? left < right
                          : left > right;
        return true;
    }
    return true;
}

static bool parse_and(struct parser *parser, int64_t *value) {
    if (!parse_compare(parser, value))
        return false;
    while (take(parser, "&&")) {
        int64_t right;
        if (!parse_compare(parser, &right))
            return false;
        *value = *value && right;
    }
    return true;
}

static bool parse_or(struct parser *parser, int64_t *value) {
    if (!parse_and(parser, value))
        return false;
    while (take(parser, "||")) {
        int64_t right;
        if (!parse_and(parser, &right))
            return false;
        *value = *value || right;
    }
    return true;
}

bool lab_evaluate(struct lab *lab, const char *text, int64_t *value, char error[LAB_ERROR_BYTES]) {
    struct parser parser = {.lab = lab, .at = text, .error = error};
    error[0] = '\0';
    *value = 0;
    if (!parse_or(&parser, value))
        return false;
    skip(&parser);
    if (*parser.at) {
        snprintf(error, LAB_ERROR_BYTES, "'%.60s' follows the end of the expression", parser.at);
        return false;
    }
    return true;
}
