#include "models/responses_store.h"

#include <stdatomic.h>

#include "base/json.h"
#include "base/log.h"
#include "models/dialect.h"
#include "sys/clock.h"

#define OWN_MEMORY       (16 * KIB)
#define CHAIN_MAX        1000        /* answers that one goes on from, one after the other */
#define PAGE             200         /* answers that are looked through at once */
#define EVICT_SHARE      16          /* a sixteenth goes at once: each look costs a walk over all */
#define ITEMS_MAX        (256 * MIB) /* the request's arena is the limit */
#define DOCUMENTS_MEMORY (16 * MIB)  /* a long talk is made from many */
#define INHERITS         2           /* 1, by a Weir before: documents and sources only */

const struct migration responses_migrations[] = {
    {"responses", 1, "answers that are kept",
     "CREATE TABLE responses ("
     " id TEXT PRIMARY KEY,"
     " tenant TEXT NOT NULL,"
     " key_id TEXT NOT NULL,"
     " previous TEXT NOT NULL,"
     " created BIGINT NOT NULL,"
     " bytes BIGINT NOT NULL,"
     " body TEXT NOT NULL,"
     " input TEXT NOT NULL,"
     " output TEXT NOT NULL);"
     "CREATE INDEX responses_created ON responses (created, id, bytes)"},
    {"responses", 2, "whose they are, and what they are made from",
     "ALTER TABLE responses ADD COLUMN subject TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE responses ADD COLUMN documents TEXT NOT NULL DEFAULT ''"},
    {"responses", 3, "what of the documents they are made from, and which house made them",
     "ALTER TABLE responses ADD COLUMN sources TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE responses ADD COLUMN instance TEXT NOT NULL DEFAULT ''"},
    {"responses", 4, "whether that is also what all before them were made from",
     "ALTER TABLE responses ADD COLUMN inherits BIGINT NOT NULL DEFAULT 0"},
    {"responses", 5, "whom what they go on from was asked for",
     "ALTER TABLE responses ADD COLUMN subjects TEXT NOT NULL DEFAULT ''"},
};
const size_t responses_migration_count = ARRAY_LEN(responses_migrations);

struct responses_store {
    struct arena *arena; /* holds this struct */
    struct store *store;
    dur_ns age_max;
    int64_t count_max, bytes_max;
    _Atomic mono_ns forgot;       /* when somebody or something was forgotten last; 0: never */
    _Atomic int64_t count, bytes; /* about: what others delete is seen at the next look */
    atomic_bool unscrubbed;       /* rows went, and their bytes may stand in the database's files */
    int64_t scrub_at; /* where to go on in them, -1: nowhere; by responses_scrub() alone */
    bool scrub_again; /* rows went behind where it was */
};

static const char *const sums = "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM responses";

static void remember_sums(struct responses_store *store, const struct rows *rows)
{
    store->count = rows_at(rows, 0, 0).i;
    store->bytes = rows_at(rows, 0, 1).i;
}

bool responses_store_open(const struct responses_options *options, struct responses_store **out,
                          struct err *err)
{
    struct arena *arena = arena_new(OWN_MEMORY);
    struct responses_store *store = arena ? arena_alloc(arena, sizeof *store) : NULL;
    struct rows rows;

    if (!store) {
        arena_end(&arena);
        return err_no_room(err, "no memory for kept answers");
    }
    store->arena = arena;
    store->store = options->store;
    store->age_max = options->age_max;
    store->count_max = options->count_max;
    store->bytes_max = options->bytes_max;
    if (!store_read_now(store->store, arena, &(struct statement){.sql = sums}, &rows, err)) {
        arena_end(&arena);
        return err_wrap(err, "kept answers");
    }
    remember_sums(store, &rows);
    store->unscrubbed = true; /* what the last process left */
    store->scrub_at = -1;
    *out = store;
    return true;
}

void responses_store_close(struct responses_store **at)
{
    if (*at) {
        struct arena *arena = (*at)->arena;

        arena_end(&arena);
    }
    *at = NULL;
}

bool responses_store_keeps(const struct responses_store *store)
{
    return store && store->age_max > 0;
}

