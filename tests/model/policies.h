/* policies.h: replacement policies as their papers have them, on numbers instead of pages.
 *
 * Independent of src/: arrays, linear searches and textbook words, written to be compared with, not
 * to be fast. Each is told of references one by one and answers whether the page was there.
 */
#ifndef QUIRE_TESTS_MODEL_POLICIES_H
#define QUIRE_TESTS_MODEL_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

/* Names as quire_policy_find has them, and "fifo", "lru" for comparison. False: no such model. */
bool policies_model_has(const char *name);

struct policies_model;
/* A cache of `frames` pages for page numbers below npages. */
struct policies_model *policies_model_create(const char *name, uint32_t frames, uint32_t npages);
bool policies_model_refer(struct policies_model *model, uint32_t page); /* true: a hit */
void policies_model_destroy(struct policies_model *model);

/* The fewest misses that any policy can have for this trace (Belady 1966). */
uint64_t policies_model_opt(const uint32_t *trace, uint64_t length, uint32_t frames,
                            uint32_t npages);

#endif
