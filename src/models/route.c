/* The table of routes: a small tree over the values that rows name. The first level is the model's name:
 * every name and every beginning that a row mentions has the list of all rows that could hold for it, in
 * their order, so that a name is looked up once and a beginning once for each length there is. Lists that
 * stay long are split by the condition that divides them best. */
#include "models/route.h"

#include <string.h>

#include "base/table.h"

#define LEAF_ROWS      8
#define SPLIT_ROWS     (64 * 1024) /* rows that the lists of one split may hold together */
#define NAME_LENGTH    256
/* A request has one value of each; of tags it may have several. */
#define SPLITTING_SETS (1u << MATCH_TENANT | 1u << MATCH_TEAM | 1u << MATCH_CLASS)

const struct route_policy route_policy_plain = {.attempts_max = 1};

struct node {
    const uint16_t *rows;
    size_t count;
    enum route_set by; /* when split */
    bool split;
    struct table values; /* -> struct node */
    struct node *others; /* for values that no row names */
};

struct route_table {
    struct arena *arena;
    const struct route *routes;
    size_t count;
    struct table names;            /* mentioned whole -> struct node */
    struct table prefixes;         /* mentioned with "*", without it -> struct node */
    uint16_t lengths[NAME_LENGTH]; /* of prefixes, longest first */
    size_t length_count;
    struct node *others;
    uint16_t scratch[ROUTES_MAX]; /* a list being made */
};

size_t route_count(const struct route_table *table)
{
    return table ? table->count : 0;
}

const struct route *route_at(const struct route_table *table, size_t i)
{
    ASSERT(i < table->count);
    return &table->routes[i];
}

/* ---- does a row hold ---- */

static bool is_prefix(struct str pattern)
{
    return str_ends(pattern, STR("*"));
}

bool route_name_fits(struct str pattern, struct str name)
{
    return is_prefix(pattern) ? str_starts(name, str_slice(pattern, 0, pattern.len - 1))
                              : str_eq(pattern, name);
}

static bool words_fit(const struct route_words *words, enum route_set set, struct str value)
{
    for (size_t i = 0; i < words->count; i++)
        if (set == MATCH_MODEL ? route_name_fits(words->at[i], value) : str_eq(words->at[i], value))
            return true;
    return words->count == 0;
}

static bool has_tag(const struct route_words *words, const struct route_ask *ask)
{
    for (size_t i = 0; i < ask->tag_count; i++)
        if (words_fit(words, MATCH_TAG, ask->tags[i]))
            return true;
    return words->count == 0;
}

static bool holds(const struct route *r, const struct route_ask *ask)
{
    for (enum route_set set = 0; set < ROUTE_SETS; set++)
        if (r->sets[set].count && set != MATCH_TAG &&
            !words_fit(&r->sets[set], set, ask->values[set]))
            return false;
    if (!has_tag(&r->sets[MATCH_TAG], ask))
        return false;
    return hours_hold(r->hours, ask->minute) && token_range_holds(r->prompt, ask->prompt_tokens) &&
           (r->needs & ~ask->needs) == 0;
}

/* ---- building ---- */

struct row_list {
    uint16_t *at;
    size_t count;
};

static bool list_keep(struct route_table *t, struct row_list *out, struct err *err)
{
    uint16_t *at = arena_array(t->arena, MAX_OF(out->count, 1), sizeof *at);

    if (!at)
        return err_arena(err, t->arena);
    memcpy(at, out->at, out->count * sizeof *at);
    out->at = at;
    return true;
}

static bool grow(struct route_table *t, struct node *node, uint32_t sets_left, struct err *err);

static struct node *node_new(struct route_table *t, const struct row_list *rows, uint32_t sets_left,
                             struct err *err)
{
    struct node *node = arena_alloc(t->arena, sizeof *node);

    if (!node) {
        err_arena(err, t->arena);
        return NULL;
    }
    node->rows = rows->at;
    node->count = rows->count;
    return grow(t, node, sets_left, err) ? node : NULL;
}

/* The condition that most rows of the list have. */
static bool best_set(const struct route_table *t, const struct node *node, uint32_t sets_left,
                     enum route_set *out)
{
    size_t most = 0;

    for (enum route_set set = 0; set < ROUTE_SETS; set++) {
        size_t rows = 0;

        for (size_t i = 0; i < node->count && (sets_left >> set & 1); i++)
            rows += t->routes[node->rows[i]].sets[set].count > 0;
        if (rows > most) {
            most = rows;
            *out = set;
        }
    }
    return most * 2 > node->count && (node->count - most) * most < SPLIT_ROWS;
}

