/* accounts/usage.c: counting usage in memory, and reading it from the store. Writing it: flush.c. */
#include "accounts/usage.h"

#include <string.h>

#include "accounts/calendar.h"
#include "accounts/usage_internal.h"

#define CELL_BYTES    ((size_t)sizeof(struct usage_cell) + USAGE_KEY_MAX / 4 + 96)
#define LINE_NAME_MAX 200u /* audit.h: longer texts are cut in the log */
#define LINE_TAGS_MAX AUDIT_LIST_MAX

const char *const usage_by_names[USAGE_BYS] = {[USAGE_BY_DAY] = "day",
                                               [USAGE_BY_TENANT] = "tenant",
                                               [USAGE_BY_TEAM] = "team",
                                               [USAGE_BY_KEY] = "key",
                                               [USAGE_BY_MODEL] = "model",
                                               [USAGE_BY_DEPLOYMENT] = "deployment",
                                               [USAGE_BY_PROVIDER] = "provider",
                                               [USAGE_BY_ROUTE] = "route",
                                               [USAGE_BY_TAG] = "tag"};

const char *const usage_count_names[USAGE_COUNTS] = {[USED_REQUESTS] = "requests",
                                                     [USED_FAILED] = "failed",
                                                     [USED_TOKENS_IN] = "tokens_in",
                                                     [USED_TOKENS_OUT] = "tokens_out",
                                                     [USED_TOKENS_CACHED] = "tokens_cached",
                                                     [USED_TOKENS_CACHE_WRITE] =
                                                         "tokens_cache_write",
                                                     [USED_TOKENS_REASONING] = "tokens_reasoning",
                                                     [USED_TOKENS_AUDIO] = "tokens_audio",
                                                     [USED_ESTIMATED] = "estimated",
                                                     [USED_COST] = "cost_usd",
                                                     [USED_COST_LEFT] = "cost_left_usd",
                                                     [USED_COST_HEDGE] = "cost_hedge_usd",
                                                     [USED_COST_ATTEMPTS] = "cost_attempts_usd"};

/* ---- pages ---- */

void usage_page_clear(struct usage_page *page, uint32_t cells_max)
{
    struct arena *arena = page->arena;

    arena_rewind(arena, 0);
    *page = (struct usage_page){.arena = arena};
    table_init(&page->by_key, arena, cells_max);
}

bool usage_open(struct accounts *accounts, uint32_t cells_max, uint64_t stored_seq, struct err *err)
{
    struct usage_book *book = arena_alloc(accounts->arena, sizeof *book);

    if (!book)
        return err_arena(err, accounts->arena);
    accounts->usage = book;
    book->cells_max = cells_max;
    book->stored_seq = stored_seq;
    for (size_t i = 0; i < ARRAY_LEN(book->pages); i++) {
        book->pages[i].arena = arena_new(cells_max * CELL_BYTES);
        if (!book->pages[i].arena)
            return err_no_room(err, "no memory to count usage");
        usage_page_clear(&book->pages[i], cells_max);
    }
    book->live = &book->pages[0];
    book->live->from = audit_last_seq(accounts->audit) + 1;
    book->live->to = book->live->from - 1;
    return true;
}

void usage_close(struct accounts *accounts)
{
    for (size_t i = 0; accounts->usage && i < ARRAY_LEN(accounts->usage->pages); i++)
        arena_end(&accounts->usage->pages[i].arena);
}

/* ---- counting ---- */

/* What the log would give back: a text that it cuts is not counted by name, live or later. */
static struct str as_logged(struct str s, size_t most)
{
    return s.len > most || str_ends(s, STR("…")) ? STR_NONE : s;
}

/* Who answered. Before records said so, that was known only where no route was taken. */
static struct str who_answered(const struct audit_record *r)
{
    bool is_known = r->deployment.len || r->route_name.len || !r->provider.len;

    return as_logged(is_known ? r->deployment : r->model, LINE_NAME_MAX);
}

