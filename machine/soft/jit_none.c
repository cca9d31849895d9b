/* jit_none.c: hosts for which there is no translator. CMakeLists.txt takes this file or jit_x86.c.
 *
 *     quire_soft_run -> quire_jit_open: false -> blocks are built with the interpreter's handlers
 *
 * Nothing can fail here, because nothing is ever done. Called by cpu.c, code.c and soft.c.
 */
#include "jit.h"

bool quire_jit_open(struct quire_machine *machine) {
    (void)machine;
    return false;
}

void quire_jit_close(struct quire_machine *machine) {
    (void)machine;
}

void quire_jit_reset(struct quire_machine *machine) {
    (void)machine;
}

bool quire_jit_full(const struct quire_machine *machine) {
    (void)machine;
    return false;
}

op_fn *quire_jit_translate(struct quire_machine *machine, struct block *block) {
    (void)machine, (void)block;
    return NULL;
}

void quire_jit_link(uint8_t *site, const struct op *target) {
    (void)site, (void)target;
}

void quire_jit_run(struct op *o, struct run *r, struct tlb *tlb, op_fn *first) {
    first(o, r, tlb);
}
