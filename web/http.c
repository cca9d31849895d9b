/* http.c: libmicrohttpd is loaded when a page is served, and not before.
 *
 * It brings a dozen libraries along (for TLS, which nobody wants on loopback). Linked to the
 * command, each `quire run` would load them: a millisecond, 10 MiB of addresses, and a dependency
 * of the package, for what few ask for.
 *
 * May fail: it is not installed where it is run.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "web/http.h"

#define LIBRARY WEB_MICROHTTPD /* its soname: the build says it */

const struct http *http_load(char message[WEB_MESSAGE_BYTES]) {
    static struct http http;
    static const struct {
        const char *name;
        void *to;
    } calls[] = {
        {"MHD_start_daemon", &http.start_daemon},
        {"MHD_stop_daemon", &http.stop_daemon},
        {"MHD_run", &http.run},
        {"MHD_get_timeout", &http.get_timeout},
        {"MHD_get_daemon_info", &http.get_daemon_info},
        {"MHD_create_response_from_buffer", &http.create_response_from_buffer},
        {"MHD_add_response_header", &http.add_response_header},
        {"MHD_queue_response", &http.queue_response},
        {"MHD_destroy_response", &http.destroy_response},
        {"MHD_lookup_connection_value", &http.lookup_connection_value},
    };
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* stays to the end */

    for (size_t i = 0; library != NULL && i < sizeof calls / sizeof calls[0]; i++) {
        *(void **)calls[i].to = dlsym(library, calls[i].name);
        if (*(void **)calls[i].to == NULL) {
            library = NULL;
        }
    }
    if (library == NULL) {
        snprintf(message, WEB_MESSAGE_BYTES, "--web needs %s (Debian: libmicrohttpd12)", LIBRARY);
        return NULL;
    }
    return &http;
}