/* ---- keeping ---- */

/* Over a limit: the oldest go, a share at once. */
static SUSPENDS bool evict(struct responses_store *store, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(OWN_MEMORY);
    struct rows rows;
    int64_t share;

    if (!arena)
        return err_no_room(err, "no memory for kept answers");
    if (!store_read(store->store, arena, &(struct statement){.sql = sums}, &rows, err))
        return false;
    remember_sums(store, &rows);
    while (store->count > 0 &&
           (store->count > store->count_max || store->bytes > store->bytes_max)) {
        share = MAX_OF(store->count / EVICT_SHARE, 1);
        share = MAX_OF(share, store->count - store->count_max);
        if (!store_write(store->store,
                         &(struct statement){"DELETE FROM responses WHERE id IN (SELECT id FROM "
                                             "responses ORDER BY created, id LIMIT ?1)",
                                             (struct value[]){V_INT(share)}, 1},
                         1, NULL, err) ||
            !store_read(store->store, arena, &(struct statement){.sql = sums}, &rows, err))
            return false;
        store->unscrubbed = true;
        remember_sums(store, &rows);
    }
    return true;
}

static bool join_lines(struct arena *arena, const struct str *lines, size_t count, struct str *out,
                       struct err *err)
{
    struct buf b;

    buf_init(&b, arena, DOCUMENTS_MEMORY / 3);
    for (size_t i = 0; i < count; i++) {
        buf_str(&b, lines[i]);
        buf_char(&b, '\n');
    }
    return buf_finish(&b, out, err);
}

/* Asked before something was forgotten: it may have been made from it. */
static bool is_overtaken(const struct responses_store *store, const struct kept_response *response)
{
    mono_ns forgot = store->forgot;

    return forgot && response->begun && response->begun <= forgot;
}

static bool overtaken(struct err *err)
{
    return err_set(err, ERR_CANCELLED, "something was forgotten while it was made");
}

bool responses_keep(struct responses_store *store, const struct response_owner *owner,
                    const struct kept_response *response, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(DOCUMENTS_MEMORY);
    int64_t bytes = (int64_t)(response->body.len + response->input.len + response->output.len);
    wall_ms now = clock_wall();
    struct str documents, sources, subjects;

    if (!arena)
        return err_no_room(err, "no memory to keep the answer");
    if (bytes > store->bytes_max)
        return err_set(err, ERR_TOO_LARGE,
                       "it has %" PRId64 " bytes, all answers together may have %" PRId64
                       " (responses.bytes)",
                       bytes, store->bytes_max);
    if (!join_lines(arena, response->documents, response->document_count, &documents, err) ||
        !join_lines(arena, response->sources, response->source_count, &sources, err) ||
        !join_lines(arena, response->subjects, response->subject_count, &subjects, err))
        return err_wrap(err, "keep the answer");
    const struct value row[] = {
        V_TEXT(response->id),
        V_TEXT(owner->tenant),
        V_TEXT(owner->key_id),
        V_TEXT(response->previous.ptr ? response->previous : STR("")),
        V_INT(now),
        V_INT(bytes),
        V_TEXT(response->body),
        V_TEXT(response->input),
        V_TEXT(response->output),
        V_TEXT(response->subject.ptr ? response->subject : STR("")),
        V_TEXT(documents),
        V_TEXT(sources),
        V_TEXT(store_instance(store->store)),
        V_INT(response->inherits ? INHERITS : 0),
        V_TEXT(subjects),
    };
    const struct statement statements[] = {
        {"INSERT INTO responses (id, tenant, key_id, previous, created, bytes, body, input, "
         "output, "
         "subject, documents, sources, instance, inherits, subjects) VALUES (?1, ?2, ?3, ?4, ?5, "
         "?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
         row, ARRAY_LEN(row)},
    };

    ASSERT(responses_store_keeps(store));
    if (is_overtaken(store, response))
        return overtaken(err);
    if (!store_write_relaxed(store->store, statements, ARRAY_LEN(statements), NULL, err))
        return err_wrap(err, "keep the answer");
    if (is_overtaken(store, response)) {
        struct err ignored = {0}; /* then what is forgotten just now has found it */

        (void)!responses_delete(store, owner, response->id, &ignored);
        return overtaken(err);
    }
    store->count++;
    store->bytes += bytes;
    if (store->count <= store->count_max && store->bytes <= store->bytes_max)
        return true;
    return evict(store, err) || err_wrap(err, "make room for answers");
}

