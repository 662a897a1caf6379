/* Mail (.eml): subject as heading, who and when as a row, the text (the plain one of two, else the HTML), then
 * each attachment by the reader of its type, below its name. */
#include "knowledge/encoding.h"
#include "knowledge/mime.h"
#include "knowledge/readers.h"

#define PARTS_MAX 2000
#define DEEP_MAX  12

struct mail {
    struct arena *arena;
    struct rendering *to;
    int parts, depth;
};

static bool read_part(struct mail *m, const struct mime_part *part, struct err *err);

/* --- text ------------------------------------------------------------------------------------- */

/* UTF-8 by the charset the part says; when that fails, by what it looks like. */
static bool text_of(struct mail *m, const struct mime_part *part, struct str *out, struct err *err)
{
    struct str bytes, charset = mime_parameter(m->arena, part, "content-type", "charset");
    struct err unknown = {0};

    if (!mime_body(m->arena, part, &bytes, err))
        return false;
    if (charset.len && encoding_convert(m->arena, bytes, charset, out, &unknown))
        return true;
    *out = bytes;
    return true;
}

static bool read_text_part(struct mail *m, const struct mime_part *part, enum document_type type,
                           struct err *err)
{
    struct document d;
    struct str text;
    struct err why = {0};

    if (!text_of(m, part, &text, err))
        return false;
    if (!document_read(m->arena, text, type, &d, &why)) {
        if (why.code == ERR_EXHAUSTED) {
            *err = why;
            return false;
        }
        rendering_note(m->to, "a part of the mail is not read: %s", why.text);
        return true;
    }
    rendering_document(m->to, &d, NULL);
    return true;
}

/* --- attachments ------------------------------------------------------------------------------ */

static void begin_attachment(struct mail *m, struct str name)
{
    rendering_begin(m->to, ELEMENT_HEADING, 2, NULL);
    rendering_text(m->to, STR("Attachment: "));
    rendering_text(m->to, name);
}

/* A broken attachment is said; the mail and its other attachments are read. */
static bool read_file(struct mail *m, struct str name, enum document_type type, struct str bytes,
                      struct err *err)
{
    struct str title = m->to->title, within = m->to->within;
    struct document d;
    struct err why = {0};
    bool ok;

    m->to->within = within.len ? arena_fmt(m->arena, STR_FMT ": " STR_FMT, STR_ARG(within),
                                           STR_ARG(str_slice(name, 0, 100)))
                               : str_slice(name, 0, 100);
    if (document_type_is_apart(type)) {
        ok = document_reader(type)(bytes, m->to, &why);
    } else {
        ok = document_read(m->arena, bytes, type, &d, &why);
        if (ok)
            rendering_document(m->to, &d, NULL);
    }
    m->to->within = within;
    m->to->title = title;
    if (!ok && why.code == ERR_EXHAUSTED) {
        *err = why;
        return false;
    }
    if (!ok)
        rendering_note(m->to, "attachment \"" STR_FMT "\" is not read: %s",
                       STR_ARG(str_slice(name, 0, 80)), why.text);
    return true;
}

static bool read_attachment(struct mail *m, const struct mime_part *part, struct str name,
                            struct err *err)
{
    enum document_type type;
    struct str bytes;

    begin_attachment(m, name);
    if (!document_type_of(name, &type)) {
        rendering_note(m->to, "attachment \"" STR_FMT "\" is of a type that is not read",
                       STR_ARG(str_slice(name, 0, 80)));
        return true;
    }
    if (type == DOCUMENT_MAIL && m->depth >= DEEP_MAX)
        return err_set(err, ERR_TOO_LARGE, "mails nested deeper than %d", DEEP_MAX);
    return mime_body(m->arena, part, &bytes, err) && read_file(m, name, type, bytes, err);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* Without its boundary nobody knows where its parts begin. */
static bool say_uncut(struct mail *m, struct str body)
{
    if (!str_is_empty(str_trim(body)))
        rendering_note(m->to, "a part of the mail is not read: it has no parts inside, or they are "
                              "not marked as it says");
    return true;
}

/* The one to read of several that say the same: plain text, else the last, which is the richest. */
static bool read_alternative(struct mail *m, struct str body, struct str boundary, struct err *err)
{
    struct mime_part part, chosen = {0};
    bool found = false, plain = false;

    for (struct str rest = body; !plain && mime_next(&rest, boundary, &part);) {
        if (++m->parts > PARTS_MAX)
            return err_set(err, ERR_TOO_LARGE, "a mail of more than %d parts", PARTS_MAX);
        plain = str_eq(mime_type(m->arena, &part), STR("text/plain")) &&
                !str_is_empty(str_trim(part.body));
        chosen = part;
        found = true;
    }
    return found ? read_part(m, &chosen, err) : say_uncut(m, body);
}

static bool read_multipart(struct mail *m, const struct mime_part *part, struct str type,
                           struct err *err)
{
    struct str boundary = mime_parameter(m->arena, part, "content-type", "boundary");
    struct mime_part inner;

