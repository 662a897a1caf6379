#include "models/overlap.h"

void overlap_init(struct overlap *o, struct arena *arena, struct str said, size_t least)
{
    *o = (struct overlap){.said = said, .least = least, .decided = said.len == 0};
    buf_init(&o->held, arena, said.len + 64 * MIB);
}

/* Where the comparison may begin: the last OVERLAP_MOST places, and the very first. */
static size_t next_place(const struct overlap *o, size_t place)
{
    size_t tail = o->said.len > OVERLAP_MOST ? o->said.len - OVERLAP_MOST : 0;

    return place == 0 && tail > 0 ? tail : place + 1;
}

/* The longest repetition that is certain, 0: none; *open: more text may still make one longer. */
static size_t repeated(const struct overlap *o, bool *open)
{
    struct str held = buf_view(&o->held);
    size_t longest = 0;

    *open = false;
    for (size_t place = 0; place < o->said.len; place = next_place(o, place)) {
        struct str rest = str_slice(o->said, place, o->said.len);
        size_t both = MIN_OF(rest.len, held.len);

        if (!str_eq(str_slice(rest, 0, both), str_slice(held, 0, both)))
            continue;
        *open = *open || held.len < rest.len;
        if (held.len >= rest.len && rest.len >= MIN_OF(o->least, o->said.len))
            longest = MAX_OF(longest, rest.len);
    }
    return longest;
}

bool overlap_add(struct overlap *o, struct str piece, struct str *out, struct err *err)
{
    struct str all;
    bool open;

    if (o->decided) {
        *out = piece;
        return true;
    }
    buf_str(&o->held, piece);
    if (!buf_finish(&o->held, &all, err))
        return false;
    size_t skip = repeated(o, &open);
    if (open) {
        *out = STR_NONE;
        return true;
    }
    o->decided = true;
    *out = str_slice(all, skip, all.len);
    return true;
}

struct str overlap_end(struct overlap *o)
{
    struct str all = buf_view(&o->held);
    bool open;

    if (o->decided)
        return STR_NONE;
    o->decided = true;
    return str_slice(all, repeated(o, &open), all.len);
}