bool responses_expire(struct responses_store *store, int64_t *gone, struct err *err)
{
    const struct value old[] = {V_INT(clock_wall() - store->age_max / MILLISECOND)};

    if (!store_write(store->store,
                     &(struct statement){"DELETE FROM responses WHERE created < ?1", old, 1}, 1,
                     gone, err))
        return false;
    if (*gone > 0)
        store->unscrubbed = true;
    return true;
}

/* A part at a time: a store that is full deletes with each answer that it keeps, and may have gigabytes. */
bool responses_scrub(struct responses_store *store, struct err *err)
{
    if (atomic_exchange(&store->unscrubbed, false)) {
        store->scrub_again |= store->scrub_at > 0;
        store->scrub_at = MAX_OF(store->scrub_at, 0);
    }
    if (store->scrub_at < 0)
        return true;
    if (!store_scrub_part(store->store, &store->scrub_at, err))
        return false; /* and goes on there */
    if (store->scrub_at < 0 && store->scrub_again) {
        store->scrub_again = false;
        store->scrub_at = 0;
    }
    return true;
}

/* ---- finding ---- */

bool responses_unknown(struct str id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND,
                   "response \"" STR_FMT
                   "\" does not exist, is not kept any more, was made with another key, or from "
                   "documents that have changed or that this key may not read any more",
                   STR_ARG(str_slice(id, 0, 80)));
}

bool responses_find(struct responses_store *store, struct arena *arena,
                    const struct response_owner *owner, struct str id, struct kept_response *out,
                    struct err *err)
{
    const struct value values[] = {V_TEXT(id), V_TEXT(owner->tenant), V_TEXT(owner->key_id),
                                   V_INT(clock_wall() - store->age_max / MILLISECOND)};
    struct rows rows;

    if (!store_read(store->store, arena,
                    &(struct statement){"SELECT id, previous, body, input, output FROM responses "
                                        "WHERE id = ?1 AND tenant = ?2 AND key_id = ?3 AND "
                                        "created >= ?4",
                                        values, ARRAY_LEN(values)},
                    &rows, err))
        return false;
    if (rows.count == 0)
        return responses_unknown(id, err);
    *out = (struct kept_response){.id = rows_at(&rows, 0, 0).s,
                                  .previous = rows_at(&rows, 0, 1).s,
                                  .body = rows_at(&rows, 0, 2).s,
                                  .input = rows_at(&rows, 0, 3).s,
                                  .output = rows_at(&rows, 0, 4).s};
    return true;
}

/* ---- what they were made from ---- */

static bool response_of(struct arena *arena, struct str item_id, struct str *out);

/* Each row as it says it, with its line's end. One from before rows said it of all before them, too, says it with those. */
static bool join_rows(struct arena *arena, const struct rows *rows, size_t column, struct str *out,
                      struct err *err)
{
    struct buf b;

    buf_init(&b, arena, ITEMS_MAX);
    for (size_t i = 0; i < rows->count; i++)
        buf_str(&b, rows_at(rows, i, column).s);
    return buf_finish(&b, out, err);
}

bool responses_origin(struct responses_store *store, struct arena *arena,
                      const struct response_owner *owner, struct str id,
                      struct responses_origin *out, struct err *err)
{
    struct str of = id;
    struct rows rows;

