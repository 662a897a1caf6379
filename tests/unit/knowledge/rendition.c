/* Renditions: written, through the pipe, as blocks and passages with their places; broken ones refused. */
#include "knowledge/rendition.h"

#include <string.h>

#include "base/utf8.h"
#include "knowledge/passage.h"
#include "test.h"

static void put(struct rendering *r, enum element_kind kind, const char *text)
{
    rendering_begin(r, kind, 1, NULL);
    rendering_text(r, str_from(text));
}

static void write_sample(struct rendering *r, struct arena *arena)
{
    const struct place page = {.page = 3, .left = 720, .top = 800, .right = 3000, .bottom = 950};
    const struct place row = {.page = 1, .label = STR("Fees!A2:B2")};

    rendering_init(r, arena);
    rendering_title(r, STR(" Travel\ncover "));
    rendering_note(r, "%d of 9 pages are\npictures", 2);
    rendering_note(r, "%d of 9 pages are\npictures", 2);
    rendering_begin(r, ELEMENT_HEADING, 2, &page);
    rendering_text(r, STR("Baggage"));
    rendering_begin(r, ELEMENT_PARAGRAPH, 1, &page);
    rendering_text(r, STR("Lost bags are\npaid up to \xFF"
                          "2,000 euros."));
    rendering_begin(r, ELEMENT_HEADER, 1, &row);
    put(r, ELEMENT_CELL, "Item");
    put(r, ELEMENT_CELL, "Fee");
    rendering_begin(r, ELEMENT_ROW, 1, &row);
    put(r, ELEMENT_CELL, "Skis");
    put(r, ELEMENT_CELL, "35");
    put(r, ELEMENT_CODE, "a\n  b");
}

TEST(a_rendition_becomes_blocks_that_know_their_place)
{
    static const char *const want[] = {
        "Baggage",
        "Lost bags are paid up to \xEF\xBF\xBD\x32,000 euros.", /* \x32: a 2 */
        "Item: Skis; Fee: 35",
        "a\n  b",
    };
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct rendering r;
    struct rendition made;
    struct document d;
    struct err err = {0};

    write_sample(&r, arena);
    REQUIRE(rendering_end(&r, &made, &err) && rendition_document(arena, &made, &d, &err));
    EXPECT(str_eq(d.title, STR("Travel cover")) && d.count == ARRAY_LEN(want), "%zu", d.count);
    for (size_t i = 0; i < d.count && i < ARRAY_LEN(want); i++)
        EXPECT(str_eq(d.blocks[i].text, str_from(want[i])), STR_FMT, STR_ARG(d.blocks[i].text));
    EXPECT(d.blocks[1].place.page == 3 && d.blocks[1].place.bottom == 950);
    EXPECT(str_eq(d.blocks[2].place.label, STR("Fees!A2:B2")));
    struct origin o = block_origin(&d.blocks[1], 5, 9);
    EXPECT(str_eq(str_slice(d.text, o.byte_first, o.byte_end), STR("bags")) && o.line_first == 2);
    o = block_origin(&d.blocks[2], 0, (uint32_t)d.blocks[2].text.len);
    EXPECT(str_eq(str_slice(d.text, o.byte_first, o.byte_end), STR("Skis\n35")));
}

TEST(places_survive_the_records_of_passages)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct rendering r;
    struct rendition made;
    struct document d;
    struct passage *passages, back;
    size_t count;
    struct buf record;
    struct err err = {0};

    write_sample(&r, arena);
    REQUIRE(rendering_end(&r, &made, &err) && rendition_document(arena, &made, &d, &err));
    REQUIRE(passages_cut(arena, &d, &passages, &count, &err) && count == 1);
    buf_init(&record, arena, MIB);
    passage_write(&record, &passages[0]);
    REQUIRE(passage_read(arena, buf_view(&record), &back) && back.count == 3);
    EXPECT(back.blocks[0].place.page == 3 && back.blocks[0].place.left == 720);
    EXPECT(str_eq(back.blocks[1].place.label, STR("Fees!A2:B2")));
    for (size_t len = 0; len < record.len; len++)
        EXPECT(!passage_read(arena, str_slice(buf_view(&record), 0, len), &back), "%zu", len);
}

TEST(a_rendition_survives_the_pipe_and_nothing_broken_does)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct rendering r;
    struct rendition made, back;
    struct buf bytes, again;
    struct err err = {0};

    write_sample(&r, arena);
    REQUIRE(rendering_end(&r, &made, &err));
    buf_init(&bytes, arena, MIB);
    buf_init(&again, arena, MIB);
    rendition_write(&bytes, &made);
    REQUIRE(rendition_read(arena, buf_view(&bytes), &back));
    EXPECT(back.note_count == 1 && str_eq(back.notes[0], STR("2 of 9 pages are pictures")));
    rendition_write(&again, &back);
    EXPECT(str_eq(buf_view(&bytes), buf_view(&again)));
    for (size_t len = 0; len < bytes.len; len++)
        EXPECT(!rendition_read(arena, str_slice(buf_view(&bytes), 0, len), &back), "%zu", len);
    /* Any one byte changed: refused, or still a rendition whose text and elements hold together. */
    for (size_t i = 0; i < bytes.len; i++) {
        char was = bytes.ptr[i];
        struct document d;

        bytes.ptr[i] = (char)(was ^ 0x81);
        if (rendition_read(arena, buf_view(&bytes), &back))
            EXPECT(rendition_document(arena, &back, &d, &err) && utf8_valid(back.text));
        bytes.ptr[i] = was;
    }
}
