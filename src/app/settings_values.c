/* One value of the settings, from its text: its kind, its bounds, and secrets from where they stand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/settings_internal.h"
#include "net/http_client.h"
#include "sys/file.h"
#include "sys/sock.h"

const char *settings_variable(const char *const *environment, const char *name)
{
    size_t len = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    return NULL;
}

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!letter && !strchr("._-/:@+", c))
            return false;
    }
    return s.len <= 128;
}

static bool in_bounds(const struct setting *row, int64_t n)
{
    return (row->min == 0 && row->max == 0) ? n >= 0 : n >= row->min && n <= row->max;
}

static bool read_choice(const struct setting *row, struct str text, int *out)
{
    struct str rest = str_from(row->choices), choice;

    for (int i = 0; str_split(&rest, '|', &choice); i++)
        if (str_eq(choice, text)) {
            *out = i;
            return true;
        }
    return false;
}

static bool read_number(const struct setting *row, struct str text, int64_t *out)
{
    size_t bytes;
    dur_ns duration;
    int64_t n;

    if (row->type == SET_USD && text.len == 0 && row->fallback && !*row->fallback) {
        *out = -1; /* not said: as another one */
        return true;
    }
    if (row->type == SET_BYTES && bytes_parse(text, &bytes) && bytes <= INT64_MAX)
        n = (int64_t)bytes;
    else if (row->type == SET_DURATION && duration_parse(text, &duration))
        n = duration;
    else if ((row->type == SET_USD || row->type == SET_PERCENT) && usd_parse(text, &n))
        ;
    else if (row->type != SET_COUNT || !i64_parse(text, &n))
        return false;
    if (!in_bounds(row, n))
        return false;
    *out = n;
    return true;
}

/* Known now, and not when the first request fails. */
static bool set_secret(struct secret *out, struct str text, struct err *err)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return err_set(err, ERR_INVALID,
                           "the secret holds a byte that no header takes: a "
                           "blank, a line end or one beyond ASCII");
    return secret_set(out, text.ptr, text.len, err);
}

static bool load_secret(struct reading *r, struct str name_or_path, bool from_file,
                        struct secret *out, struct err *err)
{
    struct str name = arena_str(r->problems->arena, name_or_path);
    struct str text = STR_NONE;

    if (!name.ptr)
        return err_arena(err, r->problems->arena);
    if (from_file) {
        struct arena *scratch CLEANUP(arena_end) = arena_new(256 * KIB);

        if (!scratch)
            return err_no_room(err, "no memory to read a secret");
        if (!file_load(scratch, name.ptr, SECRET_BYTES_MAX, &text, err))
            return err_wrap(err, "cannot read the secret");
        struct str trimmed = str_trim(text);
        bool ok = trimmed.len > 0
                      ? set_secret(out, trimmed, err)
                      : err_set(err, ERR_INVALID, "the file \"%s\" is empty, expected a secret",
                                name.ptr);
        bytes_wipe((void *)(uintptr_t)text.ptr, text.len);
        return ok;
    }
    text = str_trim(str_from(settings_variable(r->environment, name.ptr)));
    if (text.len == 0)
        return err_set(err, ERR_INVALID, "the environment variable %s is not set or empty",
                       name.ptr);
    return set_secret(out, text, err);
}

/* The value may be the secret itself, put there by mistake: it is never repeated. */
static bool read_secret(struct reading *r, struct str text, struct secret *out, struct err *err)
{
    secret_wipe(out);
    if (text.len == 0)
        return true;
    bool in_variable = str_starts(text, STR("env:")) && text.len > 4;
    bool in_file = str_starts(text, STR("file:")) && text.len > 5;
    if (!in_variable && !in_file)
        return err_set(
            err, ERR_INVALID,
            "expected env:NAME or file:PATH; a secret may not stand in the settings themselves");
    if (r->secrets_unread)
        return set_secret(out, STR("unread"), err);
    return load_secret(r, str_slice(text, in_file ? 5 : 4, text.len), in_file, out, err);
}

static bool expected(const struct setting *row, struct str found, struct err *err)
{
    char want[160];

    return err_set(err, ERR_INVALID, "expected %s, found \"" STR_FMT "\"",
                   setting_expects(row, want), STR_ARG(str_slice(found, 0, 60)));
}

static bool keep_text(struct reading *r, struct str text, struct str *out, struct err *err)
{
    struct str copy = arena_str(r->settings->arena, text);

    if (!copy.ptr)
        return err_arena(err, r->settings->arena);
    *out = copy;
    return true;
}

static bool read_text(struct reading *r, const struct setting *row, struct str text,
                      struct str *out, struct err *err)
{
    struct addr addr;
    struct http_url url;
    struct err why = {0};
    bool is_text = row->type == SET_TEXT || row->type == SET_WORDS;
    /* What has a name, a place or an address by default is nothing without one. */
    bool required = !row->fallback || (*row->fallback && !is_text);

    if (required && text.len == 0)
        return expected(row, text, err);
    if (memchr(text.ptr ? text.ptr : "", 0, text.len) || (row->type == SET_NAME && !is_name(text)))
        return expected(row, text, err);
    if (row->type == SET_ADDRESS && text.len > 0 && !addr_parse(text, &addr, &why))
        return err_set(err, ERR_INVALID, "%s", why.text);
    if (row->type == SET_URL && text.len > 0 && !http_url_parse(text, &url, &why))
        return err_set(err, ERR_INVALID, "%s", why.text);
    return keep_text(r, text, out, err);
}

bool settings_set_value(struct reading *r, const struct setting *row, void *base, struct str text,
                        struct err *err)
{
    void *at = (char *)base + row->offset;

    switch (row->type) {
    case SET_TEXT:
    case SET_NAME:
    case SET_ADDRESS:
    case SET_URL:
    case SET_PATH:
    case SET_WORDS: return read_text(r, row, text, at, err);
    case SET_COUNT:
    case SET_BYTES:
    case SET_DURATION:
    case SET_PERCENT:
    case SET_USD: return read_number(row, text, at) || expected(row, text, err);
    case SET_BOOL:
        if (!str_eq(text, STR("true")) && !str_eq(text, STR("false")))
            return expected(row, text, err);
        *(bool *)at = text.ptr[0] == 't';
        return true;
    case SET_CHOICE: return read_choice(row, text, at) || expected(row, text, err);
    case SET_SECRET: return read_secret(r, text, at, err);
    }
    return false;
}
