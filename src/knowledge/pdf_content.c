#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_content.h"

#include "knowledge/pdf_tags.h"

/* The operators that place text, and those that may draw a table's lines. Everything else is stepped
 * over: colours, shading, pictures. ISO 32000-1 chapters 8.4, 8.5, 9 and 14.6. */

const struct matrix matrix_unit = {1, 0, 0, 1, 0, 0};

static struct matrix times(struct matrix m, struct matrix n)
{
    return (struct matrix){m.a * n.a + m.b * n.c,       m.a * n.b + m.b * n.d,
                           m.c * n.a + m.d * n.c,       m.c * n.b + m.d * n.d,
                           m.e * n.a + m.f * n.c + n.e, m.e * n.b + m.f * n.d + n.f};
}

static double operand(const struct drawer *d, unsigned from_end)
{
    double n = from_end < d->operand_count
                   ? pdf_number(&d->operands[d->operand_count - 1 - from_end], 0)
                   : 0;

    return fabs(n) < 1e9 ? n : 0;
}

static struct matrix operand_matrix(const struct drawer *d)
{
    return (struct matrix){operand(d, 5), operand(d, 4), operand(d, 3),
                           operand(d, 2), operand(d, 1), operand(d, 0)};
}

static const struct pdf_object *resource(struct drawer *d, const char *kind,
                                         const struct pdf_object *name)
{
    const struct pdf_object *all = pdf_get(d->pdf, d->resources, kind);

    if (name->kind != PDF_NAME || all->kind != PDF_DICT || !pdf_spend(d->pdf, all->count / 8))
        return &pdf_nothing;
    for (uint32_t i = 0; i < all->count; i++)
        if (str_eq(all->entries[i].key, name->text))
            return pdf_resolve(d->pdf, &all->entries[i].value);
    return &pdf_nothing;
}

/* --- glyphs ----------------------------------------------------------------------------------- */

static bool is_hidden(const struct drawer *d)
{
    for (unsigned i = 0; i < d->mark_count; i++)
        if (d->marks[i].hidden)
            return true;
    return false;
}

static struct mark *replacing(struct drawer *d)
{
    for (unsigned i = 0; i < d->mark_count; i++)
        if (d->marks[i].replaces)
            return &d->marks[i];
    return NULL;
}

static int32_t mark_id(const struct drawer *d)
{
    for (unsigned i = d->mark_count; i > 0; i--)
        if (d->marks[i - 1].id >= 0)
            return d->marks[i - 1].id;
    return -1;
}

/* Which way the baseline runs on the page, y downwards. */
static enum pdf_turn turn_of(double x, double y)
{
    double ax = fabs(x), ay = fabs(y);

    if (ay <= 0.2 * ax)
        return x >= 0 ? PDF_UPRIGHT : PDF_TURNED_180;
    if (ax <= 0.2 * ay)
        return y >= 0 ? PDF_TURNED_90 : PDF_TURNED_270;
    return PDF_SLANTED;
}

/* A point of the page in the coordinates in which text of this turn runs to the right. */
static void turn_point(const struct pdf_sheet *s, enum pdf_turn turn, double *x, double *y)
{
    double px = *x, py = *y;

    if (turn == PDF_TURNED_90) {
        *x = py;
        *y = s->width - px;
    } else if (turn == PDF_TURNED_180) {
        *x = s->width - px;
        *y = s->height - py;
    } else if (turn == PDF_TURNED_270) {
        *x = s->height - py;
        *y = px;
    }
}

/* What a glyph says: its own text, or that of the marked content around it, once. */
static struct str said(struct drawer *d, const struct pdf_char *c)
{
    struct mark *mark = replacing(d);

    if (!mark)
        return c->text;
    if (mark->replaced)
        return STR_NONE;
    mark->replaced = true;
    return mark->actual;
}

