/* server_none.c: where something that the page is made of is missing: --web says what. */
#include <stdio.h>

#include "web/web.h"

struct web *web_open(const struct web_source *source, unsigned port,
                     char message[WEB_MESSAGE_BYTES]) {
    (void)source;
    (void)port;
    snprintf(message, WEB_MESSAGE_BYTES, "--web: this quire was built without %s", WEB_MISSING);
    return NULL;
}

/* Nobody has one to ask about. */
const char *web_url(const struct web *web) {
    (void)web;
    return "";
}

int web_descriptor(const struct web *web) {
    (void)web;
    return -1;
}

int web_timeout_ms(const struct web *web) {
    (void)web;
    return -1;
}

void web_work(struct web *web) {
    (void)web;
}

void web_end(struct web *web, const char *message) {
    (void)web;
    (void)message;
}

bool web_end_told(const struct web *web) {
    (void)web;
    return true;
}

void web_close(struct web *web) {
    (void)web;
}
