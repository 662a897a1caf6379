#include "knowledge/communities.h"

#define WHOLE 5040u /* weights are shares of it */

struct graph {
    uint32_t documents, names;
    uint32_t *of_document, *by_document; /* names of document d: by_document[of_document[d] ...] */
    uint32_t *of_name, *by_name;         /* documents of a name, rising */
    uint32_t most;                       /* documents of a name that joins */
    uint64_t *scores;                    /* [label], zero between two documents */
};

static bool read_graph(struct arena *arena, const struct community_pair *pairs, size_t count,
                       struct graph *g, struct err *err)
{
    g->of_document = arena_array(arena, (size_t)g->documents + 2, sizeof *g->of_document);
    g->by_document = arena_array(arena, count + 1, sizeof *g->by_document);
    g->of_name = arena_array(arena, (size_t)g->names + 2, sizeof *g->of_name);
    g->by_name = arena_array(arena, count + 1, sizeof *g->by_name);
    g->scores = arena_array(arena, (size_t)g->documents + 1, sizeof *g->scores);
    if (!g->of_document || !g->by_document || !g->of_name || !g->by_name || !g->scores)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++) {
        ASSERT(pairs[i].document < g->documents && pairs[i].name < g->names);
        g->of_document[pairs[i].document + 1]++;
        g->of_name[pairs[i].name + 1]++;
    }
    for (uint32_t d = 0; d < g->documents; d++)
        g->of_document[d + 1] += g->of_document[d];
    for (uint32_t n = 0; n < g->names; n++)
        g->of_name[n + 1] += g->of_name[n];
    uint32_t *filled = arena_array(arena, (size_t)g->names + 1, sizeof *filled);
    if (!filled)
        return err_arena(err, arena);
    for (size_t i = 0; i < count; i++) { /* in order of documents: so are both lists */
        g->by_document[i] = pairs[i].name;
        g->by_name[g->of_name[pairs[i].name] + filled[pairs[i].name]++] = pairs[i].document;
    }
    return true;
}

static uint32_t documents_of(const struct graph *g, uint32_t name)
{
    return g->of_name[name + 1] - g->of_name[name];
}

/* Every document beside this one, by the names they share, for its label; or against it. */
static void weigh(struct graph *g, const uint32_t *labels, uint32_t document, bool add)
{
    for (uint32_t i = g->of_document[document]; i < g->of_document[document + 1]; i++) {
        uint32_t name = g->by_document[i], having = documents_of(g, name);

        if (having < 2 || having > g->most)
            continue;
        for (uint32_t k = g->of_name[name]; k < g->of_name[name + 1]; k++) {
            uint64_t *score = &g->scores[labels[g->by_name[k]]];

            if (g->by_name[k] != document)
                *score = add ? *score + WHOLE / having : 0;
        }
    }
}

/* The label most of its neighbours have; its own among equals, else the least. */
static uint32_t best_label(const struct graph *g, const uint32_t *labels, uint32_t document)
{
    uint32_t best = labels[document];

    for (uint32_t i = g->of_document[document]; i < g->of_document[document + 1]; i++) {
        uint32_t name = g->by_document[i], having = documents_of(g, name);

        if (having < 2 || having > g->most)
            continue;
        for (uint32_t k = g->of_name[name]; k < g->of_name[name + 1]; k++) {
            uint32_t label = labels[g->by_name[k]];

            if (g->scores[label] > g->scores[best] ||
                (g->scores[label] == g->scores[best] && best != labels[document] && label < best))
                best = label;
        }
    }
    return best;
}

/* A community by the least of its documents, whichever label won. */
static bool name_by_least(struct arena *arena, uint32_t *labels, uint32_t documents)
{
    uint32_t *least = arena_array(arena, (size_t)documents + 1, sizeof *least);

    for (uint32_t d = documents; least && d-- > 0;)
        least[labels[d]] = d;
    for (uint32_t d = 0; least && d < documents; d++)
        labels[d] = least[labels[d]];
    return least != NULL;
}

bool communities_find(struct arena *arena, const struct community_pair *pairs, size_t count,
                      uint32_t documents, uint32_t names, uint32_t *out, struct err *err)
{
    struct graph g = {.documents = documents, .names = names};
    bool changed = true;

    g.most = MAX_OF(3u, MIN_OF(documents / 4, COMMUNITY_NAME_MOST));
    if (!read_graph(arena, pairs, count, &g, err))
        return false;
    for (uint32_t d = 0; d < documents; d++)
        out[d] = d;
    for (int round = 0; round < COMMUNITY_ROUNDS && changed; round++) {
        changed = false;
        for (uint32_t d = 0; d < documents; d++) {
            weigh(&g, out, d, true);
            uint32_t best = best_label(&g, out, d);
            weigh(&g, out, d, false);
            changed = changed || best != out[d];
            out[d] = best;
        }
    }
    return name_by_least(arena, out, documents) || err_arena(err, arena);
}
