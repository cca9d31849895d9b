/* cmd_file.c: files and shared memory that processes may map; and the processes that do.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define FILE_MOST ((int64_t)64 << 20) /* they are the host's memory */
#define SHM_MOST  ((int64_t)1 << 40)

static bool make(struct lab_call *call, bool shared_memory) {
    int64_t nbytes;
    const char *name = call->argv[0];
    enum quire_status status;
    if (!lab_range(call, 1, 1, shared_memory ? SHM_MOST : FILE_MOST, &nbytes))
        return false;
    if (strlen(name) >= LAB_NAME)
        return lab_wrong(call, "a name has at most %d bytes", LAB_NAME - 1);
    if (lab_file_find(call->world, name))
        return lab_wrong(call, "'%s' is there already", name);
    if (!lab_file_make(call->world, name, (uint64_t)nbytes, shared_memory, &status))
        return lab_status(call, status, shared_memory ? "shm" : "file");
    lab_settle(call->world);
    return lab_value(call, nbytes);
}

static bool file(struct lab_call *call) {
    return make(call, false);
}

static bool shm(struct lab_call *call) {
    return make(call, true);
}

static struct lab_file *named(struct lab_call *call) {
    struct lab_file *found = lab_file_find(call->world, call->argv[0]);
    if (!found)
        lab_wrong(call, "there is no file '%.40s'; make it: file NAME BYTES", call->argv[0]);
    return found;
}

static bool truncate_file(struct lab_call *call) {
    struct lab_file *found = named(call);
    int64_t nbytes;
    if (!found || !lab_range(call, 1, 0, FILE_MOST, &nbytes))
        return false;
    if (found->bytes && (uint64_t)nbytes > found->nbytes)
        return lab_wrong(call, "files here can only become shorter: '%s' has %" PRIu64 " bytes",
                         found->name, found->nbytes);
    enum quire_status status = quire_object_truncate(found->object, (uint64_t)nbytes);
    lab_settle(call->world);
    if (status == QUIRE_OK)
        found->nbytes = (uint64_t)nbytes;
    return lab_status(call, status, "truncate");
}

/* A byte of the file itself: what is on the disk, not what a page of the cache has. */
static bool disk_byte(struct lab_call *call) {
    struct lab_file *found = named(call);
    int64_t offset;
    if (!found || !lab_number(call, 1, &offset))
        return false;
    if (!found->bytes || (uint64_t)offset >= found->nbytes)
        return lab_wrong(call, "'%s' has no byte %" PRId64 " on a disk", found->name, offset);
    lab_say(call, "  the disk has %d\n", found->bytes[offset]);
    return lab_value(call, found->bytes[offset]);
}

static bool files(struct lab_call *call) {
    lab_say(call, "       BYTES  IN RAM   DIRTY ON SWAP  MAPPED    READ WRITTEN NAME\n");
    for (unsigned i = 0; i < LAB_FILES; i++) {
        struct lab_file *f = &call->world->files[i];
        struct quire_object_usage usage;
        if (!f->object)
            continue;
        quire_object_usage(f->object, &usage);
        lab_say(call,
                "  %10" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64
                " %7" PRIu64 " %s\n",
                f->nbytes, usage.resident, usage.dirty, usage.swapped, usage.regions, f->reads,
                f->writes, f->name);
    }
    return true;
}

static bool sync_all(struct lab_call *call) {
    enum quire_status status = quire_sync_all(call->world->q);
    lab_settle(call->world);
    return lab_status(call, status, "sync");
}

const struct lab_command lab_file_commands[] = {
    {"file", "NAME BYTES", "a file; map it with mmap BYTES r file=NAME", file, LAB_CHANGES},
    {"shm", "NAME BYTES", "shared memory; map it with mmap BYTES rw shared file=NAME", shm,
     LAB_CHANGES},
    {"truncate", "NAME BYTES", "make it shorter", truncate_file, LAB_CHANGES},
    {"disk_byte", "NAME OFFSET", "what the disk has of it", disk_byte, 0},
    {"files", "", "files, and what of them is in RAM", files, 0},
    {"sync", "", "write all changed pages of files", sync_all, LAB_CHANGES},
    {NULL, "", "", NULL, 0}};
