/* The names of a question that passages mention. */
#include "knowledge/graph_internal.h"

#include "index/marks.h"

static uint64_t passages_seen(const struct access *access)
{
    return access->filter ? lexical_filter_passages(access->filter)
                          : lexical_stats(access->view).passages;
}

uint64_t graph_hub(const struct access *access)
{
    uint64_t tenth = passages_seen(access) / 10;

    return MIN_OF(MAX_OF(tenth, (uint64_t)GRAPH_HUB_LEAST), (uint64_t)GRAPH_HUB);
}

uint64_t graph_mentions(const struct access *access, struct str name, uint64_t most)
{
    struct marked marked = {.most = most};

    marks_find(access->view, access->filter, name, &marked);
    return MIN_OF(marked.count, most + 1);
}

static bool is_wide_byte(char c)
{
    return (uint8_t)c >= 0xE0;
}

/* May a name begin or end at `at` of a key? Between words, or beside an ideograph. */
static bool is_edge(struct str key, size_t at)
{
    if (at == 0 || at == key.len || key.ptr[at] == ' ' || key.ptr[at - 1] == ' ')
        return true;
    return ((uint8_t)key.ptr[at] & 0xC0) != 0x80 &&
           (is_wide_byte(key.ptr[at]) || ((uint8_t)key.ptr[at - 1] & 0x80));
}

/* The longest name at `from`, or 0. */
static size_t name_at(const struct access *access, struct str key, size_t from, uint64_t *passages)
{
    size_t longest = 0;

    for (size_t to = from + 1; to <= key.len && to - from <= TERM_BYTES_MAX; to++) {
        struct str part = str_slice(key, from, to);

        if (!is_edge(key, to) || part.ptr[part.len - 1] == ' ')
            continue;
        if (!marks_begin(access->view, part))
            break;
        uint64_t count = part.len > 1 ? graph_mentions(access, part, GRAPH_HUB) : 0;
        if (!count)
            continue;
        longest = part.len;
        *passages = count;
    }
    return longest;
}

static bool looks_named(struct str name, const struct key_origin *origin)
{
    bool wide = is_wide_byte(name.ptr[0]);

    return origin->named || (wide && name.len >= 9);
}

static bool known_seed(const struct graph_seed *seeds, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(seeds[i].name, name))
            return true;
    return false;
}

bool graph_seeds(const struct access *access, struct arena *arena, struct str question,
                 struct graph_seed **out, size_t *count, struct err *err)
{
    struct graph_seed *seeds = arena_array(arena, GRAPH_SEEDS_MAX, sizeof *seeds);
    uint64_t hub = graph_hub(access);
    struct str key;
    struct key_origin *origins;
    size_t found = 0;

    if (!seeds || !name_key(arena, question, &key, &origins))
        return err_arena(err, arena);
    for (size_t at = 0; at < key.len && found < GRAPH_SEEDS_MAX;) {
        uint64_t passages = 0;
        bool begins = is_edge(key, at) && key.ptr[at] != ' ';
        size_t len = begins ? name_at(access, key, at, &passages) : 0;
        struct str name = str_slice(key, at, at + len);

        if (len && !known_seed(seeds, found, name))
            seeds[found++] = (struct graph_seed){.name = name,
                                                 .passages = passages,
                                                 .from = origins[at].from,
                                                 .to = origins[at + len - 1].to,
                                                 .compound = str_find_char(name, ' ') < name.len,
                                                 .named = looks_named(name, &origins[at]),
                                                 .common = passages > hub};
        at += len ? len : 1;
    }
    *out = seeds;
    *count = found;
    return true;
}
