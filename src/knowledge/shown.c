#include "knowledge/shown.h"

#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/rights.h"

struct showing {
    struct knowledge *knowledge;
    struct arena *arena;
    struct str id;
    uint64_t at;
    const struct principal *who;
    struct shown out;
    bool ok;
    struct err *err;
};

static struct str record_at(const struct lexical_view *view,
                            const struct lexical_document_info *info, uint64_t i)
{
    return lexical_hit_at(view, info->first + i).record;
}

static bool read_one(struct showing *s, struct str record, struct passage *out, struct err *err)
{
    struct str copy = arena_str(s->arena, record);

    if (!copy.ptr)
        return err_arena(err, s->arena);
    return passage_read(s->arena, copy, out) ||
           err_set(err, ERR_INTERNAL, "could not read a passage of document \"" STR_FMT "\"",
                   STR_ARG(s->id));
}

static bool holds(const struct passage *p, uint64_t byte)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!p->blocks[i].text.len)
            continue;
        struct origin o = block_origin(&p->blocks[i], 0, (uint32_t)p->blocks[i].text.len);

        if (byte >= o.byte_first && byte < o.byte_end)
            return true;
    }
    return false;
}

/* The passage with the byte; the first when none has it. */
static bool find_place(struct showing *s, const struct lexical_view *view,
                       const struct lexical_document_info *info, uint64_t *place, struct err *err)
{
    *place = 0;
    for (uint64_t i = 0; i < info->passages; i++) {
        size_t mark = arena_mark(s->arena);
        struct passage p;

        if (!passage_read(s->arena, record_at(view, info, i), &p))
            return err_set(err, ERR_INTERNAL,
                           "could not read a passage of document \"" STR_FMT "\"", STR_ARG(s->id));
        bool found = holds(&p, s->at);
        arena_rewind(s->arena, mark);
        if (found) {
            *place = i;
            return true;
        }
    }
    return true;
}

/* As many on both sides of the place as fit. */
static void choose_range(const struct lexical_view *view, const struct lexical_document_info *info,
                         uint64_t place, uint64_t *first, uint64_t *end)
{
    size_t bytes = record_at(view, info, place).len;
    bool more = true;

    *first = place;
    *end = place + 1;
    while (more) {
        more = false;
        if (*end < info->passages && bytes + record_at(view, info, *end).len <= SHOWN_BYTES_MAX) {
            bytes += record_at(view, info, (*end)++).len;
            more = true;
        }
        if (*first > 0 && bytes + record_at(view, info, *first - 1).len <= SHOWN_BYTES_MAX) {
            bytes += record_at(view, info, --*first).len;
            more = true;
        }
    }
}

/* What chunks repeat of the ones before them is shown once. */
static void drop_repeated(struct shown *shown)
{
    for (size_t i = shown->count; i-- > 1;) {
        size_t repeated = passage_repeats(&shown->passages[i - 1], &shown->passages[i]);

        shown->passages[i].blocks += repeated;
        shown->passages[i].count -= repeated;
    }
}

static bool copy_range(struct showing *s, const struct lexical_view *view,
                       const struct lexical_document_info *info, struct err *err)
{
    uint64_t place, first, end;

    if (!info->passages)
        return true;
    if (!find_place(s, view, info, &place, err))
        return false;
    choose_range(view, info, place, &first, &end);
    s->out.before = first;
    s->out.behind = info->passages - end;
    s->out.passages = arena_array(s->arena, (size_t)(end - first), sizeof *s->out.passages);
    if (!s->out.passages)
        return err_arena(err, s->arena);
    for (uint64_t i = first; i < end; i++)
        if (!read_one(s, record_at(view, info, i), &s->out.passages[s->out.count++], err))
            return false;
    if (s->out.document.chunking.overlap)
        drop_repeated(&s->out);
    return true;
}

static bool show_now(struct showing *s, struct err *err)
{
    struct lexical *index = index_of(s->knowledge, err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct lexical_document_info info;
    struct document_record record;

    if (!view)
        return false;
    if (!lexical_find(view, s->id, &info) || !document_record_read(info.record, &record) ||
        (s->who && !readers_allow(record.readers, s->who)))
        return err_set(err, ERR_NOT_FOUND, "no document \"" STR_FMT "\"",
                       STR_ARG(str_slice(s->id, 0, 100)));
    return (document_info_copy(s->arena, &info, &s->out.document) || err_arena(err, s->arena)) &&
           copy_range(s, view, &info, err);
}

static void run_show(void *arg)
{
    struct showing *s = arg;

    s->ok = show_now(s, s->err);
}

bool knowledge_shown(struct knowledge *knowledge, struct arena *arena, struct str id, uint64_t at,
                     const struct principal *who, struct shown *out, struct err *err)
{
    struct showing s = {
        .knowledge = knowledge, .arena = arena, .id = id, .at = at, .who = who, .err = err};

    if (!pool_run(knowledge->pool, run_show, &s, err) || !s.ok)
        return false;
    *out = s.out;
    return true;
}
