#include "app/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/settings_internal.h"
#include "app/yaml.h"
#include "base/log.h"
#include "net/http_client.h"
#include "sys/file.h"
#include "sys/sock.h"

#define SETTINGS_MEMORY (64 * MIB)
#define ENV_NAME_MAX    SETTING_PATH_MAX

static void note(struct settings_problems *p, bool warning, struct str text)
{
    if (!text.ptr)
        return;
    if (warning && p->warning_count < SETTINGS_PROBLEMS_MAX)
        p->warnings[p->warning_count++] = text;
    else if (!warning && p->count < SETTINGS_PROBLEMS_MAX)
        p->at[p->count++] = text;
    else
        p->beyond++;
}

/* Where a value stands: a position in the file, or the name of a variable. */
struct place {
    const struct yaml *yaml; /* or NULL */
    bool at_key;
    const char *variable;
};

static struct str place_text(struct reading *r, struct place at)
{
    if (at.variable)
        return arena_fmt(r->problems->arena, "%s", at.variable);
    if (!at.yaml)
        return arena_fmt(r->problems->arena, "%s", r->file);
    return arena_fmt(r->problems->arena, "%s:%d:%d", r->file,
                     at.at_key ? at.yaml->key_line : at.yaml->line,
                     at.at_key ? at.yaml->key_column : at.yaml->column);
}

static const struct setting_origin *origin_below(const struct settings *s, struct str path)
{
    for (size_t i = 0; s && i < s->origin_count; i++)
        if (str_starts(s->origins[i].path, path))
            return &s->origins[i];
    return NULL;
}

/* Of what was read well and does not fit together: where it stands, or what it holds, or its neighbours. */
static struct str place_of(struct reading *r, struct str path)
{
    const struct settings *s = r->settings;
    const struct setting_origin *near;

    for (size_t i = s ? s->origin_count : 0; i > 0; i--)
        if (str_eq(s->origins[i - 1].path, path))
            return s->origins[i - 1].where;
    near = path.len > 0 ? origin_below(s, arena_fmt(r->problems->arena, STR_FMT ".", STR_ARG(path)))
                        : NULL;
    while (path.len > 0 && path.ptr[path.len - 1] != '.')
        path.len--;
    if (!near && path.len > 0)
        near = origin_below(s, path);
    return near ? near->where : place_text(r, (struct place){0});
}

static void problem(struct reading *r, struct place at, const char *path, const char *what)
{
    struct str where = at.yaml || at.variable ? place_text(r, at) : place_of(r, str_from(path));

    r->failed = true;
    if (r->wrong_count < SETTINGS_PROBLEMS_MAX)
        r->wrong[r->wrong_count++] = arena_str(r->problems->arena, str_from(path));
    note(r->problems, false,
         arena_fmt(r->problems->arena, STR_FMT ": %s%s%s", STR_ARG(where), path, *path ? ": " : "",
                   what));
}

void settings_wrong(struct reading *r, const char *path, const char *what)
{
    problem(r, (struct place){0}, path, what);
}

void settings_doubtful(struct reading *r, const char *path, const char *what)
{
    note(r->problems, true,
         arena_fmt(r->problems->arena, STR_FMT ": %s: %s", STR_ARG(place_of(r, str_from(path))),
                   path, what));
}

static void keep_origin(struct reading *r, const char *path, struct place from,
                        const struct setting *row, struct str text)
{
    struct settings *s = r->settings;

    if (s->origin_count == r->origins_max) {
        size_t more = r->origins_max ? r->origins_max * 2 : 64;
        void *grown = arena_grow(s->arena, s->origins, s->origin_count * sizeof *s->origins,
                                 more * sizeof *s->origins);

        if (!grown)
            return;
        s->origins = grown;
        r->origins_max = more;
    }
    struct str source =
        from.variable ? arena_fmt(s->arena, "%s", from.variable)
                      : arena_fmt(s->arena, "%s:%d", r->file, from.yaml ? from.yaml->line : 0);
    s->origins[s->origin_count++] = (struct setting_origin){
        .path = arena_fmt(s->arena, "%s", path),
        .source = source,
        .where = arena_str(s->arena, place_text(r, from)),
        .shown = row->type == SET_SECRET ? arena_str(s->arena, text) : STR(""),
    };
}