/* Rows of the list that can hold for the value; ptr NULL: for values that no row names. */
static bool rows_for(struct route_table *t, const struct node *node, enum route_set set,
                     struct str value, struct row_list *out, struct err *err)
{
    *out = (struct row_list){.at = t->scratch};
    for (size_t i = 0; i < node->count; i++) {
        const struct route_words *words = &t->routes[node->rows[i]].sets[set];

        if (words->count == 0 || (value.ptr && words_fit(words, set, value)))
            out->at[out->count++] = node->rows[i];
    }
    return list_keep(t, out, err);
}

static bool add_value(struct route_table *t, struct node *node, struct str value,
                      uint32_t sets_left, struct err *err)
{
    struct row_list rows;
    struct node *below;

    if (table_get(&node->values, value))
        return true;
    if (!rows_for(t, node, node->by, value, &rows, err))
        return false;
    below = node_new(t, &rows, sets_left, err);
    if (!below)
        return false;
    return table_put(&node->values, value, below, NULL) || err_arena(err, t->arena);
}

/* Split a list that is too long to be read from end to end. Depth: at most one level a condition. */
static bool grow(struct route_table *t, struct node *node, uint32_t sets_left, struct err *err)
{
    struct row_list rows;

    if (node->count <= LEAF_ROWS || !best_set(t, node, sets_left, &node->by))
        return true;
    node->split = true;
    sets_left &= ~(1u << node->by);
    table_init(&node->values, t->arena, ROUTES_MAX * ROUTE_WORDS_MAX);
    for (size_t i = 0; i < node->count; i++) {
        const struct route_words *words = &t->routes[node->rows[i]].sets[node->by];

        for (size_t w = 0; w < words->count; w++)
            if (!add_value(t, node, words->at[w], sets_left, err))
                return false;
    }
    if (!rows_for(t, node, node->by, STR_NONE, &rows, err))
        return false;
    node->others = node_new(t, &rows, sets_left, err);
    return node->others != NULL;
}

/* Rows that could hold for a name, or for every name with this beginning. */
static bool rows_for_name(struct route_table *t, struct str name, struct row_list *out,
                          struct err *err)
{
    *out = (struct row_list){.at = t->scratch};
    for (size_t i = 0; i < t->count; i++) {
        const struct route_words *words = &t->routes[i].sets[MATCH_MODEL];
        bool fits = words->count == 0;

        for (size_t w = 0; w < words->count && !fits; w++) {
            struct str p = words->at[w];

            fits = is_prefix(name)
                       ? is_prefix(p) && route_name_fits(p, str_slice(name, 0, name.len - 1))
                       : route_name_fits(p, name);
        }
        if (fits)
            out->at[out->count++] = (uint16_t)i;
    }
    return list_keep(t, out, err);
}

static void add_length(struct route_table *t, size_t length)
{
    size_t at = 0;

    while (at < t->length_count && t->lengths[at] > length)
        at++;
    if (at < t->length_count && t->lengths[at] == length)
        return;
    for (size_t i = t->length_count; i > at; i--)
        t->lengths[i] = t->lengths[i - 1];
    t->lengths[at] = (uint16_t)length;
    t->length_count++;
}

static bool add_name(struct route_table *t, struct str name, struct err *err)
{
    struct str key = is_prefix(name) ? str_slice(name, 0, name.len - 1) : name;
    struct table *to = is_prefix(name) ? &t->prefixes : &t->names;
    struct row_list rows;
    struct node *node;

    if (table_get(to, key))
        return true;
    if (!rows_for_name(t, name, &rows, err))
        return false;
    node = node_new(t, &rows, SPLITTING_SETS, err);
    if (!node)
        return false;
    if (is_prefix(name))
        add_length(t, key.len);
    return table_put(to, key, node, NULL) || err_arena(err, t->arena);
}

static bool build(struct route_table *t, struct err *err)
{
    struct row_list rows;

    table_init(&t->names, t->arena, ROUTES_MAX * ROUTE_WORDS_MAX);
    table_init(&t->prefixes, t->arena, ROUTES_MAX * ROUTE_WORDS_MAX);
    for (size_t i = 0; i < t->count; i++)
        for (size_t w = 0; w < t->routes[i].sets[MATCH_MODEL].count; w++)
            if (!add_name(t, t->routes[i].sets[MATCH_MODEL].at[w], err))
                return false;
    rows = (struct row_list){.at = t->scratch};
    for (size_t i = 0; i < t->count; i++)
        if (t->routes[i].sets[MATCH_MODEL].count == 0)
            rows.at[rows.count++] = (uint16_t)i;
    if (!list_keep(t, &rows, err))
        return false;
    t->others = node_new(t, &rows, SPLITTING_SETS, err);
    return t->others != NULL;
}

