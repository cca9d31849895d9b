/* cmd_view.c: the texts of Linux's /proc, of the machine and of the process; they only look.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

static bool show_system(struct lab_call *call, lab_system_view *view) {
    lab_show_system(&call->lab->text, call->world->q, view);
    return true;
}

static bool show_space(struct lab_call *call, lab_space_view *view) {
    lab_show_space(&call->lab->text, call->world->current->space, view);
    return true;
}

static bool meminfo(struct lab_call *call) {
    return show_system(call, quire_view_meminfo);
}

static bool vmstat(struct lab_call *call) {
    return show_system(call, quire_view_vmstat);
}

static bool pressure(struct lab_call *call) {
    return show_system(call, quire_view_pressure);
}

static bool buddyinfo(struct lab_call *call) {
    return show_system(call, quire_view_buddyinfo);
}

static bool pagetypeinfo(struct lab_call *call) {
    return show_system(call, quire_view_pagetypeinfo);
}

static bool zoneinfo(struct lab_call *call) {
    return show_system(call, quire_view_zoneinfo);
}

static bool slabinfo(struct lab_call *call) {
    return show_system(call, quire_view_slabinfo);
}

static bool vmallocinfo(struct lab_call *call) {
    return show_system(call, quire_view_vmallocinfo);
}

static bool iomem(struct lab_call *call) {
    return show_system(call, quire_view_iomem);
}

static bool swaps(struct lab_call *call) {
    return show_system(call, quire_view_swaps);
}

static bool maps(struct lab_call *call) {
    return show_space(call, quire_view_maps);
}

static bool smaps(struct lab_call *call) {
    return show_space(call, quire_view_smaps);
}

static bool rollup(struct lab_call *call) {
    return show_space(call, quire_view_smaps_rollup);
}

static bool status(struct lab_call *call) {
    return show_space(call, quire_view_status);
}

static bool pagemap(struct lab_call *call) {
    int64_t va, npages;
    if (!lab_number(call, 0, &va) || !lab_number_or(call, 1, 1, &npages))
        return false;
    if (npages < 1 || npages > 1000)
        return lab_wrong(call, "1 to 1000 pages, not %" PRId64, npages);
    for (int64_t i = 0; i < npages; i++) {
        uint64_t at = ((uint64_t)va & ~QUIRE_PAGE_MASK) + (uint64_t)i * PAGE;
        if (at >= call->world->layout.user_end)
            return lab_wrong(call, "0x%" PRIx64 " is no address of a program", at);
        uint64_t word = quire_view_pagemap(call->world->current->space, quire_va(at));
        uint64_t number = word & (((uint64_t)1 << 55) - 1);
        if (word >> 63)
            lab_say(call, "  page 0x%" PRIx64 "  frame 0x%" PRIx64 "%s%s\n", at, number,
                    word >> 61 & 1 ? "  file or shared" : "",
                    word >> 56 & 1 ? "  mapped once" : "");
        else if (word >> 62 & 1)
            lab_say(call, "  page 0x%" PRIx64 "  swap area %" PRIu64 " slot %" PRIu64 "\n", at,
                    number & 31, number >> 5);
        else
            lab_say(call, "  page 0x%" PRIx64 "  no frame\n", at);
    }
    return true;
}

static bool layout(struct lab_call *call) {
    if (!call->world->config.kernel_map)
        return lab_refused(call, "this machine has no kernel part in its tables; "
                                 "`machine --format 10/10/12` has");
    char text[1000];
    quire_soft_layout_text(call->world->machine, text, sizeof text);
    lab_say(call, "%s", text);
    return true;
}

const struct lab_command lab_view_commands[] = {
    {"meminfo", "", "/proc/meminfo", meminfo, 0},
    {"vmstat", "", "/proc/vmstat", vmstat, 0},
    {"pressure", "", "/proc/pressure/memory", pressure, 0},
    {"buddyinfo", "", "/proc/buddyinfo: free blocks by order", buddyinfo, 0},
    {"pagetypeinfo", "", "/proc/pagetypeinfo: by migrate type too", pagetypeinfo, 0},
    {"zoneinfo", "", "/proc/zoneinfo", zoneinfo, 0},
    {"slabinfo", "", "/proc/slabinfo", slabinfo, 0},
    {"vmallocinfo", "", "/proc/vmallocinfo", vmallocinfo, 0},
    {"iomem", "", "/proc/iomem: who has which physical addresses", iomem, 0},
    {"swaps", "", "/proc/swaps", swaps, 0},
    {"maps", "", "/proc/PID/maps", maps, LAB_PROCESS},
    {"smaps", "", "/proc/PID/smaps", smaps, LAB_PROCESS},
    {"rollup", "", "/proc/PID/smaps_rollup", rollup, LAB_PROCESS},
    {"status", "", "the memory lines of /proc/PID/status", status, LAB_PROCESS},
    {"pagemap", "ADDR [PAGES]", "the frame, or the swap slot, of each page", pagemap, LAB_PROCESS},
    {"layout", "", "the kernel's address space, from the top down", layout, 0},
    {NULL, "", "", NULL, 0}};