    if (!str_starts(id, STR("resp_")) && !response_of(arena, id, &of)) {
        *out = (struct responses_origin){STR(""), STR("")};
        return true;
    }
    const struct value values[] = {V_TEXT(of), V_TEXT(owner->tenant), V_TEXT(owner->key_id),
                                   V_INT(CHAIN_MAX), V_INT(INHERITS)};
    return store_read(
               store->store, arena,
               &(struct statement){
                   "WITH RECURSIVE chain (id, previous, inherits, depth) AS ("
                   "SELECT id, previous, inherits, 0 FROM responses WHERE id = ?1 AND tenant = ?2 "
                   "AND key_id = ?3 UNION ALL "
                   "SELECT r.id, r.previous, r.inherits, c.depth + 1 FROM chain c JOIN responses r "
                   "ON r.id = c.previous WHERE r.tenant = ?2 AND r.key_id = ?3 AND c.inherits < ?5 "
                   "AND c.depth < ?4) "
                   "SELECT CASE WHEN r.documents = '' THEN '' WHEN r.sources = '' THEN r.documents "
                   "ELSE r.sources END, CASE WHEN r.subject = '' THEN r.subjects ELSE r.subject || "
                   "'\n' || r.subjects END FROM chain c JOIN responses r ON r.id = c.id",
                   values, ARRAY_LEN(values)},
               &rows, err) &&
           join_rows(arena, &rows, 0, &out->sources, err) &&
           join_rows(arena, &rows, 1, &out->subjects, err);
}

bool responses_of_base(struct responses_store *store, struct arena *arena, struct str base,
                       struct str after, struct responses_made **out, size_t *count,
                       struct err *err)
{
    struct str pattern = arena_fmt(arena, "%%@" STR_FMT " %%", STR_ARG(base));
    struct rows rows;

    if (!pattern.ptr)
        return err_arena(err, arena);
    const struct value values[] = {V_TEXT(pattern), V_TEXT(after),
                                   V_TEXT(store_instance(store->store)), V_INT(PAGE)};
    if (!store_read(store->store, arena,
                    &(struct statement){"SELECT id, sources FROM responses WHERE id > ?2 AND "
                                        "instance = ?3 AND sources LIKE ?1 ORDER BY id LIMIT ?4",
                                        values, ARRAY_LEN(values)},
                    &rows, err))
        return false;
    *out = arena_array(arena, rows.count + 1, sizeof **out);
    if (!*out)
        return err_arena(err, arena);
    for (size_t i = 0; i < rows.count; i++)
        (*out)[i] = (struct responses_made){rows_at(&rows, i, 0).s, rows_at(&rows, i, 1).s};
    *count = rows.count;
    return true;
}

bool responses_drop(struct responses_store *store, struct str id, int64_t *gone, struct err *err)
{
    const struct value values[] = {V_TEXT(id)};

    if (!store_write(
            store->store,
            &(struct statement){"WITH RECURSIVE gone(id) AS (SELECT ?1 UNION SELECT r.id FROM "
                                "responses r JOIN gone g ON r.previous = g.id) "
                                "DELETE FROM responses WHERE id IN (SELECT id FROM gone)",
                                values, 1},
            1, gone, err))
        return false;
    store->unscrubbed = true;
    return true;
}

bool responses_delete(struct responses_store *store, const struct response_owner *owner,
                      struct str id, struct err *err)
{
    const struct value values[] = {V_TEXT(id), V_TEXT(owner->tenant), V_TEXT(owner->key_id)};
    int64_t gone = 0;

    if (!store_write(store->store,
                     &(struct statement){
                         "DELETE FROM responses WHERE id = ?1 AND tenant = ?2 AND key_id = ?3",
                         values, ARRAY_LEN(values)},
                     1, &gone, err))
        return false;
    store->unscrubbed = true;
    return gone > 0 || responses_unknown(id, err);
}

/* ---- what was said before ---- */

static void add_items(struct buf *to, struct str array)
{
    struct str inside = str_trim(str_slice(array, 1, array.len - 1));

    if (str_is_empty(inside))
        return;
    if (to->len > 1)
        buf_char(to, ',');
    buf_str(to, inside);
}

static bool whole_chain(const struct rows *rows, struct str id, struct err *err)
{
    if (rows->count == 0)
        return responses_unknown(id, err);
    if (rows->count > CHAIN_MAX)
        return err_set(err, ERR_INVALID,
                       "previous_response_id: more than %d answers follow each other; send the "
                       "items themselves",
                       CHAIN_MAX);
    if (rows_at(rows, 0, 2).s.len > 0) /* the oldest one goes on from another */
        return responses_unknown(rows_at(rows, 0, 2).s, err);
    return true;
}

