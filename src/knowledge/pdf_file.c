#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/pdf_file.h"

/* Where objects are: cross-reference tables and streams, newest first, each object's newest place wins.
 * When that fails, all of the file is searched for objects, and the last of each number wins. */

#define SECTIONS_MAX 4096 /* incremental updates of a file */

const struct pdf_object pdf_nothing = {.kind = PDF_NULL};

struct pdf_packed { /* an unpacked object stream */
    uint32_t number;
    uint32_t count, first;
    struct packed_place {
        uint32_t number, offset;
    } * places;
    struct str bytes;
    struct pdf_packed *next;
};

bool pdf_stop(struct pdf *pdf, enum pdf_stopped why)
{
    if (pdf->stopped == PDF_GOES_ON)
        pdf->stopped = why;
    return false;
}

bool pdf_spend(struct pdf *pdf, uint64_t steps)
{
    pdf->work += steps;
    if (UNLIKELY(pdf->work > PDF_WORK_MAX))
        pdf_stop(pdf, PDF_TOO_MUCH_WORK);
    return pdf->stopped == PDF_GOES_ON;
}

bool pdf_end(const struct pdf *pdf, struct err *err)
{
    switch (pdf->stopped) {
    case PDF_GOES_ON: return true;
    case PDF_NO_MEMORY: return err_arena(err, pdf->arena);
    case PDF_TOO_MUCH_WORK:
        return err_set(err, ERR_TOO_LARGE, "PDF needs more than %" PRIu64 " million steps to read",
                       PDF_WORK_MAX / 1000000);
    case PDF_TOO_MUCH_UNPACKED:
        return err_set(err, ERR_TOO_LARGE,
                       "PDF unpacks to more than %zu MiB, or %zu MiB in one stream",
                       PDF_UNPACKED_MAX / MIB, PDF_STREAM_BYTES_MAX / MIB);
    }
    return false;
}

/* --- slots ------------------------------------------------------------------------------------ */

static struct pdf_slot *slot_of(struct pdf *pdf, uint32_t number)
{
    if (number >= pdf->slot_cap) {
        uint32_t cap = MAX_OF(number + 1, MIN_OF(2 * pdf->slot_cap, PDF_OBJECTS_MAX + 1));
        struct pdf_slot *grown;

        if (number > PDF_OBJECTS_MAX)
            return NULL;
        grown =
            arena_grow(pdf->arena, pdf->slots, pdf->slot_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            pdf_stop(pdf, PDF_NO_MEMORY);
            return NULL;
        }
        memset(grown + pdf->slot_cap, 0, (cap - pdf->slot_cap) * sizeof *grown);
        pdf->slots = grown;
        pdf->slot_cap = cap;
    }
    pdf->slot_count = MAX_OF(pdf->slot_count, number + 1);
    return &pdf->slots[number];
}

/* The first place that is heard of stays: tables are read newest first. */
static void place(struct pdf *pdf, uint32_t number, struct pdf_slot at)
{
    struct pdf_slot *slot = slot_of(pdf, number);

    if (slot && slot->kind == SLOT_FREE && !slot->generation)
        *slot = at;
}

/* --- one object ------------------------------------------------------------------------------- */

static struct str take_line_end(struct str s)
{
    if (s.len && s.ptr[0] == '\r')
        s = str_slice(s, 1, s.len);
    return s.len && s.ptr[0] == '\n' ? str_slice(s, 1, s.len) : s;
}

/* The bytes behind "stream": as long as Length says if "endstream" stands there, else up to the next. */
static struct str stream_bytes(struct pdf_lexer *l, const struct pdf_object *dict)
{
    struct str rest = take_line_end(str_slice(l->bytes, l->at, l->bytes.len)), tail;
    int64_t said = pdf_integer(pdf_get(l->pdf, dict, "Length"), -1);
    size_t len;

