#include "base/arena.h"
#include "base/pages.h"
#include "test.h"

#include <errno.h>
#include <string.h>

TEST(pieces_are_zeroed_aligned_and_apart)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    char *before = NULL;

    REQUIRE(arena);
    for (size_t size = 0; size < 300; size++) {
        char *piece = arena_alloc(arena, size);

        REQUIRE(piece);
        EXPECT((uintptr_t)piece % _Alignof(max_align_t) == 0, "size %zu", size);
        EXPECT(piece != before);
        for (size_t i = 0; i < size; i++)
            EXPECT(piece[i] == 0);
        memset(piece, 0xee, size);
        before = piece;
    }
}

TEST(rewound_memory_comes_zeroed_again)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    size_t mark = arena_mark(arena);

    memset(arena_alloc(arena, 64), 0xff, 64);
    arena_rewind(arena, mark);
    const char *again = arena_alloc(arena, 64);
    REQUIRE(again);
    for (int i = 0; i < 64; i++)
        EXPECT(again[i] == 0);
}

TEST(a_small_arena_takes_one_page)
{
    size_t before = pages_in_use();
    struct arena *arena = arena_new(MIB);

    REQUIRE(arena);
    EXPECT(pages_in_use() - before == PAGE_BYTES);
    EXPECT(arena_alloc(arena, 3900) != NULL);
    EXPECT(pages_in_use() - before == PAGE_BYTES);
    EXPECT(arena_alloc(arena, 1000) != NULL);
    EXPECT(pages_in_use() - before == 3 * PAGE_BYTES, "the second block is twice the first");
    arena_end(&arena);
    EXPECT(!arena);
    EXPECT(pages_in_use() == before);
    arena_end(&arena);
}

TEST(past_the_limit_an_arena_gives_nothing_and_stays_usable)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(10000);
    struct err err = {0};

    REQUIRE(arena);
    EXPECT(arena_alloc(arena, 10001) == NULL);
    EXPECT(arena_alloc(arena, SIZE_MAX) == NULL);
    EXPECT(arena_alloc(arena, SIZE_MAX - 15) == NULL);
    EXPECT(arena_alloc(arena, 6000) != NULL);
    EXPECT(arena_alloc(arena, 4001) == NULL);
    EXPECT(!err_arena(&err, arena));
    EXPECT(err.code == ERR_EXHAUSTED && err.sys == ENOMEM, "%d", err.sys);
    EXPECT(strstr(err.text, "10000"), "%s", err.text);
    EXPECT(arena_alloc(arena, 4000) != NULL);
    EXPECT(arena_used(arena) == 10000, "%zu", arena_used(arena));
    EXPECT(arena_alloc(arena, 0) == NULL);
}

TEST(a_limit_within_the_first_page_holds)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(64);

    EXPECT(arena_alloc(arena, 48) != NULL);
    EXPECT(arena_alloc(arena, 32) == NULL);
    EXPECT(arena_alloc(arena, 16) != NULL);
    EXPECT(arena_alloc(arena, 1) == NULL);
}

TEST(an_empty_pool_is_told_apart_from_the_limit)
{
    struct err err = {0};
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);

    REQUIRE(arena);
    pages_limit(pages_in_use());
    EXPECT(arena_new(GIB) == NULL);
    EXPECT(arena_alloc(arena, 5000) == NULL);
    err_arena(&err, arena);
    EXPECT(strstr(err.text, "pool"), "%s", err.text);
    pages_limit(pages_in_use() + 8192);
    EXPECT(arena_alloc(arena, 5000) != NULL);
    EXPECT(arena_alloc(arena, 6000) == NULL);
    pages_limit(GIB);
    EXPECT(arena_alloc(arena, PAGE_BYTES_MAX) == NULL, "no block is that large");
    err_arena(&err, NULL);
    EXPECT(err.code == ERR_EXHAUSTED && err.sys == ENOMEM, "%d", err.sys);
}

TEST(when_doubling_does_not_fit_the_ceiling_a_smaller_block_does)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);

    REQUIRE(arena);
    pages_limit(pages_in_use() + PAGE_BYTES);
    EXPECT(arena_alloc_raw(arena, 3900) != NULL);
    EXPECT(arena_alloc_raw(arena, 1000) != NULL);
    pages_limit(GIB);
}

TEST(arrays_refuse_to_overflow)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    EXPECT(arena_array(arena, SIZE_MAX / 2, 3) == NULL);
    EXPECT(arena_array(arena, 0, 8) != NULL);
    EXPECT(arena_array(arena, 100, 8) != NULL);
}

TEST(growing_the_newest_piece_stays_in_place)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    char *piece = arena_grow(arena, NULL, 0, 10);

    REQUIRE(piece);
    memcpy(piece, "0123456789", 10);
    EXPECT(arena_grow(arena, piece, 10, 500) == piece);
    EXPECT(arena_used(arena) == 512, "%zu", arena_used(arena));
    EXPECT(arena_grow(arena, piece, 500, 20) == piece);
    EXPECT(arena_used(arena) == 32, "%zu", arena_used(arena));
    EXPECT(memcmp(piece, "0123456789", 10) == 0);
}

