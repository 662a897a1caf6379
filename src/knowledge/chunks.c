#include "knowledge/chunks.h"

#include "base/json.h"
#include "base/utf8.h"

#define PASSAGES_MAX ((size_t)256 * MIB)
#define BLOCKS_MAX   ((size_t)64 * MIB)

bool chunking_is(struct chunking a, struct chunking b)
{
    return a.tokens == b.tokens && a.overlap == b.overlap;
}

bool chunking_fits(struct chunking c)
{
    return (c.tokens == 0 && c.overlap == 0) ||
           (c.tokens >= CHUNK_TOKENS_MIN && c.tokens <= CHUNK_TOKENS_MAX &&
            c.overlap <= c.tokens / 2);
}

bool chunking_read(const struct json *j, struct chunking *out)
{
    json_ref tokens = json_get(j, json_root(j), STR("chunk_tokens"));
    int64_t size = 0, overlap = 0;

    *out = (struct chunking){0};
    if (!tokens)
        return true;
    if (!json_i64(j, tokens, &size) ||
        !json_i64(j, json_get(j, json_root(j), STR("chunk_overlap")), &overlap) || size <= 0 ||
        size > CHUNK_TOKENS_MAX || overlap < 0 || overlap > size)
        return false;
    *out = (struct chunking){(uint32_t)size, (uint32_t)overlap};
    return chunking_fits(*out);
}

struct chunks {
    struct arena *arena;
    const struct document *document;
    uint32_t limit, overlap; /* weights */
    struct headings headings;
    struct buf passages; /* struct passage */
    struct buf blocks;   /* of the open one: what it repeats, then its own */
    size_t repeated;     /* blocks of it */
    uint32_t weight;
};

/* ---- where a text may be cut ---- */

/* Behind the sentence, or line of code, that begins at `from`, and the white space after it. */
static size_t unit_end(const struct block *block, size_t from)
{
    struct str text = block->text;
    size_t end;

    if (block->kind == BLOCK_CODE) {
        end = from + str_find_char(str_slice(text, from, text.len), '\n');
        return MIN_OF(end + 1, text.len);
    }
    end = sentence_end(text, from);
    while (end < text.len && text.ptr[end] == ' ')
        end++;
    return end;
}

/* As much of text[from, to) as weighs no more than `room`, to the end of a word if there is one: at least a character. */
static size_t words_end(struct str text, size_t from, size_t to, uint32_t room)
{
    size_t word = from, at = from, next = from;
    uint32_t weight = 0, rune;

    while (at < to && utf8_next(text, &next, &rune)) {
        weight += passage_weight(str_slice(text, at, next));
        if (weight > room && at > from)
            break;
        at = next;
        if (rune == ' ' || rune == '\n' || rune_is_cjk(rune))
            word = at;
    }
    return at >= to ? to : word > from ? word : at;
}

/* Where a piece that begins at `from` and may weigh `room` ends. */
static size_t piece_end(const struct block *block, size_t from, uint32_t room)
{
    struct str text = block->text;
    uint32_t weight = 0;
    size_t end = from;

    while (end < text.len) {
        size_t next = unit_end(block, end);

        weight += passage_weight(str_slice(text, end, next));
        if (weight > room)
            break;
        end = next;
    }
    if (end > from)
        return end;
    return words_end(text, from, unit_end(block, from), room);
}

/* Where the end of a text begins that weighs no more than `room`: with a sentence, or, when none is so short, a word. */
static size_t tail_begin(const struct block *block, uint32_t room, bool in_words)
{
    struct str text = block->text;
    uint32_t all = passage_weight(text);
    size_t at = 0;

    while (at < text.len && all > room) {
        size_t next = unit_end(block, at);

        all -= passage_weight(str_slice(text, at, next));
        at = next;
    }
    if (at < text.len || !in_words)
        return at;
    all = passage_weight(text);
    for (at = 0; at < text.len && all > room;) {
        size_t next = words_end(text, at, text.len, 1); /* a word or character at a time */

        while (next < text.len && text.ptr[next - 1] != ' ' && (uint8_t)text.ptr[next] < 0x80)
            next++;
        all -= passage_weight(str_slice(text, at, next));
        at = next;
    }
    return at;
}

/* ---- passages ---- */

static void put_block(struct chunks *c, const struct block *block)
{
    buf_put(&c->blocks, block, sizeof *block);
    c->weight += passage_weight(block->text);
}

static void end_passage(struct chunks *c)
{
    struct passage passage = {.heading = headings_path(&c->headings, c->arena, c->document->title),
                              .blocks = (struct block *)(void *)c->blocks.ptr,
                              .count = c->blocks.len / sizeof(struct block)};

    if (passage.count > c->repeated)
        buf_put(&c->passages, &passage, sizeof passage);
    buf_init(&c->blocks, c->arena, BLOCKS_MAX);
    c->repeated = 0;
    c->weight = 0;
}