static void read_row(struct reading *r, const struct setting *row, void *base, const char *path,
                     struct place from, struct str text)
{
    struct err err = {0};

    if (!settings_set_value(r, row, base, text, &err))
        problem(r, from, path, err.text);
    else
        keep_origin(r, path, from, row, text);
}

static void set_defaults(struct reading *r, const struct section *section, void *base)
{
    for (size_t i = 0; i < section->count; i++) {
        struct err err = {0};
        bool ok = !section->rows[i].fallback ||
                  settings_set_value(r, &section->rows[i], base,
                                     str_from(section->rows[i].fallback), &err);
        ASSERT(ok);
    }
}

/* ---- names that are not ours ---- */

/* Levenshtein distance, small strings; anything long is far. */
static size_t distance(struct str a, struct str b)
{
    size_t row[64];

    if (a.len >= ARRAY_LEN(row) || b.len >= ARRAY_LEN(row))
        return 99;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);

            diagonal = row[j];
            row[j] = MIN_OF(change, MIN_OF(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.len];
}

/* "input_price" and "price_input". */
static bool same_words(struct str a, struct str b)
{
    struct str word, other;
    bool same = a.len == b.len;

    for (struct str rest = a; same && str_split(&rest, '_', &word);) {
        same = false;
        for (struct str those = b; !same && str_split(&those, '_', &other);)
            same = str_eq(word, other);
    }
    return same;
}

static void consider(struct str wrong, const char *name, size_t *best, const char **out)
{
    size_t d = same_words(wrong, str_from(name)) ? 0 : distance(wrong, str_from(name));

    if (d < *best) {
        *best = d;
        *out = name;
    }
}

static void unknown(struct reading *r, struct place at, const char *path, const char *near)
{
    char text[200];
    struct buf b;

    buf_init_fixed(&b, text, sizeof text - 1);
    buf_str(&b, STR("unknown setting"));
    if (near)
        buf_fmt(&b, "; did you mean \"%s\"?", near);
    else
        buf_str(&b, STR("; `weir config schema` lists them all"));
    text[b.len] = 0;
    problem(r, at, path, text);
}

static const struct setting *find_row(const struct section *section, struct str name,
                                      const char **near)
{
    size_t best = 4;

    for (size_t i = 0; i < section->count; i++) {
        if (str_eq(name, str_from(section->rows[i].name)))
            return &section->rows[i];
        consider(name, section->rows[i].name, &best, near);
    }
    return NULL;
}

/* ---- the file ---- */

void setting_path(char out[SETTING_PATH_MAX], const struct section *section, long item,
                  struct str name)
{
    struct buf b;

    buf_init_fixed(&b, out, SETTING_PATH_MAX - 1);
    buf_str(&b, str_from(section->name));
    if (item >= 0)
        buf_fmt(&b, ".%ld", item);
    if (name.len > 0)
        buf_fmt(&b, "." STR_FMT, STR_ARG(str_slice(name, 0, 60)));
    out[b.len] = 0;
}

/* It would be taken for two: words are told apart by commas, patterns of names by blanks too. Groups of candidates are
 * lists themselves. */
static const char *is_several(const struct setting *row, struct str word)
{
    bool pattern = strcmp(row->name, "include") == 0 || strcmp(row->name, "exclude") == 0;

    if (row->choices || word.len == 0)
        return NULL;
    if (!pattern)
        return memchr(word.ptr, ',', word.len) ? "a word of a list cannot hold a comma" : NULL;
    if (memchr(word.ptr, ',', word.len) || memchr(word.ptr, ' ', word.len))
        return "a pattern cannot hold a comma or a blank: ? stands for either";
    return NULL;
}

/* [one, two] is "one, two"; groups of candidates are joined by what the row says. */
static void read_words(struct reading *r, const struct setting *row, void *base, const char *path,
                       const struct yaml *list)
{
    struct str joiner = str_from(row->choices ? row->choices : ", "), text;
    struct err err = {0};
    struct buf b;

    buf_init(&b, r->settings->arena, 64 * KIB);
    for (const struct yaml *at = list->first; at; at = at->next) {
        if (at->kind != YAML_SCALAR) {
            problem(r, (struct place){.yaml = at}, path, "expected a list of single values");
            return;
        }
        const char *why = is_several(row, str_trim(at->text));
        if (why) {
            problem(r, (struct place){.yaml = at}, path, why);
            return;
        }
        buf_str(&b, at == list->first ? STR("") : joiner);
        buf_str(&b, at->text);
    }
    if (!buf_finish(&b, &text, &err))
        problem(r, (struct place){.yaml = list}, path, err.text);
    else
        read_row(r, row, base, path, (struct place){.yaml = list}, text);
}

