#include <string.h>

#include "app/settings_internal.h"
#include "base/json.h"

static void print_duration(struct buf *out, dur_ns d)
{
    static const struct {
        dur_ns unit;
        const char *name;
    } units[] = {{86400 * SECOND, "d"}, {3600 * SECOND, "h"}, {60 * SECOND, "m"},
                 {SECOND, "s"},         {MILLISECOND, "ms"},  {MICROSECOND, "us"}};

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (d >= units[i].unit && d % units[i].unit == 0) {
            buf_fmt(out, "%" PRId64 "%s", d / units[i].unit, units[i].name);
            return;
        }
    buf_fmt(out, "%" PRId64 "%s", d, d ? "ns" : "s");
}

static void print_bytes(struct buf *out, int64_t n)
{
    static const char *const names[] = {"TiB", "GiB", "MiB", "KiB"};

    for (int i = 0; i < 4; i++) {
        int64_t unit = (int64_t)1 << (10 * (4 - i));

        if (n >= unit && n % unit == 0) {
            buf_fmt(out, "%" PRId64 "%s", n / unit, names[i]);
            return;
        }
    }
    buf_i64(out, n);
}

static void print_usd(struct buf *out, usd_micro n)
{
    char text[32];
    struct buf b;

    if (n < 0)
        return;
    buf_init_fixed(&b, text, sizeof text);
    buf_fmt(&b, "%" PRId64 ".%06" PRId64, n / 1000000, n % 1000000);
    struct str s = buf_view(&b);
    while (str_ends(s, STR("0")))
        s.len--;
    if (str_ends(s, STR(".")))
        s.len--;
    buf_str(out, s);
}

static void print_number(const struct setting *row, struct buf *out, int64_t n)
{
    switch (row->type) {
    case SET_BYTES: print_bytes(out, n); break;
    case SET_DURATION: print_duration(out, n); break;
    case SET_PERCENT:
    case SET_USD: print_usd(out, n); break;
    case SET_COUNT:
    case SET_TEXT:
    case SET_NAME:
    case SET_ADDRESS:
    case SET_URL:
    case SET_PATH:
    case SET_WORDS:
    case SET_BOOL:
    case SET_CHOICE:
    case SET_SECRET: buf_i64(out, n); break;
    }
}

static struct str choice_name(const struct setting *row, int index)
{
    struct str rest = str_from(row->choices), choice = STR("");

    for (int i = 0; i <= index && str_split(&rest, '|', &choice); i++)
        ;
    return choice;
}

void setting_print(const struct setting *row, const void *base, struct buf *out)
{
    const void *at = (const char *)base + row->offset;

    switch (row->type) {
    case SET_TEXT:
    case SET_NAME:
    case SET_ADDRESS:
    case SET_URL:
    case SET_WORDS:
    case SET_PATH: buf_str(out, *(const struct str *)at); break;
    case SET_COUNT:
    case SET_BYTES:
    case SET_DURATION:
    case SET_PERCENT:
    case SET_USD: print_number(row, out, *(const int64_t *)at); break;
    case SET_BOOL: buf_str(out, *(const bool *)at ? STR("true") : STR("false")); break;
    case SET_CHOICE: buf_str(out, choice_name(row, *(const int *)at)); break;
    case SET_SECRET: buf_str(out, secret_is_empty(at) ? STR("") : STR("(set)")); break;
    }
}

static const char *type_words(enum setting_type type)
{
    switch (type) {
    case SET_TEXT: return "a text";
    case SET_NAME: return "a name (letters, digits and ._-/:@+)";
    case SET_ADDRESS: return "an address such as 127.0.0.1:8080, [::1]:8080 or unix:/path";
    case SET_URL: return "a URL such as https://host/v1";
    case SET_PATH: return "a path";
    case SET_WORDS: return "words such as one, two or a list of them";
    case SET_COUNT: return "a whole number";
    case SET_BYTES: return "a size such as 64KiB";
    case SET_DURATION: return "a duration such as 10s";
    case SET_BOOL: return "true or false";
    case SET_USD: return "US dollars such as 0.15";
    case SET_PERCENT: return "percent such as 0.5";
    case SET_CHOICE: return "one of ";
    case SET_SECRET: return "env:NAME or file:PATH";
    }
    return "";
}

