/* policy.h: replacement policies as plug-ins: who is old, decided by a hundred lines of your own.
 *
 * The manager keeps pages of each kind (anonymous; file) in queues, asks a policy for victims when
 * frames are wanted, and does all the rest: how many of which kind (swappiness, cost), writing,
 * unmapping, freeing, ghosts. A policy sees pages as opaque pointers and says where they stand.
 *
 *      fault ──▶ insert ──▶ [ queue 0 ][ queue 1 ] … ──▶ victim ──▶ evict ──▶ a shadow stays
 *                  ▲           oldest … newest             │ could not go: keep      │
 *                  └─────────────── the page comes back with its shadow ─────────────┘
 *
 * What it may know: when a page came, when it came back and what evict() said of it then, and, for
 * a page that it looks at, whether it was used since the last look. That is all that a machine with
 * accessed bits can tell. docs/POLICIES.md walks through one policy and says how to test it.
 *
 * A bad policy is slow and never wrong: the lists are the manager's, they are counted and audited,
 * and before anybody is killed for memory every page was offered whatever the policy said.
 *
 * Thread-safety: a policy's functions are called with the manager's lock held, never two at a time.
 * They must not call the manager but for the functions below, and keep no state outside of theirs.
 */
#ifndef QUIRE_POLICY_H
#define QUIRE_POLICY_H

#include <quire/types.h>

struct quire_page;
/* All pages of one kind under one policy: each function below is about one of them. */
struct quire_aging;

#define QUIRE_POLICY_QUEUES 8
#define QUIRE_NOTE_MAX      0xFFFu      /* a page's note: 12 bits of the policy's own */
#define QUIRE_SHADOW_MAX    0x7FFFFFFFu /* what is remembered of a page that left: 31 bits */

struct quire_policy {
    const char *name;
    const char *summary; /* one line for people who choose */
    size_t state_bytes;  /* zeroed memory for each of the two kinds; at most 131072 */
    unsigned nqueues;    /* 1 to QUIRE_POLICY_QUEUES */
    unsigned active;     /* bit k: pages in queue k are shown as Active in /proc/meminfo */
    /* The access that brought a page in says nothing about the next one: under pressure the manager
     * takes its mark away soon after, so that the first look tells of later uses only. False: the
     * policy itself reckons with the mark (Linux's looks twice). */
    bool forget_arrival;

    /* A page came: put it into a queue. shadow is what evict() said when it left, 0: it is new, or
     * nothing is remembered. Its note is 0. */
    void (*insert)(struct quire_aging *aging, struct quire_page *page, uint32_t shadow);
    /* The next to go. Look at pages (quire_aging_look) until one was not used, moving those that
     * were; NULL when a look answers ENOUGH or there is no page. The page stays in its queue. */
    struct quire_page *(*victim)(struct quire_aging *aging);
    /* The victim could not go (pinned, no room on swap, a failed write): put it out of the way.
     * NULL: the newest place of its queue. */
    void (*keep)(struct quire_aging *aging, struct quire_page *page);
    /* The page is clean and leaves now: what shall be remembered of it, 1 to QUIRE_SHADOW_MAX; 0:
     * nothing. Where there is no room it is forgotten. NULL: never anything. */
    uint32_t (*evict)(struct quire_aging *aging, struct quire_page *page);
    /* The page is about to be taken off its queue, for whatever reason: let go of pointers to it.
     * NULL: nothing to do. */
    void (*remove)(struct quire_aging *aging, struct quire_page *page);
    /* The program says that it will not need the page soon. NULL: oldest place of queue 0. */
    void (*cool)(struct quire_aging *aging, struct quire_page *page);
    /* False: the state contradicts itself. NULL: nothing to check. Called by quire_audit. */
    bool (*audit)(struct quire_aging *aging);
};

/* ---- what a policy may call: all O(1) ---------------------------------------------------------
 */

/* This policy's state, state_bytes long, for this kind of pages. */
void *quire_aging_state(struct quire_aging *aging);
/* The other kind's, or NULL when there is only one (a simulation). */
struct quire_aging *quire_aging_other(struct quire_aging *aging);

/* Put a page into a queue, at its newest or its oldest end, from wherever it stood. */
void quire_aging_put(struct quire_aging *aging, struct quire_page *page, unsigned queue,
                     bool newest);
/* NULL: the queue is empty. */
struct quire_page *quire_aging_oldest(struct quire_aging *aging, unsigned queue);
/* The one that came next into the same queue; NULL: page is the newest. */
struct quire_page *quire_aging_newer(struct quire_aging *aging, struct quire_page *page);

/* Frames in a queue, and in all. (A large page counts as the frames that it has.) */
uint64_t quire_aging_length(const struct quire_aging *aging, unsigned queue);
uint64_t quire_aging_pages(const struct quire_aging *aging);
/* Frames in queues that are shown as active. */
uint64_t quire_aging_active(const struct quire_aging *aging);
/* Frames of the other kind that could be evicted instead of these: 0 when anonymous pages have
 * nowhere to go. */
uint64_t quire_aging_rivals(const struct quire_aging *aging);
/* Change which queues are shown as active (bits as in struct quire_policy). */
void quire_aging_set_active(struct quire_aging *aging, unsigned active);

/* Was the page used since the last look? Clears the marks. Each call is paid from a budget that
 * bounds a round of reclaim; when it is used up the answer is ENOUGH and nothing was looked at. In
 * a last desperate round it is always UNUSED. */
enum quire_look { QUIRE_LOOK_UNUSED, QUIRE_LOOK_USED, QUIRE_LOOK_ENOUGH };
enum quire_look quire_aging_look(struct quire_aging *aging, struct quire_page *page);
/* Is it part of a program's text? Everything else waits for that. */
bool quire_aging_is_text(struct quire_aging *aging, struct quire_page *page);

unsigned quire_page_queue(const struct quire_page *page);
unsigned quire_page_note(const struct quire_page *page);
void quire_page_set_note(struct quire_page *page, unsigned note); /* 0 to QUIRE_NOTE_MAX */

/* ---- the policies that come with Quire --------------------------------------------------------
 */

/* By name; NULL: there is none of that name. */
const struct quire_policy *quire_policy_find(const char *name);
/* The index-th, the default first; NULL past the last. */
const struct quire_policy *quire_policy_at(unsigned index);
/* The one that a manager runs. */
const struct quire_policy *quire_policy(const struct quire *q);

#endif