    if (said >= 0 && (uint64_t)said <= rest.len) {
        tail = str_trim(str_slice(rest, (size_t)said, MIN_OF((size_t)said + 32, rest.len)));
        if (str_starts(tail, STR("endstream")) || str_starts(tail, STR("endobj")))
            return str_slice(rest, 0, (size_t)said);
    }
    if (!pdf_spend(l->pdf, rest.len / 64)) /* a long way to look for nothing, again and again */
        return STR_NONE;
    len = str_find(rest, STR("endstream"));
    if (len == rest.len)
        len = str_find(rest, STR("endobj"));
    while (len > 0 && (rest.ptr[len - 1] == '\n' || rest.ptr[len - 1] == '\r'))
        len--;
    return str_slice(rest, 0, len);
}

/* The value behind "N G obj", a stream with its bytes. */
static struct pdf_object *read_value(struct pdf_lexer *l)
{
    struct pdf *pdf = l->pdf;
    struct pdf_object *o = arena_alloc(pdf->arena, sizeof *o), next;
    struct pdf_stream *stream;
    struct pdf_lexer ahead;

    if (!o) {
        pdf_stop(pdf, PDF_NO_MEMORY);
        return NULL;
    }
    if (!pdf_lex(l, o) || o->kind == PDF_KEYWORD) {
        *o = pdf_nothing;
        return o;
    }
    ahead = *l;
    if (o->kind != PDF_DICT || !pdf_lex(&ahead, &next) || next.kind != PDF_KEYWORD ||
        !str_eq(next.text, STR("stream")))
        return o;
    *l = ahead;
    stream = arena_alloc(pdf->arena, sizeof *stream);
    if (!stream) {
        pdf_stop(pdf, PDF_NO_MEMORY);
        return NULL;
    }
    *stream = (struct pdf_stream){
        .dict = *o, .raw = stream_bytes(l, o), .number = l->number, .generation = l->generation};
    *o = (struct pdf_object){.kind = PDF_STREAM, .stream = stream};
    return o;
}

/* "N G obj" at an offset; its value is not read yet. */
static bool read_head(struct pdf *pdf, size_t at, struct pdf_lexer *l)
{
    struct pdf_object number, generation, keyword;

    *l = (struct pdf_lexer){.pdf = pdf, .arena = pdf->arena, .bytes = pdf->bytes, .at = at};
    if (at >= pdf->bytes.len || !pdf_lex(l, &number) || number.kind != PDF_NUMBER ||
        !pdf_lex(l, &generation) || generation.kind != PDF_NUMBER || !pdf_lex(l, &keyword) ||
        keyword.kind != PDF_KEYWORD || !str_starts(keyword.text, STR("obj")))
        return false;
    l->at -= keyword.text.len - 3; /* "obj123" */
    l->number = (uint32_t)pdf_integer(&number, 0);
    l->generation = (uint32_t)pdf_integer(&generation, 0) & 0xFFFF;
    l->references = true;
    return true;
}

/* The table in front of an object stream: number and offset of each object. */
static bool read_places(struct pdf *pdf, struct pdf_packed *p, uint64_t count)
{
    struct pdf_lexer l = {
        .pdf = pdf, .arena = pdf->arena, .bytes = str_slice(p->bytes, 0, p->first)};
    struct pdf_object number, offset;

    count = MIN_OF(count, p->first / 3 + 1);
    p->places = arena_array(pdf->arena, count, sizeof *p->places);
    if (!p->places)
        return pdf_stop(pdf, PDF_NO_MEMORY);
    while (p->count < count && pdf_lex(&l, &number) && number.kind == PDF_NUMBER &&
           pdf_lex(&l, &offset) && offset.kind == PDF_NUMBER)
        p->places[p->count++] =
            (struct packed_place){(uint32_t)pdf_integer(&number, 0) & 0x7FFFFFFF,
                                  (uint32_t)pdf_integer(&offset, 0) & 0x7FFFFFFF};
    return true;
}

static struct pdf_packed *packed_stream(struct pdf *pdf, uint32_t number)
{
    const struct pdf_object *o;
    struct pdf_packed *p = pdf->packed;
    struct str bytes;

