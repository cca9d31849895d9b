/* lab_web.h: a session as a page. */
#ifndef QUIRE_CLI_LAB_WEB_H
#define QUIRE_CLI_LAB_WEB_H

#include "lab/lab.h"

/* Serve it until Ctrl-C; port 0: a free one. language: of its labs. Returns an exit code. */
int lab_web(struct lab *lab, unsigned port, enum lab_language language);

#endif
