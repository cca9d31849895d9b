/* lab_tour.h: one lab gone through on a page, forwards and backwards. */
#ifndef QUIRE_CLI_LAB_TOUR_H
#define QUIRE_CLI_LAB_TOUR_H

#include "lab/lab.h"
#include "web/web.h"

struct lab_tour;

/* language: of labs whose reader asked for none. NULL: no memory. */
struct lab_tour *lab_tour_new(struct lab *lab, enum lab_language language);
void lab_tour_free(struct lab_tour *tour); /* NULL is nothing */

/* Do what the page wants; all that was said so far as JSON, for free() (docs/WEB.md). NULL: message
 * says why not, and nothing has happened. */
char *lab_tour_do(struct lab_tour *tour, const struct web_lab *wanted,
                  char message[WEB_MESSAGE_BYTES]);

#endif
