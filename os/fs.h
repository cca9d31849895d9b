/* fs.h: what the file side of os/ shares: open files, descriptor tables, places in the tree.
 *
 *   process -> table of descriptors -> open file -> operations -> host file, pipe, text, ...
 *
 * Three things are kept apart, as Linux keeps them: a descriptor (a number with a close-on-exec
 * mark, fs_table.c), an open file (offset and status flags, shared by dup and fork), and what it
 * leads to. The operations of one kind of open file are a constant struct os_file_ops; whatever
 * belongs to every kind (offsets, waiting, copying from and to the program) is done once, by
 * fs_io.c.
 *
 * Only the file side includes this; processes see kernel.h. Results are as there: a value, -errno.
 */
#ifndef QUIRE_OS_FS_H
#define QUIRE_OS_FS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* O_PATH and the *at calls of a Linux host; so this is included first */
#endif

#include <sys/stat.h>

#include "os/abi.h"
#include "os/calls.h"
#include "os/kernel.h"

/* Bytes go through a kernel buffer of this size, whatever length a program asks for. */
#define OS_BOUNCE_BYTES        65536u
#define OS_RELEASE             "6.1.0-quire" /* /proc/version; uname says the same */
#define OS_PIPE_BYTES          65536u        /* Linux's pipes hold 16 pages as well */
#define OS_PIPE_ATOMIC         4096u         /* PIPE_BUF */
#define OS_CLOSE_RANGE_UNSHARE 2
#define OS_LINKS_MAX           40 /* symbolic links followed in one walk: Linux's MAXSYMLINKS */
/* A wait on the host while other programs can run: ask again after this long on the clock. */
#define OS_HOST_RETRY_NS 1000000u

struct os_object;
struct os_walk;

/* ---- virtual nodes: /proc and /dev (proc*.c, fs_dev.c) --------------------------------------- */

