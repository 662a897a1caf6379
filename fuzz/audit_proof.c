/* What comes from outside as evidence: bundles, notes, checkpoints, keys, tables of an index, holds. Any
 * bytes are refused with a reason, or are what they claim to be: nothing that our key did not sign is
 * accepted, and what is read is written back as it was. */
#include "fuzz.h"

#include <string.h>

#include "accounts/audit_cursor.h"
#include "accounts/audit_keep.h"
#include "accounts/audit_note.h"
#include "accounts/audit_proof.h"
#include "accounts/audit_query.h"

/* Nobody has the private half of this key: nothing may ever be signed by it. */
static void check_bundle(struct arena *arena, struct str text)
{
    static struct audit_trust trust;
    struct audit_bundle bundle = {.trust = &trust};
    struct str line;

    trust.count = 1;
    memset(trust.keys[0].bytes, 7, sizeof trust.keys[0].bytes);
    memcpy(trust.keys[0].name, "somebody", 9);
    while (str_split(&text, '\n', &line)) {
        struct err err = {0};
        bool ok = audit_bundle_line(&bundle, arena, line, &err);

        ASSERT(!ok && err.code != ERR_NONE && err.text[0]);
    }
    ASSERT(!bundle.has_head && !bundle.records);
}

static void check_note(struct arena *arena, struct str text)
{
    struct checkpoint checkpoint;
    struct note_key key;
    struct err err = {0};
    char memory[NOTE_KEY_TEXT];
    struct buf b;

    buf_init(&b, arena, MIB);
    if (checkpoint_read(text, &checkpoint, &err)) {
        struct checkpoint again;

        checkpoint_write(&checkpoint, &b);
        ASSERT(checkpoint_read(buf_view(&b), &again, &err));
        ASSERT(again.size == checkpoint.size && str_eq(again.origin, checkpoint.origin));
        ASSERT(!memcmp(&again.root, &checkpoint.root, sizeof again.root));
    } else {
        ASSERT(err.code == ERR_INVALID);
    }
    err = (struct err){0};
    if (note_key_read(text, &key, &err))
        ASSERT(str_eq(note_key_text(&key, memory), text) ||
               str_eq_nocase(note_key_text(&key, memory), text)); /* hex of either case */
    else
        ASSERT(err.code == ERR_INVALID);
}

/* A row is of its line alone, whatever the line before said. */
static void check_rows(struct str text)
{
    static struct audit_memo memo;
    struct str line;

    memset(&memo, 0, sizeof memo);
    while (str_split(&text, '\n', &line)) {
        struct audit_row alone, after;

        audit_row_read(line, &alone);
        audit_row_read_after(&memo, line, &after);
        ASSERT(memcmp(&alone, &after, sizeof alone) == 0);
    }
}

/* Members of a line stand in it, in order; a row of any line can be made. */
static void check_line(struct str text)
{
    struct audit_member member;
    struct audit_row row;
    const char *at = text.ptr;

    for (struct str rest = text; audit_member_next(&rest, &member);) {
        ASSERT(member.name.ptr >= at && member.raw.ptr >= member.name.ptr + member.name.len);
        ASSERT(member.raw.len && member.raw.ptr + member.raw.len <= text.ptr + text.len);
        at = member.raw.ptr + member.raw.len;
    }
    audit_row_read(text, &row);
    ASSERT(row.len == (uint32_t)text.len);
    check_rows(text);
}

static void check_holds(struct arena *arena, struct str text)
{
    struct audit_hold *holds;
    struct err err = {0};
    size_t count;

    if (!audit_holds_read(arena, text, &holds, &count, &err)) {
        ASSERT(err.code != ERR_NONE && err.text[0]);
        return;
    }
    for (size_t i = 0; i < count; i++)
        ASSERT(holds[i].id.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64 * MIB);
    struct str text = fuzz_text(data, size);
    uint8_t choice = fuzz_choice(&text);
    struct audit_table table = {0};

    if (choice % 5 == 0)
        check_bundle(arena, text);
    else if (choice % 5 == 1)
        check_note(arena, text);
    else if (choice % 5 == 2)
        check_line(text);
    else if (choice % 5 == 3)
        check_holds(arena, text);
    else if (audit_table_check(arena_str(arena, text), 1, &table))
        ASSERT(table.count * sizeof(struct audit_row) < text.len);
    return 0;
}
