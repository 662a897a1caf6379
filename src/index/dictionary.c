/* The data is a trie of UTF-16 units as <unicode/ucharstrie.h> describes it: a node matches units one after the other,
 * or branches by the next one; a value in front of it says that a word ends there, and what the word costs. It belongs to
 * the library, which walks it as it is, and so do we. */
#include "index/dictionary.h"

#include <string.h>
#include <unicode/udata.h>

#define FIRST      0x4E00
#define CHARACTERS (0x9FFF - FIRST + 1)
#define WORD_MAX   20  /* characters, as ICU has it */
#define COST_MAX   255 /* of a character that is no word */

/* What stands in front of the trie. */
enum { TRIE_AT, TRIE_END = 3, TRIE_TYPE, HEAD_NUMBERS = 8 };
#define UNITS_WITH_VALUES 9

/* Lead units of nodes and values. */
#define LINEAR_FROM      0x30
#define VALUE_FROM       0x40
#define NODE_MASK        (VALUE_FROM - 1)
#define FINAL            0x8000
#define LINEAR_SEARCH    5
#define VALUE_TWO        0x4000
#define VALUE_THREE      0x7FFF
#define NODE_VALUE_TWO   0x4040
#define NODE_VALUE_THREE 0x7FC0
#define DELTA_TWO        0xFC00
#define DELTA_THREE      0xFFFF
#define NO_WORD_BEGINS   1 /* no node stands there */

/* Where the trie goes on behind a word's first two characters: the second branch is as wide as there are words with the
 * first. What meets in one place is looked up anew. */
#define SECONDS    8192 /* a power of two */
#define WITHIN_MAX 15   /* of a node that matches 16 units */
struct second {
    uint32_t pair; /* of the characters, counted from 1; 0: none */
    uint32_t at;   /* as in firsts, with the units within a node in the last four bits */
};

struct dictionary {
    UDataMemory *data;
    const uint16_t *trie;
    uint32_t firsts
        [CHARACTERS]; /* where the trie goes on behind a word's first character; 0: not looked up yet */
    struct second seconds[SECONDS];
    uint32_t costs[DICTIONARY_RUN_MAX + 1];  /* of the cheapest way to each place */
    uint8_t lengths[DICTIONARY_RUN_MAX + 1]; /* of its last word */
};

struct dictionary *dictionary_open(struct arena *arena)
{
    UErrorCode status = U_ZERO_ERROR;
    struct dictionary *d = arena_alloc(arena, sizeof *d);

    static_assert(sizeof(struct dictionary) + 64 < DICTIONARY_BYTES, "what the header says");
    if (!d)
        return NULL;
    d->data = udata_open(U_ICUDATA_NAME "-brkitr", "dict", "cjdict", &status);
    if (U_FAILURE(status))
        return NULL;
    UDataInfo info = {.size = sizeof info};
    const int32_t *head = udata_getMemory(d->data);
    udata_getInfo(d->data, &info);
    if (memcmp(info.dataFormat, "Dict", 4) != 0 || info.formatVersion[0] != 1 ||
        head[TRIE_TYPE] != UNITS_WITH_VALUES || head[TRIE_END] >= (int32_t)(1u << 28) ||
        head[TRIE_AT] < HEAD_NUMBERS * 4) {
        udata_close(d->data);
        return NULL;
    }
    d->trie = (const uint16_t *)(const void *)((const char *)head + head[TRIE_AT]);
    return d;
}

void dictionary_close(struct dictionary *d)
{
    if (d)
        udata_close(d->data);
}

bool dictionary_has(const UChar *run, int32_t len)
{
    bool all = len <= DICTIONARY_RUN_MAX;

    for (int32_t i = 0; i < len && all; i++)
        all = run[i] >= FIRST && run[i] < FIRST + CHARACTERS;
    return all;
}

/* --- the trie --------------------------------------------------------------------------------- */

/* A place: at a node (or a final value), or within a node that matches `within` units more. */
struct place {
    const uint16_t *at; /* NULL: nothing goes on from here */
    uint32_t within;
};

static const uint16_t *jump(const uint16_t *at)
{
    uint32_t delta = *at++;

    if (delta == DELTA_THREE) {
        delta = (uint32_t)at[0] << 16 | at[1];
        at += 2;
    } else if (delta >= DELTA_TWO) {
        delta = (delta - DELTA_TWO) << 16 | *at++;
    }
    return at + delta;
}

static const uint16_t *behind_delta(const uint16_t *at)
{
    uint32_t delta = *at++;

    return at + (delta == DELTA_THREE ? 2 : delta >= DELTA_TWO);
}

static uint32_t units_behind_value(uint32_t lead)
{
    return lead < VALUE_TWO ? 0 : lead < VALUE_THREE ? 1 : 2;
}

static uint32_t value_at(const uint16_t *at, uint32_t lead)
{
    if (lead < VALUE_TWO)
        return lead;
    return lead < VALUE_THREE ? (lead - VALUE_TWO) << 16 | at[0] : (uint32_t)at[0] << 16 | at[1];
}

/* A unit that matched has a final value behind it, or how far away the next node is. */
static struct place take_branch(const uint16_t *at)
{
    uint32_t lead = *at;

