/* Any bytes give the same parts and the same data however they are cut, or are refused; no data holds the
 * delimiter. The first byte chooses the cut. */
#include "fuzz.h"

#include "net/multipart.h"

static void note(struct buf *notes, enum multipart_event event, const struct multipart_part *part,
                 struct str data)
{
    if (event == MULTIPART_PART)
        buf_fmt(notes, "<%zu:" STR_FMT ":%zu:" STR_FMT ":" STR_FMT ">", part->name.len,
                STR_ARG(part->name), part->filename.len, STR_ARG(part->filename),
                STR_ARG(part->type));
    if (event == MULTIPART_DATA)
        buf_str(notes, data);
    if (event == MULTIPART_PART_END)
        buf_str(notes, STR("</>"));
    if (event == MULTIPART_END)
        buf_str(notes, STR("."));
}

static void read_all(struct arena *arena, struct str body, size_t step, struct buf *notes)
{
    struct multipart m;
    struct err err = {0};
    enum multipart_event event = MULTIPART_MORE;
    bool begun = multipart_init(&m, arena, STR("multipart/form-data; boundary=b"), &err);

    ASSERT(begun);
    for (size_t fed = 0; event != MULTIPART_END;) {
        struct multipart_part part;
        struct str data = STR_NONE;

        if (!multipart_next(&m, &event, &part, &data, &err)) {
            ASSERT(err.code == ERR_INVALID);
            buf_str(notes, STR("refused"));
            return;
        }
        ASSERT(str_find(data, STR("\r\n--b")) == data.len);
        note(notes, event, &part, data);
        if (event != MULTIPART_MORE)
            continue;
        if (fed >= body.len)
            return;
        multipart_feed(&m, str_slice(body, fed, fed + step));
        fed += step;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str text = fuzz_text(data, size);
    size_t step = 1 + fuzz_choice(&text);
    struct buf once, cut;

    if (text.len > MULTIPART_FEED_MAX)
        return 0;
    buf_init(&once, arena, 4 * MIB);
    buf_init(&cut, arena, 4 * MIB);
    read_all(arena, text, MULTIPART_FEED_MAX, &once);
    read_all(arena, text, step, &cut);
    ASSERT(str_eq(buf_view(&once), buf_view(&cut)));
    return 0;
}
