/* traces.h: references to pages as programs make them: loops, scans, popular pages, phases. */
#ifndef QUIRE_TESTS_MODEL_TRACES_H
#define QUIRE_TESTS_MODEL_TRACES_H

#include <stdint.h>

enum trace_kind {
    TRACE_UNIFORM, /* each page as likely as the others */
    TRACE_ZIPF,    /* the k-th page 1/k as likely as the first */
    TRACE_LOOP,    /* round and round over all pages */
    TRACE_SCAN,    /* popular pages, and now and then a long run of pages used once */
    TRACE_PHASES,  /* zipf, over other pages every tenth of the time */
    TRACE_MIX,     /* zipf, and every second reference a loop over other pages */
    TRACE_KINDS
};

extern const char *const trace_names[TRACE_KINDS];

/* Fill trace; page numbers are below npages. Deterministic. */
void trace_make(enum trace_kind kind, uint32_t *trace, uint64_t length, uint32_t npages);

#endif
