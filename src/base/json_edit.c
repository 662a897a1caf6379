/* Edits as splices: each becomes a cut of the old text and what stands in its place; the cuts are
 * put in text order, checked not to overlap, and what lies between them is passed on as it was.
 *
 * A removed child takes the comma after it along, except in a run of removed children that reaches
 * the end of its container: those take the comma before them. So a container's survivors are always
 * divided by exactly one comma each, whichever of them go. */
#include <stdlib.h>
#include <string.h>

#include "base/json_internal.h"

struct cut {
    uint32_t from, to; /* bytes of the old text that go */
    uint32_t order;    /* of the edit: members are added in the order given */
    enum json_edit_kind kind;
    json_ref at;
    bool to_the_end;        /* REMOVE: so are all later siblings */
    struct str lead, value; /* what comes instead */
};

struct splice {
    struct arena *arena;
    const struct json *json;
    struct cut *cuts;
    size_t count;
};

/* Where a child begins: its key, if it has one. */
static uint32_t child_start(const struct node *n)
{
    return n->bits & NODE_MEMBER ? n->key : n->start;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static uint32_t last_child_end(const struct json *j, json_ref container)
{
    json_ref v = json_first(j, container), next;

    if (!v)
        return j->nodes[container].start + 1;
    while ((next = json_next(j, v)))
        v = next;
    return j->nodes[v].end;
}

/* The end of the sibling before: back over spaces and the comma. */
static uint32_t elder_end(const struct json *j, const struct node *n)
{
    uint32_t at = child_start(n);

    do
        at--;
    while (j->text.ptr[at] != ',');
    while (is_space(j->text.ptr[at - 1]))
        at--;
    return at;
}

static bool can_be_edited(const struct json *j, const struct json_edit *e)
{
    if (e->kind == JSON_ADD_MEMBER)
        return json_kind(j, e->at) == JSON_OBJECT && !json_get(j, e->at, e->key);
    return e->at != 0 && (e->kind == JSON_REPLACE || e->at != json_root(j));
}

static struct cut cut_for(const struct json *j, const struct json_edit *e, uint32_t order)
{
    const struct node *n = &j->nodes[e->at];
    struct cut c = {.order = order, .kind = e->kind, .at = e->at, .value = e->value};

    switch (e->kind) {
    case JSON_REPLACE: c.from = n->start, c.to = n->end; break;
    case JSON_ADD_MEMBER: c.from = c.to = last_child_end(j, e->at); break;
    case JSON_REMOVE:
        c.from = child_start(n), c.to = n->end;
        c.value = STR_NONE;
        break;
    }
    return c;
}

static int compare_cuts(const void *left, const void *right)
{
    const struct cut *a = left, *b = right;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* In text order a contradiction shows between neighbours, but for one key added twice. */
static bool contradict(const struct splice *s, const struct json_edit *edits)
{
    for (size_t i = 1; i < s->count; i++) {
        const struct cut *c = &s->cuts[i];
        if (c->from < c[-1].to)
            return true;
        for (size_t k = i; c->kind == JSON_ADD_MEMBER && k-- > 0 && s->cuts[k].at == c->at;)
            if (str_eq(edits[s->cuts[k].order].key, edits[c->order].key))
                return true;
    }
    return false;
}

/* From the last cut to the first, so that a child's next sibling is settled before it: without an
 * overlap that sibling's removal, if there is one, is the very next cut. */
static void widen_removals(struct splice *s)
{
    const struct json *j = s->json;

    for (size_t i = s->count; i-- > 0;) {
        struct cut *c = &s->cuts[i];
        if (c->kind != JSON_REMOVE)
            continue;
        const struct node *n = &j->nodes[c->at];
        json_ref next = json_next(j, c->at), parent = json_parent(j, c->at);
        const struct cut *after = c + 1;

        c->to_the_end = !next || (i + 1 < s->count && after->kind == JSON_REMOVE &&
                                  after->at == next && after->to_the_end);
        if (!c->to_the_end)
            c->to = child_start(&j->nodes[next]);
        else if (c->at != json_first(j, parent))
            c->from = elder_end(j, n);
    }
}

/* Will the object have a member before the one that cut i adds? */
static bool follows_member(const struct splice *s, size_t i)
{
    const struct cut *add = &s->cuts[i];
    json_ref first = json_first(s->json, add->at);

    if (i > 0 && s->cuts[i - 1].kind == JSON_ADD_MEMBER && s->cuts[i - 1].at == add->at)
        return true;
    for (size_t k = 0; k < i; k++)
        if (s->cuts[k].at == first && s->cuts[k].kind == JSON_REMOVE)
            return !s->cuts[k].to_the_end;
    return first != 0;
}

/* The comma, key and colon before an added value. */
static bool make_leads(struct splice *s, const struct json_edit *edits)
{
    for (size_t i = 0; i < s->count; i++) {
        struct buf b;
        struct err err = {0};

        if (s->cuts[i].kind != JSON_ADD_MEMBER)
            continue;
        struct str key = edits[s->cuts[i].order].key;
        buf_init(&b, s->arena, SIZE_MAX);
        if (follows_member(s, i))
            buf_char(&b, ',');
        buf_json_str(&b, key);
        buf_char(&b, ':');
        if (!buf_finish(&b, &s->cuts[i].lead, &err))
            return false;
    }
    return true;
}

/* ERR_EXHAUSTED, or ERR_INTERNAL for edits that contradict each other or the text. */
static bool plan(struct splice *s, const struct json_edit *edits, size_t count, struct err *err)
{
    s->cuts = arena_array(s->arena, MAX_OF(count, (size_t)1), sizeof *s->cuts);
    if (!s->cuts)
        return err_arena(err, s->arena);
    for (size_t i = 0; i < count; i++) {
        if (!can_be_edited(s->json, &edits[i]))
            return err_set(err, ERR_INTERNAL, "edit %zu of the JSON text has no place in it", i);
        s->cuts[i] = cut_for(s->json, &edits[i], (uint32_t)i);
    }
    s->count = count;
    if (count > 1) /* mostly it is one */
        qsort(s->cuts, count, sizeof *s->cuts, compare_cuts);
    if (contradict(s, edits))
        return err_set(err, ERR_INTERNAL, "edits of the JSON text contradict each other");
    widen_removals(s);
    return make_leads(s, edits) || err_arena(err, s->arena);
}

static size_t put_piece(struct str *pieces, size_t count, struct str piece)
{
    if (piece.len > 0)
        pieces[count++] = piece;
    return count;
}

static size_t cut_up(const struct splice *s, struct str *pieces)
{
    struct str text = s->json->text;
    size_t at = 0, count = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct cut *c = &s->cuts[i];
        count = put_piece(pieces, count, str_slice(text, at, c->from));
        count = put_piece(pieces, count, c->lead);
        count = put_piece(pieces, count, c->value);
        at = c->to;
    }
    return put_piece(pieces, count, str_slice(text, at, text.len));
}

size_t json_splice_pieces(struct arena *arena, const struct json *j, const struct json_edit *edits,
                          size_t count, struct str *pieces)
{
    struct splice s = {.arena = arena, .json = j};
    struct err err = {0};

    return plan(&s, edits, count, &err) ? cut_up(&s, pieces) : 0;
}

bool json_splice(struct arena *arena, const struct json *j, const struct json_edit *edits,
                 size_t count, struct str *out, struct err *err)
{
    struct splice s = {.arena = arena, .json = j};
    size_t len = 0, piece_count;

    if (!plan(&s, edits, count, err))
        return false;
    struct str *pieces = arena_array(arena, 3 * count + 1, sizeof *pieces);
    if (!pieces)
        return err_arena(err, arena);
    piece_count = cut_up(&s, pieces);
    for (size_t i = 0; i < piece_count; i++)
        len += pieces[i].len;
    char *text = arena_alloc_raw(arena, len);
    if (!text)
        return err_arena(err, arena);
    *out = (struct str){text, len};
    for (size_t i = 0; i < piece_count; text += pieces[i++].len)
        memcpy(text, pieces[i].ptr, pieces[i].len);
    return true;
}