static size_t join(char to[USAGE_KEY_MAX], const struct audit_record *r, int64_t day,
                   struct str deployment, struct str provider)
{
    bool asked = r->provider.len > 0;
    const struct str names[USAGE_BYS] = {
        [USAGE_BY_TENANT] = r->tenant,
        [USAGE_BY_TEAM] = r->team,
        [USAGE_BY_KEY] = r->key_id,
        [USAGE_BY_MODEL] = asked ? as_logged(r->model, LINE_NAME_MAX) : STR_NONE,
        [USAGE_BY_DEPLOYMENT] = deployment,
        [USAGE_BY_PROVIDER] = provider,
        [USAGE_BY_ROUTE] = as_logged(r->route_name.len ? r->route_name : r->route, LINE_NAME_MAX),
        [USAGE_BY_TAG] = as_logged(r->tags, LINE_TAGS_MAX),
    };
    size_t len = sizeof day;

    memcpy(to, &day, sizeof day); /* in front: a key is of one day */
    for (size_t i = USAGE_BY_TENANT; i < USAGE_BYS; i++) {
        memcpy(to + len, names[i].ptr ? names[i].ptr : "", names[i].len);
        len += names[i].len;
        to[len++] = 0;
    }
    return len;
}

static_assert(sizeof(int64_t) + 8 * (LINE_NAME_MAX + 1) + LINE_TAGS_MAX < USAGE_KEY_MAX,
              "the names of any record fit");

static void add(int64_t counts[USAGE_COUNTS], const struct audit_record *r)
{
    bool left = str_eq(r->outcome, STR("cancelled"));

    counts[USED_REQUESTS]++;
    counts[USED_FAILED] += !str_eq(r->outcome, STR("complete"));
    counts[USED_TOKENS_IN] += MAX_OF(r->tokens_in, 0);
    counts[USED_TOKENS_OUT] += MAX_OF(r->tokens_out, 0);
    counts[USED_TOKENS_CACHED] += MAX_OF(r->tokens_cached, 0);
    counts[USED_TOKENS_CACHE_WRITE] += MAX_OF(r->tokens_cache_write, 0);
    counts[USED_TOKENS_REASONING] += MAX_OF(r->tokens_reasoning, 0);
    counts[USED_TOKENS_AUDIO] += MAX_OF(r->tokens_audio, 0);
    counts[USED_ESTIMATED] += r->tokens_estimated;
    counts[USED_COST] += r->cost;
    counts[USED_COST_LEFT] += left ? r->cost - r->cost_hedge - r->cost_attempts : 0;
    counts[USED_COST_HEDGE] += r->cost_hedge;
    counts[USED_COST_ATTEMPTS] += r->cost_attempts;
}

static struct usage_cell *cell_new(struct usage_page *page, struct str key, int64_t day)
{
    struct usage_cell *cell = arena_alloc(page->arena, sizeof *cell);

    if (!cell)
        return NULL;
    cell->key = arena_str(page->arena, key);
    cell->day = day;
    if (!cell->key.ptr || !table_put(&page->by_key, cell->key, cell, NULL))
        return NULL;
    cell->next = page->cells;
    page->cells = cell;
    return cell;
}

/* What administrators do is no usage, and neither is what the house notes about itself. */
static bool is_usage(const struct audit_record *r)
{
    struct str path = str_slice(r->route, str_find_char(r->route, ' '), r->route.len);

    return r->route.len > 0 && !str_starts(path, STR(" /api/")) &&
           !str_starts(path, STR(" /auth/")) && !str_eq(r->route, STR("first start"));
}

/* The cell of one kind; NULL: the page is full. */
static struct usage_cell *cell_of(struct usage_page *page, const struct audit_record *r,
                                  struct str deployment, struct str provider)
{
    char joined[USAGE_KEY_MAX];
    int64_t day = calendar_day(r->time);
    struct str key = {joined, join(joined, r, day, deployment, provider)};
    struct usage_cell *cell = page->last;

    if (!cell || !str_eq(cell->key, key)) /* who asks once, asks again: mostly it is the same */
        cell = table_get(&page->by_key, key);
    return cell ? cell : cell_new(page, key, day);
}

/* What another cost than who answered goes from the record's numbers to the other's. */
static void move_apart(int64_t from[USAGE_COUNTS], int64_t to[USAGE_COUNTS],
                       const struct audit_apart *one)
{
    const struct {
        enum usage_count count;
        int64_t most;
    } moves[] = {
        {USED_COST, one->cost},
        {str_eq(one->end, STR("lost")) ? USED_COST_HEDGE : USED_COST_ATTEMPTS, one->cost},
        {USED_TOKENS_IN, one->tokens_in},
        {USED_TOKENS_OUT, one->tokens_out},
    };

    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        int64_t n = MIN_OF(moves[i].most, from[moves[i].count]);

        from[moves[i].count] -= n;
        to[moves[i].count] += n;
    }
}

