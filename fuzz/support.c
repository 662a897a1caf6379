/* Any passage and any answer about it: a sentence of the passage is always supported by it; numbers lie within
 * the text, in order; what leaves of an answer is the same however it comes in pieces, with `mark` every
 * byte of it, with `drop` no byte that was not in it. The first line is the answer, the rest the passage. */
#include <math.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "knowledge/numeral.h"
#include "knowledge/passage.h"
#include "knowledge/review.h"

#define SENTENCES_MAX 40

static struct numerals numbers;

static void check_numbers(struct str text)
{
    uint32_t last = 0;

    numerals_read(text, &numbers);
    ASSERT(numbers.count <= NUMERALS_MAX);
    for (size_t i = 0; i < numbers.count; i++) {
        const struct numeral *n = &numbers.at[i];

        ASSERT(n->from >= last && n->from < n->to && n->to <= text.len);
        ASSERT(isfinite(n->value) && n->month <= 12 && n->day <= 31);
        ASSERT(numeral_agrees(n, n) && !numeral_contradicts(n, n));
        last = n->from;
    }
}

static struct str pass(struct arena *arena, const struct review_of *of, struct str text,
                       size_t step)
{
    struct review *review CLEANUP(review_free) = NULL;
    struct err err = {0};
    struct str part;
    struct buf all;

    buf_init(&all, arena, MIB);
    ASSERT(review_new(arena, of, &review, &err));
    for (size_t at = 0; at < text.len; at += step) {
        ASSERT(review_feed(review, str_slice(text, at, at + step), &part, &err));
        buf_str(&all, part);
    }
    ASSERT(review_end(review, &part, &err));
    buf_str(&all, part);
    return buf_view(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct str all = {(const char *)data, size}, answer, sentences[SENTENCES_MAX];
    struct evidence_source source = {.above = STR("Title"), .sentences = sentences};
    struct evidence *evidence;
    struct support support;
    struct err err = {0};

    ASSERT(arena);
    if (size > 6000 || !utf8_valid(all) || !str_split(&all, '\n', &answer) || !all.ptr)
        return 0;
    for (size_t at = 0; at < all.len && source.count < SENTENCES_MAX;) {
        size_t end = sentence_end(all, at);

        sentences[source.count++] = str_trim(str_slice(all, at, end));
        at = end;
    }
    ASSERT(analyser_open(&analyser, &err));
    ASSERT(evidence_read(analyser, arena, &source, 1, &evidence, &err));
    check_numbers(answer);
    for (size_t i = 0; i < source.count; i++) {
        check_numbers(sentences[i]);
        ASSERT(support_find(analyser, arena, evidence, 1, sentences[i], &support, &err));
        ASSERT(support.lack == LACK_NOTHING || sentences[i].len > SUPPORT_SENTENCE_MAX);
    }
    struct review_of of = {.evidence = evidence, .passages = 1, .refusal = STR("No.")};
    for (of.policy = UNSUPPORTED_MARK; of.policy <= UNSUPPORTED_REFUSE; of.policy++) {
        struct str whole = pass(arena, &of, answer, SIZE_MAX / 2),
                   pieces = pass(arena, &of, answer, 7);

        ASSERT(str_eq(whole, pieces));
        ASSERT(whole.len <= MAX_OF(answer.len, of.refusal.len));
        ASSERT(of.policy != UNSUPPORTED_MARK || str_eq(whole, answer));
    }
    return 0;
}