const char *setting_expects(const struct setting *row, char out[160])
{
    struct buf b;

    buf_init_fixed(&b, out, 159);
    buf_str(&b, str_from(type_words(row->type)));
    if (row->choices && row->type != SET_WORDS)
        buf_str(&b, str_from(row->choices));
    if (row->max > 0) {
        buf_str(&b, STR(" from "));
        print_number(row, &b, row->min);
        buf_str(&b, STR(" to "));
        print_number(row, &b, row->max);
    }
    out[b.len] = 0;
    return out;
}

/* ---- weir config show ---- */

static const struct setting_origin *origin_of(const struct settings *s, struct str path)
{
    for (size_t i = s->origin_count; i > 0; i--)
        if (str_eq(s->origins[i - 1].path, path))
            return &s->origins[i - 1];
    return NULL;
}

static bool is_text(const struct setting *row)
{
    return row->type == SET_TEXT || row->type == SET_NAME || row->type == SET_ADDRESS ||
           row->type == SET_URL || row->type == SET_WORDS || row->type == SET_PATH;
}

static void show_row(const struct settings *s, const struct setting *row, const void *base,
                     struct str path, struct json_writer *w, struct buf *out)
{
    char text[100]; /* of what is no text; a text may be as long as a list of addresses */
    struct buf b;
    const struct setting_origin *origin = origin_of(s, path);
    struct str value;

    buf_init_fixed(&b, text, sizeof text);
    if (row->type == SET_SECRET && origin)
        value = origin->shown;
    else if (is_text(row))
        value = *(const struct str *)(const void *)((const char *)base + row->offset);
    else
        setting_print(row, base, &b), value = buf_view(&b);
    struct str source = origin ? origin->source : STR("default");
    if (w) {
        jw_key_str(w, path);
        jw_object(w);
        jw_key(w, "value"), jw_str(w, value);
        jw_key(w, "source"), jw_str(w, source);
        jw_object_end(w);
    } else {
        buf_fmt(out, "%-34.*s %-26.*s # " STR_FMT "\n", STR_ARG(path), STR_ARG(value),
                STR_ARG(source));
    }
}

/* Of a list its first item, else all. */
static const char *first_of(const struct settings *s, const struct section *section)
{
    const char *base = (const char *)s;

    return section->item_size ? *(const char *const *)(const void *)(base + section->items_offset)
                              : base;
}

static void show_section(const struct settings *s, const struct section *section,
                         struct json_writer *w, struct buf *out)
{
    size_t items = settings_items(s, section);
    const char *first = first_of(s, section);

    for (size_t item = 0; item < items; item++)
        for (size_t i = 0; i < section->count; i++) {
            char text[160];
            struct buf path;

            buf_init_fixed(&path, text, sizeof text);
            if (section->item_size)
                buf_fmt(&path, "%s.%zu.%s", section->name, item, section->rows[i].name);
            else
                buf_fmt(&path, "%s.%s", section->name, section->rows[i].name);
            show_row(s, &section->rows[i], first + item * section->item_size, buf_view(&path), w,
                     out);
        }
}

void settings_show(const struct settings *settings, bool json, struct buf *out)
{
    struct json_writer w;

    jw_init(&w, out);
    if (json)
        jw_object(&w);
    for (size_t i = 0; i < settings_section_count; i++)
        show_section(settings, &settings_sections[i], json ? &w : NULL, out);
    if (json)
        jw_object_end(&w);
}

/* ---- weir config schema ---- */