/* Text that grows on the host's heap; failed says that the host had no memory. */
struct os_text {
    char *bytes;
    size_t length, capacity;
    bool failed;
};
void os_text_printf(struct os_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void os_text_bytes(struct os_text *text, const void *bytes, size_t nbytes);
/* Room for nbytes more: where they go, or NULL. The caller adds to length. */
char *os_text_room(struct os_text *text, size_t nbytes);
void os_text_free(struct os_text *text);
/* The end of whoever makes a text for another: 0 and the bytes, which the caller frees; or `error`,
 * which is not 0 or becomes ENOMEM, and nothing is left. */
int os_text_hand_over(struct os_text *text, int error, char **bytes, size_t *nbytes);

/* A directory's listing: names with what they are, sorted before use. */
struct os_listing {
    struct os_listing_entry {
        char *name;
        uint64_t inode;
        uint8_t type; /* enum os_file_type */
    } * entries;
    size_t count, capacity;
    bool failed;
};
void os_listing_add(struct os_listing *listing, const char *name, uint64_t inode, uint8_t type);
/* Sort by name and drop doubles. "." and ".." come first by themselves. */
void os_listing_sort(struct os_listing *listing);
void os_listing_free(struct os_listing *listing);

/* Which virtual node: an entry of a constant table, for one process, for one descriptor. */
struct os_node {
    const struct os_entry *entry; /* NULL: not virtual */
    int pid, number;
};

/* One name in a virtual directory. Only the members that its type needs are set. */
struct os_entry {
    const char *name; /* NULL ends a table */
    uint32_t mode;    /* type and permissions */
    const struct os_entry *children;
    /* Directory: names that no table can hold (processes, descriptors). */
    bool (*find)(struct os *os, struct os_node at, const char *name, struct os_node *out);
    void (*list)(struct os *os, struct os_node at, struct os_listing *listing);
    /* File: the text as it is now. write: 0 or -errno for nbytes of text, ended by 0. */
    void (*text)(struct os *os, struct os_node at, struct os_text *text);
    /* In place of text, for what is too long to be made whole: as os_file_ops.read. */
    int64_t (*read)(struct os *os, struct os_node at, void *to, size_t nbytes, uint64_t offset);
    int64_t (*write)(struct os *os, struct os_node at, const char *text);
    /* Link: where it points; file: the open file that following it really leads to, or NULL. */
    void (*link)(struct os *os, struct os_node at, struct os_text *text);
    struct os_file *(*file)(struct os *os, struct os_node at);
    const struct os_file_ops *device;    /* character device: operations of its open file */
    uint32_t device_major, device_minor; /* major 0: that of /dev/null, or of /dev/tty */
    /* In place of device: for devices of which each open is another thing. */
    int64_t (*open)(struct os *os, struct os_node at, const char *path, uint32_t flags,
                    struct os_file **out);
};
extern const struct os_entry os_proc_root, os_sys_root, os_dev_root, os_mount_parent;
/* /proc/PID and below it; at.pid says whose. */
extern const struct os_entry os_proc_pid_entries[];
/* A decimal number without sign or leading zeros. */
bool os_proc_number(const char *name, int *number);
void os_proc_text_mounts(struct os *os, struct os_node at, struct os_text *text);
/* A text of quire/view.h. */
void os_text_view(struct os_text *text, size_t (*view)(const void *, char *, size_t),
                  const void *subject);
/* Pseudo-terminals (fs_pty.c): the multiplexer, the directory of slaves, /dev/tty, /dev/console. */
int64_t os_pty_open_master(struct os *os, struct os_node node, const char *path, uint32_t flags,
                           struct os_file **out);
bool os_pty_find(struct os *os, struct os_node at, const char *name, struct os_node *out);
void os_pty_list(struct os *os, struct os_node at, struct os_listing *listing);
int64_t os_tty_open(struct os *os, struct os_node node, const char *path, uint32_t flags,
                    struct os_file **out);
int64_t os_tty_open_console(struct os *os, struct os_node node, const char *path, uint32_t flags,
                            struct os_file **out);
int64_t os_console_open(struct os *os, const char *path, uint32_t flags, struct os_file **out);

uint64_t os_node_inode(struct os_node node);
/* The child of a directory node. */
bool os_node_find(struct os *os, struct os_node at, const char *name, struct os_node *out);
void os_node_list(struct os *os, struct os_node at, struct os_listing *listing);
void os_node_stat(struct os *os, struct os_node node, struct os_stat *stat);
/* Open a virtual file, directory or device. */
int64_t os_node_open(struct os *os, struct os_node node, const char *path, uint32_t flags,
                     struct os_file **out);

/* ---- open files ------------------------------------------------------------------------------ */

/* Operations never wait: -OS_EAGAIN says "not now", and fs_io.c waits on the file's channel, or on
 * the host for a file with waits_on_host. Members that are NULL are not supported. */
struct os_file_ops {
    const char *name; /* for /proc/PID/fd: "pipe", "[eventfd]" ... */
    bool seekable;    /* has an offset: read and write are given it, else it is 0 */
    bool waits_on_host;
    bool message; /* each write is one message: it goes whole or not at all */
    const struct os_file_ops *positioned; /* for pread and pwrite; NULL: these */
    int64_t (*read)(struct os_file *file, void *to, size_t nbytes, uint64_t offset);
    int64_t (*write)(struct os_file *file, const void *from, size_t nbytes, uint64_t offset);
    unsigned (*poll)(struct os_file *file); /* enum os_poll_events that hold now */
    int64_t (*seek)(struct os_file *file, int64_t offset, int whence);
    int64_t (*truncate)(struct os_file *file, uint64_t size);
    int64_t (*stat)(struct os_file *file, struct os_stat *stat);
    int64_t (*list)(struct os_file *file, struct os_listing *listing);
    int64_t (*ioctl)(struct os_task *task, struct os_file *file, uint64_t request,
                     uint64_t argument);
    void (*release)(struct os_file *file);
};

struct os_file {
    const struct os_file_ops *ops;
    struct os *os;
    unsigned refs;
    uint32_t flags; /* access mode, O_APPEND, O_NONBLOCK, O_PATH as F_GETFL shows them */
    uint32_t mode;  /* type and permissions when opened */
    uint64_t offset;
    char *path;               /* as the program saw it, or "pipe:[7]" */
    int host_fd;              /* -1: none */
    bool inherited;           /* the host's 0, 1, 2: never closed, its offset is the host's */
    uint64_t device, inode;   /* of a host file */
    struct os_object *object; /* this open file keeps it (it was mapped through it) */
    struct os_node node;      /* virtual */
    struct os_text text;      /* virtual file: the text as last made */
    bool text_made;
    struct os_listing listing; /* directory: as read at its beginning */
    bool listed;
    struct os_pipe *rx, *tx;    /* pipe */
    uint64_t counter, activity; /* eventfd; activity: how often something happened (EPOLLET) */
    bool event_semaphore;
    uint64_t timer_next_ns, timer_interval_ns; /* timerfd: on os_now_ns; 0: not armed */
    bool timer_realtime;
    struct os_epoll *epoll;
    struct os_socket *socket;
    struct os_pty *pty;
    int pid;            /* pidfd, directory of a process; its process's serial is in counter */
    unsigned in_flight; /* sock_rights.c, while it looks for circles */
    bool reachable;
    int lock;                        /* flock: OS_LOCK_SH, OS_LOCK_EX, or 0 */
    struct os_file *next, *previous; /* all open files of the system */
};

/* The state of the file side: fs_mount.c makes it. */
struct os_mount {
    char *path;  /* as the programs see it, canonical; "/" is the root */
    int host_fd; /* O_PATH, or -1 */
    struct os_node node;
};
/* Dates by the machine's clock: fs_date.c. */
struct os_date;
struct os_dates {
    struct os_date *slots;
    size_t count, capacity;
};
struct os_fs {
    struct os *os;
    struct os_mount *mounts; /* [0] is the root */
    unsigned nmounts;
    struct os_file *files;     /* every open file */
    unsigned ntimers;          /* of them timerfds */
    unsigned nsignal_files;    /* of them signalfds and pidfds */
    unsigned in_flight;        /* references that lie in queues of sockets */
    uint16_t last_port;        /* given to a socket that had none */
    struct os_object *objects; /* host files that are mapped, or were a while ago */
    struct os_dates dates;     /* of host files that programs changed */
    struct os_lock *locks;     /* fcntl */
    struct os_pty *ptys;       /* that are open */
    uint8_t *bounce;           /* OS_BOUNCE_BYTES, for the call in progress */
    uint64_t next_inode;       /* pipes and other nameless things */
    int foreground_group;      /* of the console; 0: that of process 1 */
    int self;                  /* pid whose path is being walked: /proc/self */
    struct os_termios console; /* to be put back at the end */
    bool console_saved;
    mode_t host_umask; /* these two are put back as well */
    void (*host_sigpipe)(int);
};

struct os_file *os_file_new(struct os *os, const struct os_file_ops *ops, const char *path,
                            uint32_t flags, uint32_t mode);
struct os_file *os_file_ref(struct os_file *file);
/* Something happened to the file: wake who waits for it. */
void os_file_notify(struct os_file *file);
/* What a task sleeps on. */
const void *os_file_channel(const struct os_file *file);

/* Descriptors. install takes over the reference of file, also when it fails. */
int64_t os_fd_install(struct os_process *process, struct os_file *file, bool cloexec, int lowest);
bool os_fd_cloexec(const struct os_process *process, int fd);
int64_t os_fd_set_cloexec(struct os_process *process, int fd, bool cloexec);
int os_files_count(const struct os_process *process);

/* Two at once: their numbers go to va, or nothing has happened. */
int64_t os_fd_install_pair(struct os_task *task, struct os_file *ends[2], bool cloexec,
                           uint64_t va);

/* ---- bytes from and to several places of a program (fs_io.c) --------------------------------- */

struct os_vectors {
    struct os_iovec items[OS_IOV_MAX];
    unsigned count;
    uint64_t total; /* bytes, at most OS_RW_MAX */
};
int64_t os_vectors_one(struct os_vectors *vectors, uint64_t base, uint64_t length);
int64_t os_vectors_get(struct os_task *task, struct os_vectors *vectors, uint64_t va,
                       uint64_t count);
/* Copy from byte `at` of the vectors on. Returns how much could be copied: page by page once
 * something fails, so that what is counted is what was copied. */
uint64_t os_vectors_copy(struct os_task *task, const struct os_vectors *vectors, uint64_t at,
                         uint8_t *bytes, uint64_t nbytes, bool to_program);

/* ---- places ---------------------------------------------------------------------------------- */

enum os_walk_flags {
    OS_WALK_NOFOLLOW = 1,   /* a link in the last place is the answer */
    OS_WALK_MISSING_OK = 2, /* the last component need not exist */
    OS_WALK_EMPTY_OK = 4,   /* "" is the base itself (AT_EMPTY_PATH) */
    OS_WALK_NO_LINKS = 8,   /* any link is ELOOP (RESOLVE_NO_SYMLINKS) */
    OS_WALK_NO_MAGIC = 16,  /* /proc/PID/fd/N is ELOOP (RESOLVE_NO_MAGICLINKS) */
};

/* Where a path leads. Exactly one of: fd >= 0 (host), node.entry (virtual), file (an open file, by
 * a link of /proc/PID/fd or an empty path), or none of them: it does not exist, parent_fd and name
 * say where it could be made (parent_fd -1: nowhere, the directory is virtual). */
struct os_place {
    int fd;        /* O_PATH */
    int parent_fd; /* O_PATH of its directory; -1 at the root of a mount */
    struct os_node node;
    struct os_file *file; /* borrowed */
    struct stat status;   /* of fd */
    unsigned mount;       /* index: two places of one mount can be renamed and linked */
    bool trailing_slash;
    bool dot; /* the path ended in "." or ".." or was the root */
    char name[OS_NAME_MAX + 1];
    char path[OS_PATH_MAX]; /* canonical, as programs see it */
};

/* Walk path from dirfd (or the working directory). On 0, os_place_done must follow. */
int64_t os_walk(struct os_process *process, int dirfd, const char *path, unsigned flags,
                struct os_place *place);
/* The same with the path in the program's memory. */
int64_t os_walk_user(struct os_task *task, int dirfd, uint64_t path_va, unsigned flags,
                     struct os_place *place);
void os_place_done(struct os_place *place);
bool os_place_exists(const struct os_place *place);
/* A host descriptor for the object (borrowed), or -1. */
int os_place_fd(const struct os_place *place);
/* "/proc/self/fd/N" of the host, for calls that take no O_PATH descriptor. */
#define OS_HOST_LINK_BYTES 32
const char *os_host_link(int host_fd, char text[OS_HOST_LINK_BYTES]);
int64_t os_place_stat(struct os *os, const struct os_place *place, struct os_stat *stat);
/* Mounts (fs_mount.c). at: the one whose root is path, or -1; below: is there one further down; of:
 * the one that path lies in; list: names of mounts, and of directories that lead to them. */
int os_mount_at(const struct os_fs *fs, const char *path);
bool os_mount_below(const struct os_fs *fs, const char *path);
unsigned os_mount_of(const struct os_fs *fs, const char *path);
void os_mount_list(const struct os_fs *fs, const char *directory, struct os_listing *listing);

/* ---- host files (fs_host.c) ------------------------------------------------------------------ */

/* Who runs the machine: every program in it is that user. */
uint32_t os_host_user(void);
uint32_t os_host_group(void);
/* -errno of the last failed host call, in Linux's numbers. */
int64_t os_host_error(void);
/* An open file for a host descriptor, which it takes over (also on failure, when it is closed). */
int64_t os_host_file(struct os *os, int host_fd, const char *path, uint32_t flags,
                     struct os_file **out);
/* The open file of the host's descriptor 0, 1 or 2; *out NULL if the host has closed it. */
int64_t os_host_inherit(struct os *os, int host_fd, const char *path, struct os_file **out);
int64_t os_host_seals(struct os_file *file, int command, uint32_t seals);
int64_t os_place_open(struct os *os, struct os_place *place, uint32_t flags, uint32_t mode,
                      struct os_file **out);
void os_stat_from_host(struct os *os, const struct stat *from, struct os_stat *to);
uint8_t os_type_of_mode(uint32_t mode);
/* The host's console changed state or not: ready events of a host descriptor now. */
unsigned os_host_poll(int host_fd, unsigned events);
/* Wait for one of the host descriptors: sleeps in the host if no program can run before, else only
 * puts the task to sleep for a moment. The handler then returns OS_WAIT. */
struct pollfd;
void os_host_wait(struct os_task *task, struct pollfd *fds, unsigned count, uint64_t deadline_ns);

/* ---- dates of host files (fs_date.c) --------------------------------------------------------- */

#define OS_DATE_ACCESSED 1u
#define OS_DATE_MODIFIED 2u
#define OS_DATE_CHANGED  4u
#define OS_DATE_CONTENT  (OS_DATE_MODIFIED | OS_DATE_CHANGED)
#define OS_DATE_ALL      (OS_DATE_ACCESSED | OS_DATE_CONTENT) /* of a new file */

/* A program has changed this file of the host now: call after the change. */
void os_date(struct os *os, uint64_t device, uint64_t inode, unsigned what);
/* The same by a descriptor, or by a name in a directory (no link is followed); name "" is fd. */
void os_date_host(struct os *os, int fd, const char *name, unsigned what);
/* A name has come, or gone: both files and their directory. */
void os_date_made(struct os *os, const struct os_place *place);
void os_date_removed(struct os *os, const struct os_place *place);
/* utimensat has set these times (UTIME_NOW and UTIME_OMIT are the host's). */
void os_date_set(struct os *os, int fd, const char *name, const struct timespec times[2]);
/* Put what is ours over the host's dates. */
void os_date_show(struct os *os, const struct stat *from, struct os_stat *to);
void os_dates_destroy(struct os_fs *fs);

/* ---- mapped files (fs_object.c) -------------------------------------------------------------- */

/* Keep a mapped host file and its pages alike. All are cheap when the file is not mapped. */
void os_object_after_read(struct os_file *file, uint64_t offset, void *bytes, size_t nbytes);
void os_object_after_write(struct os_file *file, uint64_t offset, const void *bytes, size_t nbytes);
void os_object_after_truncate(struct os *os, uint64_t device, uint64_t inode, uint64_t size);
/* This file has lost a name, perhaps its last. */
void os_object_after_unlink(struct os *os, uint64_t device, uint64_t inode);
/* Write what mappings made dirty into the host's file. EIO. */
int64_t os_object_store(struct os_file *file);
void os_objects_destroy(struct os_fs *fs);

/* ---- small things of one file that another uses ---------------------------------------------- */

/* RLIMIT_FSIZE is reached: SIGXFSZ is sent. Returns -EFBIG. */
int64_t os_size_refused(struct os_task *task);
void os_cwd_renamed(struct os *os, const char *from, const char *to);
int64_t os_dir_list_host(struct os_file *file, struct os_listing *listing);

int64_t os_fifo_open(struct os *os, const struct stat *status, const char *path, uint32_t flags,
                     struct os_file **out);
/* A named pipe that was just opened: open waits until the other side is there as well. */
bool os_fifo_must_wait(const struct os_file *file);
void os_epoll_forget(struct os_fs *fs, const struct os_file *file);
void os_locks_destroy(struct os_fs *fs);
void os_locks_forget(struct os_fs *fs, int pid, uint64_t device, uint64_t inode);
void os_locks_forget_file(struct os_fs *fs, const struct os_file *file);
int64_t os_lock_fcntl(struct os_task *task, struct os_file *file, int command, uint64_t va);
/* Waiting for several (fs_poll.c, fs_epoll.c). exchange: the mask at va counts while the call
 * lasts; put_back: the call ends with result. poll_host: put a file that the host must be asked for
 * on the list. sleep: 0 at task->deadline_ns, or OS_WAIT. */
unsigned os_file_poll(struct os_file *file);
uint64_t os_deadline_after(struct os *os, uint64_t ns);
int64_t os_mask_exchange(struct os_task *task, uint64_t va, uint64_t nbytes);
int64_t os_mask_put_back(struct os_task *task, int64_t result);
bool os_poll_host(const struct os_file *file, unsigned events, struct pollfd *fds, unsigned *count,
                  unsigned capacity);
int64_t os_poll_sleep(struct os_task *task, struct pollfd *fds, unsigned count);
int64_t os_tty_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                     uint64_t argument);
/* Move bytes between open files inside the kernel (sendfile, copy_file_range). */
int64_t os_file_stat(struct os_file *file, struct os_stat *stat);
int64_t os_file_truncate(struct os_file *file, uint64_t size);

#endif