    if (str_eq(type, STR("multipart/alternative")))
        return read_alternative(m, part->body, boundary, err);
    bool found = false;

    for (struct str rest = part->body; mime_next(&rest, boundary, &inner); found = true)
        if (!read_part(m, &inner, err))
            return false;
    return found || say_uncut(m, part->body);
}

static struct str file_name(struct mail *m, const struct mime_part *part)
{
    struct str name = mime_parameter(m->arena, part, "content-disposition", "filename");

    return name.len ? name : mime_parameter(m->arena, part, "content-type", "name");
}

/* The name, or else the value, of a header that is there. */
static void put_header(struct mail *m, const char *name, struct str value)
{
    if (!value.len)
        return;
    rendering_begin(m->to, ELEMENT_CELL, 1, NULL);
    rendering_text(m->to, name ? str_from(name) : value);
}

/* From, To, Cc, Date as one row under their names. */
static void write_head(struct mail *m, const struct mime_part *mail)
{
    static const char *const names[] = {"From", "To", "Cc", "Date"};
    struct str subject = mime_header(m->arena, mail, "subject"), values[ARRAY_LEN(names)];
    bool any = false;

    if (subject.len) {
        rendering_begin(m->to, ELEMENT_HEADING, 1, NULL);
        rendering_text(m->to, subject);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        values[i] = mime_header(m->arena, mail, names[i]);
        any = any || values[i].len;
    }
    if (!any)
        return;
    rendering_begin(m->to, ELEMENT_HEADER, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        put_header(m, names[i], values[i]);
    rendering_begin(m->to, ELEMENT_ROW, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        put_header(m, NULL, values[i]);
}

static bool read_message(struct mail *m, struct str bytes, struct err *err)
{
    struct mime_part mail = mime_split(bytes);

    write_head(m, &mail);
    return read_part(m, &mail, err);
}

static bool read_leaf(struct mail *m, const struct mime_part *part, struct str type,
                      struct err *err)
{
    struct str name = file_name(m, part);
    struct str bytes;

    if (str_eq(type, STR("message/rfc822")))
        return mime_body(m->arena, part, &bytes, err) && read_message(m, bytes, err);
    if (name.len)
        return read_attachment(m, part, name, err);
    if (!type.len || str_eq(type, STR("text/plain")))
        return read_text_part(m, part, DOCUMENT_TEXT, err);
    if (str_eq(type, STR("text/html")))
        return read_text_part(m, part, DOCUMENT_HTML, err);
    rendering_note(m->to, "a part of type \"" STR_FMT "\" is not read",
                   STR_ARG(str_slice(type, 0, 60)));
    return true;
}

static bool read_part(struct mail *m, const struct mime_part *part, struct err *err)
{
    struct str type = mime_type(m->arena, part);

    if (++m->parts > PARTS_MAX)
        return err_set(err, ERR_TOO_LARGE, "a mail of more than %d parts", PARTS_MAX);
    if (m->depth >= DEEP_MAX)
        return err_set(err, ERR_TOO_LARGE, "mails nested deeper than %d", DEEP_MAX);
    m->depth++;
    bool ok = str_starts(type, STR("multipart/")) ? read_multipart(m, part, type, err)
                                                  : read_leaf(m, part, type, err);
    m->depth--;
    return ok;
}

/* An attached mail comes here again: how deep, `within` says. */
static int mails_around(const struct rendering *to)
{
    int count = 0;

    for (struct str rest = to->within, part; str_split(&rest, ':', &part);)
        count++;
    return count;
}

bool read_mail(struct str bytes, struct rendering *to, struct err *err)
{
    struct mail m = {.arena = to->arena, .to = to, .depth = mails_around(to)};
    struct mime_part mail = mime_split(bytes);
    struct str subject = mime_header(m.arena, &mail, "subject");

    if (!mime_header(m.arena, &mail, "from").ptr && !subject.ptr &&
        !mime_header(m.arena, &mail, "content-type").ptr)
        return err_set(err, ERR_INVALID, "not a mail: without headers");
    if (subject.len)
        rendering_title(to, subject);
    return read_message(&m, bytes, err);
}
