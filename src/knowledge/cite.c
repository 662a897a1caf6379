/* Sentences of a passage as citations: where they stand in the file, and how an answer says them. */
#include "knowledge/answer.h"

#define TEXT_MAX ((size_t)256 * KIB)

static struct str text_between(const struct found *found, struct sentence first,
                               struct sentence last, struct buf *b)
{
    size_t begin = b->len;

    for (uint32_t i = first.block; i <= last.block; i++) {
        const struct block *block = &found->passage.blocks[i];
        struct str text = block->text;

        if (b->len > begin && !blocks_join(block - 1, block))
            buf_char(b, ' ');
        buf_str(b, str_slice(text, i == first.block ? first.from : 0,
                             i == last.block ? last.to : text.len));
    }
    return str_slice(buf_view(b), begin, b->len);
}

size_t cite_place(const struct found *found, struct sentence first, uint32_t block, uint32_t at)
{
    const struct block *blocks = found->passage.blocks;
    size_t before = 0;

    for (uint32_t i = first.block; i < block; i++)
        before += blocks[i].text.len + !blocks_join(&blocks[i], &blocks[i + 1]);
    return before + at - first.from;
}

/* The first block's page, and the box around all that stand on it. */
static struct place place_between(const struct passage *passage, uint32_t first, uint32_t last)
{
    struct place all = passage->blocks[first].place;

    for (uint32_t i = first + 1; i <= last; i++) {
        const struct place *p = &passage->blocks[i].place;

        if (p->page != all.page || p->right == 0 || all.right == 0)
            continue;
        all.left = MIN_OF(all.left, p->left);
        all.top = MIN_OF(all.top, p->top);
        all.right = MAX_OF(all.right, p->right);
        all.bottom = MAX_OF(all.bottom, p->bottom);
    }
    return all;
}

static void place(const struct found *found, struct sentence first, struct sentence last,
                  struct citation *c)
{
    struct origin begin = block_origin(&found->passage.blocks[first.block], first.from, first.to);
    struct origin end = block_origin(&found->passage.blocks[last.block], last.from, last.to);

    c->byte_first = begin.byte_first;
    c->byte_end = end.byte_end;
    c->line_first = begin.line_first;
    c->line_last = end.line_last;
    c->place = place_between(&found->passage, first.block, last.block);
}

/* Sentences first to last of one passage as a citation, copied out of the view. */
bool cite_between(struct arena *arena, const struct found *found, struct sentence first,
                  struct sentence last, struct citation *out, struct err *err)
{
    struct document_record record;
    struct citation c = {
        .score = found->score, .likely = found->likely, .is_scored = found->is_scored};
    struct buf b;

    if (!document_record_read(found->document_record, &record))
        return err_set(err, ERR_INTERNAL, "could not read a document's record");
    buf_init(&b, arena, TEXT_MAX);
    c.quote = text_between(found, first, last, &b);
    if (!buf_ok(&b))
        return err_arena(err, arena);
    place(found, first, last, &c);
    c.version = record.version;
    c.content = document_content_sign(&record);
    c.document = arena_str(arena, found->key);
    c.path = arena_str(arena, record.path);
    if (str_starts(record.source, STR("file/")))
        c.file = arena_str(arena, str_slice(record.source, 5, record.source.len));
    c.title = arena_str(arena, record.title);
    c.heading = arena_str(arena, found->passage.heading);
    c.place.label = arena_str(arena, c.place.label);
    c.metadata = arena_str(arena, record.metadata);
    if (!c.document.ptr || !c.path.ptr || !c.title.ptr || !c.heading.ptr)
        return err_arena(err, arena);
    *out = c;
    return true;
}

bool cite_sentences(struct arena *arena, const struct found *found, size_t first, size_t last,
                    struct citation *out, struct err *err)
{
    return cite_between(arena, found, found->sentences[first], found->sentences[last], out, err);
}

bool cite_passage(struct arena *arena, const struct found *found, struct citation *out,
                  struct err *err)
{
    uint32_t end = (uint32_t)found->passage.count - 1;
    struct sentence first = {.block = 0, .to = (uint32_t)found->passage.blocks[0].text.len};
    struct sentence last = {.block = end, .to = (uint32_t)found->passage.blocks[end].text.len};

    return cite_between(arena, found, first, last, out, err);
}

static bool is_listed(const struct found *found, uint32_t block)
{
    enum block_kind kind = found->passage.blocks[block].kind;

    return kind == BLOCK_ITEM || kind == BLOCK_ROW;
}

/* As an answer says it: items and rows a line each, without what ends them in their list. */
bool cite_said(struct arena *arena, const struct found *found, size_t first, size_t last,
               struct citation *c, struct err *err)
{
    const struct sentence *from = &found->sentences[first], *to = &found->sentences[last];
    struct buf b;

    buf_init(&b, arena, TEXT_MAX);
    for (uint32_t i = from->block; i <= to->block; i++) {
        const struct block *block = &found->passage.blocks[i];
        struct str text = str_slice(block->text, i == from->block ? from->from : 0,
                                    i == to->block ? to->to : block->text.len);

        answer_write_block(&b, block->kind, text, from->block == to->block);
    }
    c->is_listed = is_listed(found, from->block) || is_listed(found, to->block);
    return buf_finish(&b, &c->said, err);
}