static void schema_row(const struct setting *row, struct json_writer *w)
{
    char want[160];
    bool number = row->type == SET_COUNT || row->type == SET_USD || row->type == SET_PERCENT;

    jw_key(w, row->name);
    jw_object(w);
    jw_key(w, "description"), jw_cstr(w, row->help);
    jw_key(w, "type");
    if (row->type == SET_BYTES || number) {
        jw_array(w);
        jw_cstr(w, "string"), jw_cstr(w, "number");
        jw_array_end(w);
    } else if (row->type == SET_WORDS) {
        jw_array(w);
        jw_cstr(w, "string"), jw_cstr(w, "array");
        jw_array_end(w);
    } else {
        jw_cstr(w, row->type == SET_BOOL ? "boolean" : "string");
    }
    if (row->type == SET_CHOICE) {
        jw_key(w, "enum");
        jw_array(w);
        for (struct str rest = str_from(row->choices), choice; str_split(&rest, '|', &choice);)
            jw_str(w, choice);
        jw_array_end(w);
    }
    if (row->fallback) {
        jw_key(w, "default");
        if (row->type == SET_BOOL || (row->type == SET_COUNT))
            jw_raw(w, str_from(row->fallback));
        else
            jw_cstr(w, row->fallback);
    }
    jw_key(w, "x-expects"), jw_cstr(w, setting_expects(row, want));
    jw_key(w, "x-restart"), jw_bool(w, row->restart);
    jw_object_end(w);
}

static void schema_rows(const struct section *section, struct json_writer *w)
{
    jw_key(w, "type"), jw_cstr(w, "object");
    jw_key(w, "additionalProperties"), jw_bool(w, false);
    jw_key(w, "properties");
    jw_object(w);
    for (size_t i = 0; i < section->count; i++)
        schema_row(&section->rows[i], w);
    jw_object_end(w);
    jw_key(w, "required");
    jw_array(w);
    for (size_t i = 0; i < section->count; i++)
        if (!section->rows[i].fallback)
            jw_cstr(w, section->rows[i].name);
    jw_array_end(w);
}

static void schema_section(const struct section *section, struct json_writer *w)
{
    jw_key(w, section->name);
    jw_object(w);
    jw_key(w, "description"), jw_cstr(w, section->help);
    if (section->item_size) {
        jw_key(w, "type"), jw_cstr(w, "array");
        jw_key(w, "maxItems"), jw_u64(w, section->items_max);
        jw_key(w, "items");
        jw_object(w);
        schema_rows(section, w);
        jw_object_end(w);
    } else {
        schema_rows(section, w);
    }
    jw_object_end(w);
}

void settings_schema(struct buf *out)
{
    struct json_writer w;

    jw_init(&w, out);
    jw_object(&w);
    jw_key(&w, "$schema"), jw_cstr(&w, "https://json-schema.org/draft/2020-12/schema");
    jw_key(&w, "title"), jw_cstr(&w, "weir.yaml");
    jw_key(&w, "type"), jw_cstr(&w, "object");
    jw_key(&w, "additionalProperties"), jw_bool(&w, false);
    jw_key(&w, "properties");
    jw_object(&w);
    for (size_t i = 0; i < settings_section_count; i++)
        schema_section(&settings_sections[i], &w);
    jw_object_end(&w);
    jw_object_end(&w);
}

/* ---- docs/configuration.md ---- */

static void docs_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_char(out, '\\');
        buf_char(out, *text);
    }
}

static void docs_row(const struct setting *row, struct buf *out)
{
    char want[160];

    buf_fmt(out, "| `%s` | ", row->name);
    if (!row->fallback)
        buf_str(out, STR("*must be given*"));
    else if (*row->fallback)
        buf_fmt(out, "`%s`", row->fallback);
    else
        buf_str(out, STR("empty"));
    buf_str(out, STR(" | "));
    docs_cell(out, setting_expects(row, want));
    buf_str(out, STR(" | "));
    docs_cell(out, row->help);
    buf_str(out, row->restart ? STR(" *Restart.* |\n") : STR(" |\n"));
}

