#include "knowledge/passage.h"

#include <string.h>

#include "base/utf8.h"
#include "index/terms.h"

/* In thirds of a character, so that an ideograph weighs 8/3 of a letter: 600 against 1,600. */
#define PASSAGE_WEIGHT 4800u
#define IDEOGRAPH      8u
#define HEADING_MAX    400 /* bytes of a heading path */

/* --- cutting ---------------------------------------------------------------------------------- */

struct cut {
    struct arena *arena;
    const struct document *document;
    struct headings headings;
    struct buf passages; /* struct passage */
    struct buf blocks;   /* of the open passage */
    uint32_t weight;     /* of the open passage */
};

uint32_t passage_weight(struct str text)
{
    uint32_t weight = 0, rune;

    for (size_t at = 0; utf8_next(text, &at, &rune);)
        weight += rune_is_cjk(rune) ? IDEOGRAPH : LETTER_WEIGHT;
    return weight;
}

struct str headings_path(const struct headings *headings, struct arena *arena, struct str title)
{
    struct buf b;

    buf_init(&b, arena, HEADING_LEVELS * (HEADING_MAX + 8));
    for (int i = 1; i <= HEADING_LEVELS; i++) {
        struct str h = headings->at[i];

        if (!h.len || str_eq(h, title))
            continue;
        if (b.len)
            buf_str(&b, STR(" > "));
        buf_str(&b, str_slice(h, 0, utf8_boundary(h, HEADING_MAX)));
    }
    return buf_view(&b);
}

static void end_passage(struct cut *c)
{
    struct passage passage = {.heading = headings_path(&c->headings, c->arena, c->document->title),
                              .blocks = (struct block *)(void *)c->blocks.ptr,
                              .count = c->blocks.len / sizeof(struct block)};

    if (passage.count)
        buf_put(&c->passages, &passage, sizeof passage);
    buf_init(&c->blocks, c->arena, 64 * MIB);
    c->weight = 0;
}

void headings_enter(struct headings *headings, const struct block *heading)
{
    int level = MIN_OF(MAX_OF(heading->level, 1), HEADING_LEVELS);

    headings->at[level] = heading->text;
    for (int i = level + 1; i <= HEADING_LEVELS; i++)
        headings->at[i] = STR_NONE;
}

bool block_slice(struct arena *arena, const struct block *block, uint32_t from, uint32_t to,
                 struct block *out)
{
    struct run *runs = arena_array(arena, block->run_count, sizeof *runs);
    size_t count = 0;

    for (size_t i = 0; runs && i < block->run_count; i++) {
        struct run run = block->runs[i];
        uint32_t begin = MAX_OF(run.text_at, from), end = MIN_OF(run.text_at + run.text_len, to);

        if (begin >= end)
            continue;
        run = run_part(&run, begin, end);
        run.text_at = begin - from;
        runs[count++] = run;
    }
    *out = *block;
    out->text = str_slice(block->text, from, to);
    out->runs = runs;
    out->run_count = count;
    return runs != NULL;
}

static void add_block(struct cut *c, const struct block *block, uint32_t weight)
{
    if (c->weight && c->weight + weight > PASSAGE_WEIGHT)
        end_passage(c);
    buf_put(&c->blocks, block, sizeof *block);
    c->weight += weight;
}

/* Where a piece that begins at `from` should end: the last sentence end that fits, at least one. */
static size_t piece_end(struct str text, size_t from)
{
    size_t end = from;

    while (end < text.len) {
        size_t next = sentence_end(text, end);

        if (end > from && passage_weight(str_slice(text, from, next)) > PASSAGE_WEIGHT)
            break;
        end = next;
        while (end < text.len && text.ptr[end] == ' ')
            end++;
    }
    if (end - from > 4 * (size_t)PASSAGE_WEIGHT) /* one endless sentence */
        end = from + utf8_boundary(str_slice(text, from, text.len), PASSAGE_WEIGHT);
    return end;
}

static bool add_long_block(struct cut *c, const struct block *block, struct err *err)
{
    for (size_t at = 0; at < block->text.len;) {
        size_t end = piece_end(block->text, at);
        struct block piece;

        if (!block_slice(c->arena, block, (uint32_t)at, (uint32_t)end, &piece))
            return err_arena(err, c->arena);
        add_block(c, &piece, passage_weight(piece.text));
        at = end;
    }
    return true;
}

