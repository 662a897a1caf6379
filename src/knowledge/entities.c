/* The names of a document: seen sentence by sentence, then judged together, then given to its passages. */
#include "knowledge/entities.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "index/terms.h"

#define ALIASES_MAX     64 /* short forms looked for in each sentence */
#define SIGHTINGS_BYTES ((size_t)256 * MIB)
#define ABOUT_LEAST     3 /* sentences that have the name a document is about */
#define PART_WORDS_MAX  4 /* of a longer name, that may stand for it */
#define LONGER_STEPS    3 /* "Solheim" is "Ingrid Solheim" is ... */

/* --- seeing ----------------------------------------------------------------------------------- */

static bool says_nothing(struct str key)
{
    bool letters = false;
    uint32_t rune;

    for (size_t at = 0; utf8_next(key, &at, &rune);)
        letters = letters || !(rune < 128 && !((rune | 0x20) >= 'a' && (rune | 0x20) <= 'z'));
    return key.len < 2 || !letters;
}

static struct name *new_name(struct recogniser *r, struct str key)
{
    struct name *name = arena_alloc(r->arena, sizeof *name);

    if (!name || r->names.count >= NAMES_PER_DOCUMENT)
        return NULL;
    name->key = key;
    return table_put(&r->names, key, name, NULL) ? name : NULL;
}

static void note(struct recogniser *r, struct name *name, bool sure)
{
    struct sighting s = {r->passage, r->sentence, name};

    name->count++;
    name->sure += sure;
    name->about = name->about || r->passage == 0 || r->sentence == SIGHTING_HEAD;
    buf_put(&r->sightings, &s, sizeof s);
}

struct name *sight(struct recogniser *r, struct str text, bool sure)
{
    size_t mark = arena_mark(r->arena);
    struct str key;

    if (!name_key(r->arena, text, &key, NULL))
        return NULL;
    key = name_stem(key);
    key = str_trim(str_slice(key, 0, utf8_boundary(key, TERM_BYTES_MAX)));
    if (says_nothing(key))
        return NULL;
    struct name *name = table_get(&r->names, key);
    if (name)
        arena_rewind(r->arena, mark);
    else
        name = new_name(r, key);
    if (name)
        note(r, name, sure);
    return name;
}

void add_alias(struct recogniser *r, struct str text, struct name *means)
{
    const struct alias *known = (const struct alias *)(const void *)r->aliases.ptr;
    size_t count = r->aliases.len / sizeof *known;
    struct alias alias = {text, means};

    for (size_t i = 0; i < count; i++)
        if (str_eq(known[i].text, text))
            return;
    if (count < ALIASES_MAX && text.len)
        buf_put(&r->aliases, &alias, sizeof alias);
}

static void see(struct recogniser *r, struct str text)
{
    find_latin_names(r, text);
    for (size_t i = 0; i < text.len; i++)
        if ((uint8_t)text.ptr[i] >= 0xE0) { /* plain English stops here */
            find_wide_names(r, text);
            return;
        }
}

/* A title or a heading is a term by itself when it is short. */
static void see_head(struct recogniser *r, struct str text)
{
    enum { HEAD_BYTES_MAX = 48 };

    r->sentence = SIGHTING_HEAD;
    see(r, text);
    if (text.len <= HEAD_BYTES_MAX)
        (void)sight(r, text, true);
}

static void see_heads(struct recogniser *r, struct str title, struct str heading)
{
    see_head(r, title);
    while (heading.len) {
        size_t at = str_find(heading, STR(" > "));

        see_head(r, str_slice(heading, 0, at));
        heading = str_slice(heading, at + 3, heading.len);
    }
}

/* --- judging ---------------------------------------------------------------------------------- */

static void stands_for(struct recogniser *r, struct str part, struct name *whole)
{
    struct name *name = table_get(&r->names, part);

    if (!name || name == whole || name->parted)
        return;
    if (name->is && name->is != whole) {
        name->is = NULL;
        name->parted = true;
        return;
    }
    name->is = whole;
}

/* The first and the last words of a name: "Ingrid Solheim", "InnovaTech Solutions". */
static void link_parts(struct recogniser *r, struct name *whole)
{
    size_t spaces[PART_WORDS_MAX * 4], count = 0;

    for (size_t i = 0; i < whole->key.len && count < ARRAY_LEN(spaces); i++)
        if (whole->key.ptr[i] == ' ')
            spaces[count++] = i;
    for (size_t i = 0; i < count && i < PART_WORDS_MAX; i++) {
        stands_for(r, str_slice(whole->key, 0, spaces[i]), whole);
        stands_for(r, str_slice(whole->key, spaces[count - 1 - i] + 1, whole->key.len), whole);
    }
}