/* Cells first, as any of them may find the page full; then numbers. */
static bool count_record(struct usage_page *page, const struct audit_record *r)
{
    struct usage_cell *own =
        cell_of(page, r, who_answered(r), as_logged(r->provider, LINE_NAME_MAX));
    int64_t counts[USAGE_COUNTS] = {0};
    struct str rest = r->apart;
    struct audit_apart one;

    while (own && audit_apart_next(&rest, &one))
        if (!cell_of(page, r, one.deployment, one.provider))
            return false;
    if (!own)
        return false;
    add(counts, r);
    for (rest = r->apart; audit_apart_next(&rest, &one);)
        move_apart(counts, cell_of(page, r, one.deployment, one.provider)->counts, &one);
    for (size_t i = 0; i < USAGE_COUNTS; i++)
        own->counts[i] += counts[i];
    page->last = own;
    return true;
}

bool usage_follow_record(struct usage_page *page, const struct audit_record *r, bool counts)
{
    if (counts && is_usage(r) && !count_record(page, r))
        return false;
    page->to = r->seq;
    return true;
}

void usage_follow(struct usage_book *book, const struct audit_record *record, bool counts)
{
    struct usage_page *page = book->live;

    if (!page->full && !usage_follow_record(page, record, counts))
        page->full = true; /* the flush reads the rest from the log */
}

void usage_forget(struct usage_book *book, struct str tenant, struct str team)
{
    struct usage_page *page = book->live;

    for (struct usage_cell **at = &page->cells; *at;) {
        struct str rest = str_slice((*at)->key, sizeof(*at)->day, (*at)->key.len), of, in;
        bool ours = str_split(&rest, 0, &of) && str_split(&rest, 0, &in) && str_eq(of, tenant) &&
                    (!team.len || str_eq(in, team));

        if (ours) {
            table_remove(&page->by_key, (*at)->key);
            *at = (*at)->next;
        } else {
            at = &(*at)->next;
        }
    }
    page->last = NULL;
}

/* ---- reading ---- */

/* Rows of older Weirs, which may run beside this one, have no deployment: where no route was taken it is the model
 * that was asked for. */
/* clang-format off */
#define COUNTED(parts)                                                     \
    " requests, failed, tokens_in, tokens_out, tokens_cached, " parts ","  \
    " estimated, cost, cost_left, cost_hedge, cost_attempts"
#define ALL_USAGE                                                          \
    "(SELECT day, tenant, team, key_id, model, deployment, provider,"      \
    " route, tags," COUNTED("tokens_cache_write, tokens_reasoning, tokens_audio") \
    " FROM deployment_usage UNION ALL"                                     \
    " SELECT day, tenant, team, key_id, model,"                            \
    " CASE WHEN route LIKE '% /%' THEN model ELSE '' END, provider,"       \
    " route, tags," COUNTED("0, 0, 0")                                     \
    " FROM instance_usage) usage"
/* clang-format on */
#define SELECT(names)                                                               \
    "SELECT * FROM (SELECT CASE WHEN ?1 = 1 THEN day ELSE 0 END AS by1,"            \
    " CASE WHEN ?2 = 1 THEN tenant ELSE '' END AS by2,"                             \
    " CASE WHEN ?3 = 1 THEN team ELSE '' END AS by3,"                               \
    " CASE WHEN ?4 = 1 THEN key_id ELSE '' END AS by4,"                             \
    " CASE WHEN ?5 = 1 THEN model ELSE '' END AS by5,"                              \
    " CASE WHEN ?6 = 1 THEN deployment ELSE '' END AS by6,"                         \
    " CASE WHEN ?7 = 1 THEN provider ELSE '' END AS by7,"                           \
    " CASE WHEN ?8 = 1 THEN route ELSE '' END AS by8,"                              \
    " CASE WHEN ?9 = 1 THEN " names " ELSE '' END AS by9,"                          \
    " CAST(SUM(requests) AS BIGINT), CAST(SUM(failed) AS BIGINT),"                  \
    " CAST(SUM(tokens_in) AS BIGINT), CAST(SUM(tokens_out) AS BIGINT),"             \
    " CAST(SUM(tokens_cached) AS BIGINT), CAST(SUM(tokens_cache_write) AS BIGINT)," \
    " CAST(SUM(tokens_reasoning) AS BIGINT), CAST(SUM(tokens_audio) AS BIGINT),"    \
    " CAST(SUM(estimated) AS BIGINT),"                                              \
    " CAST(SUM(cost) AS BIGINT), CAST(SUM(cost_left) AS BIGINT),"                   \
    " CAST(SUM(cost_hedge) AS BIGINT), CAST(SUM(cost_attempts) AS BIGINT) FROM " ALL_USAGE