bool responses_history(struct responses_store *store, struct arena *arena,
                       const struct response_owner *owner, struct str id, struct str *items,
                       struct err *err)
{
    const struct value values[] = {V_TEXT(id), V_TEXT(owner->tenant), V_TEXT(owner->key_id),
                                   V_INT(clock_wall() - store->age_max / MILLISECOND),
                                   V_INT(CHAIN_MAX)};
    struct rows rows;
    struct buf text;

    if (!store_read(
            store->store, arena,
            &(struct statement){
                "WITH RECURSIVE chain (id, previous, depth) AS ("
                "SELECT id, previous, 0 FROM responses WHERE id = ?1 AND tenant = ?2 AND key_id = "
                "?3 "
                "AND created >= ?4 UNION ALL "
                "SELECT r.id, r.previous, c.depth + 1 FROM chain c JOIN responses r ON r.id = "
                "c.previous WHERE r.tenant = ?2 AND r.key_id = ?3 AND r.created >= ?4 AND c.depth "
                "< "
                "?5) "
                "SELECT r.input, r.output, r.previous FROM chain c JOIN responses r ON r.id = c.id "
                "ORDER BY c.depth DESC",
                values, ARRAY_LEN(values)},
            &rows, err))
        return false;
    if (!whole_chain(&rows, id, err))
        return false;
    buf_init(&text, arena, ITEMS_MAX);
    buf_char(&text, '[');
    for (size_t i = 0; i < rows.count; i++) {
        add_items(&text, rows_at(&rows, i, 0).s);
        add_items(&text, rows_at(&rows, i, 1).s);
    }
    buf_char(&text, ']');
    return buf_finish(&text, items, err);
}

/* "fc_7f3a_2" is of "resp_7f3a". */
static bool response_of(struct arena *arena, struct str item_id, struct str *out)
{
    struct str rest = item_id, mark, id;

    if (!str_split(&rest, '_', &mark) || !str_split(&rest, '_', &id) || str_is_empty(id))
        return false;
    *out = arena_fmt(arena, "resp_" STR_FMT, STR_ARG(id));
    return out->ptr != NULL;
}

static json_ref item_with(const struct json *j, struct arena *arena, struct str item_id)
{
    struct str id;

    for (json_ref i = json_first(j, json_root(j)); i; i = json_next(j, i))
        if (json_str(j, json_get(j, i, STR("id")), arena, &id) && str_eq(id, item_id))
            return i;
    return 0;
}

bool responses_item(struct responses_store *store, struct arena *arena,
                    const struct response_owner *owner, struct str item_id, struct str *raw,
                    struct err *err)
{
    struct kept_response kept;
    struct str id;
    json_ref item = 0;
    struct json *j;

    if (!response_of(arena, item_id, &id))
        return responses_unknown(item_id, err);
    if (!responses_find(store, arena, owner, id, &kept, err))
        return err->code == ERR_NOT_FOUND ? responses_unknown(item_id, err) : false;
    j = said_json(arena, kept.output, err);
    if (!j)
        return err_wrap(err, "a kept answer cannot be read");
    item = item_with(j, arena, item_id);
    if (!item) {
        j = said_json(arena, kept.input, err);
        if (!j)
            return err_wrap(err, "a kept answer cannot be read");
        item = item_with(j, arena, item_id);
    }
    if (!item)
        return responses_unknown(item_id, err);
    *raw = json_raw(j, item);
    return true;
}

/* ---- forgetting ---- */

/* Every answer that was meant and every one that went on from it. Of each document: as it is written down with its base,
 * as it was before bases were, and as the body of an answer names it from before documents were written down. */
#define OF_DOCUMENT(with_base, alone, named)                \
    "documents LIKE " with_base " OR documents LIKE " alone \
    " OR (documents = '' AND (body LIKE " named " OR output LIKE " named "))"
