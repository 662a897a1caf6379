#include "models/price_rows.h"

#include <stdio.h>

usd_micro *price_of_kind(struct prices *p, size_t i, const char **name)
{
    const struct {
        const char *name;
        usd_micro *at;
    } all[] = {{"price_input_usd", &p->in},
               {"price_output_usd", &p->out},
               {"price_cached_usd", &p->cached},
               {"price_cache_write_usd", &p->cache_write},
               {"price_cache_write_long_usd", &p->cache_write_long},
               {"price_reasoning_usd", &p->reasoning},
               {"price_audio_input_usd", &p->audio_in},
               {"price_audio_output_usd", &p->audio_out},
               {"price_image_input_usd", &p->image_in},
               {"price_request_usd", &p->request}};

    if (i >= ARRAY_LEN(all))
        return NULL;
    *name = all[i].name;
    return all[i].at;
}

/* ---- reading ---- */

struct reading {
    struct arena *arena;
    const struct json *j;
    size_t row;
    struct price_rows_fault *where;
};

static bool wrong(struct reading *r, const char *field, struct err *err, const char *what)
{
    (void)snprintf(r->where->field, sizeof r->where->field, "[%zu]%s%s", r->row, *field ? "." : "",
                   field);
    return err_set(err, ERR_INVALID, "%s", what);
}

/* *out is "" where the row does not say it. */
static bool row_text(struct reading *r, json_ref row, const char *name, struct str *out,
                     struct err *err)
{
    json_ref v = json_get(r->j, row, str_from(name));

    *out = STR("");
    return !v || json_str(r->j, v, r->arena, out) || wrong(r, name, err, "expected a string");
}

/* Names without the comma that divides them in a row. */
static bool read_tenants(struct reading *r, json_ref row, struct str *out, struct err *err)
{
    json_ref list = json_get(r->j, row, STR("tenants"));
    struct str one = STR("");
    struct buf b;

    buf_init(&b, r->arena, 64 * KIB);
    for (json_ref v = json_first(r->j, list); v; v = json_next(r->j, v)) {
        if (!json_str(r->j, v, r->arena, &one) || str_trim(one).len == 0 ||
            str_find_char(one, ',') < one.len)
            return wrong(r, "tenants", err, "expected names of tenants");
        buf_fmt(&b, "%s" STR_FMT, b.len ? ", " : "", STR_ARG(str_trim(one)));
    }
    if (list && b.len == 0)
        return wrong(r, "tenants", err, "expected names of tenants; leave it out for all");
    return buf_finish(&b, out, err);
}

static bool read_price(struct reading *r, json_ref row, const char *name, usd_micro *out,
                       struct err *err)
{
    json_ref v = json_get(r->j, row, str_from(name));

    if (!v)
        return true;
    return (json_kind(r->j, v) == JSON_NUMBER && usd_parse(json_raw(r->j, v), out)) ||
           wrong(r, name, err, "expected US dollars such as 2.50, at most six decimals");
}

static bool read_row(struct reading *r, json_ref row, struct price_row *out, struct err *err)
{
    struct str hours, tokens;
    struct err why = {0};
    const char *name;
    usd_micro *price;

    *out = (struct price_row){.prices = PRICES_UNSAID};
    if (json_kind(r->j, row) != JSON_OBJECT)
        return wrong(r, "", err, "expected an object");
    if (!row_text(r, row, "hours", &hours, err) || !row_text(r, row, "prompt_tokens", &tokens, err))
        return false;
    if (!hours_parse(hours, &out->hours, &why))
        return wrong(r, "hours", err, why.text);
    if (!token_range_parse(tokens, &out->prompt, &why))
        return wrong(r, "prompt_tokens", err, why.text);
    for (size_t i = 0; (price = price_of_kind(&out->prices, i, &name)); i++)
        if (!read_price(r, row, name, price, err))
            return false;
    return read_tenants(r, row, &out->tenants, err);
}

bool price_rows_read(struct arena *arena, const struct json *j, json_ref list,
                     struct price_rows *out, struct price_rows_fault *where, struct err *err)
{
    struct reading r = {.arena = arena, .j = j, .where = where};
    size_t count = json_count(j, list);
    struct price_row *rows;

    where->field[0] = 0;
    if (count > PRICE_ROWS_MAX)
        return err_set(err, ERR_INVALID, "expected at most %d rows, found %zu", PRICE_ROWS_MAX,
                       count);
    rows = arena_array(arena, count + 1, sizeof *rows);
    if (!rows)
        return err_arena(err, arena);
    for (json_ref v = json_first(j, list); v; v = json_next(j, v), r.row++)
        if (!read_row(&r, v, &rows[r.row], err))
            return false;
    *out = (struct price_rows){rows, count};
    return true;
}

/* ---- writing ---- */

static void write_tenants(struct json_writer *w, struct str tenants)
{
    jw_key(w, "tenants");
    jw_array(w);
    for (struct str one; str_split(&tenants, ',', &one);)
        jw_str(w, str_trim(one));
    jw_array_end(w);
}

void price_row_write(struct json_writer *w, const struct price_row *row)
{
    struct prices prices = row->prices;
    const char *name;
    usd_micro *price;
    char text[64];
    struct buf b;

    jw_object(w);
    if (row->hours.from != row->hours.to) {
        buf_init_fixed(&b, text, sizeof text);
        hours_write(&b, row->hours);
        jw_key(w, "hours"), jw_str(w, buf_view(&b));
    }
    if (row->prompt.from || row->prompt.to) {
        buf_init_fixed(&b, text, sizeof text);
        token_range_write(&b, row->prompt);
        jw_key(w, "prompt_tokens"), jw_str(w, buf_view(&b));
    }
    if (row->tenants.len)
        write_tenants(w, row->tenants);
    for (size_t i = 0; (price = price_of_kind(&prices, i, &name)); i++)
        if (*price >= 0)
            jw_key(w, name), jw_usd(w, *price);
    jw_object_end(w);
}

void price_rows_write(struct json_writer *w, const struct price_row *rows, size_t count)
{
    jw_array(w);
    for (size_t i = 0; i < count; i++)
        price_row_write(w, &rows[i]);
    jw_array_end(w);
}

bool price_rows_copy(struct arena *arena, const struct price_rows *rows, struct price_rows *out,
                     struct err *err)
{
    struct price_row *copy = arena_array(arena, rows->count + 1, sizeof *copy);

    if (!copy)
        return err_arena(err, arena);
    for (size_t i = 0; i < rows->count; i++) {
        copy[i] = rows->at[i];
        copy[i].tenants = arena_str(arena, rows->at[i].tenants);
        if (!copy[i].tenants.ptr)
            return err_arena(err, arena);
    }
    *out = (struct price_rows){copy, rows->count};
    return true;
}