    while (p && p->number != number)
        p = p->next;
    if (p)
        return p;
    o = pdf_fetch(pdf, number);
    if (o->kind != PDF_STREAM || o->stream->in_stream || !pdf_unpack(pdf, pdf->arena, o, &bytes))
        return NULL;
    p = arena_alloc(pdf->arena, sizeof *p);
    if (!p) {
        pdf_stop(pdf, PDF_NO_MEMORY);
        return NULL;
    }
    p->number = number;
    p->first = (uint32_t)MIN_OF((uint64_t)pdf_integer(pdf_get(pdf, o, "First"), 0), bytes.len);
    p->bytes = bytes;
    if (!read_places(pdf, p, (uint64_t)pdf_integer(pdf_get(pdf, o, "N"), 0)))
        return NULL;
    p->next = pdf->packed;
    pdf->packed = p;
    return p;
}

/* The object at the index that the table of places names, or wherever its number stands. */
static struct pdf_object *read_packed(struct pdf *pdf, uint32_t wanted, const struct pdf_slot *slot)
{
    struct pdf_packed *p = packed_stream(pdf, slot->where);
    uint32_t i = slot->generation;
    struct pdf_object *o;
    struct pdf_lexer l;

    if (!p || !pdf_spend(pdf, 1))
        return NULL;
    if (i >= p->count || p->places[i].number != wanted)
        for (i = 0; i < p->count && p->places[i].number != wanted;)
            i++;
    if (i >= p->count || !pdf_spend(pdf, i / 8))
        return NULL;
    l = (struct pdf_lexer){.pdf = pdf,
                           .arena = pdf->arena,
                           .bytes = p->bytes,
                           .at = MIN_OF((size_t)p->first + p->places[i].offset, p->bytes.len),
                           .references = true};
    o = read_value(&l);
    if (o && o->kind == PDF_STREAM)
        o->stream->in_stream = true;
    return o;
}

static struct pdf_object *read_slot(struct pdf *pdf, uint32_t number, const struct pdf_slot *slot)
{
    struct pdf_lexer l;

    if (slot->kind == SLOT_PACKED)
        return read_packed(pdf, number, slot);
    if (slot->kind == SLOT_AT && read_head(pdf, slot->where, &l) && l.number == number)
        return read_value(&l);
    return NULL;
}

const struct pdf_object *pdf_fetch(struct pdf *pdf, uint32_t number)
{
    struct pdf_slot *slot = number < pdf->slot_count ? &pdf->slots[number] : NULL, copy;
    struct pdf_object *o;

    if (!slot || slot->reading || pdf->stopped)
        return &pdf_nothing;
    if (slot->object)
        return slot->object;
    if (slot->kind == SLOT_FREE || pdf->depth >= PDF_DEPTH_MAX)
        return &pdf_nothing;
    slot->reading = true;
    pdf->depth++;
    copy = *slot;
    o = read_slot(pdf, number, &copy);
    if (!o && !pdf->damaged && !pdf->stopped) {
        pdf_search(pdf); /* the table lies */
        copy = pdf->slots[number];
        o = read_slot(pdf, number, &copy);
    }
    pdf->depth--;
    slot = &pdf->slots[number]; /* the table may have grown */
    slot->reading = false;
    slot->object = o;
    return o ? o : &pdf_nothing;
}

/* --- tables of places ------------------------------------------------------------------------- */

/* "first count" and lines of twenty bytes, which some writers make nineteen or twenty-one. */
static bool read_table(struct pdf_lexer *l)
{
    struct pdf *pdf = l->pdf;
    struct pdf_object first, count, offset, generation, kind;

    for (;;) {
        size_t before = l->at;

        if (!pdf_lex(l, &first))
            return false;
        if (first.kind == PDF_KEYWORD) {
            l->at = before;
            return true;
        }
        if (first.kind != PDF_NUMBER || !pdf_lex(l, &count) || count.kind != PDF_NUMBER)
            return false;
        for (int64_t i = 0; i < pdf_integer(&count, 0); i++) {
            int64_t number = pdf_integer(&first, -1) + i, at;

            if (!pdf_lex(l, &offset) || offset.kind != PDF_NUMBER || !pdf_lex(l, &generation) ||
                generation.kind != PDF_NUMBER || !pdf_lex(l, &kind) || kind.kind != PDF_KEYWORD)
                return false;
            at = pdf_integer(&offset, 0);
            if (number < 0 || number > PDF_OBJECTS_MAX)
                return false;
            if (str_eq(kind.text, STR("n")) && at > 0 && (uint64_t)at < pdf->bytes.len)
                place(pdf, (uint32_t)number,
                      (struct pdf_slot){.kind = SLOT_AT, .where = (uint32_t)at});
            else if (number > 0)
                place(pdf, (uint32_t)number, (struct pdf_slot){.kind = SLOT_FREE, .generation = 1});
        }
    }
}