#define MEANT                                                                                    \
    "WITH RECURSIVE gone(id) AS (SELECT id FROM responses WHERE created >= ?16 AND ("            \
    "(?1 <> '' AND tenant = ?1 AND (?2 = '' OR key_id = ?2)) OR (?3 <> '' AND subject = ?3) OR " \
    "subjects LIKE "                                                                             \
    "?17 OR " OF_DOCUMENT("?4", "?5", "?6") " OR " OF_DOCUMENT(                                  \
        "?7", "?8",                                                                              \
        "?9") " OR " OF_DOCUMENT("?10", "?11",                                                   \
                                 "?12") " OR " OF_DOCUMENT("?13", "?14",                         \
                                                           "?15") ") UNION SELECT r.id FROM "    \
                                                                  "responses r JOIN gone g ON "  \
                                                                  "r.previous = g.id) "

#define PATTERN_BYTES 128
#define NOWHERE       "\x01" /* stands in no row */
#define PATTERNS      (3 * RESPONSES_DOCUMENTS_MAX)
#define MEANT_VALUES  (3 + PATTERNS + 2)

struct meant {
    char patterns[PATTERNS + 1][PATTERN_BYTES];
    struct value values[MEANT_VALUES];
};

static void fill_patterns(const struct responses_document *d, struct meant *out, size_t at)
{
    for (size_t i = 0; i < 3; i++) {
        struct buf b;

        buf_init_fixed(&b, out->patterns[at + i], PATTERN_BYTES);
        if (!d || !d->id.len) {
            buf_str(&b, STR(NOWHERE));
        } else {
            buf_fmt(&b, "%%" STR_FMT, STR_ARG(str_slice(d->id, 0, 40)));
            if (i == 0)
                buf_fmt(&b, "@" STR_FMT, STR_ARG(str_slice(d->base, 0, 60)));
            buf_str(&b, i == 2 ? STR("%") : STR("\n%"));
        }
        ASSERT(buf_ok(&b));
        out->values[3 + at + i] = V_TEXT(buf_view(&b));
    }
}

static void fill_subject(struct str subject, struct meant *out)
{
    struct buf b;

    buf_init_fixed(&b, out->patterns[PATTERNS], PATTERN_BYTES);
    if (subject.len)
        buf_fmt(&b, "%%" STR_FMT "\n%%", STR_ARG(str_slice(subject, 0, 100)));
    else
        buf_str(&b, STR(NOWHERE));
    ASSERT(buf_ok(&b));
    out->values[3 + PATTERNS + 1] = V_TEXT(buf_view(&b));
}

static void fill_selector(const struct responses_selector *what, struct meant *out)
{
    out->values[0] = V_TEXT(what->key_id.len || what->all_keys ? what->tenant : STR(""));
    out->values[1] = V_TEXT(what->key_id.len ? what->key_id : STR(""));
    out->values[2] = V_TEXT(what->subject.len ? what->subject : STR(""));
    out->values[3 + PATTERNS] = V_INT(what->since);
    fill_subject(what->subject, out);
    ASSERT(what->document_count <= RESPONSES_DOCUMENTS_MAX);
    for (size_t i = 0; i < RESPONSES_DOCUMENTS_MAX; i++)
        fill_patterns(i < what->document_count ? &what->documents[i] : NULL, out, 3 * i);
}

bool responses_count(struct responses_store *store, const struct responses_selector *what,
                     int64_t *count, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(OWN_MEMORY);
    struct meant meant;
    struct rows rows;

    if (!arena)
        return err_no_room(err, "no memory for kept answers");
    fill_selector(what, &meant);
    if (!store_read(
            store->store, arena,
            &(struct statement){MEANT "SELECT COUNT(*) FROM gone", meant.values, MEANT_VALUES},
            &rows, err))
        return false;
    *count = rows_at(&rows, 0, 0).i;
    return true;
}

void responses_overtake(struct responses_store *store)
{
    store->forgot = fiber_now();
}

bool responses_forget(struct responses_store *store, const struct responses_selector *what,
                      int64_t *gone, struct err *err)
{
    struct meant meant;

    responses_overtake(store);
    fill_selector(what, &meant);
    return store_write(
        store->store,
        &(struct statement){MEANT "DELETE FROM responses WHERE id IN (SELECT id FROM gone)",
                            meant.values, MEANT_VALUES},
        1, gone, err);
}
