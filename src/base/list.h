/* list.h: the intrusive, circular, doubly linked list. The only list of the project.
 *
 * A head is a link that is in no object. An empty head, and a link that is on no list after
 * quire_list_remove, points to itself.
 */
#ifndef QUIRE_BASE_LIST_H
#define QUIRE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct quire_list {
    struct quire_list *next, *prev;
};

/* The object around a member. */
#define QUIRE_CONTAINER(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void quire_list_init(struct quire_list *link) {
    link->next = link->prev = link;
}

static inline bool quire_list_empty(const struct quire_list *head) {
    return head->next == head;
}

/* Put link (on no list) after, or before, another link or a head. */
static inline void quire_list_add_after(struct quire_list *where, struct quire_list *link) {
    link->prev = where;
    link->next = where->next;
    where->next->prev = link;
    where->next = link;
}

static inline void quire_list_add_before(struct quire_list *where, struct quire_list *link) {
    quire_list_add_after(where->prev, link);
}

static inline void quire_list_remove(struct quire_list *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    quire_list_init(link);
}

#endif
