/* What of a page stands in its tags (values of forms, words instead of pictures) or between tags of another language
 * (formulas), and what is told of that which is not read. */
#include "knowledge/html_internal.h"
#include "knowledge/html_scan.h"

/* ---- what a tag says of itself ---- */

static void read_part(struct html *h, uint32_t from, uint32_t to)
{
    uint32_t behind = h->at;

    h->at = from;
    html_read_chars(h, to);
    h->at = MAX_OF(behind, to);
}

/* A value as text of its own. */
static bool read_value(struct html *h, struct str value)
{
    if (html_is_blank(value))
        return false;
    uint32_t at = (uint32_t)(value.ptr - h->w->source.ptr);
    if (h->w->open)
        writer_space(h->w, at);
    read_part(h, at, at + (uint32_t)value.len);
    if (h->w->open)
        writer_space(h->w, at + (uint32_t)value.len);
    return true;
}

static void read_box(struct html *h, struct str tag, uint32_t at)
{
    bool checked = html_attribute(tag, STR("checked")).ptr != NULL;

    html_want_block(h);
    writer_put(h->w, checked ? STR("[x]") : STR("[ ]"), at, 0);
    writer_space(h->w, at);
}

static void read_input(struct html *h, struct str tag, uint32_t at)
{
    static const char *const buttons[] = {"submit", "button", "reset", "image", "file"};
    static const char *const boxes[] = {"checkbox", "radio"};
    struct str type = html_attribute(tag, STR("type"));

    for (size_t i = 0; i < ARRAY_LEN(buttons); i++)
        if (str_eq_nocase(type, str_from(buttons[i]))) {
            h->told.buttons++;
            return;
        }
    for (size_t i = 0; i < ARRAY_LEN(boxes); i++)
        if (str_eq_nocase(type, str_from(boxes[i]))) {
            read_box(h, tag, at);
            return;
        }
    if (str_eq_nocase(type, STR("password")))
        h->told.secrets += html_attribute(tag, STR("value")).len > 0;
    else if (!str_eq_nocase(type, STR("hidden")))
        (void)read_value(h, html_attribute(tag, STR("value")));
}

static void read_text_area(struct html *h)
{
    uint32_t end = html_find_close(h->source, h->at, STR("textarea"));

    (void)read_value(h, str_slice(h->source, h->at, end));
    h->at = MAX_OF(h->at, end);
}

/* What is said instead of a picture is text; without such words it is told. */
static void read_picture(struct html *h, struct str tag)
{
    struct str instead = html_attribute(tag, STR("alt"));

    if (!read_value(h, instead))
        h->told.pictures += !instead.ptr; /* an empty one says that it is decoration */
}

void html_read_inside(struct html *h, enum tag tag, uint32_t from, uint32_t end)
{
    struct str name = html_name(h->source, from + 1);
    struct str inside = str_slice(h->source, from + 1 + name.len, end);

    switch (tag) {
    case TAG_INPUT: read_input(h, inside, from); break;
    case TAG_TEXT_AREA: read_text_area(h); break;
    case TAG_PICTURE: read_picture(h, inside); break;
    case TAG_OPTION:
        if (h->w->open)
            writer_space(h->w, from);
        h->is_selected = html_attribute(inside, STR("selected")).ptr != NULL;
        h->told.choices += h->in_select && !h->is_selected;
        break;
    default: break;
    }
}

/* ---- formulas ---- */

bool html_read_math_tag(struct html *h, enum tag tag, struct str name, bool closing)
{
    bool empty = h->source.ptr[h->at - 1] == '>' && h->source.ptr[h->at - 2] == '/';
    char sign[MATH_SIGN], end_sign[MATH_SIGN];

    if (tag != TAG_OTHER) {
        h->in_math = false;
        return tag == TAG_MATH && closing;
    }
    if (!closing && math_says_it_again(name)) {
        if (!empty)
            html_skip(h, name, NULL);
        return true;
    }
    struct str put = closing ? math_close(&h->math, sign) : math_open(&h->math, name, sign);
    struct str behind = empty && !closing ? math_close(&h->math, end_sign) : STR("");
    if (put.len + behind.len == 0)
        return true;
    html_want_block(h);
    if (put.len)
        writer_put(h->w, put, h->at, 0);
    if (behind.len)
        writer_put(h->w, behind, h->at, 0);
    return true;
}

/* ---- telling ---- */

struct str html_note(const struct html *h, struct str parts)
{
    const struct {
        const char *one, *many;
        uint32_t count;
    } left[] = {
        {"button", "buttons", h->told.buttons},
        {"choice that is not selected", "choices that are not selected", h->told.choices},
        {"password", "passwords", h->told.secrets},
        {"picture", "pictures", h->told.pictures},
        {"page, recording or program within it", "pages, recordings or programs within it",
         h->told.embedded},
        {"character of drawings", "characters of drawings", h->told.drawn},
        {"character for browsers without scripts", "characters for browsers without scripts",
         h->told.scriptless},
    };
    struct buf b;

    if (!parts.ptr)
        return parts;
    buf_init(&b, h->w->arena, 4 * KIB);
    buf_str(&b, parts);
    for (size_t i = 0, told = 0; i < ARRAY_LEN(left); i++) {
        if (!left[i].count)
            continue;
        buf_fmt(&b, "%s%u %s",
                told++  ? ", "
                : b.len ? "; not read: "
                        : "not read: ",
                left[i].count, left[i].count == 1 ? left[i].one : left[i].many);
    }
    return buf_ok(&b) ? (b.len ? buf_view(&b) : STR("")) : STR_NONE;
}