static void put_glyph(struct drawer *d, const struct pdf_char *c, struct matrix trm)
{
    struct pdf_sheet *s = d->sheet;
    const struct pdf_font *font = d->state.text.font;
    double x = trm.e, y = trm.f, size = hypot(trm.c, trm.d), along = hypot(trm.a, trm.b);
    enum pdf_turn turn = turn_of(trm.a, trm.b);
    bool replaced = replacing(d) != NULL;
    struct str text = said(d, c);
    struct pdf_glyph g = {.mark = mark_id(d)};

    s->chars++;
    if (!text.len && !replaced) {
        s->unreadable++;
        text = STR("\xEF\xBF\xBD");
    }
    if (x < -2 || y < -2 || x > s->width + 2 || y > s->height + 2 + size) {
        s->outside = s->outside || !str_eq(text, STR(" "));
        return;
    }
    if (s->glyphs.len / sizeof g >= PDF_GLYPHS_MAX || !isfinite(size) || !isfinite(along)) {
        s->cut = true;
        return;
    }
    if (font->vertical) {
        turn = PDF_TURNED_90;
        turn_point(s, turn, &x, &y);
        g.x0 = (float)x;
        g.x1 = (float)(x + size);
        y += 0.4 * size; /* columns stand around the line that they hang from */
    } else {
        turn_point(s, turn, &x, &y);
        g.x0 = (float)x;
        /* Letters set apart evenly are still a word: what parts them is theirs. */
        double apart =
            fmin(fmax(d->state.text.char_space, 0) / fmax(fabs(d->state.text.size), 1e-6), 0.4);

        g.x1 = (float)(x + ((double)c->width + apart) * (turn == PDF_SLANTED ? trm.a : along));
    }
    if (g.x1 < g.x0) {
        float swap = g.x0;

        g.x0 = g.x1;
        g.x1 = swap;
    }
    g.y = (float)y;
    g.size = (float)size;
    g.ascent = font->ascent;
    g.descent = font->descent;
    g.turn = (uint8_t)turn;
    g.bold = font->bold;
    g.italic = font->italic;
    g.fixed = font->fixed;
    g.space = str_eq(text, STR(" ")) || str_eq(text, STR("\xC2\xA0")) ||
              str_eq(text, STR("\xE3\x80\x80"));
    g.text_at = (uint32_t)s->text.len;
    g.text_len = (uint16_t)MIN_OF(text.len, (size_t)UINT16_MAX);
    buf_put(&s->text, text.ptr, g.text_len);
    buf_put(&s->glyphs, &g, sizeof g);
}

static void show(struct drawer *d, struct str bytes)
{
    const struct text_state *t = &d->state.text;
    struct pdf_char c;
    bool hidden = is_hidden(d);

    if (!t->font)
        return;
    while (pdf_font_next(t->font, &bytes, &c) && pdf_spend(d->pdf, 4)) {
        double extra = t->char_space + (c.space ? t->word_space : 0);
        struct matrix m = {t->size * t->scale, 0, 0, t->size, 0, t->rise};

        if (!hidden)
            put_glyph(d, &c, times(m, times(d->text, d->state.ctm)));
        if (t->font->vertical)
            d->text = times((struct matrix){1, 0, 0, 1, 0, -t->size + extra}, d->text);
        else
            d->text = times(
                (struct matrix){1, 0, 0, 1, ((double)c.width * t->size + extra) * t->scale, 0},
                d->text);
    }
}

static void show_array(struct drawer *d, const struct pdf_object *array)
{
    const struct text_state *t = &d->state.text;

    for (uint32_t i = 0; array->kind == PDF_ARRAY && i < array->count; i++) {
        const struct pdf_object *o = &array->items[i];
        double by = -pdf_number(o, 0) / 1000 * t->size;

        if (o->kind == PDF_STRING)
            show(d, o->text);
        else if (t->font && t->font->vertical)
            d->text = times((struct matrix){1, 0, 0, 1, 0, by}, d->text);
        else if (fabs(by) < 1e6)
            d->text = times((struct matrix){1, 0, 0, 1, by * t->scale, 0}, d->text);
    }
}

/* --- ruling lines ----------------------------------------------------------------------------- */

static void put_rule(struct drawer *d, struct point from, struct point to)
{
    struct pdf_sheet *s = d->sheet;
    struct pdf_box b = {(float)fmin(from.x, to.x), (float)fmin(from.y, to.y),
                        (float)fmax(from.x, to.x), (float)fmax(from.y, to.y)};
    double w = (double)(b.x1 - b.x0), h = (double)(b.y1 - b.y0);

    if ((w > 3 && h > 3) || (w < 3 && h < 3) || is_hidden(d) || !isfinite(w + h))
        return; /* neither lies nor stands */
    if (s->rules.len / sizeof b >= PDF_RULES_MAX)
        s->cut = true;
    else
        buf_put(&s->rules, &b, sizeof b);
}