/* ---- finding ---- */

static const struct node *node_of(const struct route_table *t, struct str name)
{
    const struct node *node = table_get(&t->names, name);

    for (size_t i = 0; i < t->length_count && !node; i++)
        if (t->lengths[i] <= name.len)
            node = table_get(&t->prefixes, str_slice(name, 0, t->lengths[i]));
    return node ? node : t->others;
}

const struct route *route_find(const struct route_table *t, const struct route_ask *ask)
{
    const struct node *node;

    if (!t || t->count == 0)
        return NULL;
    node = node_of(t, ask->values[MATCH_MODEL]);
    while (node->split) {
        const struct node *below = table_get(&node->values, ask->values[node->by]);

        node = below ? below : node->others;
    }
    for (size_t i = 0; i < node->count; i++)
        if (holds(&t->routes[node->rows[i]], ask))
            return &t->routes[node->rows[i]];
    return NULL;
}

/* ---- reading rows ---- */

static bool in_row(const struct route_text *row, struct err *err)
{
    return err_wrap(err, "route \"" STR_FMT "\"", STR_ARG(str_slice(row->name, 0, 80)));
}

static bool read_words(struct arena *arena, struct str text, struct route_words *out,
                       struct err *err)
{
    struct str *words;
    size_t count = 0;

    if (str_trim(text).len == 0)
        return true;
    for (struct str rest = text, word; str_split(&rest, ',', &word);)
        count++;
    if (count > ROUTE_WORDS_MAX)
        return err_set(err, ERR_INVALID, "%zu values in one condition, at most %d may stand there",
                       count, ROUTE_WORDS_MAX);
    words = arena_array(arena, count, sizeof *words);
    if (!words)
        return err_arena(err, arena);
    out->at = words;
    for (struct str rest = text, word; str_split(&rest, ',', &word);) {
        words[out->count] = arena_str(arena, str_trim(word));
        if (!words[out->count].ptr)
            return err_arena(err, arena);
        if (words[out->count].len == 0 || words[out->count].len >= NAME_LENGTH)
            return err_set(err, ERR_INVALID, "a value is empty or longer than %d bytes",
                           NAME_LENGTH - 1);
        out->count++;
    }
    return true;
}

/* "*" alone is every name; elsewhere than at the end it stands for nothing. */
static bool check_patterns(struct route_words *names, struct err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        struct str name = names->at[i];

        if (str_find_char(name, '*') < name.len - 1)
            return err_set(err, ERR_INVALID, "\"" STR_FMT "\": \"*\" may only stand at the end",
                           STR_ARG(name));
        if (name.len == 1 && name.ptr[0] == '*') {
            *names = (struct route_words){0};
            return true;
        }
    }
    return true;
}

static bool read_candidate(struct str text, const struct catalogue *catalogue,
                           struct route_candidate *out, struct err *err)
{
    size_t star = str_find_char(text, '*');
    struct str name = str_trim(str_slice(text, 0, star));
    uint64_t weight = 1;

    if (name.len == 0)
        return err_set(err, ERR_INVALID,
                       "use: expected names such as \"a*3, b > c\": weights by \"*\", fallbacks "
                       "behind \">\"");
    if (star < text.len && (!u64_parse(str_trim(str_slice(text, star + 1, text.len)), &weight) ||
                            weight == 0 || weight > 1000000))
        return err_set(err, ERR_INVALID, "use: the weight of \"" STR_FMT "\" must be 1 to 1000000",
                       STR_ARG(name));
    out->weight = (uint32_t)weight;
    if (!catalogue)
        return true;
    out->model = catalogue_find(catalogue, name);
    if (!out->model || !out->model->provider)
        return err_set(err, ERR_INVALID, "use: no model is called \"" STR_FMT "\"", STR_ARG(name));
    return true;
}

struct reader {
    struct arena *arena;
    const struct catalogue *catalogue;
    struct route_candidate *candidates;
    size_t count; /* over all groups */
};

static bool is_there(const struct reader *r, const struct model *model)
{
    for (size_t i = 0; model && i < r->count; i++)
        if (r->candidates[i].model == model)
            return true;
    return false;
}