static uint64_t field(struct str row, size_t *at, uint32_t width, uint64_t otherwise)
{
    uint64_t n = 0;

    if (!width)
        return otherwise;
    for (uint32_t i = 0; i < width; i++)
        n = n << 8 | (uint8_t)row.ptr[(*at)++];
    return n;
}

static void read_stream_rows(struct pdf *pdf, struct str *rows, const uint32_t widths[3],
                             uint64_t first, uint64_t count)
{
    uint32_t width = widths[0] + widths[1] + widths[2];

    for (uint64_t i = 0; i < count && rows->len >= width && pdf_spend(pdf, 1); i++) {
        size_t at = 0;
        uint64_t kind = field(*rows, &at, widths[0], 1);
        uint64_t where = field(*rows, &at, widths[1], 0), more = field(*rows, &at, widths[2], 0);
        struct pdf_slot slot = {.where = (uint32_t)where, .generation = (uint32_t)more};

        *rows = str_slice(*rows, width, rows->len);
        if (first + i > PDF_OBJECTS_MAX || where > UINT32_MAX)
            continue;
        slot.kind = kind == 1 ? SLOT_AT : kind == 2 ? SLOT_PACKED : SLOT_FREE;
        if (kind == 0)
            slot.generation = 1;
        place(pdf, (uint32_t)(first + i), slot);
    }
}

static bool read_table_stream(struct pdf *pdf, const struct pdf_object *stream)
{
    const struct pdf_object *index = pdf_get(pdf, stream, "Index");
    double w[3];
    uint32_t widths[3];
    struct str rows;

    if (!pdf_numbers(pdf, pdf_get(pdf, stream, "W"), w, 3) ||
        !pdf_unpack(pdf, pdf->arena, stream, &rows))
        return false;
    for (int i = 0; i < 3; i++) {
        if (!(w[i] >= 0 && w[i] <= 8))
            return false;
        widths[i] = (uint32_t)w[i];
    }
    if (widths[0] + widths[1] + widths[2] == 0)
        return false;
    if (index->kind != PDF_ARRAY)
        read_stream_rows(pdf, &rows, widths, 0,
                         (uint64_t)MAX_OF(pdf_integer(pdf_get(pdf, stream, "Size"), 0), 0));
    for (uint32_t i = 0; index->kind == PDF_ARRAY && i + 1 < index->count; i += 2)
        read_stream_rows(pdf, &rows, widths,
                         (uint64_t)MAX_OF(pdf_integer(pdf_at(pdf, index, i), 0), 0),
                         (uint64_t)MAX_OF(pdf_integer(pdf_at(pdf, index, i + 1), 0), 0));
    return true;
}

/* Keys of older trailers are kept when newer ones have none. */
static void keep_trailer(struct pdf *pdf, const struct pdf_object *dict)
{
    if (pdf->trailer.kind == PDF_NULL || pdf_get_raw(pdf, &pdf->trailer, "Root")->kind == PDF_NULL)
        pdf->trailer = dict->kind == PDF_STREAM ? dict->stream->dict : *dict;
}