static void read_members(struct reading *r, const struct section *section, const struct yaml *map,
                         void *base, long item)
{
    char path[SETTING_PATH_MAX];

    for (const struct yaml *at = map->first; at; at = at->next) {
        const char *near = NULL;
        const struct setting *row = find_row(section, at->key, &near);
        struct place key = {.yaml = at, .at_key = true};

        setting_path(path, section, item, at->key);
        if (!row) {
            unknown(r, key, path, near);
        } else if (row->type == SET_WORDS && at->kind == YAML_LIST) {
            read_words(r, row, base, path, at);
        } else if (at->kind != YAML_SCALAR) {
            char want[160], text[240];
            struct buf b;

            buf_init_fixed(&b, text, sizeof text - 1);
            buf_fmt(&b, "expected %s, found %s", setting_expects(row, want),
                    yaml_kind_name(at->kind));
            text[b.len] = 0;
            problem(r, (struct place){.yaml = at}, path, text);
        } else {
            read_row(r, row, base, path, (struct place){.yaml = at}, at->text);
        }
    }
}

static void *items_reserve(struct reading *r, const struct section *section, size_t count)
{
    char *base = (char *)r->settings;
    void **items = (void **)(void *)(base + section->items_offset);
    size_t *have = (size_t *)(void *)(base + section->items_count_offset);

    if (count > *have) {
        char *grown = arena_array(r->settings->arena, count, section->item_size);

        if (!grown)
            return NULL;
        if (*have > 0)
            memcpy(grown, *items, *have * section->item_size);
        for (size_t i = *have; i < count; i++)
            set_defaults(r, section, grown + i * section->item_size);
        *items = grown;
        *have = count;
    }
    return *items;
}

static void read_items(struct reading *r, const struct section *section, const struct yaml *list)
{
    size_t count = 0, i = 0;

    for (const struct yaml *at = list->first; at; at = at->next)
        count++;
    if (count > section->items_max) {
        problem(r, (struct place){.yaml = list}, section->name,
                "more entries than a list may have");
        return;
    }
    char *items = items_reserve(r, section, count);

    for (const struct yaml *at = list->first; at && items; at = at->next, i++) {
        char path[SETTING_PATH_MAX];

        setting_path(path, section, (long)i, STR_NONE);
        if (at->kind != YAML_MAP)
            problem(r, (struct place){.yaml = at}, path, "expected a map with name: and the rest");
        else
            read_members(r, section, at, items + i * section->item_size, (long)i);
    }
}

static void read_section(struct reading *r, const struct yaml *at)
{
    const char *near = NULL;
    size_t best = 4;
    struct place key = {.yaml = at, .at_key = true};

    for (size_t i = 0; i < settings_section_count; i++) {
        const struct section *section = &settings_sections[i];

        if (!str_eq(at->key, str_from(section->name))) {
            consider(at->key, section->name, &best, &near);
            continue;
        }
        bool is_list = section->item_size > 0;

        if (at->kind == YAML_SCALAR && at->text.len == 0)
            return; /* "server:" with nothing below */
        if (at->kind != (is_list ? YAML_LIST : YAML_MAP))
            problem(r, key, section->name,
                    is_list ? "expected a list: lines that begin with \"- name:\""
                            : "expected a map: indented lines \"name: value\"");
        else if (is_list)
            read_items(r, section, at);
        else
            read_members(r, section, at, r->settings, -1);
        return;
    }
    struct str name = arena_str(r->problems->arena, str_slice(at->key, 0, 60));
    unknown(r, key, name.ptr ? name.ptr : "", near);
}

static void read_file_text(struct reading *r, struct str text)
{
    struct yaml *root = NULL;
    struct err err = {0};

    if (!yaml_parse(r->settings->arena, text, &root, &err)) {
        r->failed = r->unreadable = true;
        note(r->problems, false, arena_fmt(r->problems->arena, "%s:%s", r->file, err.text));
        return;
    }
    if (root && root->kind != YAML_MAP) {
        r->unreadable = true;
        problem(r, (struct place){.yaml = root}, "",
                "expected sections such as \"server:\", found something else");
        return;
    }
    for (const struct yaml *at = root ? root->first : NULL; at; at = at->next)
        read_section(r, at);
}

