/* fs_io.c: bytes between programs and open files: read, write and their family; lseek.
 *
 *   program's vectors <== os_copy_*_user ==> bounce (64 KiB) <== ops->read, ops->write ==> the file
 *
 * All kinds of files and all forms of the calls come together here: what an offset is, how O_APPEND
 * writes, when a call waits, what counts as done when something fails half-way. An operation of a
 * file moves at most one bounce buffer and never waits. Rejected: handing pointers into the
 * simulated RAM to the operations: pages of a buffer are neighbours for the program only, may
 * leave memory while another of them is brought in, and a hostile length would have to be checked
 * in every kind of file.
 *
 * Invariants:
 *   I1  a result below 0 means that nothing was moved, as far as the program can tell; once bytes
 *       are moved, their number is the result.
 *   I2  after OS_WAIT the call is made again; task->progress is how much of it is done.
 *   I3  the open file has a reference of the call's own while bytes move: a copy to a program may
 *       end in the OOM killer, which closes files.
 *   I4  kernel memory used does not depend on what the program asks for.
 *
 * May fail: EFAULT, EBADF, EINTR, EAGAIN, EPIPE (with SIGPIPE), and what the file answers.
 */
#include "os/fs.h"

#include <poll.h>
#include <string.h>

/* One transfer: the program's vectors and how far it is. */
struct transfer {
    struct os_task *task;
    struct os_file *file;
    const struct os_file_ops *ops; /* of the file, for this kind of transfer */
    struct os_vectors vectors;
    uint64_t done;
    bool positioned; /* pread, pwrite: at `position`, the file's offset stays */
    uint64_t position;
};

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The operations that take the offset that they are given. */
static const struct os_file_ops *at_offsets(const struct os_file *file) {
    return file->ops->positioned ? file->ops->positioned : file->ops;
}

/* ---- vectors --------------------------------------------------------------------------------- */

int64_t os_vectors_one(struct os_vectors *vectors, uint64_t base, uint64_t length) {
    if (length > INT64_MAX)
        return -OS_EINVAL;
    vectors->items[0] = (struct os_iovec){base, smaller(length, OS_RW_MAX)};
    vectors->count = 1;
    vectors->total = vectors->items[0].length;
    return 0;
}

int64_t os_vectors_get(struct os_task *task, struct os_vectors *vectors, uint64_t va,
                       uint64_t count) {
    vectors->count = 0;
    vectors->total = 0;
    if (count > OS_IOV_MAX)
        return -OS_EINVAL;
    int64_t result = os_copy_from_user(task, vectors->items, va, count * sizeof vectors->items[0]);
    if (result < 0)
        return result;
    vectors->count = (unsigned)count;
    for (unsigned i = 0; i < count; i++) {
        if (vectors->items[i].length > INT64_MAX)
            return -OS_EINVAL;
        vectors->items[i].length = smaller(vectors->items[i].length, OS_RW_MAX - vectors->total);
        vectors->total += vectors->items[i].length;
    }
    return 0;
}

