/* list.c: the intrusive list against an array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

#define ITEMS 16

struct item {
    int number;
    struct quire_list link;
};

/* The list forwards and backwards is exactly these numbers. */
static void expect(struct quire_list *head, const int *numbers, unsigned n) {
    struct quire_list *forward = head->next, *backward = head->prev;
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(QUIRE_CONTAINER(forward, struct item, link)->number, numbers[i]);
        assert_int_equal(QUIRE_CONTAINER(backward, struct item, link)->number, numbers[n - 1 - i]);
        forward = forward->next;
        backward = backward->prev;
    }
    assert_ptr_equal(forward, head);
    assert_ptr_equal(backward, head);
    assert_int_equal(quire_list_empty(head), n == 0);
}

static void add_and_remove(void **state) {
    (void)state;
    struct quire_list head;
    struct item items[ITEMS];
    quire_list_init(&head);
    expect(&head, NULL, 0);
    for (int i = 0; i < 4; i++) {
        items[i].number = i;
        quire_list_init(&items[i].link);
    }
    quire_list_add_after(&head, &items[1].link);
    quire_list_add_after(&head, &items[0].link);
    quire_list_add_before(&head, &items[3].link);
    quire_list_add_before(&items[3].link, &items[2].link);
    expect(&head, (const int[]){0, 1, 2, 3}, 4);
    quire_list_remove(&items[0].link);
    quire_list_remove(&items[2].link);
    expect(&head, (const int[]){1, 3}, 2);
    /* A link that was removed stands alone: removing it again hurts nobody. */
    assert_true(quire_list_empty(&items[2].link));
    quire_list_remove(&items[2].link);
    expect(&head, (const int[]){1, 3}, 2);
    quire_list_remove(&items[3].link);
    quire_list_remove(&items[1].link);
    expect(&head, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(add_and_remove)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
