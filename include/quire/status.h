/* status.h: the one outcome type of the library. Results go through out-pointers. */
#ifndef QUIRE_STATUS_H
#define QUIRE_STATUS_H

enum quire_status {
    QUIRE_OK = 0,
    QUIRE_NOMEM,   /* no frame, slot or address range left, also not after reclaim (ENOMEM) */
    QUIRE_FAULT,   /* no region at that address (SIGSEGV, SEGV_MAPERR; EFAULT from a call) */
    QUIRE_DENIED,  /* a region is there but forbids this access (SIGSEGV, SEGV_ACCERR; EACCES) */
    QUIRE_BUS,     /* past the end of a mapped file, or its bytes cannot be had (SIGBUS) */
    QUIRE_KILLED,  /* the space was chosen by the OOM killer; its program must end */
    QUIRE_RESTART, /* the world changed under the operation: try the access again */
    QUIRE_INVAL,   /* an argument is out of its documented range (EINVAL) */
    QUIRE_EXIST,   /* something is already mapped there (EEXIST) */
    QUIRE_UNMAPPED, /* part of the range has no region (ENOMEM of mprotect, msync, madvise) */
    QUIRE_IO,      /* a device failed, or what it gave back is not what was stored (EIO) */
    QUIRE_BUSY,    /* in use, cannot be done now (EBUSY) */
    QUIRE_PERM,    /* not allowed for this object (EPERM, EACCES) */
    QUIRE_NOROOM,  /* no free range of addresses is long enough (ENOMEM); reclaim would not help */
};

/* The name of a status ("QUIRE_NOMEM"), for messages. Never NULL; unknown values get "QUIRE_?". */
const char *quire_status_name(enum quire_status status);

#endif