TEST(growing_an_older_piece_copies)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    char *piece = arena_str(arena, STR("0123456789")).ptr ? arena_alloc(arena, 10) : NULL;

    REQUIRE(piece);
    memcpy(piece, "abcdefghij", 10);
    REQUIRE(arena_alloc(arena, 1));
    EXPECT(arena_grow(arena, piece, 10, 5) == piece);
    char *moved = arena_grow(arena, piece, 10, 100);
    REQUIRE(moved);
    EXPECT(moved != piece);
    EXPECT(memcmp(moved, "abcdefghij", 10) == 0);
    EXPECT(memcmp(piece, "abcdefghij", 10) == 0);
}

TEST(a_piece_that_outgrows_its_block_leaves_nothing_behind)
{
    size_t before = pages_in_use();
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    char *piece = NULL;
    size_t size = 100, next;

    for (piece = arena_grow(arena, NULL, 0, size); piece && size < 500000; size = next) {
        memset(piece, (int)(size % 251), size);
        next = size * 3 / 2;
        piece = arena_grow(arena, piece, size, next);
        REQUIRE(piece);
        EXPECT(piece[0] == piece[size - 1]);
        EXPECT(arena_used(arena) == (next + 15) / 16 * 16, "counted once: %zu", arena_used(arena));
    }
    EXPECT(pages_in_use() - before <= PAGE_BYTES + 1024 * KIB, "%zu", pages_in_use() - before);
}

TEST(a_piece_that_cannot_grow_is_left_as_it_was)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(8000);
    char *piece = arena_alloc(arena, 3000);

    REQUIRE(piece);
    memset(piece, 'x', 3000);
    EXPECT(arena_grow(arena, piece, 3000, 9000) == NULL);
    pages_limit(pages_in_use());
    EXPECT(arena_grow(arena, piece, 3000, 7000) == NULL);
    pages_limit(GIB);
    EXPECT(arena_used(arena) == 3008);
    EXPECT(piece[2999] == 'x');
    EXPECT(arena_grow(arena, piece, 3000, 7000) != NULL);
}

TEST(strings_are_copied_with_a_nul)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    char text[] = "hello";
    struct str copy = arena_str(arena, str_from(text)), none = arena_str(arena, STR_NONE);

    text[0] = 'j';
    EXPECT(str_eq(copy, STR("hello")));
    EXPECT(copy.ptr[copy.len] == 0);
    EXPECT(none.ptr && none.len == 0 && none.ptr[0] == 0);
}

TEST(formatted_text_of_any_length)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(10000);
    struct arena *tiny CLEANUP(arena_end) = arena_new(300);

    EXPECT(str_eq(arena_fmt(arena, "%d-%s", 7, "x"), STR("7-x")));
    for (int len = 250; len < 260; len++) {
        struct str s = arena_fmt(arena, "%*d", len, 5);

        EXPECT(s.len == (size_t)len);
        EXPECT(s.ptr[s.len - 1] == '5' && s.ptr[s.len] == 0);
    }
    EXPECT(arena_fmt(arena, "%9999d", 1).ptr == NULL);
    EXPECT(arena_fmt(tiny, "%320d", 1).ptr == NULL);
}

TEST(rewinding_gives_blocks_back)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
    size_t before, mark;

    REQUIRE(arena_alloc(arena, 100));
    before = pages_in_use();
    mark = arena_mark(arena);
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 100; i++)
            REQUIRE(arena_alloc_raw(arena, 5000));
        EXPECT(arena_used(arena) > 500000);
        arena_rewind(arena, mark);
        EXPECT(arena_used(arena) == mark);
        EXPECT(pages_in_use() == before);
    }
    arena_rewind(arena, mark);
    arena_rewind(arena, 0);
    EXPECT(arena_used(arena) == 0);
}

static char order[16];

static void note(void *what)
{
    size_t len = strlen(order);

    if (len < sizeof order - 1)
        order[len] = *(char *)what;
}

TEST(deferred_actions_run_last_added_first)
{
    char names[] = "abcd";
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);

    memset(order, 0, sizeof order);
    EXPECT(arena_defer(arena, note, &names[0]));
    EXPECT(arena_defer(arena, note, &names[1]));
    size_t mark = arena_mark(arena);
    EXPECT(arena_defer(arena, note, &names[2]));
    REQUIRE(arena_alloc_raw(arena, 10000));
    EXPECT(arena_defer(arena, note, &names[3]));
    arena_rewind(arena, mark);
    EXPECT(strcmp(order, "dc") == 0, "%s", order);
    arena_rewind(arena, mark);
    arena_end(&arena);
    EXPECT(strcmp(order, "dcba") == 0, "%s", order);
}

TEST(an_action_that_finds_no_room_is_refused)
{
    char name = 'a';
    struct arena *arena CLEANUP(arena_end) = arena_new(16);

    memset(order, 0, sizeof order);
    EXPECT(!arena_defer(arena, note, &name));
    arena_end(&arena);
    EXPECT(order[0] == 0);
}