    if (lead & FINAL)
        return (struct place){at, 0};
    at++;
    return (struct place){at + units_behind_value(lead) + value_at(at, lead), 0};
}

static struct place branch(const uint16_t *at, uint32_t count, uint16_t unit)
{
    if (count == 0)
        count = *at++;
    count++;
    while (count > LINEAR_SEARCH) {
        if (unit < *at++) {
            count >>= 1;
            at = jump(at);
        } else {
            count -= count >> 1;
            at = behind_delta(at);
        }
    }
    for (; count > 1; count--) {
        if (unit == *at++)
            return take_branch(at);
        at += 1 + units_behind_value(*at & (FINAL - 1));
    }
    return (struct place){unit == *at ? at + 1 : NULL, 0};
}

static struct place step(struct place from, uint16_t unit)
{
    const uint16_t *at = from.at;

    if (from.within)
        return (struct place){unit == *at ? at + 1 : NULL, from.within - 1};
    uint32_t node = *at++;
    if (node & FINAL)
        return (struct place){0};
    if (node >= VALUE_FROM) {
        at += node < NODE_VALUE_TWO ? 0 : node < NODE_VALUE_THREE ? 1 : 2;
        node &= NODE_MASK;
    }
    if (node < LINEAR_FROM)
        return branch(at, node, unit);
    return (struct place){unit == *at ? at + 1 : NULL, node - LINEAR_FROM};
}

/* Does a word end here? */
static bool ends_word(struct place here, uint32_t *cost)
{
    uint32_t node = here.within ? 0 : *here.at;

    if (node & FINAL)
        *cost = value_at(here.at + 1, node & (FINAL - 1));
    else if (node < VALUE_FROM)
        return false;
    else if (node < NODE_VALUE_TWO)
        *cost = (node >> 6) - 1;
    else if (node < NODE_VALUE_THREE)
        *cost = ((node & NODE_VALUE_THREE) - NODE_VALUE_TWO) << 10 | here.at[1];
    else
        *cost = (uint32_t)here.at[1] << 16 | here.at[2];
    return true;
}

/* The first branch has ten thousand ways: each is looked up once. */
static struct place first_step(struct dictionary *d, uint16_t unit)
{
    uint32_t *known = &d->firsts[unit - FIRST];

    if (!*known) {
        struct place place = step((struct place){d->trie, 0}, unit);

        ASSERT(!place.within);
        *known = place.at ? (uint32_t)(place.at - d->trie) : NO_WORD_BEGINS;
    }
    return (struct place){*known == NO_WORD_BEGINS ? NULL : d->trie + *known, 0};
}

static struct place second_step(struct dictionary *d, struct place first, uint32_t before,
                                uint16_t unit)
{
    uint32_t pair = ((before - FIRST) << 16 | unit) + 1;
    struct second *known = &d->seconds[(pair * 0x9E3779B1u) >> 19];
    static_assert(SECONDS == 1u << (32 - 19), "a place for each");

    if (known->pair != pair) {
        struct place place = step(first, unit);

        ASSERT(place.within <= WITHIN_MAX);
        known->pair = pair;
        known->at = place.at ? (uint32_t)(place.at - d->trie) << 4 | place.within : 0;
    }
    return (struct place){known->at ? d->trie + (known->at >> 4) : NULL, known->at & WITHIN_MAX};
}

/* --- the cheapest way ------------------------------------------------------------------------- */

static void reach(struct dictionary *d, int32_t from, int32_t len, uint32_t cost)
{
    if (d->costs[from] + cost >= d->costs[from + len])
        return;
    d->costs[from + len] = d->costs[from] + cost;
    d->lengths[from + len] = (uint8_t)len;
}

/* All words that begin at `from`; a character that is none is one all the same, and dear. */
static void reach_from(struct dictionary *d, const UChar *run, int32_t len, int32_t from)
{
    struct place here = first_step(d, run[from]);
    bool alone = false;

    for (int32_t size = 1; here.at; size++) {
        uint32_t cost;

        if (ends_word(here, &cost)) {
            reach(d, from, size, cost);
            alone = alone || size == 1;
        }
        if (size == WORD_MAX || from + size == len)
            break;
        here = size == 1 ? second_step(d, here, run[from], run[from + 1])
                         : step(here, run[from + size]);
    }
    if (!alone)
        reach(d, from, 1, COST_MAX);
}

int32_t dictionary_cut(struct dictionary *d, const UChar *run, int32_t len,
                       uint16_t ends[DICTIONARY_RUN_MAX])
{
    int32_t count = 0;

    ASSERT(len > 0 && len <= DICTIONARY_RUN_MAX);
    d->costs[0] = 0;
    for (int32_t i = 1; i <= len; i++)
        d->costs[i] = UINT32_MAX;
    for (int32_t i = 0; i < len; i++)
        reach_from(d, run, len, i);
    for (int32_t at = len; at > 0; at -= d->lengths[at])
        count++;
    for (int32_t at = len, i = count; i-- > 0; at -= d->lengths[at])
        ends[i] = (uint16_t)at;
    return count;
}
