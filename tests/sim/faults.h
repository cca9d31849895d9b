/* faults.h: the faults that a build of the simulation can have; faults.c tells how. */
#ifndef QUIRE_TESTS_SIM_FAULTS_H
#define QUIRE_TESTS_SIM_FAULTS_H

#include <stdbool.h>

enum fault {
    NO_FAULT,
    LOST_PAGE,       /* a page is cleaned for eviction, and zeros are stored in its place */
    STALE_PAGE,      /* the page that is cached does not hear of a write to its file */
    BIT_FLIP,        /* reclaim looks at a page, and one bit of it changes */
    SHARED_COPY,     /* after a fork the parent keeps write permission to pages that are shared */
    DIRTY_FRESH,     /* a fresh page is not zeroed */
    RIGHTS_IGNORED,  /* the machine is not told that a right was taken away */
    UNMAP_IGNORED,   /* the machine is not told of an unmap */
    DISCARD_IGNORED, /* ADVISE_DONTNEED says OK and does nothing */
    REMAP_DROPS,     /* a page does not come along when a mapping moves */
    SHARED_PRIVATE,  /* a shared mapping becomes a private one */
    NO_SHOOTDOWN,    /* the other harts are not told that a mapping changed */
    FIT_IGNORED,     /* a segment is put into the first hole, whatever the fit */
    SEGMENT_STALE,   /* a segment that was swapped out is not read back */
    KERNEL_OPEN,     /* a program in front of the segmentation unit reaches the kernel's pages */
    KERNEL_UNMAPPED, /* a kernel mapping is not entered into the tables */
    DMA_WRONG_PAGE,  /* the DMA controller's page register loses its lowest bit */
    NFAULTS
};

/* Is it this fault's turn, if it is the one that was chosen? */
bool strikes(enum fault fault);

#define WRAPPED(function) __typeof__(function) __real_##function, __wrap_##function

#endif
