#include "knowledge/stands.h"

#include "base/table.h"
#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"
#include "knowledge/rights.h"
#include "sys/file.h"

#define PRIME ((1ull << 61) - 1)
#define RADIX \
    0x1f3a5c7b9d2e4f60ull /* any number below the prime, the same for ever: it is written down */
#define HEAD_NONE 0ull    /* of a step: the headings above it were not told */
#define SCRATCH   ((size_t)64 * MIB)

/* ---- a line ---- */

static uint64_t times(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b % PRIME);
}

/* Of a run of bytes, so that the next one's follows from it. */
static uint64_t hash_of(struct str text)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < text.len; i++)
        hash = (times(hash, RADIX) + (unsigned char)text.ptr[i] + 1) % PRIME;
    return hash;
}

static uint64_t head_of(const struct citation *c)
{
    uint64_t sum = times(hash_of(c->path), 3);

    sum = (sum + times(hash_of(c->title), 5)) % PRIME;
    return (sum + times(hash_of(c->heading), 7)) % PRIME + 1; /* never HEAD_NONE */
}

struct line {
    struct str document, base;
    uint64_t content, length, text, head;
    bool has_text;
};

static struct str write_line(struct arena *arena, const struct line *l)
{
    return arena_fmt(arena, STR_FMT "@" STR_FMT " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64,
                     STR_ARG(l->document), STR_ARG(l->base), l->content, l->length, l->text,
                     l->head);
}

struct str stands_line(struct arena *arena, const struct citation *c, struct str base)
{
    const struct line line = {.document = c->document,
                              .base = base,
                              .content = c->content,
                              .length = c->quote.len,
                              .text = hash_of(c->quote),
                              .head = head_of(c)};

    return write_line(arena, &line);
}

struct str stands_line_of_step(struct arena *arena, const struct citation_step *s, struct str base)
{
    const struct line line = {.document = s->document,
                              .base = base,
                              .content = s->content,
                              .length = s->quote.len,
                              .text = hash_of(s->quote),
                              .head = HEAD_NONE};

    return write_line(arena, &line);
}

static bool read_number(struct str *rest, uint64_t *out)
{
    struct str word;

    return str_split(rest, ' ', &word) && u64_parse(word, out);
}

static bool read_line(struct str text, struct line *out)
{
    struct str rest = text, place;

    *out = (struct line){0};
    if (!str_split(&rest, ' ', &place))
        return false;
    out->base = place;
    if (!str_split(&out->base, '@', &out->document) || !str_starts(out->document, STR("d_")))
        return false;
    if (out->base.len == 0) /* from before there were others */
        out->base = BASE_DEFAULT;
    out->has_text = rest.len > 0;
    return !out->has_text ||
           (read_number(&rest, &out->content) && read_number(&rest, &out->length) &&
            read_number(&rest, &out->text) && read_number(&rest, &out->head) && !rest.ptr);
}

/* ---- against a document ---- */

static bool has_run(struct str text, const struct line *l)
{
    uint64_t hash, power = 1;

    if (l->length > text.len)
        return false;
    hash = hash_of(str_slice(text, 0, l->length));
    for (uint64_t i = 1; i < l->length; i++)
        power = times(power, RADIX);
    for (size_t i = 0; hash != l->text; i++) {
        if (i + l->length >= text.len)
            return false;
        uint64_t gone = times((unsigned char)text.ptr[i] + 1ull, power);

        hash = (hash + PRIME - gone) % PRIME;
        hash = (times(hash, RADIX) + (unsigned char)text.ptr[i + l->length] + 1) % PRIME;
    }
    return true;
}

static bool has_it(const struct citation *c, const struct line *l)
{
    if (l->head == HEAD_NONE && (has_run(c->heading, l) || has_run(c->title, l)))
        return true;
    return (l->head == HEAD_NONE || l->head == head_of(c)) && has_run(c->quote, l);
}

struct standing {
    struct knowledge *knowledge;
    struct str lines, base;
    const struct principal *who;
    enum made_from found;
    bool ok;
    struct err *err;
};

/* Documents and their passages are in one order. */
static bool passage_has(const struct lexical_view *view, struct str id, const struct line *l,
                        bool *out, struct err *err)
{
    uint64_t at = 0, documents = lexical_stats(view).documents;
    struct lexical_document_info info = {0};

    *out = false;
    for (uint64_t i = 0; i < documents; i++, at += info.passages) {
        info = lexical_document_at(view, i);
        if (str_eq(info.key, id))
            break;
    }
    for (uint32_t i = 0; i < info.passages && !*out; i++) {
        struct arena *scratch CLEANUP(arena_end) = arena_new(SCRATCH);
        struct lexical_hit hit = lexical_hit_at(view, at + i);
        struct citation c;

        if (!scratch)
            return err_no_room(err, "no memory to compare an answer with its documents");
        if (!cite_hit(scratch, &hit, &c, err))
            return false;
        *out = has_it(&c, l);
    }
    return true;
}

static bool look_at(struct standing *s, const struct lexical_view *view, const struct line *l,
                    struct err *err)
{
    struct lexical_document_info info;
    struct document_record record;

    if (!lexical_find(view, l->document, &info) || !document_record_read(info.record, &record)) {
        s->found = s->who ? MADE_CHANGED : MADE_STANDS;
        return true;
    }
    if (s->who && !readers_allow(record.readers, s->who)) {
        s->found = MADE_CHANGED;
        return true;
    }
    if (!l->has_text || l->content == document_content_sign(&record))
        return true;
    bool has = false;
    if (!passage_has(view, l->document, l, &has, err))
        return false;
    s->found = has ? MADE_STANDS : MADE_CHANGED;
    return true;
}