#define WHERE                                                                                    \
    " WHERE day >= ?10 AND day <= ?11 AND (?12 = '' OR tenant = ?12)"                            \
    " AND (?13 = '' OR team = ?13) AND (?14 = '' OR key_id = ?14) AND (?15 = '' OR model = ?15)" \
    " AND (?16 = '' OR deployment = ?16) AND (?17 = '' OR provider = ?17)"                       \
    " AND (?18 = '' OR route = ?18)"
/* What a page begins behind is a row, not a place: rows may come and go between two pages. */
#define BYS "by1, by2, by3, by4, by5, by6, by7, by8, by9"
#define GROUP                                                             \
    " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) grouped WHERE ?21 = 0 OR (" BYS \
    ") > (CAST(?22 AS BIGINT), ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30) ORDER BY " BYS " LIMIT ?20"
#define AFTER_VALUES (2 * USAGE_BYS + 2) /* where they begin */
#define READ_VALUES  (AFTER_VALUES + 1 + USAGE_BYS)

static const char *const read_plain = SELECT("usage.tags") WHERE
    " AND (?19 = '' OR EXISTS (SELECT 1 FROM usage_tags t WHERE t.tags = usage.tags"
    " AND t.tag = ?19))" GROUP;

/* A row for each tag of a list, or one with none. */
static const char *const read_by_tag =
    SELECT("t.tag") " JOIN usage_tags t ON t.tags = usage.tags" WHERE
                    " AND (?19 = '' OR t.tag = ?19)" GROUP;

static void fill_row(const struct rows *rows, size_t at, struct usage_row *out)
{
    *out = (struct usage_row){.day = rows_at(rows, at, USAGE_BY_DAY).i};
    for (size_t i = USAGE_BY_TENANT; i < USAGE_BYS; i++)
        out->what[i] = rows_at(rows, at, i).s;
    for (size_t i = 0; i < USAGE_COUNTS; i++)
        out->counts[i] = rows_at(rows, at, USAGE_BYS + i).i;
}

static void bind_after(const struct usage_row *after, struct value values[1 + USAGE_BYS])
{
    values[0] = V_INT(after != NULL);
    values[1] = V_INT(after ? after->day : 0);
    for (size_t i = USAGE_BY_TENANT; i < USAGE_BYS; i++)
        values[1 + i] = V_TEXT(after && after->what[i].ptr ? after->what[i] : STR(""));
}

bool usage_read(struct accounts *accounts, const struct usage_query *query, struct arena *arena,
                struct usage_row **out, size_t *count, struct err *err)
{
    bool by_tag = (query->by >> USAGE_BY_TAG & 1u) != 0;
    struct value values[READ_VALUES];
    struct rows rows;

    for (size_t i = 0; i < USAGE_BYS; i++)
        values[i] = V_INT(query->by >> i & 1u);
    values[USAGE_BYS] = V_INT(query->from_day);
    values[USAGE_BYS + 1] = V_INT(query->to_day);
    for (size_t i = USAGE_BY_TENANT; i < USAGE_BYS; i++)
        values[USAGE_BYS + 1 + i] = V_TEXT(query->only[i].ptr ? query->only[i] : STR(""));
    values[AFTER_VALUES - 1] = V_INT((int64_t)MIN_OF(query->most, (size_t)INT32_MAX));
    bind_after(query->after, &values[AFTER_VALUES]);

    const struct statement read = {by_tag ? read_by_tag : read_plain, values, ARRAY_LEN(values)};

    if (!accounts_flush_wait(accounts, err) ||
        !store_read(accounts->store, arena, &read, &rows, err))
        return err_wrap(err, "read usage");

    struct usage_row *list = arena_array(arena, rows.count, sizeof *list);

    if (!list)
        return err_arena(err, arena);
    for (size_t i = 0; i < rows.count; i++)
        fill_row(&rows, i, &list[i]);
    *out = list;
    *count = rows.count;
    return true;
}