/* 投资华东百货有限公司 was cut too long where 华东百货有限公司 is seen more often. */
static void drop_long_cut(struct recogniser *r, struct name *name)
{
    for (size_t at = 3; at + 6 < name->key.len && (uint8_t)name->key.ptr[0] >= 0xE0; at += 3) {
        struct name *shorter = table_get(&r->names, str_slice(name->key, at, name->key.len));

        if (!shorter || shorter->count <= name->count || shorter->sure == 0)
            continue;
        name->dropped = true;
        name->is = shorter;
        return;
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct name *const *left = a, *const *right = b;

    return str_cmp((*left)->key, (*right)->key);
}

/* A table has no order; what is decided here must not depend on one. */
static struct name **sorted_names(struct recogniser *r, size_t *count)
{
    struct name **list = arena_array(r->arena, r->names.count + 1, sizeof(struct name *));
    struct str key;
    void *value;

    *count = 0;
    for (size_t at = 0; list && table_next(&r->names, &at, &key, &value);)
        list[(*count)++] = value;
    if (list)
        qsort(list, *count, sizeof(struct name *), compare_names);
    return list;
}

/* What most sentences name, if its beginning or a heading has it. */
static struct name *subject_of(struct name **names, size_t count)
{
    struct name *best = NULL;

    for (size_t i = 0; i < count; i++)
        if (names[i]->about && names[i]->sure >= ABOUT_LEAST && !names[i]->dropped &&
            names[i]->key.len >= 4 && (!best || names[i]->sure > best->sure))
            best = names[i];
    return best;
}

/* --- giving ----------------------------------------------------------------------------------- */

struct document_names {
    struct recogniser r;
    const struct passage *passages;
    struct sentence **sentences; /* [passage] */
    size_t *sentence_counts;
    struct name *subject;
    size_t next; /* sighting not yet given */
};

static int compare_sightings(const void *a, const void *b)
{
    const struct sighting *left = a, *right = b;

    if (left->passage != right->passage)
        return left->passage < right->passage ? -1 : 1;
    if (left->sentence != right->sentence) /* the head comes first */
        return left->sentence + 1 < right->sentence + 1 ? -1 : 1;
    return str_cmp(left->name->key, right->name->key);
}

/* The passage's number of a name; false: there is no room for more. */
static bool number_of(struct mentions *m, const struct name *name, uint32_t *number)
{
    for (size_t i = 0; i < m->count; i++)
        if (str_eq(m->names[i], name->key)) {
            *number = (uint32_t)i;
            return true;
        }
    if (m->count == NAMES_PER_PASSAGE)
        return false;
    m->names[m->count] = name->key;
    *number = (uint32_t)m->count++;
    return true;
}

static void put_number(uint32_t *list, size_t *count, uint32_t number)
{
    for (size_t i = 0; i < *count; i++)
        if (list[i] == number)
            return;
    if (*count < NAMES_PER_PASSAGE)
        list[(*count)++] = number;
}

static void give(struct mentions *m, uint32_t *list, size_t *count, const struct name *name)
{
    for (int step = 0; name && step < LONGER_STEPS; step++, name = name->is) {
        uint32_t number;

        if (!name->dropped && (name->sure > 0 || name->is) && number_of(m, name, &number))
            put_number(list, count, number);
    }
}

static struct mention_sentence *sentence_of(struct mentions *m, const struct sentence *s)
{
    struct mention_sentence *last = m->sentence_count ? &m->sentences[m->sentence_count - 1] : NULL;

    if (last && last->block == s->block && last->from == s->from)
        return last;
    last = &m->sentences[m->sentence_count++];
    last->block = s->block;
    last->from = s->from;
    last->to = s->to;
    return last;
}

static bool make_room(struct document_names *d, size_t passage, struct mentions *m, size_t seen)
{
    struct arena *arena = d->r.arena;

    m->names = arena_array(arena, NAMES_PER_PASSAGE, sizeof *m->names);
    m->head = arena_array(arena, NAMES_PER_PASSAGE, sizeof *m->head);
    m->sentences =
        arena_array(arena, MIN_OF(seen, d->sentence_counts[passage]) + 1, sizeof *m->sentences);
    return m->names && m->head && m->sentences;
}

/* Those of one passage: sightings stand in order. */
static bool give_passage(struct document_names *d, uint32_t passage, struct mentions *m,
                         struct err *err)
{
    const struct sighting *all = (const struct sighting *)(const void *)d->r.sightings.ptr;
    size_t count = d->r.sightings.len / sizeof *all, end = d->next;

    while (end < count && all[end].passage == passage)
        end++;
    if (!make_room(d, passage, m, end - d->next))
        return err_arena(err, d->r.arena);
    give(m, m->head, &m->head_count, d->subject);
    for (; d->next < end; d->next++) {
        const struct sighting *s = &all[d->next];

        if (s->sentence == SIGHTING_HEAD) {
            give(m, m->head, &m->head_count, s->name);
            continue;
        }
        struct mention_sentence *to = sentence_of(m, &d->sentences[passage][s->sentence]);
        if (!to->names)
            to->names = arena_array(d->r.arena, NAMES_PER_PASSAGE, sizeof *to->names);
        if (!to->names)
            return err_arena(err, d->r.arena);
        give(m, to->names, &to->count, s->name);
    }
    return true;
}

/* --- a document ------------------------------------------------------------------------------- */

static struct str text_of(const struct passage *passage, const struct sentence *s)
{
    return str_slice(passage->blocks[s->block].text, s->from, s->to);
}

static bool see_passage(struct document_names *d, struct str title, uint32_t passage,
                        struct err *err)
{
    const struct passage *p = &d->passages[passage];
    struct recogniser *r = &d->r;

    r->passage = passage;
    see_heads(r, title, p->heading);
    if (!sentences_split(r->arena, p, &d->sentences[passage], &d->sentence_counts[passage], err))
        return false;
    for (size_t i = 0; i < d->sentence_counts[passage]; i++) {
        const struct sentence *s = &d->sentences[passage][i];

        if (p->blocks[s->block].kind == BLOCK_CODE)
            continue;
        r->sentence = (uint32_t)i;
        see(r, text_of(p, s));
    }
    return (buf_ok(&r->sightings) && buf_ok(&r->aliases)) || err_arena(err, r->arena);
}

/* Short forms, wherever they stand. */
static void see_aliases(struct document_names *d, size_t count)
{
    const struct alias *aliases = (const struct alias *)(const void *)d->r.aliases.ptr;
    size_t alias_count = d->r.aliases.len / sizeof *aliases;

    for (size_t p = 0; p < count && alias_count; p++)
        for (size_t i = 0; i < d->sentence_counts[p]; i++)
            for (size_t a = 0; a < alias_count; a++) {
                struct str text = text_of(&d->passages[p], &d->sentences[p][i]);

                if (str_find(text, aliases[a].text) == text.len)
                    continue;
                d->r.passage = (uint32_t)p;
                d->r.sentence = (uint32_t)i;
                struct name *name = sight(&d->r, aliases[a].text, true);
                if (name && name != aliases[a].name && !name->parted)
                    name->is = aliases[a].name;
            }
}

static bool judge(struct document_names *d, struct err *err)
{
    size_t count;
    struct name **names = sorted_names(&d->r, &count);

    if (!names)
        return err_arena(err, d->r.arena);
    for (size_t i = 0; i < count; i++)
        link_parts(&d->r, names[i]);
    for (size_t i = 0; i < count; i++)
        drop_long_cut(&d->r, names[i]);
    d->subject = subject_of(names, count);
    return true;
}

bool entities_find(struct arena *arena, const struct document *document,
                   const struct passage *passages, size_t count, struct mentions **out,
                   struct err *err)
{
    struct document_names d = {.r.arena = arena, .passages = passages};
    struct mentions *all = arena_array(arena, count + 1, sizeof *all);

    d.sentences = arena_array(arena, count + 1, sizeof *d.sentences);
    d.sentence_counts = arena_array(arena, count + 1, sizeof *d.sentence_counts);
    d.r.marks = wide_marks_make(arena);
    if (!all || !d.sentences || !d.sentence_counts || !d.r.marks)
        return err_arena(err, arena);
    table_init(&d.r.names, arena, NAMES_PER_DOCUMENT + 1);
    buf_init(&d.r.sightings, arena, SIGHTINGS_BYTES);
    buf_init(&d.r.aliases, arena, ALIASES_MAX * sizeof(struct alias));
    for (size_t i = 0; i < count; i++)
        if (!see_passage(&d, document->title, (uint32_t)i, err))
            return false;
    see_aliases(&d, count);
    if (!buf_ok(&d.r.sightings))
        return err_arena(err, arena);
    if (d.r.sightings.len)
        qsort(d.r.sightings.ptr, d.r.sightings.len / sizeof(struct sighting),
              sizeof(struct sighting), compare_sightings);
    if (!judge(&d, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!give_passage(&d, (uint32_t)i, &all[i], err))
            return false;
    *out = all;
    return true;
}
