/* What may be seen, as a bit a passage. */
#include "index/lexical_internal.h"

static bool make_bits(struct lexical_filter *filter, struct arena *arena, struct err *err)
{
    const struct lexical_view *view = filter->view;

    filter->bits = arena_array(arena, view->count + (size_t)1, sizeof *filter->bits);
    if (!filter->bits)
        return err_arena(err, arena);
    for (uint32_t i = 0; i < view->count; i++) {
        filter->bits[i] = arena_array(arena, view->at[i]->passages / 64 + 1, sizeof(uint64_t));
        if (!filter->bits[i])
            return err_arena(err, arena);
    }
    return true;
}

static void allow(struct lexical_filter *filter, uint32_t segment,
                  const struct document_entry *document)
{
    const struct segment *s = filter->view->at[segment];
    uint32_t end = MIN_OF(document->passage_first + document->passage_count, s->passages);

    for (uint32_t p = document->passage_first; p < end; p++) {
        struct passage_entry passage = segment_passage(s, p);

        filter->bits[segment][p / 64] |= (uint64_t)1 << (p % 64);
        filter->passages++;
        for (int f = 0; f < TERM_FIELDS; f++)
            filter->lengths[f] += passage.lengths[f];
    }
}

bool lexical_filter_make(const struct lexical_view *view, struct arena *arena,
                         lexical_allows *allows, void *context, struct lexical_filter **out,
                         struct err *err)
{
    struct lexical_filter *filter = arena_alloc(arena, sizeof *filter);
    uint64_t number = 0;

    if (!filter)
        return err_arena(err, arena);
    *filter = (struct lexical_filter){.view = view};
    if (!make_bits(filter, arena, err))
        return false;
    for (uint32_t i = 0; i < view->count; i++)
        for (uint32_t d = 0; d < view->at[i]->documents; d++, number++) {
            struct document_entry entry = segment_document(view->at[i], d);
            struct lexical_document_info info = {segment_key(view->at[i], &entry),
                                                 newest_record(view, view->at[i], &entry),
                                                 entry.passage_count};

            if (allows(context, number, &info))
                allow(filter, i, &entry);
        }
    *out = filter;
    return true;
}

uint64_t lexical_filter_passages(const struct lexical_filter *filter)
{
    return filter->passages;
}

bool lexical_filter_allows(const struct lexical_filter *filter, uint64_t passage)
{
    uint32_t segment = 0;

    for (; passage >= filter->view->at[segment]->passages; segment++)
        passage -= filter->view->at[segment]->passages;
    return filter_allows(filter, segment, (uint32_t)passage);
}
