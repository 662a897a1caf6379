#include "net/multipart.h"

#include <string.h>

#define ROOM (MULTIPART_FEED_MAX + MULTIPART_HEAD_MAX + MULTIPART_BOUNDARY_MAX + 64)

/* PREAMBLE -delimiter-> MARK -line end-> HEAD -empty line-> DATA -delimiter-> MARK ... MARK -"--"-> OVER */
enum state { PREAMBLE, MARK, HEAD, DATA, OVER };

/* ---- fields ---- */

/* The value of `name=value` at the start of `rest`, which is moved behind it. */
static bool read_value(struct arena *arena, struct str *rest, struct str *out, struct err *err)
{
    struct buf b;
    size_t at = 1;

    if (!str_starts(*rest, STR("\""))) {
        size_t end = str_find_char(*rest, ';');

        *out = arena_str(arena, str_trim(str_slice(*rest, 0, end)));
        *rest = str_slice(*rest, end, rest->len);
        return out->ptr || err_arena(err, arena);
    }
    buf_init(&b, arena, rest->len + 1);
    for (; at < rest->len && rest->ptr[at] != '"'; at++) {
        at += rest->ptr[at] == '\\' && at + 1 < rest->len;
        buf_char(&b, rest->ptr[at]);
    }
    if (at >= rest->len)
        return err_set(err, ERR_INVALID, "a quoted value of the form has no end");
    *rest = str_slice(*rest, at + 1, rest->len);
    return buf_finish(&b, out, err) &&
           ((*out = arena_str(arena, *out)).ptr || err_arena(err, arena));
}

bool multipart_parameter(struct arena *arena, struct str field, struct str name, struct str *out,
                         struct err *err)
{
    size_t at = str_find_char(field, ';');
    struct str rest = str_slice(field, at, field.len), value;

    *out = STR_NONE;
    while (rest.len > 0) {
        rest = str_trim(str_slice(rest, 1, rest.len)); /* behind the semicolon */
        size_t equals = str_find_char(rest, '='), next = str_find_char(rest, ';');

        if (next <= equals) { /* no value */
            rest = str_slice(rest, next, rest.len);
            continue;
        }
        struct str key = str_trim(str_slice(rest, 0, equals));

        rest = str_trim(str_slice(rest, equals + 1, rest.len));
        if (!read_value(arena, &rest, &value, err))
            return false;
        if (str_eq_nocase(key, name)) {
            *out = value;
            return true;
        }
        rest = str_slice(rest, str_find_char(rest, ';'), rest.len);
    }
    return true;
}

/* %22, %0D, %0A: what HTML's forms cannot say otherwise. */
static bool unescape(struct arena *arena, struct str *text, struct err *err)
{
    struct buf b;

    if (!text->ptr || str_find_char(*text, '%') == text->len)
        return true;
    buf_init(&b, arena, text->len + 1);
    for (size_t i = 0; i < text->len; i++) {
        struct str escape = str_slice(*text, i, i + 3);

        if (str_eq(escape, STR("%22")))
            buf_char(&b, '"'), i += 2;
        else if (str_eq_nocase(escape, STR("%0d")))
            buf_char(&b, '\r'), i += 2;
        else if (str_eq_nocase(escape, STR("%0a")))
            buf_char(&b, '\n'), i += 2;
        else
            buf_char(&b, text->ptr[i]);
    }
    return buf_finish(&b, text, err);
}

static bool read_disposition(struct arena *arena, struct str value, struct multipart_part *out,
                             struct err *err)
{
    struct str kind = str_trim(str_slice(value, 0, str_find_char(value, ';')));

    if (!str_eq_nocase(kind, STR("form-data")))
        return err_set(err, ERR_INVALID, "a part of the form is not \"form-data\"");
    return multipart_parameter(arena, value, STR("name"), &out->name, err) &&
           multipart_parameter(arena, value, STR("filename"), &out->filename, err) &&
           unescape(arena, &out->name, err) && unescape(arena, &out->filename, err);
}

static bool read_head(struct arena *arena, struct str head, struct multipart_part *out,
                      struct err *err)
{
    struct str line;

    *out = (struct multipart_part){.type = STR("")};
    while (head.len > 0) {
        size_t end = str_find(head, STR("\r\n"));
        size_t colon;

        line = str_slice(head, 0, end);
        head = str_slice(head, end + 2, head.len);
        colon = str_find_char(line, ':');
        if (colon == line.len)
            return err_set(err, ERR_INVALID, "a part of the form has a field without \":\"");
        struct str name = str_slice(line, 0, colon);
        struct str value = str_trim(str_slice(line, colon + 1, line.len));

        if (str_eq_nocase(name, STR("content-disposition")) &&
            !read_disposition(arena, value, out, err))
            return false;
        if (str_eq_nocase(name, STR("content-type")))
            out->type = arena_str(arena, value);
    }
    if (!out->name.ptr || !out->type.ptr)
        return err_set(err, ERR_INVALID, "a part of the form has no name");
    return true;
}

/* ---- the whole ---- */