static void add_point(struct drawer *d, double x, double y, bool starts)
{
    const struct matrix *m = &d->state.ctm;

    if (d->point_count < POINTS_MAX)
        d->points[d->point_count++] =
            (struct point){x * m->a + y * m->c + m->e, x * m->b + y * m->d + m->f, starts};
}

static void end_path(struct drawer *d, bool stroke, bool fill)
{
    unsigned count = d->point_count;

    for (unsigned i = 1; stroke && i < count; i++)
        if (!d->points[i].starts)
            put_rule(d, d->points[i - 1], d->points[i]);
    /* Rectangles so thin that they are lines. */
    for (unsigned i = 0; fill && !stroke && i + 3 < count; i++) {
        const struct point *p = &d->points[i];
        double w = fabs(p[2].x - p[0].x), h = fabs(p[2].y - p[0].y);

        if (p->starts && (w < 3 || h < 3) && w + h > 4)
            put_rule(d, p[0], p[2]);
    }
    d->point_count = 0;
}

static void op_path(struct drawer *d, char op)
{
    if (op == 'm') {
        add_point(d, operand(d, 1), operand(d, 0), true);
    } else if (op == 'l') {
        add_point(d, operand(d, 1), operand(d, 0), false);
    } else if (op == 'h') {
        for (unsigned i = d->point_count; i > 0; i--)
            if (d->points[i - 1].starts) {
                if (d->point_count < POINTS_MAX) {
                    struct point p = d->points[i - 1];

                    p.starts = false;
                    d->points[d->point_count++] = p;
                }
                break;
            }
    } else if (op == 'r') {
        double x = operand(d, 3), y = operand(d, 2), w = operand(d, 1), h = operand(d, 0);

        add_point(d, x, y, true);
        add_point(d, x + w, y, false);
        add_point(d, x + w, y + h, false);
        add_point(d, x, y + h, false);
        add_point(d, x, y, false);
    } else { /* curves are no rules: a new start where they end */
        add_point(d, operand(d, 1), operand(d, 0), true);
    }
}

/* --- marked content --------------------------------------------------------------------------- */

static bool in_array(struct pdf *pdf, const struct pdf_object *array, const struct pdf_object *o)
{
    for (uint32_t i = 0; array->kind == PDF_ARRAY && i < array->count && pdf_spend(pdf, 1); i++)
        if (pdf_at(pdf, array, i) == o)
            return true;
    return false;
}

static bool group_is_off(struct drawer *d, const struct pdf_object *group)
{
    struct pdf_drawing *all = d->drawing;

    if (!pdf_is_dict(group))
        return false;
    if (all->layers_base_off)
        return !in_array(d->pdf, all->layers_on, group);
    return in_array(d->pdf, all->layers_off, group);
}

/* A layer, or several of which one must be on. */
static bool layer_is_off(struct drawer *d, const struct pdf_object *layer)
{
    const struct pdf_object *groups = pdf_get(d->pdf, layer, "OCGs");

    if (!pdf_is_name(pdf_get(d->pdf, layer, "Type"), "OCMD"))
        return group_is_off(d, layer);
    if (groups->kind != PDF_ARRAY)
        return group_is_off(d, groups);
    for (uint32_t i = 0; i < groups->count; i++)
        if (!group_is_off(d, pdf_at(d->pdf, groups, i)))
            return false;
    return groups->count > 0;
}

static void begin_mark(struct drawer *d, bool with_properties)
{
    struct mark mark = {.id = -1};
    const struct pdf_object *tag = &pdf_nothing, *properties = &pdf_nothing, *actual;

    if (d->mark_count == MARKS_MAX) {
        d->marks_lost++;
        return;
    }
    if (with_properties && d->operand_count >= 2) {
        tag = &d->operands[d->operand_count - 2];
        properties = &d->operands[d->operand_count - 1];
        if (properties->kind == PDF_NAME)
            properties = resource(d, "Properties", properties);
        mark.id = (int32_t)MIN_OF(pdf_integer(pdf_get(d->pdf, properties, "MCID"), -1),
                                  (int64_t)INT32_MAX);
        if (mark.id >= 0 && d->forms > 0)
            mark.id = pdf_mark_in_form(d->form, mark.id);
        actual = pdf_get(d->pdf, properties, "ActualText");
        mark.replaces = actual->kind == PDF_STRING;
        if (mark.replaces)
            mark.actual = pdf_text(d->pdf, actual);
        mark.hidden = pdf_is_name(tag, "OC") && layer_is_off(d, properties);
    }
    d->marks[d->mark_count++] = mark;
}

