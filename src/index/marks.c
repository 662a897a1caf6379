#include "index/marks.h"

#include <string.h>

#include "index/lexical_internal.h"

struct str mark_key(struct str mark, char bytes[TERM_BYTES_MAX + 1])
{
    ASSERT(mark.len > 0 && mark.len <= TERM_BYTES_MAX);
    bytes[0] = 'm';
    memcpy(bytes + 1, mark.ptr, mark.len);
    return (struct str){bytes, mark.len + 1};
}

static void list(struct marked *out, uint64_t passage, uint32_t number)
{
    if (out->listed < out->limit) {
        out->passages[out->listed] = passage;
        if (out->numbers)
            out->numbers[out->listed] = number;
        out->listed++;
    }
    out->count++;
}

struct listing {
    const struct lexical_filter *filter;
    uint32_t segment;
    uint64_t numbered; /* passages of the segments before */
};

static void list_segment(const struct segment *s, const struct term_entry *entry,
                         const struct listing *listing, struct marked *out)
{
    for (struct postings p = segment_postings(s, entry);
         (!out->most || out->count <= out->most) && postings_next(&p);)
        if (!listing->filter || filter_allows(listing->filter, listing->segment, p.passage))
            list(out, listing->numbered + p.passage, p.times);
}

void marks_find(const struct lexical_view *view, const struct lexical_filter *filter,
                struct str mark, struct marked *out)
{
    char bytes[TERM_BYTES_MAX + 1];
    struct str key = mark_key(mark, bytes);
    uint64_t numbered = 0;

    ASSERT(!filter || filter->view == view);
    out->listed = 0;
    out->count = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        const struct segment *s = view->at[i];
        struct term_entry entry;

        if (out->most && out->count > out->most)
            return;
        if (segment_find_term(s, key, &entry)) {
            if (!filter && !out->limit)
                out->count += entry.passages; /* nobody wants to know which */
            else
                list_segment(s, &entry, &(struct listing){filter, i, numbered}, out);
        }
        numbered += s->passages;
    }
}

static bool meet_in(const struct lexical_view *view, const struct lexical_filter *filter,
                    uint32_t i, const struct term_entry *a, const struct term_entry *b)
{
    struct postings left = segment_postings(view->at[i], a);
    struct postings right = segment_postings(view->at[i], b);
    bool more = postings_next(&left) && postings_next(&right);

    while (more) {
        if (left.passage == right.passage && (!filter || filter_allows(filter, i, left.passage)))
            return true;
        more = left.passage <= right.passage ? postings_next(&left) : postings_next(&right);
    }
    return false;
}

bool marks_meet(const struct lexical_view *view, const struct lexical_filter *filter, struct str a,
                struct str b)
{
    char left[TERM_BYTES_MAX + 1], right[TERM_BYTES_MAX + 1];

    for (uint32_t i = 0; i < view->count; i++) {
        struct term_entry in_a, in_b;

        if (segment_find_term(view->at[i], mark_key(a, left), &in_a) &&
            segment_find_term(view->at[i], mark_key(b, right), &in_b) &&
            meet_in(view, filter, i, &in_a, &in_b))
            return true;
    }
    return false;
}

static bool segment_has_prefix(const struct segment *s, struct str key)
{
    uint32_t at = segment_first_from(s, key);

    if (at == s->terms)
        return false;
    struct term_entry entry = segment_term(s, at);
    return str_starts(segment_term_text(s, &entry), key);
}

bool marks_begin(const struct lexical_view *view, struct str prefix)
{
    char bytes[TERM_BYTES_MAX + 1];

    if (prefix.len == 0 || prefix.len > TERM_BYTES_MAX)
        return false;
    struct str key = mark_key(prefix, bytes);
    for (uint32_t i = 0; i < view->count; i++)
        if (segment_has_prefix(view->at[i], key))
            return true;
    return false;
}