bool multipart_init(struct multipart *m, struct arena *arena, struct str type, struct err *err)
{
    struct str kind = str_trim(str_slice(type, 0, str_find_char(type, ';'))), boundary;

    if (!str_eq_nocase(kind, STR("multipart/form-data")))
        return err_set(err, ERR_INVALID, "expected a body of multipart/form-data");
    if (!multipart_parameter(arena, type, STR("boundary"), &boundary, err))
        return false;
    if (boundary.len == 0 || boundary.len > MULTIPART_BOUNDARY_MAX)
        return err_set(err, ERR_INVALID, "content-type: expected a boundary of 1 to %d characters",
                       MULTIPART_BOUNDARY_MAX);
    *m = (struct multipart){.arena = arena, .bytes = arena_alloc_raw(arena, ROOM)};
    if (!m->bytes)
        return err_arena(err, arena);
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, boundary.ptr, boundary.len);
    m->delimiter_len = boundary.len + 4;
    /* The first delimiter may be the body's first line. */
    memcpy(m->bytes, "\r\n", 2);
    m->end = 2;
    return true;
}

void multipart_feed(struct multipart *m, struct str bytes)
{
    ASSERT(bytes.len <= MULTIPART_FEED_MAX);
    if (m->at > 0)
        memmove(m->bytes, m->bytes + m->at, m->end - m->at);
    m->end -= m->at;
    m->at = 0;
    ASSERT(m->end + bytes.len <= ROOM);
    memcpy(m->bytes + m->end, bytes.ptr, bytes.len);
    m->end += bytes.len;
}

static struct str left(const struct multipart *m)
{
    return (struct str){m->bytes + m->at, m->end - m->at};
}

static size_t find_delimiter(const struct multipart *m)
{
    return str_find(left(m), (struct str){m->delimiter, m->delimiter_len});
}

/* What cannot be the start of a delimiter any more. */
static size_t sure(const struct multipart *m)
{
    size_t len = m->end - m->at;

    return len < m->delimiter_len ? 0 : len - m->delimiter_len + 1;
}

static void skip_preamble(struct multipart *m)
{
    size_t at = find_delimiter(m);

    if (at == m->end - m->at) {
        m->at += sure(m);
        return;
    }
    m->at += at + m->delimiter_len;
    m->state = MARK;
}

/* Behind a delimiter: "--" ends it all, white space and a line end begin a part. */
static bool read_mark(struct multipart *m, struct err *err)
{
    struct str bytes = left(m);
    size_t blanks = 0;

    if (bytes.len < 2)
        return true;
    if (str_starts(bytes, STR("--"))) {
        m->state = OVER;
        return true;
    }
    while (blanks < bytes.len && (bytes.ptr[blanks] == ' ' || bytes.ptr[blanks] == '\t'))
        blanks++;
    if (blanks > MULTIPART_BOUNDARY_MAX)
        return err_set(err, ERR_INVALID, "a delimiter of the form has no line end");
    bytes = str_slice(bytes, blanks, bytes.len);
    if (bytes.len < 2)
        return true;
    if (!str_starts(bytes, STR("\r\n")))
        return err_set(err, ERR_INVALID, "a delimiter of the form has no line end");
    m->at += blanks; /* the line end stays: a head may be empty */
    m->state = HEAD;
    return true;
}

static bool read_part(struct multipart *m, enum multipart_event *event, struct multipart_part *part,
                      struct err *err)
{
    struct str bytes = left(m);
    size_t end = str_find(bytes, STR("\r\n\r\n"));

    /* However it is cut: of an end that is not there yet three bytes may be. */
    if (end > MULTIPART_HEAD_MAX + (end == bytes.len ? 3 : 0))
        return err_set(err, ERR_INVALID, "the fields of a part have more than %zu bytes",
                       MULTIPART_HEAD_MAX);
    *event = MULTIPART_MORE;
    if (end == bytes.len)
        return true;
    if (!read_head(m->arena, str_slice(bytes, 2, end), part, err))
        return false;
    m->at += end + 4;
    m->state = DATA;
    *event = MULTIPART_PART;
    return true;
}

static void read_data(struct multipart *m, enum multipart_event *event, struct str *data)
{
    size_t at = find_delimiter(m), len = m->end - m->at;
    size_t take = at < len ? at : sure(m);

    *event = MULTIPART_MORE;
    if (at == 0 && len > 0) {
        m->at += m->delimiter_len;
        m->state = MARK;
        *event = MULTIPART_PART_END;
    } else if (take > 0) {
        *data = str_slice(left(m), 0, take);
        m->at += take;
        *event = MULTIPART_DATA;
    }
}

bool multipart_next(struct multipart *m, enum multipart_event *event, struct multipart_part *part,
                    struct str *data, struct err *err)
{
    *event = MULTIPART_MORE;
    if (m->state == PREAMBLE)
        skip_preamble(m);
    if (m->state == MARK && !read_mark(m, err))
        return false;
    if (m->state == HEAD)
        return read_part(m, event, part, err);
    if (m->state == DATA)
        read_data(m, event, data);
    if (m->state == OVER) {
        m->at = m->end;
        *event = MULTIPART_END;
    }
    return true;
}
