/* symbols.c: names and lines for code, from the programs' own ELF files and debug information.
 *
 *     (image, offset in the file) --program headers--> address --symbol table--> function
 *                                                              --DWARF---------> file, line
 *
 * All reading is libdwfl's (elfutils). It is told to look nowhere but in the file itself: what lies
 * in the host's /usr/lib/debug is of another architecture, and a report must not ask the network.
 * A file is opened when its first address is asked for, after the run, so a run pays nothing.
 *
 * What may fail: everything, quietly: a name that is not known is "".
 */
#include "watch/account.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libdwfl looks through the whole symbol table for each address; a report asks for ten thousand. */
struct function {
    GElf_Addr start, end; /* end == start: unknown, up to the next one */
    const char *name;     /* the module's */
};
struct table {
    struct function *functions; /* by start */
    size_t count;
};

struct watch_symbols {
    struct os *os;
    struct table tables[WATCH_IMAGES];
    const struct watch_sites *sites;
    Dwfl *dwfl[WATCH_IMAGES]; /* one an image: offline modules must not get in each other's way */
    Dwfl_Module *modules[WATCH_IMAGES];
    bool tried[WATCH_IMAGES];
};

static int find_nothing(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                        const char *file, const char *link, GElf_Word crc, char **found) {
    (void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
    *found = NULL;
    return -1;
}

static const Dwfl_Callbacks callbacks = {.find_debuginfo = find_nothing,
                                         .section_address = dwfl_offline_section_address};

struct watch_symbols *watch_symbols_create(struct os *os, const struct watch_sites *sites) {
    struct watch_symbols *symbols = calloc(1, sizeof *symbols);
    if (symbols) {
        symbols->os = os;
        symbols->sites = sites;
    }
    return symbols;
}

void watch_symbols_destroy(struct watch_symbols *symbols) {
    if (!symbols)
        return;
    for (unsigned i = 0; i < WATCH_IMAGES; i++) {
        free(symbols->tables[i].functions);
        if (symbols->dwfl[i])
            dwfl_end(symbols->dwfl[i]);
    }
    free(symbols);
}

static int by_start(const void *a, const void *b) {
    const struct function *one = a, *two = b;
    if (one->start != two->start)
        return one->start < two->start ? -1 : 1;
    if (one->end != two->end) /* the longest last: it is the one that is found */
        return one->end < two->end ? -1 : 1;
    return strcmp(one->name, two->name);
}

static void read_table(struct table *table, Dwfl_Module *module) {
    int count = dwfl_module_getsymtab(module);
    if (count <= 0)
        return;
    table->functions = calloc((size_t)count, sizeof *table->functions);
    for (int i = 1; table->functions && i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        const char *name = dwfl_module_getsym_info(module, i, &symbol, &address, NULL, NULL, NULL);
        unsigned type = GELF_ST_TYPE(symbol.st_info);
        bool code =
            type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && symbol.st_size > 0);
        if (!name || !name[0] || name[0] == '$' || !code || symbol.st_shndx == SHN_UNDEF)
            continue; /* $x marks code, and names nothing */
        table->functions[table->count++] =
            (struct function){address, address + symbol.st_size, name};
    }
    if (table->functions)
        qsort(table->functions, table->count, sizeof *table->functions, by_start);
}

/* The last function that begins at or before the address, if it reaches it. */
static const char *name_at(const struct table *table, GElf_Addr address) {
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->functions[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return "";
    const struct function *found = &table->functions[low - 1];
    return address < found->end || found->start == found->end ? found->name : "";
}

static void open_image(struct watch_symbols *symbols, uint32_t image) {
    int fd = os_image_open(symbols->os, symbols->sites->images[image]);
    if (fd < 0)
        return;
    Dwfl *dwfl = dwfl_begin(&callbacks);
    symbols->dwfl[image] = dwfl;
    if (!dwfl) {
        close(fd);
        return;
    }
    symbols->modules[image] = dwfl_report_offline(dwfl, "image", "image", fd);
    if (!symbols->modules[image])
        close(fd); /* else it is the module's */
    dwfl_report_end(dwfl, NULL, NULL);
    if (symbols->modules[image])
        read_table(&symbols->tables[image], symbols->modules[image]);
}

/* Where the module's addresses have this offset of the file; 0: nowhere. */
static GElf_Addr address_of(Dwfl_Module *module, uint64_t offset) {
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(module, &bias);
    size_t count;
    if (!elf || elf_getphdrnum(elf, &count) != 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_LOAD &&
            offset >= header.p_offset && offset - header.p_offset < header.p_filesz)
            return header.p_vaddr + (offset - header.p_offset) + bias;
    }
    return 0;
}

struct watch_symbol watch_symbol_of(struct watch_symbols *symbols, struct watch_code code) {
    struct watch_symbol symbol = {"", "", 0};
    if (!symbols || code.image == 0)
        return symbol;
    if (!symbols->tried[code.image]) {
        symbols->tried[code.image] = true;
        open_image(symbols, code.image);
    }
    Dwfl_Module *module = symbols->modules[code.image];
    GElf_Addr address = module ? address_of(module, code.offset) : 0;
    if (!address)
        return symbol;
    symbol.function = name_at(&symbols->tables[code.image], address);
    Dwfl_Line *line = dwfl_module_getsrc(module, address);
    const char *file = line ? dwfl_lineinfo(line, NULL, &symbol.line, NULL, NULL, NULL) : NULL;
    if (file)
        symbol.file = file;
    return symbol;
}