static void end_mark(struct drawer *d)
{
    if (d->marks_lost)
        d->marks_lost--;
    else if (d->mark_count)
        d->mark_count--;
}

/* --- state ------------------------------------------------------------------------------------ */

static void op_text(struct drawer *d, char op)
{
    struct text_state *t = &d->state.text;
    double n = operand(d, 0);

    switch (op) {
    case 'c': t->char_space = n; break;
    case 'w': t->word_space = n; break;
    case 'z': t->scale = n / 100; break;
    case 'L': t->leading = n; break;
    case 's': t->rise = n; break;
    case 'f':
        t->size = n;
        if (d->operand_count >= 2) {
            const struct pdf_object *dict = resource(d, "Font", &d->operands[d->operand_count - 2]);

            t->font = pdf_is_dict(dict) ? pdf_font(d->pdf, &d->drawing->fonts, dict) : NULL;
        }
        break;
    default: break;
    }
}

static void next_line(struct drawer *d, double x, double y)
{
    d->line = times((struct matrix){1, 0, 0, 1, x, y}, d->line);
    d->text = d->line;
}

static void op_line(struct drawer *d, char op)
{
    const struct pdf_object *last =
        d->operand_count ? &d->operands[d->operand_count - 1] : &pdf_nothing;

    if (op == 'd' || op == 'D') {
        if (op == 'D')
            d->state.text.leading = -operand(d, 0);
        next_line(d, operand(d, 1), operand(d, 0));
    } else if (op == 'm') {
        d->text = d->line = operand_matrix(d);
    } else if (op == 'j') {
        if (last->kind == PDF_STRING)
            show(d, last->text);
    } else if (op == 'J') {
        show_array(d, last);
    } else {
        if (op == '"') {
            d->state.text.word_space = operand(d, 2);
            d->state.text.char_space = operand(d, 1);
        }
        next_line(d, 0, -d->state.text.leading);
        if (op != '*' && last->kind == PDF_STRING)
            show(d, last->text);
    }
}

static void save(struct drawer *d)
{
    if (d->state_count < STATES_MAX)
        d->states[d->state_count++] = d->state;
    else
        d->states_lost++;
}

static void restore(struct drawer *d, unsigned floor)
{
    if (d->states_lost)
        d->states_lost--;
    else if (d->state_count > floor)
        d->state = d->states[--d->state_count];
}

/* --- operators -------------------------------------------------------------------------------- */

void draw_form(struct drawer *d, const struct pdf_object *form, struct matrix m)
{
    const struct pdf_object *before = d->resources, *own = pdf_get(d->pdf, form, "Resources");
    struct state state = d->state;
    unsigned marks = d->mark_count, states = d->state_count;
    uint32_t around = d->form;
    struct str content;
    double numbers[6];

    if (d->forms >= FORMS_MAX || !pdf_spend(d->pdf, 100))
        return;
    if (pdf_numbers(d->pdf, pdf_get(d->pdf, form, "Matrix"), numbers, 6))
        m = times(
            (struct matrix){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]},
            m);
    d->forms++;
    d->form = form->kind == PDF_STREAM ? form->stream->number : 0;
    if (pdf_is_dict(own))
        d->resources = own;
    if (pdf_unpack(d->pdf, d->sheet->arena, form, &content)) {
        d->state.ctm = times(m, d->state.ctm);
        draw_stream(d, content);
    } else {
        d->sheet->damaged = true;
    }
    d->resources = before;
    d->state = state;
    d->state_count = states;
    d->mark_count = MIN_OF(marks, d->mark_count);
    d->form = around;
    d->forms--;
}

static void op_do(struct drawer *d)
{
    const struct pdf_object *o = d->operand_count
                                     ? resource(d, "XObject", &d->operands[d->operand_count - 1])
                                     : &pdf_nothing;
    const struct pdf_object *layer = pdf_get(d->pdf, o, "OC");
    const struct matrix *m = &d->state.ctm;

    if (o->kind != PDF_STREAM || is_hidden(d) || (pdf_is_dict(layer) && layer_is_off(d, layer)))
        return;
    if (pdf_is_name(pdf_get(d->pdf, o, "Subtype"), "Form"))
        draw_form(d, o, matrix_unit);
    else if (d->sheet->width * d->sheet->height > 0)
        d->sheet->image_area = fmax(d->sheet->image_area, fabs(m->a * m->d - m->b * m->c) /
                                                              (d->sheet->width * d->sheet->height));
}

