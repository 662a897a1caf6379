/* Rows written as in the settings, on the command line or in a file, as fields of a body: the settings' tables
 * name and type them, and the endpoint checks their values. */
#include <stdio.h>
#include <string.h>

#include "app/cli.h"
#include "app/settings_internal.h"
#include "app/yaml.h"
#include "sys/file.h"

#define ROW_BYTES_MAX (64 * KIB)

/* Whose row is read: a section of the settings, in this file or option. */
struct source {
    struct cli *cli;
    const char *where;   /* "rows.yaml", "--price-row" */
    const char *section; /* "models" */
    struct str word;     /* what the row is about: "name" and "model" in it must be that */
};

static bool wrong(const struct source *from, const struct yaml *at, struct err *err,
                  const char *what)
{
    return err_set(err, ERR_INVALID, "%s, line %d, column %d: %s%s" STR_FMT "%s%s", from->where,
                   at->key_line ? at->key_line : at->line,
                   at->key_line ? at->key_column : at->column, at->key.len ? "\"" : "", "",
                   STR_ARG(str_slice(at->key, 0, 60)), at->key.len ? "\" " : "", what);
}

static const struct setting *find_setting(const char *section, struct str name)
{
    for (size_t s = 0; s < settings_section_count; s++)
        for (size_t i = 0; i < settings_sections[s].count; i++)
            if (strcmp(settings_sections[s].name, section) == 0 &&
                str_eq(str_from(settings_sections[s].rows[i].name), name))
                return &settings_sections[s].rows[i];
    return NULL;
}

/* What /api/v1 calls it: units stand last there. */
static struct str field_of(const struct cli *cli, const struct setting *row)
{
    if (strcmp(row->name, "in_flight") == 0)
        return STR("in_flight_max");
    if (row->type == SET_USD)
        return arena_fmt(cli->arena, "%s_usd", row->name);
    return str_from(row->name);
}

static bool put_words(const struct source *from, const struct yaml *value, struct json_writer *w,
                      struct err *err)
{
    struct str rest = value->text, one;

    jw_array(w);
    if (value->kind == YAML_SCALAR)
        while (str_split(&rest, ',', &one))
            if (str_trim(one).len)
                jw_str(w, str_trim(one));
    for (const struct yaml *v = value->first; v; v = v->next) {
        if (v->kind != YAML_SCALAR)
            return wrong(from, v, err, "expected a list of single values");
        jw_str(w, v->text);
    }
    jw_array_end(w);
    return true;
}

static bool put_value(const struct source *from, const struct setting *row,
                      const struct yaml *value, struct json_writer *w, struct err *err)
{
    struct str text = value->text;
    uint64_t n;
    usd_micro usd;

    jw_key_str(w, field_of(from->cli, row));
    if (row->type == SET_WORDS)
        return put_words(from, value, w, err);
    if (value->kind != YAML_SCALAR)
        return wrong(from, value, err, "expected a single value");
    if (row->type == SET_USD && usd_parse(text, &usd))
        jw_usd(w, usd);
    else if (row->type == SET_COUNT && u64_parse(text, &n))
        jw_u64(w, n);
    else
        jw_str(w, text); /* of the wrong kind: the endpoint names what it expects */
    return true;
}

/* One field has one place: which of two would win is nothing to guess. */
static bool is_option(const struct cli *cli, struct str field)
{
    for (int i = 0; i < cli->given_count; i++)
        if (cli->given[i].option->kind != CLI_FILE && cli->given[i].option->field &&
            str_eq(str_from(cli->given[i].option->field), field))
            return true;
    return false;
}

/* "name" of a model and "model" of a price: the command has said it. */
static bool says_whose(const struct source *from, const struct yaml *value, struct err *err)
{
    return str_eq(value->text, from->word) ||
           wrong(from, value, err, "is not the model that the command names");
}

static bool put_prices(const struct source *from, const struct yaml *list, struct json_writer *w,
                       struct err *err);

static bool put_members(const struct source *from, const struct yaml *map, struct json_writer *w,
                        struct err *err)
{
    bool is_model = strcmp(from->section, "models") == 0;
    struct str field;