/* ---- the environment ---- */

static void upper(char *text)
{
    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
        if (*text == '.')
            *text = '_';
    }
}

static void variable_name(char out[ENV_NAME_MAX + 8], const struct section *section, long item,
                          const char *row)
{
    char path[SETTING_PATH_MAX];
    struct buf b;

    setting_path(path, section, item, str_from(row));
    buf_init_fixed(&b, out, ENV_NAME_MAX + 7);
    buf_fmt(&b, "WEIR_%s", path);
    out[b.len] = 0;
    upper(out);
}

static void read_variables(struct reading *r, const struct section *section, void *base, long item)
{
    for (size_t i = 0; i < section->count; i++) {
        char name[ENV_NAME_MAX + 8], path[ENV_NAME_MAX];

        variable_name(name, section, item, section->rows[i].name);
        const char *value = settings_variable(r->environment, name);
        if (!value)
            continue;
        setting_path(path, section, item, str_from(section->rows[i].name));
        struct str kept = arena_str(r->settings->arena, str_from(name));
        read_row(r, &section->rows[i], base, path, (struct place){.variable = kept.ptr},
                 str_from(value));
    }
}

static bool has_variable(struct reading *r, const struct section *section, long item)
{
    char name[ENV_NAME_MAX + 8];

    for (size_t i = 0; i < section->count; i++) {
        variable_name(name, section, item, section->rows[i].name);
        if (settings_variable(r->environment, name))
            return true;
    }
    return false;
}

static void read_environment(struct reading *r)
{
    for (size_t i = 0; i < settings_section_count; i++) {
        const struct section *section = &settings_sections[i];
        size_t *have = (size_t *)(void *)((char *)r->settings + section->items_count_offset);

        if (section->item_size == 0) {
            read_variables(r, section, r->settings, -1);
            continue;
        }
        for (size_t item = 0; item < section->items_max; item++) {
            if (!has_variable(r, section, (long)item)) {
                if (item >= *have)
                    break;
                continue;
            }
            char *items = items_reserve(r, section, MAX_OF(*have, item + 1));
            if (items)
                read_variables(r, section, items + item * section->item_size, (long)item);
        }
    }
}

static bool is_ours(struct reading *r, struct str variable)
{
    /* Set for other reasons: by orchestrators for a service called weir, and for the command line. */
    if (str_starts(variable, STR("WEIR_SERVICE_")) || str_starts(variable, STR("WEIR_PORT")) ||
        str_eq(variable, STR("WEIR_CONFIG")) || str_eq(variable, STR("WEIR_KEY")) ||
        str_eq(variable, STR("WEIR_URL")))
        return true;
    for (size_t i = 0; i < r->settings->origin_count; i++)
        if (str_eq(r->settings->origins[i].source, variable))
            return true;
    return false;
}

static void warn_of_strangers(struct reading *r)
{
    for (const char *const *at = r->environment; at && *at; at++) {
        struct str entry = str_from(*at);
        struct str name = str_slice(entry, 0, str_find_char(entry, '='));

        if (str_starts(name, STR("WEIR_")) && !is_ours(r, name) && !r->failed)
            note(r->problems, true,
                 arena_fmt(r->problems->arena,
                           STR_FMT ": no setting has this name; it is ignored (`weir config "
                                   "schema` lists them all)",
                           STR_ARG(str_slice(name, 0, 100))));
    }
}

/* ---- the door ---- */

static bool begin(struct reading *r)
{
    struct arena *arena = arena_new(SETTINGS_MEMORY);

    if (!r->problems->arena)
        r->problems->arena = arena_new(4 * MIB);
    if (!arena || !r->problems->arena) {
        arena_end(&arena);
        r->failed = true;
        return false;
    }
    r->settings = arena_alloc(arena, sizeof *r->settings);
    ASSERT(r->settings);
    r->settings->arena = arena;
    for (size_t i = 0; i < settings_section_count; i++)
        if (settings_sections[i].item_size == 0)
            set_defaults(r, &settings_sections[i], r->settings);
    return true;
}