static bool read_group(struct reader *r, struct str text, struct route_group *group,
                       struct err *err)
{
    group->candidates = r->candidates + r->count;
    for (struct str rest = text, item; str_split(&rest, ',', &item);) {
        struct route_candidate one = {0};

        if (r->count == CANDIDATES_MAX)
            return err_set(err, ERR_INVALID, "use: more than %d candidates", CANDIDATES_MAX);
        if (!read_candidate(str_trim(item), r->catalogue, &one, err))
            return false;
        if (is_there(r, one.model))
            return err_set(err, ERR_INVALID, "use: \"" STR_FMT "\" stands there twice",
                           STR_ARG(one.model->name));
        r->candidates[r->count++] = one;
        group->count++;
    }
    return true;
}

static bool read_use(struct arena *arena, struct str text, const struct catalogue *catalogue,
                     struct route *out, struct err *err)
{
    struct reader r = {.arena = arena, .catalogue = catalogue};
    struct route_group *groups = arena_array(arena, GROUPS_MAX, sizeof *groups);

    r.candidates = arena_array(arena, CANDIDATES_MAX, sizeof *r.candidates);
    if (!groups || !r.candidates)
        return err_arena(err, arena);
    out->groups = groups;
    for (struct str rest = text, part; str_split(&rest, '>', &part);) {
        if (out->group_count == GROUPS_MAX)
            return err_set(err, ERR_INVALID, "use: more than %d groups", GROUPS_MAX);
        if (!read_group(&r, part, &groups[out->group_count++], err))
            return false;
    }
    return true;
}

/* A row whose candidates can never take what it is for is a mistake. */
static bool check_use(const struct route *r, struct err *err)
{
    bool any = false;

    for (size_t g = 0; g < r->group_count; g++)
        for (size_t i = 0; i < r->groups[g].count; i++) {
            const struct model *m = r->groups[g].candidates[i].model;
            bool can = !m->abilities || (r->needs & ~m->abilities) == 0;

            any = any || (can && m->lifecycle != LIFE_RETIRED);
        }
    return any || err_set(err, ERR_INVALID,
                          "none of its candidates is in service and can do what it needs");
}

static bool read_row(struct arena *arena, const struct route_text *row,
                     const struct catalogue *catalogue, struct route *out, struct err *err)
{
    const struct str sets[ROUTE_SETS] = {[MATCH_MODEL] = row->models,
                                         [MATCH_TENANT] = row->tenants,
                                         [MATCH_TEAM] = row->teams,
                                         [MATCH_TAG] = row->tags,
                                         [MATCH_CLASS] = row->data_classes};

    out->policy = row->policy;
    out->name = arena_str(arena, row->name);
    if (!out->name.ptr)
        return err_arena(err, arena);
    for (enum route_set set = 0; set < ROUTE_SETS; set++)
        if (!read_words(arena, sets[set], &out->sets[set], err))
            return false;
    return check_patterns(&out->sets[MATCH_MODEL], err) &&
           hours_parse(row->hours, &out->hours, err) &&
           token_range_parse(row->prompt_tokens, &out->prompt, err) &&
           abilities_parse(row->needs, &out->needs, err) &&
           read_use(arena, row->use, catalogue, out, err) && (!catalogue || check_use(out, err));
}

bool route_text_check(struct arena *arena, const struct route_text *row, struct err *err)
{
    struct route route = {0};

    return read_row(arena, row, NULL, &route, err) || in_row(row, err);
}

static bool check_names(const struct route_text *rows, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (str_eq(rows[i].name, rows[j].name))
                return err_set(err, ERR_INVALID, "two routes are called \"" STR_FMT "\"",
                               STR_ARG(rows[i].name));
    return true;
}

bool route_table_read(struct arena *arena, const struct route_text *rows, size_t count,
                      const struct catalogue *catalogue, struct route_table **out, struct err *err)
{
    struct route_table *t = arena_alloc(arena, sizeof *t);
    struct route *routes = arena_array(arena, MAX_OF(count, 1), sizeof *routes);

    if (!t || !routes)
        return err_arena(err, arena);
    if (count > ROUTES_MAX)
        return err_set(err, ERR_INVALID, "%zu routes, at most %d are taken", count, ROUTES_MAX);
    for (size_t i = 0; i < count; i++)
        if (!read_row(arena, &rows[i], catalogue, &routes[i], err))
            return in_row(&rows[i], err);
    *t = (struct route_table){.arena = arena, .routes = routes, .count = count};
    if (!check_names(rows, count, err) || !routes_check(arena, routes, count, err) ||
        !build(t, err))
        return false;
    *out = t;
    return true;
}