bool passages_cut(struct arena *arena, const struct document *document, struct passage **out,
                  size_t *count, struct err *err)
{
    struct cut c = {.arena = arena, .document = document};
    struct str bytes;

    buf_init(&c.passages, arena, 256 * MIB);
    buf_init(&c.blocks, arena, 64 * MIB);
    for (size_t i = 0; i < document->count; i++) {
        const struct block *block = &document->blocks[i];
        uint32_t weight = passage_weight(block->text);

        if (block->kind == BLOCK_HEADING)
            end_passage(&c), headings_enter(&c.headings, block);
        else if (weight <= PASSAGE_WEIGHT)
            add_block(&c, block, weight);
        else if (!add_long_block(&c, block, err))
            return false;
        if (!buf_ok(&c.blocks))
            return err_arena(err, arena);
    }
    end_passage(&c);
    if (!buf_finish(&c.passages, &bytes, err))
        return false;
    *out = (struct passage *)(void *)c.passages.ptr;
    *count = bytes.len / sizeof **out;
    return true;
}

bool blocks_join(const struct block *block, const struct block *next)
{
    if (block->kind != next->kind || block->level != next->level)
        return false;
    return block_origin(block, 0, (uint32_t)block->text.len).byte_end ==
           block_origin(next, 0, (uint32_t)next->text.len).byte_first;
}

bool passage_text(struct arena *arena, const struct passage *passage, struct str *out,
                  struct err *err)
{
    struct buf b;

    buf_init(&b, arena, 64 * MIB);
    for (size_t i = 0; i < passage->count; i++) {
        buf_str(&b, passage->blocks[i].text);
        if (i + 1 == passage->count || !blocks_join(&passage->blocks[i], &passage->blocks[i + 1]))
            buf_char(&b, '\n');
    }
    return buf_finish(&b, out, err);
}

/* --- records ---------------------------------------------------------------------------------- */

void record_put_number(struct buf *to, uint64_t n)
{
    for (; n >= 128; n >>= 7)
        buf_char(to, (char)(n | 0x80));
    buf_char(to, (char)n);
}

void record_put_str(struct buf *to, struct str s)
{
    record_put_number(to, s.len);
    buf_str(to, s);
}

bool record_number(struct str *rest, uint64_t *out)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64 && rest->len; shift += 7) {
        uint8_t byte = (uint8_t)rest->ptr[0];

        *rest = str_slice(*rest, 1, rest->len);
        n |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 128) {
            *out = n;
            return true;
        }
    }
    return false;
}

bool record_str(struct str *rest, struct str *out)
{
    uint64_t len;

    if (!record_number(rest, &len) || len > rest->len)
        return false;
    *out = str_slice(*rest, 0, len);
    *rest = str_slice(*rest, len, rest->len);
    return true;
}

void place_write(struct buf *to, const struct place *place)
{
    record_put_number(to, place->page);
    record_put_number(to, place->left);
    record_put_number(to, place->top);
    record_put_number(to, place->right);
    record_put_number(to, place->bottom);
    record_put_str(to, place->label);
}

bool place_read(struct str *rest, struct place *out)
{
    uint64_t n[5];

    for (size_t i = 0; i < ARRAY_LEN(n); i++)
        if (!record_number(rest, &n[i]) || n[i] > UINT32_MAX)
            return false;
    *out = (struct place){.page = (uint32_t)n[0],
                          .left = (uint32_t)n[1],
                          .top = (uint32_t)n[2],
                          .right = (uint32_t)n[3],
                          .bottom = (uint32_t)n[4]};
    return record_str(rest, &out->label);
}

static bool is_placed(const struct place *p)
{
    return p->page || p->label.len || p->left || p->top || p->right || p->bottom;
}

#define PLACED  0x40u /* beside the kind: a place follows */
#define STEPPED 0x20u /* ... and each run has its steps */

static bool is_stepped(const struct block *block)
{
    for (size_t i = 0; i < block->run_count; i++)
        if (block->runs[i].text_step)
            return true;
    return false;
}

