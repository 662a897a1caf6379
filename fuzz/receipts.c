/* Any bytes are a receipt, an order that was cut off, a list of what is still being read, or refused with a reason;
 * fingerprints of what is accepted are rising, and an order and a list are written down as they were read. */
#include "app/forget_internal.h"
#include "fuzz.h"

static void check_prints(const struct fingerprints *prints)
{
    ASSERT(prints->way.every <= FINGERPRINT_EVERY_MAX);
    for (size_t i = 1; i < prints->count; i++)
        ASSERT(prints->at[i - 1] < prints->at[i]);
}

static bool same(const struct pending_order *a, const struct pending_order *b)
{
    const struct forget_report *one = &a->told.documents, *other = &b->told.documents;
    bool is = one->count == other->count && one->file_count == other->file_count &&
              one->prints.count == other->prints.count && one->passages == other->passages &&
              a->f.base_count == b->f.base_count && a->order.whole == b->order.whole &&
              a->order.emptied == b->order.emptied && a->f.begun == b->f.begun &&
              str_eq(a->order.document, b->order.document) &&
              str_eq(a->order.person, b->order.person) && str_eq(a->order.file, b->order.file);

    for (size_t i = 0; is && i < one->count; i++)
        is = str_eq(one->documents[i].id, other->documents[i].id) &&
             str_eq(one->documents[i].base, other->documents[i].base) &&
             one->documents[i].version == other->documents[i].version;
    return is;
}

static void check_held(struct arena *arena, struct str text)
{
    struct held held, again;
    struct str written;
    struct err err = {0};
    struct buf b;

    if (!held_read(arena, text, &held, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return;
    }
    buf_init(&b, arena, 16 * MIB);
    held_put(&held, &b);
    ASSERT(buf_finish(&b, &written, &err));
    ASSERT(held_read(arena, written, &again, &err) && again.count == held.count);
    ASSERT(str_eq(again.receipt, held.receipt));
    for (size_t i = 0; i < held.count; i++)
        ASSERT(str_eq(again.list[i].name, held.list[i].name) &&
               again.list[i].inode == held.list[i].inode &&
               again.list[i].bytes == held.list[i].bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(64 * MIB);
    struct pending_order *p = arena_alloc(arena, sizeof *p), *again = arena_alloc(arena, sizeof *p);
    struct str text = fuzz_text(data, size), written;
    struct receipt receipt;
    struct err err = {0};
    struct buf b;

    if (receipt_read(arena, text, &receipt, &err))
        check_prints(&receipt.prints);
    else
        ASSERT(err.code != ERR_NONE && err.text[0]);
    err = (struct err){0};
    if (pending_read(arena, text, p, &err)) {
        check_prints(&p->told.documents.prints);
        buf_init(&b, arena, 16 * MIB);
        pending_put(&p->f, &b);
        ASSERT(buf_finish(&b, &written, &err));
        ASSERT(pending_read(arena, written, again, &err) && same(p, again));
    } else {
        ASSERT(err.code != ERR_NONE && err.text[0]);
    }
    check_held(arena, text);
    arena_end(&arena);
    ASSERT(pages_in_use() == 0);
    return 0;
}
