/* elf.c: read a program file's headers, trust none of them, map what they describe.
 *
 * It owns nothing: os_elf_parse copies what the loader needs out of the file into struct os_elf,
 * with everything checked once; os_elf_map then only follows numbers that are known to be sane.
 * (Mapping while reading was rejected: a bad third segment would leave two mapped.)
 *
 *      file     | headers |  text  |  data |  (nothing)
 *      memory             |  text  |  data | bss up to memory_bytes
 *                           ^ mapped from the file, page by page, on demand
 *                                    ^ the last page's rest is cleared
 *                                      whole pages of bss are anonymous
 *
 * After os_elf_parse answered 0:
 *   I1  segments ascend, and no two share a page.
 *   I2  low <= va, va + memory_bytes <= high for each, and high - low fits the user addresses;
 *       without position_independent also [low, high) lies in them.
 *   I3  offset + file_bytes <= size of the file; file_bytes <= memory_bytes; offset and va are
 *       equal modulo the page.
 *   I4  the interpreter's name ends with 0 and is not empty.
 *
 * Every complaint is one line that names the file and says what would be right. ENOEXEC, ENOMEM,
 * EIO. Called by exec.c only. Audit: tests/run/proc_elf.c feeds it damaged files. The format:
 * System V ABI, chapters 4 and 5; RISC-V ELF psABI for machine and flags.
 */
#include "os/process.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Offsets and values of the ELF header that we look at (64-bit form). */
#define HEADER_BYTES    64
#define PROGRAM_HEADER  56  /* bytes of one program header */
#define HEADERS_MAX     512 /* Linux: as many as fit in 64 KiB; real files have about ten */
#define CLASS_64        2
#define DATA_LITTLE     1
#define TYPE_REL        1
#define TYPE_EXEC       2
#define TYPE_DYN        3
#define TYPE_CORE       4
#define MACHINE_386     3
#define MACHINE_ARM     40
#define MACHINE_X86_64  62
#define MACHINE_AARCH64 183
#define MACHINE_RISCV   243
#define FLAG_RVE        8 /* the base ISA with 16 registers */
#define PT_LOAD         1
#define PT_INTERP       3
#define PT_PHDR         6
#define PT_GNU_STACK    0x6474e551
#define PF_X            1
#define PF_W            2
#define PF_R            4
#define ALIGN_MAX       (UINT64_C(1) << 30) /* nobody asks for more */

struct program_header {
    uint32_t type, flags;
    uint64_t offset, va, pa, file_bytes, memory_bytes, align;
};
_Static_assert(sizeof(struct program_header) == PROGRAM_HEADER, "Elf64_Phdr");