    if (map->kind != YAML_MAP)
        return wrong(from, map, err, "expected a map, \"field: value\"");
    for (const struct yaml *at = map->first; at; at = at->next) {
        const struct setting *row = find_setting(from->section, at->key);

        field = row ? field_of(from->cli, row) : at->key;
        if (is_model && is_option(from->cli, field))
            return wrong(from, at, err, "stands here and as an option");
        if (str_eq(at->key, is_model ? STR("name") : STR("model"))) {
            if (!says_whose(from, at, err))
                return false;
        } else if (is_model && str_eq(at->key, STR("prices"))) {
            if (!put_prices(from, at, w, err))
                return false;
        } else if (!row)
            return wrong(from, at, err, "is no such field: docs/configuration.md lists them");
        else if (!put_value(from, row, at, w, err))
            return false;
    }
    return true;
}

static bool put_prices(const struct source *from, const struct yaml *list, struct json_writer *w,
                       struct err *err)
{
    const struct source row = {from->cli, from->where, "prices", from->word};

    if (list->kind != YAML_LIST)
        return wrong(from, list, err, "expected a list of rows");
    jw_key(w, "prices");
    jw_array(w);
    for (const struct yaml *at = list->first; at; at = at->next) {
        jw_object(w);
        if (!put_members(&row, at, w, err))
            return false;
        jw_object_end(w);
    }
    jw_array_end(w);
    return true;
}

/* ---- where they come from ---- */

static bool read_input(struct cli *cli, struct str *out, struct err *err)
{
    char *bytes = arena_alloc(cli->arena, YAML_BYTES_MAX + 1);
    size_t len;

    if (!bytes)
        return err_arena(err, cli->arena);
    len = fread(bytes, 1, YAML_BYTES_MAX + 1, stdin);
    if (ferror(stdin))
        return err_set(err, ERR_UNAVAILABLE, "standard input could not be read");
    if (len > YAML_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "more than %zu bytes on standard input",
                       (size_t)YAML_BYTES_MAX);
    *out = (struct str){bytes, len};
    return true;
}

static bool parse(struct source *from, struct str text, struct yaml **out, struct err *err)
{
    if (!yaml_parse(from->cli->arena, text, out, err))
        return err_wrap(err, "%s", from->where);
    return *out || err_set(err, ERR_INVALID, "%s says nothing", from->where);
}

static bool put_file(struct source *from, const char *path, struct json_writer *w, struct err *err)
{
    struct yaml *map;
    struct str text;

    from->where = strcmp(path, "-") == 0 ? "standard input" : path;
    if (strcmp(path, "-") == 0 ? !read_input(from->cli, &text, err)
                               : !file_load(from->cli->arena, path, YAML_BYTES_MAX, &text, err))
        return false;
    if (!parse(from, text, &map, err))
        return false;
    return put_members(from, map, w, err);
}

/* All options of this name are one list; it stands where the first of them does. */
static bool put_rows(struct source *from, const struct cli_option *option, struct json_writer *w,
                     struct err *err)
{
    const struct cli *cli = from->cli;
    struct yaml *map;

    from->where = option->name;
    jw_key(w, option->field);
    jw_array(w);
    for (int i = 0; i < cli->given_count; i++) {
        if (cli->given[i].option != option)
            continue;
        jw_object(w);
        if (!parse(from, str_from(cli->given[i].value), &map, err) ||
            !put_members(from, map, w, err))
            return false;
        jw_object_end(w);
    }
    jw_array_end(w);
    return true;
}

static bool is_first(const struct cli *cli, int at)
{
    for (int i = 0; i < at; i++)
        if (cli->given[i].option == cli->given[at].option)
            return false;
    return true;
}

bool cli_put_rows(struct cli *cli, struct str word, struct json_writer *w, struct err *err)
{
    for (int i = 0; i < cli->given_count; i++) {
        const struct cli_option *option = cli->given[i].option;
        struct source from = {.cli = cli, .section = option->field, .word = word};

        if (option->kind == CLI_FILE && !put_file(&from, cli->given[i].value, w, err))
            return false;
        if (option->kind == CLI_ROW && is_first(cli, i) && !put_rows(&from, option, w, err))
            return false;
    }
    return true;
}