/* Runs lie end to end in the text and in order in the file: gaps and steps are enough. */
static void write_block(struct buf *to, const struct block *block)
{
    uint32_t source = 0, line = 0;
    bool stepped = is_stepped(block);

    record_put_number(to, (uint64_t)block->kind | (is_placed(&block->place) ? PLACED : 0) |
                              (stepped ? STEPPED : 0));
    if (is_placed(&block->place))
        place_write(to, &block->place);
    record_put_number(to, (uint64_t)block->level);
    record_put_str(to, block->text);
    record_put_number(to, block->run_count);
    for (size_t i = 0; i < block->run_count; i++) {
        const struct run *run = &block->runs[i];

        record_put_number(to, run->text_len);
        record_put_number(to, run->source_at - source);
        record_put_number(to, run->source_len);
        record_put_number(to, run->line - line);
        if (stepped)
            record_put_number(to, (uint64_t)run->text_step << 8 | run->source_step);
        source = run->source_at + run->source_len;
        line = run->line;
    }
}

void passage_write(struct buf *to, const struct passage *passage)
{
    record_put_str(to, passage->heading);
    record_put_number(to, passage->count);
    for (size_t i = 0; i < passage->count; i++)
        write_block(to, &passage->blocks[i]);
}

static bool read_runs(struct str *rest, struct block *block, bool stepped)
{
    uint64_t text = 0, source = 0, line = 0, numbers[5] = {0};

    for (size_t i = 0; i < block->run_count; i++) {
        for (size_t k = 0; k < ARRAY_LEN(numbers) - !stepped; k++)
            if (!record_number(rest, &numbers[k]) || numbers[k] > DOCUMENT_BYTES_MAX)
                return false;
        source += numbers[1];
        line += numbers[3];
        block->runs[i] = (struct run){.text_at = (uint32_t)text,
                                      .text_len = (uint32_t)numbers[0],
                                      .source_at = (uint32_t)source,
                                      .source_len = (uint32_t)numbers[2],
                                      .line = (uint32_t)line,
                                      .text_step = (uint8_t)(numbers[4] >> 8),
                                      .source_step = (uint8_t)numbers[4]};
        text += numbers[0];
        source += numbers[2];
        if (source > DOCUMENT_BYTES_MAX || line > DOCUMENT_BYTES_MAX)
            return false;
    }
    return text == block->text.len;
}

static bool read_block(struct arena *arena, struct str *rest, struct block *out)
{
    uint64_t kind, level, runs;

    const uint64_t flags = PLACED | STEPPED;

    if (!record_number(rest, &kind) || (kind & ~flags) >= BLOCK_KINDS ||
        ((kind & PLACED) && !place_read(rest, &out->place)) || !record_number(rest, &level) ||
        level > 64 || !record_str(rest, &out->text) || !out->text.len ||
        !record_number(rest, &runs) || !runs || runs > rest->len)
        return false;
    out->kind = (enum block_kind)(kind & ~flags);
    out->level = (int)level;
    out->run_count = runs;
    out->runs = arena_array(arena, runs, sizeof *out->runs);
    return out->runs && read_runs(rest, out, kind & STEPPED);
}

bool passage_read(struct arena *arena, struct str record, struct passage *out)
{
    struct passage passage;
    struct str rest = record;
    uint64_t count;

    if (!record_str(&rest, &passage.heading) || !record_number(&rest, &count) || count > rest.len)
        return false;
    passage.count = count;
    passage.blocks = arena_array(arena, count + 1, sizeof *passage.blocks);
    if (!passage.blocks)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_block(arena, &rest, &passage.blocks[i]))
            return false;
    *out = passage;
    return true;
}

static bool skip_numbers(struct str *rest, uint64_t count)
{
    size_t at = 0;

    for (; count > 0 && at < rest->len; at++)
        count -= (uint8_t)rest->ptr[at] < 128;
    *rest = str_slice(*rest, at, rest->len);
    return count == 0;
}

static bool skip_block(struct str *rest)
{
    const uint64_t per_run = 4;
    uint64_t kind, level, runs;
    struct place place;
    struct str text;

    return record_number(rest, &kind) && (!(kind & PLACED) || place_read(rest, &place)) &&
           record_number(rest, &level) && record_str(rest, &text) && record_number(rest, &runs) &&
           runs <= rest->len && skip_numbers(rest, runs * (per_run + (kind & STEPPED ? 1 : 0)));
}

bool passage_skip(struct str *rest)
{
    struct str heading;
    uint64_t count;

    if (!record_str(rest, &heading) || !record_number(rest, &count) || count > rest->len)
        return false;
    while (count-- > 0)
        if (!skip_block(rest))
            return false;
    return true;
}
