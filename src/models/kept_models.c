#include "models/kept_models.h"

#include "store/instances.h"

/* "window" is a word of SQL. Of prices -1 is not said. */
const struct migration kept_models_migrations[] = {
    {"models", 1, "models that were added, retired or measured",
     "CREATE TABLE models ("
     " name TEXT PRIMARY KEY,"
     " added INTEGER NOT NULL,"
     " provider TEXT NOT NULL,"
     " remote_name TEXT NOT NULL,"
     " licence TEXT NOT NULL,"
     " abilities TEXT NOT NULL,"
     " price_in BIGINT NOT NULL,"
     " price_out BIGINT NOT NULL,"
     " price_cached BIGINT NOT NULL,"
     " price_cache_write BIGINT NOT NULL,"
     " price_cache_write_long BIGINT NOT NULL,"
     " price_reasoning BIGINT NOT NULL,"
     " price_audio_in BIGINT NOT NULL,"
     " price_audio_out BIGINT NOT NULL,"
     " price_image_in BIGINT NOT NULL,"
     " price_request BIGINT NOT NULL,"
     " output_tokens BIGINT NOT NULL,"
     " window_tokens BIGINT NOT NULL,"
     " in_flight BIGINT NOT NULL,"
     " zone INTEGER NOT NULL,"
     " lifecycle INTEGER NOT NULL,"
     " successor TEXT NOT NULL,"
     " measured BIGINT NOT NULL,"
     " works BIGINT NOT NULL,"
     " measured_at BIGINT NOT NULL,"
     " measured_of TEXT NOT NULL)"},
    {"models", 2, "prices by hour, size and tenant, and the cache, of models that were added",
     "ALTER TABLE models ADD COLUMN price_rows TEXT NOT NULL DEFAULT '[]';"
     "ALTER TABLE models ADD COLUMN cache_rule INTEGER NOT NULL DEFAULT 0"},
};
const size_t kept_models_migration_count = ARRAY_LEN(kept_models_migrations);

#define COLUMNS                                                                                  \
    "name, added, provider, remote_name, licence, abilities, price_in, price_out, "              \
    "price_cached, price_cache_write, price_cache_write_long, price_reasoning, price_audio_in, " \
    "price_audio_out, price_image_in, price_request, output_tokens, window_tokens, in_flight, "  \
    "zone, lifecycle, successor, measured, works, measured_at, measured_of, price_rows, "        \
    "cache_rule"

enum { COLUMN_COUNT = 28, FIRST_PRICE = 6, PRICE_ROWS = 26 };
#define PRICE_ROWS_BYTES_MAX (256 * KIB)

static bool read_price_rows(struct arena *arena, struct str text, struct price_rows *out,
                            struct err *err)
{
    struct price_rows_fault where;
    struct json *j = json_parse(arena, text, err);

    return j && price_rows_read(arena, j, json_root(j), out, &where, err);
}

/* All but the rows of prices. The columns of the prices stand in the order of price_of_kind(). */
static void read_row(const struct rows *rows, size_t i, struct kept_model *out)
{
    const char *name;
    usd_micro *price;

    *out = (struct kept_model){
        .name = rows_at(rows, i, 0).s,
        .added = rows_at(rows, i, 1).i != 0,
        .provider = rows_at(rows, i, 2).s,
        .remote_name = rows_at(rows, i, 3).s,
        .licence = rows_at(rows, i, 4).s,
        .abilities = rows_at(rows, i, 5).s,
        .output_tokens_max = rows_at(rows, i, 16).i,
        .window = rows_at(rows, i, 17).i,
        .in_flight = rows_at(rows, i, 18).i,
        .zone = (int)rows_at(rows, i, 19).i,
        .lifecycle = (int)rows_at(rows, i, 20).i,
        .successor = rows_at(rows, i, 21).s,
        .measured = (uint32_t)rows_at(rows, i, 22).i,
        .works = (uint32_t)rows_at(rows, i, 23).i,
        .measured_at = rows_at(rows, i, 24).i,
        .measured_of = rows_at(rows, i, 25).s,
        .cache = (int)rows_at(rows, i, 27).i,
    };
    for (size_t p = 0; (price = price_of_kind(&out->prices, p, &name)); p++)
        *price = rows_at(rows, i, FIRST_PRICE + p).i;
}