/* The end of what a passage had, again: whole blocks, and of the next one before them what still fits. */
static bool repeat(struct chunks *c, const struct block *blocks, size_t count, struct err *err)
{
    uint32_t left = c->overlap;
    size_t first = count;
    struct block part;

    while (first > 0 && passage_weight(blocks[first - 1].text) <= left)
        left -= passage_weight(blocks[--first].text);
    if (first > 0 && blocks[first - 1].kind != BLOCK_ROW) {
        const struct block *cut = &blocks[first - 1];
        size_t from = tail_begin(cut, left, first == count);

        if (from < cut->text.len) {
            if (!block_slice(c->arena, cut, (uint32_t)from, (uint32_t)cut->text.len, &part))
                return err_arena(err, c->arena);
            put_block(c, &part);
        }
    }
    for (; first < count; first++)
        put_block(c, &blocks[first]);
    c->repeated = c->blocks.len / sizeof(struct block);
    return true;
}

static bool turn_page(struct chunks *c, struct err *err)
{
    const struct block *blocks = (struct block *)(void *)c->blocks.ptr;
    size_t count = c->blocks.len / sizeof *blocks;

    end_passage(c);
    return c->overlap == 0 || repeat(c, blocks, count, err);
}

/* One that is larger than a passage with what it repeats: piece by piece. */
static bool add_long(struct chunks *c, const struct block *block, struct err *err)
{
    if (c->weight > c->overlap && !turn_page(c, err))
        return false;
    for (size_t at = 0; at < block->text.len;) {
        size_t end = piece_end(block, at, c->limit - c->weight);
        struct block piece;

        if (!block_slice(c->arena, block, (uint32_t)at, (uint32_t)end, &piece))
            return err_arena(err, c->arena);
        put_block(c, &piece);
        at = end;
        if (at < block->text.len && !turn_page(c, err))
            return false;
    }
    return true;
}

static bool add(struct chunks *c, const struct block *block, struct err *err)
{
    uint32_t weight = passage_weight(block->text);

    if (block->kind == BLOCK_HEADING) {
        end_passage(c);
        headings_enter(&c->headings, block);
        return true;
    }
    if (weight > c->limit - c->overlap && weight > c->limit - c->weight)
        return add_long(c, block, err);
    if (weight > c->limit - c->weight && !turn_page(c, err))
        return false;
    put_block(c, block);
    return true;
}

bool passages_chunk(struct arena *arena, const struct document *document, struct chunking chunking,
                    struct passage **out, size_t *count, struct err *err)
{
    struct chunks c = {.arena = arena,
                       .document = document,
                       .limit = chunking.tokens * TOKEN_WEIGHT,
                       .overlap = chunking.overlap * TOKEN_WEIGHT};
    struct str bytes;

    ASSERT(chunking_fits(chunking));
    if (!chunking.tokens)
        return passages_cut(arena, document, out, count, err);
    buf_init(&c.passages, arena, PASSAGES_MAX);
    buf_init(&c.blocks, arena, BLOCKS_MAX);
    for (size_t i = 0; i < document->count; i++)
        if (!add(&c, &document->blocks[i], err) || (!buf_ok(&c.blocks) && !err_arena(err, arena)))
            return false;
    end_passage(&c);
    if (!buf_finish(&c.passages, &bytes, err))
        return false;
    *out = (struct passage *)(void *)c.passages.ptr;
    *count = bytes.len / sizeof **out;
    return true;
}

/* ---- what is repeated ---- */

/* The end of a block, or all of it. */
static bool is_end_of(const struct block *part, const struct block *whole, bool all)
{
    uint32_t len = (uint32_t)whole->text.len, from = len - (uint32_t)part->text.len;

    if (!str_ends(whole->text, part->text) || (all && from > 0))
        return false;
    struct origin a = block_origin(part, 0, len - from), b = block_origin(whole, from, len);
    return a.byte_first == b.byte_first && a.byte_end == b.byte_end;
}

static bool repeats(const struct passage *before, const struct passage *passage, size_t count)
{
    const struct block *ends = before->blocks + before->count - count;

    for (size_t i = 0; i < count; i++)
        if (!is_end_of(&passage->blocks[i], &ends[i], i > 0))
            return false;
    return true;
}

size_t passage_repeats(const struct passage *before, const struct passage *passage)
{
    size_t count = MIN_OF(before->count, passage->count);

    while (count > 0 && !repeats(before, passage, count))
        count--;
    return count;
}
