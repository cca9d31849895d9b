/* http.h: the calls of libmicrohttpd that server.c makes, found when they are needed: http.c. */
#ifndef QUIRE_WEB_HTTP_H
#define QUIRE_WEB_HTTP_H

#include <microhttpd.h>

#include "web/web.h"

/* As in microhttpd.h, with MHD_ before each name. */
struct http {
    __typeof__(&MHD_start_daemon) start_daemon;
    __typeof__(&MHD_stop_daemon) stop_daemon;
    __typeof__(&MHD_run) run;
    __typeof__(&MHD_get_timeout) get_timeout;
    __typeof__(&MHD_get_daemon_info) get_daemon_info;
    __typeof__(&MHD_create_response_from_buffer) create_response_from_buffer;
    __typeof__(&MHD_add_response_header) add_response_header;
    __typeof__(&MHD_queue_response) queue_response;
    __typeof__(&MHD_destroy_response) destroy_response;
    __typeof__(&MHD_lookup_connection_value) lookup_connection_value;
};

/* The same each time; NULL: the library is not here, and message names it. */
const struct http *http_load(char message[WEB_MESSAGE_BYTES]);

#endif