void settings_docs(struct buf *out)
{
    buf_str(out, STR("# Configuration\n\n"
                     "Made by `weir config docs` from the table in `src/app/settings_table.c`; a "
                     "test keeps it so.\n\n"
                     "Settings come from `weir.yaml` in the working directory (or `--config FILE`, "
                     "or `WEIR_CONFIG`), and over\n"
                     "it from the environment: `server.listen` is `WEIR_SERVER_LISTEN`, the first "
                     "provider's `url` is\n"
                     "`WEIR_PROVIDERS_0_URL`. A secret never stands in the file: write `env:NAME` "
                     "or `file:PATH`.\n\n"
                     "`weir config check` reads everything and names each mistake by file, line, "
                     "column and field;\n"
                     "`weir config show` prints what is in force and where each value came from; "
                     "`weir config schema` is a JSON\n"
                     "Schema for editors. A changed file is taken over within seconds or at "
                     "`SIGHUP`, and nothing in progress is\n"
                     "dropped; a bad file is refused whole and the old settings stay. What is "
                     "marked *Restart* waits for one,\n"
                     "and Weir says so.\n"));
    for (size_t i = 0; i < settings_section_count; i++) {
        const struct section *section = &settings_sections[i];

        buf_fmt(out,
                "\n## `%s`\n\n%s\n\n| name | default | expects | meaning |\n| --- | --- | --- | "
                "--- |\n",
                section->name, section->help);
        for (size_t j = 0; j < section->count; j++)
            docs_row(&section->rows[j], out);
    }
}

/* ---- what waits for a restart ---- */

static bool is_same(const struct setting *row, const void *a, const void *b)
{
    const char *was = (const char *)a + row->offset, *is = (const char *)b + row->offset;

    switch (row->type) {
    case SET_TEXT:
    case SET_NAME:
    case SET_ADDRESS:
    case SET_URL:
    case SET_WORDS:
    case SET_PATH:
        return str_eq(*(const struct str *)(const void *)was,
                      *(const struct str *)(const void *)is);
    case SET_COUNT:
    case SET_BYTES:
    case SET_DURATION:
    case SET_PERCENT:
    case SET_USD: return *(const int64_t *)(const void *)was == *(const int64_t *)(const void *)is;
    case SET_BOOL: return *(const bool *)(const void *)was == *(const bool *)(const void *)is;
    case SET_CHOICE: return *(const int *)(const void *)was == *(const int *)(const void *)is;
    case SET_SECRET:
        return secret_equal((const struct secret *)(const void *)was,
                            (const struct secret *)(const void *)is);
    }
    return true;
}

/* What there is no room for is told to be missing, and once. */
static void tell(struct buf *out, const char *path)
{
    static const struct str more = {", ...", 5};

    if (str_ends(buf_view(out), more))
        return;
    if (out->max - out->len < strlen(path) + 2 * more.len)
        buf_str(out, more);
    else
        buf_fmt(out, "%s%s", out->len ? ", " : "", path);
}

static void tell_rows(const struct section *section, long item, const void *was, const void *is,
                      struct buf *out)
{
    char path[SETTING_PATH_MAX];

    for (size_t i = 0; i < section->count; i++) {
        const struct setting *row = &section->rows[i];

        if (!row->restart || is_same(row, was, is))
            continue;
        setting_path(path, section, item, str_from(row->name));
        tell(out, path);
    }
}

/* Rows that came or went move those behind them: then the list is told, by its name. */
static void tell_list(const struct section *section, const struct settings *old,
                      const struct settings *new, struct buf *out)
{
    size_t count = settings_items(old, section);
    const char *was = first_of(old, section), *is = first_of(new, section);

    if (count != settings_items(new, section)) {
        if (section->rows[0].restart)
            tell(out, section->name);
        return;
    }
    for (size_t i = 0; i < count; i++)
        tell_rows(section, (long)i, was + i * section->item_size, is + i * section->item_size, out);
}

void settings_need_restart(const struct settings *old, const struct settings *new, struct buf *out)
{
    for (size_t i = 0; i < settings_section_count; i++) {
        const struct section *section = &settings_sections[i];

        if (section->item_size)
            tell_list(section, old, new, out);
        else
            tell_rows(section, -1, old, new, out);
    }
}