/* Behind "ID": the data ends at an "EI" that stands alone and has text behind it, not more data. */
static void skip_inline_image(struct pdf_lexer *l)
{
    struct str s = l->bytes;

    for (size_t at = l->at; at + 2 < s.len; at++) {
        bool text = true;

        if (s.ptr[at] != 'E' || s.ptr[at + 1] != 'I' || !pdf_is_space(s.ptr[at - 1]) ||
            !pdf_is_space(s.ptr[at + 2]))
            continue;
        for (size_t i = at + 2; i < at + 12 && i < s.len; i++)
            text = text && ((uint8_t)s.ptr[i] >= ' ' || pdf_is_space(s.ptr[i])) &&
                   (uint8_t)s.ptr[i] < 0x7F && s.ptr[i] != '\0';
        if (text) {
            l->at = at + 2;
            return;
        }
    }
    l->at = s.len;
}

static const struct {
    const char *name;
    void (*run)(struct drawer *d, char op);
    char op;
} operators[] = {
    {"Tj", op_line, 'j'}, {"TJ", op_line, 'J'}, {"Td", op_line, 'd'}, {"TD", op_line, 'D'},
    {"Tm", op_line, 'm'}, {"T*", op_line, '*'}, {"'", op_line, '\''}, {"\"", op_line, '"'},
    {"Tf", op_text, 'f'}, {"Tc", op_text, 'c'}, {"Tw", op_text, 'w'}, {"Tz", op_text, 'z'},
    {"TL", op_text, 'L'}, {"Ts", op_text, 's'}, {"re", op_path, 'r'}, {"m", op_path, 'm'},
    {"l", op_path, 'l'},  {"h", op_path, 'h'},  {"c", op_path, 'c'},  {"v", op_path, 'c'},
    {"y", op_path, 'c'},
};

/* Operators that take more than a word to do; false when it is none of them. */
static bool special(struct drawer *d, struct str name, struct pdf_lexer *l, unsigned floor)
{
    if (str_eq(name, STR("q")))
        save(d);
    else if (str_eq(name, STR("Q")))
        restore(d, floor);
    else if (str_eq(name, STR("cm")))
        d->state.ctm = times(operand_matrix(d), d->state.ctm);
    else if (str_eq(name, STR("BT")))
        d->text = d->line = matrix_unit;
    else if (str_eq(name, STR("BDC")) || str_eq(name, STR("BMC")))
        begin_mark(d, name.ptr[1] == 'D');
    else if (str_eq(name, STR("EMC")))
        end_mark(d);
    else if (str_eq(name, STR("Do")))
        op_do(d);
    else if (str_eq(name, STR("ID")))
        skip_inline_image(l);
    else if (str_eq(name, STR("S")) || str_eq(name, STR("s")) || str_eq(name, STR("B")) ||
             str_eq(name, STR("b")) || str_eq(name, STR("B*")) || str_eq(name, STR("b*")))
        end_path(d, true, false);
    else if (str_eq(name, STR("f")) || str_eq(name, STR("F")) || str_eq(name, STR("f*")))
        end_path(d, false, true);
    else if (str_eq(name, STR("n")))
        d->point_count = 0;
    else
        return false;
    return true;
}

static void run(struct drawer *d, struct str name, struct pdf_lexer *l, unsigned floor)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (str_eq(name, str_from(operators[i].name))) {
            operators[i].run(d, operators[i].op);
            return;
        }
    special(d, name, l, floor);
}

void draw_stream(struct drawer *d, struct str content)
{
    struct pdf_lexer l = {.pdf = d->pdf, .arena = d->scratch, .bytes = content};
    unsigned floor = d->state_count;
    struct pdf_object o;
    size_t mark = arena_mark(d->scratch);

    d->operand_count = 0;
    while (pdf_lex(&l, &o)) {
        if (o.kind != PDF_KEYWORD) {
            if (d->operand_count == OPERANDS_MAX) {
                memmove(d->operands, d->operands + 1, (OPERANDS_MAX - 1) * sizeof *d->operands);
                d->operand_count--;
            }
            d->operands[d->operand_count++] = o;
            continue;
        }
        run(d, o.text, &l, floor);
        d->operand_count = 0;
        arena_rewind(d->scratch, mark);
    }
    arena_rewind(d->scratch, mark);
}