static bool look(struct standing *s, struct err *err)
{
    struct lexical *index = index_of(s->knowledge, err);
    struct lexical_view *view CLEANUP(lexical_release) = index ? lexical_borrow(index) : NULL;
    struct str rest = s->lines, text;
    struct line line;

    if (!view)
        return false;
    while (s->found == MADE_STANDS && str_split(&rest, '\n', &text)) {
        if (text.len == 0)
            continue;
        if (!read_line(text, &line))
            s->found = MADE_UNREADABLE;
        else if (str_eq(line.base, s->base) && !look_at(s, view, &line, err))
            return false;
    }
    return true;
}

bool stand_now(struct knowledge *k, struct str lines, struct str base, const struct principal *who,
               enum made_from *out, struct err *err)
{
    struct standing s = {.knowledge = k, .lines = lines, .base = base, .who = who};

    if (!look(&s, err))
        return false;
    *out = s.found;
    return true;
}

static void run_look(void *arg)
{
    struct standing *s = arg;

    s->ok = stand_now(s->knowledge, s->lines, s->base, s->who, &s->found, s->err);
}

/* A base that is not theirs any more, that has expired or is gone: as a document of it. Who is given a kept answer uses
 * what it was made from. */
static SUSPENDS bool stand_in(struct bases *bases, struct standing *s, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct err why = {0};

    if (!bases_borrow(bases, s->base, s->who, &base, &why) ||
        (s->who && (!base_may_be_asked(base, s->who, &why) || !base_use(base, &why)))) {
        if (why.code != ERR_NOT_FOUND && why.code != ERR_DENIED && why.code != ERR_INVALID) {
            *err = why;
            return false;
        }
        s->found = s->who ? MADE_CHANGED : MADE_STANDS;
        return true;
    }
    s->knowledge = base_knowledge(base);
    return pool_run(s->knowledge->pool, run_look, s, err) && s->ok;
}

bool bases_stand(struct bases *bases, struct arena *arena, struct str lines,
                 const struct principal *who, enum made_from *out, struct err *err)
{
    struct standing s = {.lines = lines, .who = who, .err = err};
    struct table seen;
    struct str rest = lines, text;
    struct line line;

    table_init(&seen, arena, SIZE_MAX / 2); /* a talk may have gone through many bases */
    while (s.found == MADE_STANDS && str_split(&rest, '\n', &text)) {
        if (text.len == 0)
            continue;
        if (!read_line(text, &line)) {
            s.found = MADE_UNREADABLE;
            break;
        }
        if (table_get(&seen, line.base))
            continue;
        s.base = line.base;
        if (!table_put(&seen, line.base, &s, NULL))
            return err_arena(err, arena);
        if (!stand_in(bases, &s, err))
            return false;
    }
    *out = s.found;
    return true;
}

/* ---- changed ---- */

static bool path_in(struct arena *arena, const struct knowledge *k, const char *name,
                    const char **out, struct err *err)
{
    *out = arena_fmt(arena, "%s/%s", k->dir, name).ptr;
    return *out || err_arena(err, arena);
}

bool stands_mark(struct knowledge *k, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);
    const char *path;

    if (!k->vanish.changed || atomic_load(&k->is_marked))
        return true;
    if (!arena)
        return err_no_room(err, "no memory to bring in a changed document");
    if (!path_in(arena, k, CHANGED, &path, err) ||
        !file_store(path, STR("answers made before are to be looked through\n"), 0600, err))
        return false;
    atomic_store(&k->is_marked, true);
    return true;
}

void stands_changed(struct knowledge *k)
{
    if (k->vanish.changed)
        k->vanish.changed(k->vanish.ctx);
}

struct marking {
    struct knowledge *knowledge;
    bool take, ok;
    struct err *err;
};

/* The writer is held, so that nobody is between mark and commit. A mark that was taken before and not done stays. */
static bool take_now(struct knowledge *k, struct arena *arena, struct err *err)
{
    struct lexical_writer *writer CLEANUP(lexical_abandon) = NULL;
    struct err gone = {0};
    const char *from, *to;

    if (!path_in(arena, k, CHANGED, &from, err) || !path_in(arena, k, CHANGED_TAKEN, &to, err) ||
        !begin_change(k, &writer, err))
        return false;
    atomic_store(&k->is_marked, false);
    if (file_rename(from, to, &gone) || gone.code == ERR_NOT_FOUND)
        return true;
    *err = gone;
    return false;
}

static bool done_now(struct knowledge *k, struct arena *arena, struct err *err)
{
    struct err gone = {0};
    const char *path;

    if (!path_in(arena, k, CHANGED_TAKEN, &path, err))
        return false;
    if (file_remove(path, &gone) || gone.code == ERR_NOT_FOUND)
        return true;
    *err = gone;
    return false;
}

static void run_marking(void *arg)
{
    struct marking *m = arg;
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * KIB);

    m->ok = arena ? (m->take ? take_now : done_now)(m->knowledge, arena, m->err)
                  : err_no_room(m->err, "no memory");
}

static SUSPENDS bool mark_on_pool(struct knowledge *k, bool take, struct err *err)
{
    struct marking m = {k, take, false, err};

    return pool_run(k->pool, run_marking, &m, err) && m.ok;
}

bool stands_take(struct knowledge *k, struct err *err)
{
    return mark_on_pool(k, true, err);
}

bool stands_done(struct knowledge *k, struct err *err)
{
    return mark_on_pool(k, false, err);
}