uint64_t os_vectors_copy(struct os_task *task, const struct os_vectors *vectors, uint64_t at,
                         uint8_t *bytes, uint64_t nbytes, bool to_program) {
    uint64_t done = 0, skipped = 0;
    for (unsigned i = 0; i < vectors->count && done < nbytes; i++) {
        const struct os_iovec *vector = &vectors->items[i];
        uint64_t from = at + done - skipped;
        skipped += vector->length;
        if (from >= vector->length)
            continue;
        uint64_t va = vector->base + from, left = smaller(vector->length - from, nbytes - done);
        while (left > 0) {
            uint64_t part = smaller(left, QUIRE_PAGE_SIZE - (va & QUIRE_PAGE_MASK));
            int64_t result = to_program ? os_copy_to_user(task, va, bytes + done, part)
                                        : os_copy_from_user(task, bytes + done, va, part);
            if (result < 0)
                return done;
            done += part;
            va += part;
            left -= part;
        }
    }
    return done;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* The file said EAGAIN. What the call answers: what it has done, an error, or OS_WAIT (I1, I2). */
static int64_t wait_for(struct transfer *transfer, short events) {
    struct os_task *task = transfer->task;
    struct os_file *file = transfer->file;
    int64_t moved = (int64_t)transfer->done;
    if (file->flags & OS_O_NONBLOCK)
        return moved ? moved : -OS_EAGAIN;
    if (moved && os_signal_pending(task))
        return moved; /* with nothing moved, os.c makes -EINTR of OS_WAIT */
    task->progress = transfer->done;
    if (file->ops->waits_on_host) {
        struct pollfd fd = {.fd = file->host_fd, .events = events};
        os_host_wait(task, &fd, 1, UINT64_MAX);
    } else {
        os_wait_on(task, os_file_channel(file), UINT64_MAX);
    }
    return OS_WAIT;
}

/* ---- read ------------------------------------------------------------------------------------ */

static int64_t read_loop(struct transfer *transfer) {
    struct os_file *file = transfer->file;
    uint8_t *bounce = os_fs(file->os)->bounce;
    uint64_t start = transfer->positioned ? transfer->position : file->offset;
    while (transfer->done < transfer->vectors.total) {
        uint64_t chunk = smaller(transfer->vectors.total - transfer->done, OS_BOUNCE_BYTES);
        int64_t got = transfer->ops->read(file, bounce, chunk, start + transfer->done);
        if (got == -OS_EAGAIN && transfer->done == 0)
            return wait_for(transfer, POLLIN);
        if (got < 0)
            return transfer->done ? (int64_t)transfer->done : got;
        uint64_t copied = os_vectors_copy(transfer->task, &transfer->vectors, transfer->done,
                                          bounce, (uint64_t)got, true);
        transfer->done += copied;
        if (copied < (uint64_t)got && transfer->done == 0)
            return -OS_EFAULT;
        /* A stream gives what it has; a file ends where it gives less. */
        if (copied < (uint64_t)got || (uint64_t)got < chunk || !transfer->ops->seekable)
            break;
    }
    return (int64_t)transfer->done;
}

static int64_t read_file(struct transfer *transfer) {
    struct os_file *file = transfer->file;
    if (!os_file_readable(file))
        return -OS_EBADF;
    if (transfer->ops->list)
        return -OS_EISDIR;
    if (!transfer->ops->read)
        return -OS_EINVAL;
    if (transfer->positioned && !transfer->ops->seekable && !transfer->ops->seek)
        return -OS_ESPIPE;
    if (transfer->vectors.total == 0)
        return 0;
    os_file_ref(file); /* I3 */
    int64_t result = read_loop(transfer);
    if (result > 0 && transfer->ops->seekable && !transfer->positioned)
        file->offset += (uint64_t)result;
    os_file_release(file);
    return result;
}

/* ---- write ----------------------------------------------------------------------------------- */

static int64_t broken_pipe(struct transfer *transfer) {
    struct os_signal_info info = {.signo = OS_SIGPIPE, .code = OS_SI_USER};
    info.pid = transfer->task->process->pid;
    os_signal_task(transfer->task, OS_SIGPIPE, &info);
    return transfer->done ? (int64_t)transfer->done : -OS_EPIPE;
}

/* Room below RLIMIT_FSIZE for a chunk at this offset; 0: none. */
static uint64_t limit_chunk(const struct transfer *transfer, uint64_t at, uint64_t chunk) {
    const struct os_file *file = transfer->file;
    uint64_t limit = transfer->task->process->rlimits[OS_RLIMIT_FSIZE][0];
    if (file->host_fd < 0 || (file->mode & OS_S_IFMT) != OS_S_IFREG || limit == OS_RLIM_INFINITY)
        return chunk;
    if (!transfer->ops->seekable) { /* inherited: the offset is the host's */
        int64_t there = file->ops->seek(transfer->file, 0, OS_SEEK_CUR);
        at = there < 0 ? 0 : (uint64_t)there;
    }
    return at >= limit ? 0 : smaller(chunk, limit - at);
}

static int64_t write_loop(struct transfer *transfer, uint64_t start) {
    struct os_file *file = transfer->file;
    uint8_t *bounce = os_fs(file->os)->bounce;
    while (transfer->done < transfer->vectors.total) {
        uint64_t at = start + transfer->done;
        uint64_t chunk = smaller(transfer->vectors.total - transfer->done, OS_BOUNCE_BYTES);
        chunk = limit_chunk(transfer, at, chunk);
        if (chunk == 0)
            return transfer->done ? (int64_t)transfer->done : os_size_refused(transfer->task);
        uint64_t copied = os_vectors_copy(transfer->task, &transfer->vectors, transfer->done,
                                          bounce, chunk, false);
        if (copied == 0)
            return transfer->done ? (int64_t)transfer->done : -OS_EFAULT;
        int64_t put = transfer->ops->write(file, bounce, copied, at);
        if (put == -OS_EAGAIN)
            return wait_for(transfer, POLLOUT);
        if (put == -OS_EPIPE)
            return broken_pipe(transfer);
        if (put < 0)
            return transfer->done ? (int64_t)transfer->done : put;
        transfer->done += (uint64_t)put;
        if (copied < chunk || (transfer->ops->seekable && (uint64_t)put < copied))
            break;
    }
    return (int64_t)transfer->done;
}

static int64_t write_file(struct transfer *transfer) {
    struct os_file *file = transfer->file;
    if (!os_file_writable(file))
        return -OS_EBADF;
    if (!transfer->ops->write)
        return -OS_EINVAL;
    if (transfer->positioned && !transfer->ops->seekable && !transfer->ops->seek)
        return -OS_ESPIPE;
    if (transfer->vectors.total == 0)
        return 0;
    if (transfer->ops->message && transfer->vectors.total > OS_BOUNCE_BYTES)
        return -OS_EMSGSIZE;
    uint64_t start = transfer->positioned ? transfer->position : file->offset;
    if ((file->flags & OS_O_APPEND) && transfer->ops->seekable) {
        struct os_stat stat;
        int64_t result = os_file_stat(file, &stat);
        if (result < 0)
            return result;
        start = (uint64_t)stat.size;
    }
    if (transfer->task->restarted && !transfer->ops->seekable)
        transfer->done = transfer->task->progress; /* I2 */
    os_file_ref(file);
    int64_t result = write_loop(transfer, start);
    if (result > 0 && transfer->ops->seekable && !transfer->positioned)
        file->offset = start + (uint64_t)result;
    os_file_release(file);
    return result;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* All eight calls: the vectors are one buffer or an array, the offset the file's or given. */
enum form { FORM_PLAIN = 0, FORM_VECTORS = 1, FORM_POSITIONED = 2, FORM_WRITE = 4 };

static int64_t move(struct os_task *task, const uint64_t args[6], unsigned form) {
    struct transfer transfer;
    transfer.task = task;
    transfer.file = os_file_of(task->process, (int)args[0]);
    transfer.done = 0;
    transfer.positioned = (form & FORM_POSITIONED) != 0;
    transfer.position = args[3];
    if (!transfer.file)
        return -OS_EBADF;
    transfer.ops = transfer.positioned ? at_offsets(transfer.file) : transfer.file->ops;
    if (transfer.positioned && args[3] > INT64_MAX)
        return -OS_EINVAL;
    int64_t result = form & FORM_VECTORS ? os_vectors_get(task, &transfer.vectors, args[1], args[2])
                                         : os_vectors_one(&transfer.vectors, args[1], args[2]);
    if (result < 0)
        return result;
    return form & FORM_WRITE ? write_file(&transfer) : read_file(&transfer);
}

OS_CALL(read) {
    return move(task, args, FORM_PLAIN);
}

OS_CALL(write) {
    return move(task, args, FORM_WRITE);
}

OS_CALL(readv) {
    return move(task, args, FORM_VECTORS);
}

OS_CALL(writev) {
    return move(task, args, FORM_WRITE | FORM_VECTORS);
}

OS_CALL(pread64) {
    return move(task, args, FORM_POSITIONED);
}

OS_CALL(pwrite64) {
    return move(task, args, FORM_WRITE | FORM_POSITIONED);
}

OS_CALL(preadv) {
    return move(task, args, FORM_VECTORS | FORM_POSITIONED);
}

OS_CALL(pwritev) {
    return move(task, args, FORM_WRITE | FORM_VECTORS | FORM_POSITIONED);
}

/* With flags, of which none changes what we do (RWF_HIPRI, _DSYNC, _SYNC), two what is promised
 * (_NOWAIT, _APPEND: refused), and offset -1 for the file's own. */
#define READ_WRITE_FLAGS 7u

static int64_t move_with_flags(struct os_task *task, const uint64_t args[6], unsigned form) {
    if (args[5] & ~(uint64_t)READ_WRITE_FLAGS)
        return -OS_EOPNOTSUPP;
    return move(task, args, form | FORM_VECTORS | (args[3] == UINT64_MAX ? 0 : FORM_POSITIONED));
}

OS_CALL(preadv2) {
    return move_with_flags(task, args, 0);
}

OS_CALL(pwritev2) {
    return move_with_flags(task, args, FORM_WRITE);
}

/* ---- files to files -------------------------------------------------------------------------- */

/* Move bytes inside the kernel. in is seekable; out may make us wait. */
static int64_t pump(struct transfer *out, struct os_file *in, uint64_t in_at, uint64_t out_at) {
    uint8_t *bounce = os_fs(in->os)->bounce;
    while (out->done < out->vectors.total) {
        uint64_t chunk = smaller(out->vectors.total - out->done, OS_BOUNCE_BYTES);
        chunk = limit_chunk(out, out_at + out->done, chunk);
        if (chunk ==
            0) { /* Linux comes here in a turn of its own: the signal is sent in any case */
            int64_t refused = os_size_refused(out->task);
            return out->done ? (int64_t)out->done : refused;
        }
        int64_t got = at_offsets(in)->read(in, bounce, chunk, in_at + out->done);
        if (got <= 0)
            return out->done ? (int64_t)out->done : got;
        int64_t put = out->file->ops->write(out->file, bounce, (size_t)got, out_at + out->done);
        if (put == -OS_EAGAIN)
            return wait_for(out, POLLOUT);
        if (put == -OS_EPIPE)
            return broken_pipe(out);
        if (put < 0)
            return out->done ? (int64_t)out->done : put;
        out->done += (uint64_t)put;
        if (put < got && out->file->ops->seekable)
            break;
    }
    return (int64_t)out->done;
}

/* An offset by pointer, or the file's own. */
static int64_t get_offset(struct os_task *task, uint64_t va, struct os_file *file,
                          uint64_t *offset) {
    *offset = file->offset;
    if (!va && file->ops->positioned) { /* the host's */
        int64_t there = file->ops->seek(file, 0, OS_SEEK_CUR);
        *offset = there < 0 ? 0 : (uint64_t)there;
    }
    if (!va)
        return 0;
    int64_t result = os_copy_from_user(task, offset, va, sizeof *offset);
    return result < 0 ? result : *offset > INT64_MAX ? -OS_EINVAL : 0;
}

static int64_t put_offset(struct os_task *task, uint64_t va, struct os_file *file,
                          uint64_t offset) {
    if (va)
        return os_copy_to_user(task, va, &offset, sizeof offset);
    if (file->ops->seekable)
        file->offset = offset;
    else if (file->ops->positioned)
        return file->ops->seek(file, (int64_t)offset, OS_SEEK_SET) < 0 ? -OS_EIO : 0;
    return 0;
}

static int64_t between(struct os_task *task, int out_fd, uint64_t out_va, int in_fd, uint64_t in_va,
                       uint64_t nbytes) {
    struct os_file *in = os_file_of(task->process, in_fd);
    struct transfer out;
    out.task = task;
    out.file = os_file_of(task->process, out_fd);
    out.done = 0;
    if (!in || !out.file || !os_file_readable(in) || !os_file_writable(out.file))
        return -OS_EBADF;
    out.ops = out.file->ops;
    if (!in->ops->read || !at_offsets(in)->seekable || !out.file->ops->write)
        return -OS_EINVAL;
    uint64_t in_at, out_at;
    int64_t result = get_offset(task, in_va, in, &in_at);
    if (result == 0)
        result = get_offset(task, out_va, out.file, &out_at);
    if (result < 0)
        return result;
    if (task->restarted)
        out.done = task->progress;
    out.vectors.total = smaller(nbytes, OS_RW_MAX);
    result = pump(&out, in, in_at, out_at);
    if (result <= 0) /* an error, nothing, or OS_WAIT */
        return result;
    int64_t failed = put_offset(task, in_va, in, in_at + (uint64_t)result);
    if (failed == 0)
        failed = put_offset(task, out_va, out.file, out_at + (uint64_t)result);
    return failed < 0 ? failed : result;
}

OS_CALL(sendfile) {
    struct os_file *out = os_file_of(task->process, (int)args[0]);
    if (out && (out->flags & OS_O_APPEND))
        return -OS_EINVAL;
    return between(task, (int)args[0], 0, (int)args[1], args[2], args[3]);
}

OS_CALL(copy_file_range) {
    struct os_file *in = os_file_of(task->process, (int)args[0]);
    struct os_file *out = os_file_of(task->process, (int)args[2]);
    if (!in || !out || (out->flags & OS_O_APPEND))
        return -OS_EBADF;
    if (args[5] || !in->ops->seekable || !out->ops->seekable || in->inode == 0 || out->inode == 0)
        return -OS_EINVAL;
    return between(task, (int)args[2], args[3], (int)args[0], args[1], args[4]);
}

/* A pipe's bytes to a file, a file's to a pipe, or from pipe to pipe: what one read gives. */
OS_CALL(splice) {
    struct os_file *in = os_file_of(task->process, (int)args[0]);
    struct os_file *file = os_file_of(task->process, (int)args[2]);
    struct transfer out;
    uint64_t at;
    if (!in || !file || !os_file_readable(in) || !os_file_writable(file))
        return -OS_EBADF;
    bool in_pipe = (in->mode & OS_S_IFMT) == OS_S_IFIFO;
    bool out_pipe = (file->mode & OS_S_IFMT) == OS_S_IFIFO;
    if (in_pipe && args[1])
        return -OS_ESPIPE;
    if (out_pipe && args[3])
        return -OS_ESPIPE;
    if ((!in_pipe && !out_pipe) || !in->ops->read || !file->ops->write ||
        (file->flags & OS_O_APPEND))
        return -OS_EINVAL;
    if (!in_pipe && in->ops->seekable)
        return between(task, (int)args[2], 0, (int)args[0], args[1],
                       smaller(args[4], OS_PIPE_BYTES));
    out.task = task;
    out.file = file;
    out.ops = file->ops;
    out.done = 0;
    out.vectors.total = smaller(args[4], OS_PIPE_ATOMIC);
    int64_t result = get_offset(task, args[3], file, &at);
    if (result < 0 || out.vectors.total == 0)
        return result;
    out.vectors.total = limit_chunk(&out, at, out.vectors.total);
    if (out.vectors.total == 0)
        return os_size_refused(task);
    /* What was read must find room at once: a pipe takes a whole page or says so before. */
    if (file->ops->poll && !(file->ops->poll(file) & OS_POLLOUT))
        return wait_for(&out, POLLOUT);
    int64_t got = in->ops->read(in, os_fs(task->os)->bounce, out.vectors.total, 0);
    if (got == -OS_EAGAIN) {
        out.file = in;
        return wait_for(&out, POLLIN);
    }
    if (got <= 0)
        return got;
    int64_t put = file->ops->write(file, os_fs(task->os)->bounce, (size_t)got, at);
    if (put == -OS_EPIPE)
        return broken_pipe(&out);
    if (put > 0)
        result = put_offset(task, args[3], file, at + (uint64_t)put);
    return result < 0 ? result : put;
}

/* ---- lseek ----------------------------------------------------------------------------------- */

/* Files have no holes that we would tell of: the whole file is data. */
static int64_t seek_by_size(struct os_file *file, int64_t offset, int whence) {
    struct os_stat stat;
    int64_t result = os_file_stat(file, &stat);
    if (result < 0)
        return result;
    if (whence == OS_SEEK_END)
        return offset > INT64_MAX - stat.size ? -OS_EOVERFLOW : stat.size + offset;
    if (offset < 0 || offset >= stat.size)
        return -OS_ENXIO;
    return whence == OS_SEEK_DATA ? offset : stat.size;
}

OS_CALL(lseek) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    int64_t offset = (int64_t)args[1];
    if (!file || (file->flags & OS_O_PATH))
        return -OS_EBADF;
    if ((int)args[2] < OS_SEEK_SET || (int)args[2] > OS_SEEK_HOLE)
        return -OS_EINVAL;
    if (file->ops->seek)
        return file->ops->seek(file, offset, (int)args[2]);
    if (!file->ops->seekable && !file->ops->list)
        return -OS_ESPIPE;
    switch ((int)args[2]) {
    case OS_SEEK_SET:
        break;
    case OS_SEEK_CUR:
        if (offset > INT64_MAX - (int64_t)file->offset)
            return -OS_EOVERFLOW;
        offset += (int64_t)file->offset;
        break;
    default:
        offset = seek_by_size(file, offset, (int)args[2]);
        if (offset == -OS_ENXIO || offset == -OS_EOVERFLOW)
            return offset;
        break;
    }
    if (offset < 0)
        return -OS_EINVAL;
    file->offset = (uint64_t)offset;
    if (file->ops->list && offset == 0)
        os_listing_free(&file->listing), file->listed = false;
    return offset;
}
