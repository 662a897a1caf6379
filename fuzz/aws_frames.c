/* Any bytes give the same frames, and the same refusal, however they are cut; frames lie one after the
 * other, and what is written anew from one reads as the same. The first byte chooses the cuts. */
#include "fuzz.h"

#include "models/aws_frames.h"

static void note(struct buf *notes, const struct aws_frame *f)
{
    const struct str views[] = {f->message_type, f->type, f->content_type, f->error_message,
                                f->payload};

    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        buf_fmt(notes, "%zu:", views[i].len);
        buf_str(notes, views[i]);
    }
}

/* What is written from a frame's parts reads as these parts. */
static void write_anew(const struct aws_frame *f)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    struct aws_reader r;
    struct aws_frame again;
    struct err err = {0};
    struct buf b;
    bool got;

    if (f->type.len >= 100 || f->message_type.len >= 100)
        return;
    buf_init(&b, arena, 2 * MIB);
    aws_write(&b, f->message_type, f->type, f->payload);
    aws_reader_init(&r, arena, 2 * MIB);
    ASSERT(aws_feed(&r, buf_view(&b), &err) && aws_next(&r, &again, &got, &err) && got);
    ASSERT(str_eq(again.message_type, f->message_type) && str_eq(again.type, f->type) &&
           str_eq(again.payload, f->payload) && aws_left_over(&r) == 0);
}

static bool read_all(struct str text, size_t step, struct buf *notes)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct aws_reader r;
    struct aws_frame f;
    struct err err = {0};
    size_t at = 0;
    bool got;

    aws_reader_init(&r, arena, MIB);
    for (size_t fed = 0; fed < text.len; fed += step) {
        ASSERT(aws_feed(&r, str_slice(text, fed, fed + step), &err));
        do {
            if (!aws_next(&r, &f, &got, &err)) {
                ASSERT(err.code == ERR_UNAVAILABLE || err.code == ERR_TOO_LARGE);
                return false;
            }
            if (got) {
                ASSERT(str_eq(f.raw, str_slice(text, at, at + f.raw.len)));
                at += f.raw.len;
                note(notes, &f);
                write_anew(&f);
            }
        } while (got);
    }
    ASSERT(at + aws_left_over(&r) == text.len);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str text = fuzz_text(data, size);
    size_t step = 1 + fuzz_choice(&text) % 32;
    struct buf whole, cut;

    buf_init(&whole, arena, 16 * MIB);
    buf_init(&cut, arena, 16 * MIB);
    bool first = read_all(text, MAX_OF(text.len, 1), &whole), second = read_all(text, step, &cut);
    ASSERT(first == second && str_eq(buf_view(&whole), buf_view(&cut)));
    return 0;
}