bool kept_models_read(struct store *store, struct arena *arena, struct kept_models *out,
                      struct err *err)
{
    const struct statement all = {.sql = "SELECT " COLUMNS " FROM models ORDER BY name"};
    struct rows rows;

    if (fiber_self() ? !store_read(store, arena, &all, &rows, err)
                     : !store_read_now(store, arena, &all, &rows, err))
        return err_wrap(err, "models of the store");
    struct kept_model *at = arena_array(arena, rows.count + 1, sizeof *at); /* one may be added */
    if (!at)
        return err_arena(err, arena);
    for (size_t i = 0; i < rows.count; i++) {
        read_row(&rows, i, &at[i]);
        if (!read_price_rows(arena, rows_at(&rows, i, PRICE_ROWS).s, &at[i].price_rows, err))
            return err_wrap(err, "prices of model \"" STR_FMT "\" in the store",
                            STR_ARG(at[i].name));
    }
    *out = (struct kept_models){at, rows.count};
    return true;
}

static bool price_rows_text(struct arena *arena, const struct price_rows *rows, struct str *out,
                            struct err *err)
{
    struct json_writer w;
    struct buf b;

    if (!arena)
        return err_set(err, ERR_UNAVAILABLE, "no memory to write them");
    buf_init(&b, arena, PRICE_ROWS_BYTES_MAX);
    jw_init(&w, &b);
    price_rows_write(&w, rows->at, rows->count);
    return buf_finish(&b, out, err);
}

bool kept_model_put(struct store *store, const struct kept_model *row, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(2 * PRICE_ROWS_BYTES_MAX);
    struct prices prices = row->prices;
    struct str price_rows;
    const char *name;
    usd_micro *price;

    if (!price_rows_text(arena, &row->price_rows, &price_rows, err))
        return err_wrap(err, "prices of model \"" STR_FMT "\"", STR_ARG(row->name));
    struct value values[COLUMN_COUNT] = {
        V_TEXT(row->name),
        V_INT(row->added),
        V_TEXT(row->provider),
        V_TEXT(row->remote_name),
        V_TEXT(row->licence),
        V_TEXT(row->abilities),
        [16] = V_INT(row->output_tokens_max),
        V_INT(row->window),
        V_INT(row->in_flight),
        V_INT(row->zone),
        V_INT(row->lifecycle),
        V_TEXT(row->successor),
        V_INT(row->measured),
        V_INT(row->works),
        V_INT(row->measured_at),
        V_TEXT(row->measured_of),
        V_TEXT(price_rows),
        V_INT(row->cache),
    };
    for (size_t p = 0; (price = price_of_kind(&prices, p, &name)); p++)
        values[FIRST_PRICE + p] = V_INT(*price);
    const struct statement both[] = {
        {"DELETE FROM models WHERE name = ?1", values, 1},
        {"INSERT INTO models (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
         "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, "
         "?28)",
         values, COLUMN_COUNT},
    };

    return change_write(store, CHANGE_MODEL, row->name, both, ARRAY_LEN(both), NULL, err) ||
           err_wrap(err, "model \"" STR_FMT "\" could not be kept", STR_ARG(row->name));
}

bool kept_model_remove(struct store *store, struct str name, struct err *err)
{
    const struct value values[] = {V_TEXT(name)};
    const struct statement gone = {"DELETE FROM models WHERE name = ?1", values, 1};

    return change_write(store, CHANGE_MODEL, name, &gone, 1, NULL, err);
}

struct kept_model *kept_models_find(const struct kept_models *all, struct str name)
{
    for (size_t i = 0; i < all->count; i++)
        if (str_eq(all->at[i].name, name))
            return &all->at[i];
    return NULL;
}