/* One section at `at`; where the one before it is, or -1. */
static bool read_section(struct pdf *pdf, size_t at, int64_t *previous)
{
    struct pdf_lexer l = {
        .pdf = pdf, .arena = pdf->arena, .bytes = pdf->bytes, .at = at, .references = true};
    struct pdf_object o, *stream;

    if (at >= pdf->bytes.len || !pdf_lex(&l, &o))
        return false;
    if (o.kind == PDF_KEYWORD && str_eq(o.text, STR("xref"))) {
        int64_t hybrid;

        if (!read_table(&l) || !pdf_lex(&l, &o) || o.kind != PDF_KEYWORD ||
            !str_eq(o.text, STR("trailer")) || !pdf_lex(&l, &o) || o.kind != PDF_DICT)
            return false;
        keep_trailer(pdf, &o);
        *previous = pdf_integer(pdf_get(pdf, &o, "Prev"), -1);
        hybrid = pdf_integer(pdf_get(pdf, &o, "XRefStm"), -1);
        if (hybrid > 0 && read_head(pdf, (size_t)hybrid, &l) && (stream = read_value(&l)) &&
            stream->kind == PDF_STREAM)
            return read_table_stream(pdf, stream);
        return true;
    }
    if (!read_head(pdf, at, &l) || !(stream = read_value(&l)) || stream->kind != PDF_STREAM ||
        !read_table_stream(pdf, stream))
        return false;
    keep_trailer(pdf, stream);
    *previous = pdf_integer(pdf_get(pdf, stream, "Prev"), -1);
    return true;
}

static bool read_sections(struct pdf *pdf)
{
    size_t tail = pdf->bytes.len - MIN_OF(pdf->bytes.len, 2048), last = pdf->bytes.len;
    struct str rest = str_slice(pdf->bytes, tail, pdf->bytes.len);
    struct pdf_lexer l = {.pdf = pdf, .arena = pdf->arena, .bytes = pdf->bytes};
    struct pdf_object o;
    int64_t at;

    for (size_t i = 0; i + 9 <= rest.len; i++)
        if (!memcmp(rest.ptr + i, "startxref", 9))
            last = tail + i + 9;
    l.at = last;
    if (!pdf_lex(&l, &o) || o.kind != PDF_NUMBER)
        return false;
    at = pdf_integer(&o, -1);
    for (int i = 0; at >= 0 && i < SECTIONS_MAX; i++)
        if (!read_section(pdf, (size_t)at, &at) || pdf->stopped)
            return false;
    return true;
}

/* --- searching -------------------------------------------------------------------------------- */

static void search_packed(struct pdf *pdf, uint32_t number)
{
    struct pdf_packed *p = packed_stream(pdf, number);

    for (uint32_t i = 0; p && i < p->count; i++) {
        uint32_t inner = p->places[i].number;
        struct pdf_slot *slot = inner != number ? slot_of(pdf, inner) : NULL;

        if (slot && slot->kind != SLOT_AT)
            *slot = (struct pdf_slot){
                .kind = SLOT_PACKED, .where = number, .generation = i, .reading = slot->reading};
    }
}

/* Object streams tell of other objects; streams of places have the keys of a trailer. */
static void look_into(struct pdf *pdf, const char *type)
{
    uint32_t count = pdf->slot_count;

    for (uint32_t i = 0; i < count && pdf_spend(pdf, 1); i++) {
        const struct pdf_object *o =
            pdf->slots[i].kind == SLOT_AT ? pdf_fetch(pdf, i) : &pdf_nothing;

        if (o->kind != PDF_STREAM || !pdf_is_name(pdf_get(pdf, o, "Type"), type))
            continue;
        if (str_eq(str_from(type), STR("XRef")))
            keep_trailer(pdf, o);
        else
            search_packed(pdf, i);
    }
}

static void find_catalogue(struct pdf *pdf)
{
    for (uint32_t i = 0; i < pdf->slot_count && pdf_spend(pdf, 1); i++) {
        const struct pdf_object *o = pdf_fetch(pdf, i);
        struct pdf_entry *entry;

        if (o->kind != PDF_DICT || !pdf_is_name(pdf_get(pdf, o, "Type"), "Catalog"))
            continue;
        entry = arena_alloc(pdf->arena, sizeof *entry);
        if (!entry) {
            pdf_stop(pdf, PDF_NO_MEMORY);
            return;
        }
        *entry = (struct pdf_entry){STR("Root"), {.kind = PDF_REF, .ref = i}};
        pdf->trailer = (struct pdf_object){.kind = PDF_DICT, .count = 1, .entries = entry};
    }
}