/* Say why and answer -ENOEXEC (or code). */
static int64_t refuse(struct os_load_error *error, int64_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int64_t refuse(struct os_load_error *error, int64_t code, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(error->message, sizeof error->message, format, list);
    va_end(list);
    return -code;
}

static uint64_t field(const uint8_t *bytes, unsigned nbytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < nbytes; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static const char *machine_name(unsigned machine) {
    switch (machine) {
    case MACHINE_386:
        return "32-bit x86";
    case MACHINE_ARM:
        return "32-bit ARM";
    case MACHINE_X86_64:
        return "x86-64";
    case MACHINE_AARCH64:
        return "aarch64";
    default:
        return "another machine";
    }
}

/* Class, byte order, machine and kind: is this a program for us at all? */
static int64_t check_identity(const uint8_t *header, const char *path,
                              struct os_load_error *error) {
    if (memcmp(header, "\177ELF", 4) != 0)
        return refuse(error, OS_ENOEXEC, "%s is not a program: it is neither ELF nor a #! script",
                      path);
    unsigned type = (unsigned)field(header + 16, 2), machine = (unsigned)field(header + 18, 2);
    if (header[5] != DATA_LITTLE)
        return refuse(error, OS_ENOEXEC,
                      "%s is a big-endian program; RISC-V Linux programs are little-endian", path);
    if (machine != MACHINE_RISCV)
        return refuse(
            error, OS_ENOEXEC,
            "%s is a program for %s (ELF machine %u), not for RISC-V: compile yours with "
            "riscv64-linux-gnu-gcc -static, or get one with `quire root create DIR PACKAGE` and "
            "run it with --root DIR",
            path, machine_name(machine), machine);
    if (header[4] != CLASS_64)
        return refuse(error, OS_ENOEXEC, "%s is a 32-bit RISC-V program; only 64-bit ones can run",
                      path);
    if (header[6] != 1 || field(header + 20, 4) != 1)
        return refuse(error, OS_ENOEXEC, "%s has an unknown ELF version", path);
    if (type == TYPE_REL)
        return refuse(error, OS_ENOEXEC, "%s is an object file (.o) that has not been linked",
                      path);
    if (type == TYPE_CORE)
        return refuse(error, OS_ENOEXEC, "%s is a core dump, not a program", path);
    if (type != TYPE_EXEC && type != TYPE_DYN)
        return refuse(error, OS_ENOEXEC, "%s has ELF type %u, which is not a program", path, type);
    if (field(header + 48, 4) & FLAG_RVE)
        return refuse(error, OS_ENOEXEC, "%s is for RV64E (16 registers); only RV64I can run",
                      path);
    return 0;
}

/* One PT_LOAD: checked, then noted. */
static int64_t add_segment(struct os_elf *elf, const struct program_header *header, uint64_t size,
                           const char *path, struct os_load_error *error) {
    if (header->memory_bytes == 0)
        return 0;
    unsigned index = elf->nsegments;
    if (index == OS_SEGMENTS_MAX)
        return refuse(error, OS_ENOEXEC, "%s has more than %d segments", path, OS_SEGMENTS_MAX);
    if (header->file_bytes > header->memory_bytes)
        return refuse(error, OS_ENOEXEC, "%s: segment %u has more bytes in the file than in memory",
                      path, index);
    if (header->offset > size || header->file_bytes > size - header->offset)
        return refuse(error, OS_ENOEXEC,
                      "%s is truncated: segment %u ends at byte %llu of a file of %llu", path,
                      index, (unsigned long long)(header->offset + header->file_bytes),
                      (unsigned long long)size);
    if ((header->offset ^ header->va) & QUIRE_PAGE_MASK)
        return refuse(error, OS_ENOEXEC,
                      "%s: segment %u is not aligned to pages of 4096 bytes (linked with -N?)",
                      path, index);
    if (header->align > 1 && (header->align & (header->align - 1) || header->align > ALIGN_MAX))
        return refuse(error, OS_ENOEXEC, "%s: segment %u has an absurd alignment", path, index);
    if (header->va >= OS_USER_HIGH || header->memory_bytes > OS_USER_HIGH - header->va)
        return refuse(error, OS_ENOEXEC, "%s: segment %u lies outside the 47-bit user addresses",
                      path, index);
    uint64_t start = header->va & ~QUIRE_PAGE_MASK;
    if (index == 0)
        elf->low = start;
    else if (start < elf->high)
        return refuse(error, OS_ENOEXEC, "%s: segments %u and %u overlap or are out of order", path,
                      index - 1, index);
    elf->high = quire_round_up(header->va + header->memory_bytes);
    if (header->align > elf->align)
        elf->align = header->align;
    unsigned prot = (header->flags & PF_R ? QUIRE_PROT_READ : 0) |
                    (header->flags & PF_W ? QUIRE_PROT_READ | QUIRE_PROT_WRITE : 0) |
                    (header->flags & PF_X ? QUIRE_PROT_EXEC : 0);
    elf->segments[elf->nsegments++] = (struct os_segment){.va = header->va,
                                                          .file_bytes = header->file_bytes,
                                                          .memory_bytes = header->memory_bytes,
                                                          .offset = header->offset,
                                                          .prot = prot};
    return 0;
}

static int64_t read_interpreter(struct os_file *file, struct os_elf *elf,
                                const struct program_header *header, const char *path,
                                struct os_load_error *error) {
    uint64_t nbytes = header->file_bytes;
    if (nbytes < 2 || nbytes > sizeof elf->interpreter)
        return refuse(error, OS_ENOEXEC,
                      "%s: the name of its loader (PT_INTERP) is %llu bytes long", path,
                      (unsigned long long)nbytes);
    int64_t got = os_file_pread(file, elf->interpreter, nbytes, header->offset);
    if (got < 0)
        return refuse(error, -got, "%s cannot be read (error %lld)", path, (long long)-got);
    if ((uint64_t)got != nbytes)
        return refuse(error, OS_ENOEXEC, "%s is truncated inside the name of its loader", path);
    if (elf->interpreter[nbytes - 1] != 0 || elf->interpreter[0] == 0)
        return refuse(error, OS_ENOEXEC, "%s: the name of its loader does not end", path);
    elf->has_interpreter = true;
    return 0;
}

/* All program headers, one after another. */
static int64_t read_headers(struct os_file *file, struct os_elf *elf, uint64_t offset,
                            unsigned count, uint64_t size, struct os_load_error *error) {
    const char *path = os_file_path(file);
    for (unsigned i = 0; i < count; i++) {
        struct program_header header;
        int64_t got = os_file_pread(file, &header, sizeof header, offset + i * PROGRAM_HEADER);
        if (got < 0)
            return refuse(error, -got, "%s cannot be read (error %lld)", path, (long long)-got);
        if (got != (int64_t)sizeof header)
            return refuse(error, OS_ENOEXEC, "%s is truncated inside its program headers", path);
        int64_t result = 0;
        if (header.type == PT_LOAD)
            result = add_segment(elf, &header, size, path, error);
        else if (header.type == PT_INTERP && !elf->has_interpreter)
            result = read_interpreter(file, elf, &header, path, error);
        else if (header.type == PT_GNU_STACK)
            elf->executable_stack = header.flags & PF_X;
        if (result != 0)
            return result;
    }
    return 0;
}

/* Where the program headers are in memory: in the segment that holds their bytes of the file. */
static uint64_t find_headers(const struct os_elf *elf, uint64_t offset) {
    for (unsigned i = 0; i < elf->nsegments; i++) {
        const struct os_segment *segment = &elf->segments[i];
        if (offset >= segment->offset && offset - segment->offset < segment->file_bytes)
            return segment->va + (offset - segment->offset);
    }
    return 0;
}

static bool entry_executable(const struct os_elf *elf) {
    for (unsigned i = 0; i < elf->nsegments; i++) {
        const struct os_segment *segment = &elf->segments[i];
        if ((segment->prot & QUIRE_PROT_EXEC) && elf->entry >= segment->va &&
            elf->entry - segment->va < segment->memory_bytes)
            return true;
    }
    return false;
}

int64_t os_elf_parse(struct os_file *file, struct os_elf *elf, struct os_load_error *error) {
    const char *path = os_file_path(file);
    uint64_t size = os_file_size(file);
    uint8_t header[HEADER_BYTES] = {0};
    memset(elf, 0, sizeof *elf);
    int64_t got = os_file_pread(file, header, sizeof header, 0);
    if (got < 0)
        return refuse(error, -got, "%s cannot be read (error %lld)", path, (long long)-got);
    if (got == 0)
        return refuse(error, OS_ENOEXEC, "%s is an empty file", path);
    if (got < (int64_t)sizeof header && memcmp(header, "\177ELF", 4) == 0)
        return refuse(error, OS_ENOEXEC, "%s is truncated: an ELF header has 64 bytes", path);
    int64_t result = check_identity(header, path, error);
    if (result != 0)
        return result;

    uint64_t offset = field(header + 32, 8);
    unsigned entry_bytes = (unsigned)field(header + 54, 2);
    elf->nheaders = (unsigned)field(header + 56, 2);
    elf->entry = field(header + 24, 8);
    elf->position_independent = field(header + 16, 2) == TYPE_DYN;
    elf->executable_stack = false;
    elf->align = QUIRE_PAGE_SIZE;
    if (elf->nheaders == 0)
        return refuse(error, OS_ENOEXEC, "%s has no program headers: it cannot be loaded", path);
    if (entry_bytes != PROGRAM_HEADER || elf->nheaders > HEADERS_MAX)
        return refuse(error, OS_ENOEXEC, "%s: %u program headers of %u bytes make no sense", path,
                      elf->nheaders, entry_bytes);
    if (offset > size || (uint64_t)elf->nheaders * PROGRAM_HEADER > size - offset)
        return refuse(error, OS_ENOEXEC, "%s is truncated: its program headers are missing", path);
    result = read_headers(file, elf, offset, elf->nheaders, size, error);
    if (result != 0)
        return result;
    if (elf->nsegments == 0)
        return refuse(error, OS_ENOEXEC, "%s has nothing to load (no PT_LOAD segment)", path);
    if (!elf->position_independent && elf->low < OS_USER_LOW)
        return refuse(error, OS_ENOEXEC, "%s wants to be loaded below address 0x10000", path);
    if (!entry_executable(elf))
        return refuse(error, OS_ENOEXEC, "%s: its entry point 0x%llx is in no executable segment",
                      path, (unsigned long long)elf->entry);
    elf->headers_va = find_headers(elf, offset);
    return 0;
}

/* The bytes that a page of the file has behind the segment's end are not the program's: clear them.
 * Only in writable segments, as Linux does; elsewhere nobody may rely on them. */
static enum quire_status clear_tail(struct quire_space *space, uint64_t va, uint64_t end) {
    static const uint8_t zeros[512];
    while (va < end) {
        size_t piece = end - va < sizeof zeros ? (size_t)(end - va) : sizeof zeros;
        if (quire_copy_force(space, quire_va(va), zeros, piece) != 0)
            return QUIRE_NOMEM;
        va += piece;
    }
    return QUIRE_OK;
}

static enum quire_status map_segment(struct quire_space *space, struct quire_object *object,
                                     const struct os_segment *segment, uint64_t bias) {
    uint64_t va = segment->va + bias, start = va & ~QUIRE_PAGE_MASK;
    uint64_t file_end = va + segment->file_bytes, end = quire_round_up(va + segment->memory_bytes);
    uint64_t anonymous = start; /* where whole pages of bss begin */
    enum quire_status status = QUIRE_OK;
    if (segment->file_bytes > 0) {
        anonymous = quire_round_up(file_end);
        quire_vaddr at = {start};
        status = quire_map(space, &at, anonymous - start, segment->prot, QUIRE_MAP_NOREPLACE,
                           object, segment->offset & ~QUIRE_PAGE_MASK);
        if (status == QUIRE_OK && segment->memory_bytes > segment->file_bytes &&
            (segment->prot & QUIRE_PROT_WRITE))
            status = clear_tail(space, file_end, anonymous);
    }
    if (status == QUIRE_OK && anonymous < end) {
        quire_vaddr at = {anonymous};
        status =
            quire_map(space, &at, end - anonymous, segment->prot, QUIRE_MAP_NOREPLACE, NULL, 0);
    }
    return status;
}

int64_t os_elf_map(struct quire_space *space, struct os_file *file, const struct os_elf *elf,
                   uint64_t bias, struct os_load_error *error) {
    const char *path = os_file_path(file);
    struct quire_object *object;
    int64_t result = os_file_object(file, &object);
    if (result != 0)
        return refuse(error, -result, "%s cannot be mapped (error %lld)", path, (long long)-result);
    for (unsigned i = 0; i < elf->nsegments && result == 0; i++) {
        enum quire_status status = map_segment(space, object, &elf->segments[i], bias);
        if (status == QUIRE_EXIST || status == QUIRE_INVAL)
            result =
                refuse(error, OS_ENOEXEC, "%s: segment %u collides with something else", path, i);
        else if (status != QUIRE_OK)
            result = refuse(error, OS_ENOMEM, "%s: no memory for segment %u of %llu bytes", path, i,
                            (unsigned long long)elf->segments[i].memory_bytes);
    }
    quire_object_unref(object);
    return result;
}