/* Where the data are is known all the same: no mistake is there, nor of a whole section, which could be that one. */
static bool place_is_known(const struct reading *r)
{
    bool known = !r->unreadable && r->wrong_count < SETTINGS_PROBLEMS_MAX;

    for (size_t i = 0; known && i < r->wrong_count; i++)
        known = !str_starts(r->wrong[i], STR("data.")) &&
                str_find_char(r->wrong[i], '.') < r->wrong[i].len;
    return known;
}

static bool finish(struct reading *r, struct settings **out)
{
    if (!r->settings)
        return false;
    read_environment(r);
    settings_check(r);
    if (r->files_read && !r->failed)
        settings_check_files(r);
    warn_of_strangers(r);
    if (r->failed && !(r->secrets_unread && place_is_known(r))) {
        settings_free(&r->settings);
        return false;
    }
    *out = r->settings;
    return true;
}

bool settings_read_text(struct str text, const char *name, const char *const *environment,
                        struct settings_problems *problems, struct settings **out)
{
    struct reading r = {.problems = problems, .environment = environment, .file = name};

    if (begin(&r)) {
        r.settings->file = arena_fmt(r.settings->arena, "%s", name);
        read_file_text(&r, text);
    }
    return finish(&r, out);
}

static bool read_settings(struct reading *r, bool named, struct settings **out)
{
    struct arena *scratch CLEANUP(arena_end) = arena_new(4 * MIB);
    struct file_info info;
    struct str text = STR_NONE;
    struct err err = {0};

    if (!scratch || !begin(r))
        return finish(r, out);
    bool found = file_stat(r->file, &info, &err);

    if (!found && !named && err.code == ERR_NOT_FOUND)
        return finish(r, out);
    if (!found || !file_load(scratch, r->file, YAML_BYTES_MAX, &text, &err)) {
        r->unreadable = true;
        problem(r, (struct place){0}, "", err.text);
    } else {
        r->settings->file = arena_fmt(r->settings->arena, "%s", r->file);
        r->settings->seen = info;
        read_file_text(r, text);
    }
    return finish(r, out);
}

bool settings_read(const char *file, const char *const *environment,
                   struct settings_problems *problems, struct settings **out)
{
    struct reading r = {
        .problems = problems, .environment = environment, .file = file ? file : SETTINGS_FILE};

    return read_settings(&r, file, out);
}

bool settings_come_of_file(const struct settings *s)
{
    for (size_t i = 0; i < s->origin_count; i++) {
        struct str source = s->origins[i].source;

        if (str_starts(source, s->file) && source.len > s->file.len &&
            source.ptr[s->file.len] == ':')
            return true;
    }
    return false;
}

bool settings_read_to_start(const char *file, const char *const *environment,
                            struct settings_problems *problems, struct settings **out)
{
    struct reading r = {.problems = problems,
                        .environment = environment,
                        .file = file ? file : SETTINGS_FILE,
                        .files_read = true};

    return read_settings(&r, file, out);
}

bool settings_read_but_secrets(const char *file, const char *const *environment,
                               struct settings_problems *problems, struct settings **out)
{
    struct reading r = {.problems = problems,
                        .environment = environment,
                        .file = file ? file : SETTINGS_FILE,
                        .secrets_unread = true};

    return read_settings(&r, file, out);
}

static void wipe_rows(const struct section *section, char *base)
{
    for (size_t i = 0; i < section->count; i++)
        if (section->rows[i].type == SET_SECRET)
            secret_wipe((struct secret *)(void *)(base + section->rows[i].offset));
}

static void wipe_section(struct settings *s, const struct section *section)
{
    char *base = (char *)s;
    char *items = section->item_size ? *(char **)(void *)(base + section->items_offset) : base;
    size_t count = settings_items(s, section);

    for (size_t i = 0; i < count; i++)
        wipe_rows(section, items + i * section->item_size);
}

/* By the table: a secret of a new row is not forgotten here. */
void settings_free(struct settings **settings)
{
    struct settings *s = *settings;

    if (!s)
        return;
    for (size_t i = 0; i < settings_section_count; i++)
        wipe_section(s, &settings_sections[i]);
    struct arena *arena = s->arena;
    arena_end(&arena);
    *settings = NULL;
}

void settings_problems_free(struct settings_problems *problems)
{
    arena_end(&problems->arena);
    *problems = (struct settings_problems){0};
}