/* Digits, spaces, digits, spaces before "obj": where the number begins, or `at`. */
static size_t head_before(struct str s, size_t at)
{
    size_t i = at;

    for (int part = 0; part < 2; part++) {
        size_t before = i;

        while (i > 0 && pdf_is_space(s.ptr[i - 1]) && before - i < 8)
            i--;
        if (i == before)
            return at;
        before = i;
        while (i > 0 && s.ptr[i - 1] >= '0' && s.ptr[i - 1] <= '9' && before - i < 10)
            i--;
        if (i == before)
            return at;
    }
    return i;
}

static void search_places(struct pdf *pdf)
{
    struct str s = pdf->bytes;
    struct pdf_lexer l;
    struct pdf_object dict;

    for (size_t at = 0; at + 7 < s.len; at++) {
        const char *next = memchr(s.ptr + at, 'o', s.len - at), *trailer;
        size_t found, head;
        struct pdf_slot *slot;

        trailer = memchr(s.ptr + at, 't', next ? (size_t)(next - s.ptr) - at : s.len - at);
        found = trailer ? (size_t)(trailer - s.ptr) : next ? (size_t)(next - s.ptr) : s.len;
        at = found;
        if (trailer && s.len - found > 7 && !memcmp(trailer, "trailer", 7)) {
            l = (struct pdf_lexer){
                .pdf = pdf, .arena = pdf->arena, .bytes = s, .at = found + 7, .references = true};
            if (pdf_lex(&l, &dict) && dict.kind == PDF_DICT &&
                pdf_get_raw(pdf, &dict, "Root")->kind == PDF_REF)
                pdf->trailer = dict; /* the last one is the newest */
        } else if (!trailer && s.len - found > 3 && !memcmp(s.ptr + found, "obj", 3)) {
            head = head_before(s, found);
            if (head == found || !read_head(pdf, head, &l))
                continue;
            slot = slot_of(pdf, l.number);
            if (slot)
                *slot = (struct pdf_slot){.kind = SLOT_AT,
                                          .where = (uint32_t)head,
                                          .object = slot->object,
                                          .reading = slot->reading};
        }
        if (!pdf_spend(pdf, 1))
            return;
    }
}

void pdf_search(struct pdf *pdf)
{
    struct err ignored = {0};

    if (pdf->damaged)
        return;
    pdf->damaged = true;
    search_places(pdf);
    look_into(pdf, "XRef");
    /* Without the key nothing inside object streams can be read; pdf_open() says what is wrong with it.
     * What was read before there was a key is read again. */
    if (!pdf->cipher && pdf_cipher_open(pdf, &ignored) && pdf->cipher)
        for (uint32_t i = 0; i < pdf->slot_count; i++)
            pdf->slots[i].object = NULL;
    look_into(pdf, "ObjStm");
    if (!pdf_is_dict(pdf_get(pdf, pdf_get(pdf, &pdf->trailer, "Root"), "Pages")))
        find_catalogue(pdf);
}

/* --- opening ---------------------------------------------------------------------------------- */

bool pdf_open(struct pdf *pdf, struct arena *arena, struct str bytes, struct err *err)
{
    size_t head = str_find(str_slice(bytes, 0, 1024), STR("%PDF-"));

    *pdf = (struct pdf){.arena = arena};
    if (head == MIN_OF(bytes.len, (size_t)1024))
        return err_set(err, ERR_INVALID, "is no PDF: does not begin with %%PDF-");
    if (bytes.len >= UINT32_MAX)
        return err_set(err, ERR_TOO_LARGE, "PDF of more than 4 GiB");
    pdf->bytes = str_slice(bytes, head, bytes.len);
    if (!read_sections(pdf) && !pdf->stopped)
        pdf_search(pdf);
    if (pdf->stopped)
        return pdf_end(pdf, err);
    if (!pdf_cipher_open(pdf, err))
        return false;
    if (!pdf_is_dict(pdf_get(pdf, pdf_get(pdf, &pdf->trailer, "Root"), "Pages")))
        pdf_search(pdf);
    if (pdf->stopped)
        return pdf_end(pdf, err);
    if (!pdf_is_dict(pdf_get(pdf, pdf_get(pdf, &pdf->trailer, "Root"), "Pages")))
        return err_set(err, ERR_INVALID, "PDF is damaged: no list of pages can be found");
    return true;
}
