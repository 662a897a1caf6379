/* "Yes" or "no" to a question that wants one, only where a sentence says the question's own words in the
 * question's own order and nothing else: from its beginning to its end, with at most a "not" among them. What
 * says more, a condition, another modal, another time, a name, a number, is cited without a verdict. */
#include "knowledge/verdict.h"
#include "knowledge/span_internal.h"

static const char *const openings[] = {"is",   "are",    "was", "were", "do",
                                       "does", "can",    "may", "must", "shall",
                                       "will", "should", "has", "have", "could"};
static const char *const fillers[] = {"the", "a", "an", "our", "your", "its", "their"};
static const char *const everywhere[] = {"in", "by", "for", "at", "all", "every"};
static const char *const denials[] = {"not", "never"};

struct reading {
    struct str text;
    struct token_list tokens;
    size_t from, to; /* tokens that count */
};

static struct str word_at(const struct reading *r, size_t i)
{
    return str_slice(r->text, r->tokens.at[i].from, r->tokens.at[i].to);
}

#define DOING 4 /* openings: do, does */

static bool is_one(const struct reading *r, size_t i, const char *const *list, size_t count)
{
    return i < r->to && is_one_of_words(word_at(r, i), list, count);
}

static bool is_final(const struct token *t, struct str word)
{
    static const char *const marks[] = {".", "!", "?", "。", "！", "？"};

    return t->shape == SHAPE_MARK && is_one_of_words(word, marks, ARRAY_LEN(marks));
}

static bool read_tokens(const struct span_request *r, struct str text, uint32_t from, uint32_t to,
                        struct reading *out, struct err *err)
{
    *out = (struct reading){.text = text};
    if (!tokens_read(r, text, from, to, false, &out->tokens, err))
        return false;
    out->to = out->tokens.count;
    while (out->to > 0 &&
           is_final(&out->tokens.at[out->to - 1], str_slice(text, out->tokens.at[out->to - 1].from,
                                                            out->tokens.at[out->to - 1].to)))
        out->to--;
    return true;
}

/* --- English ---------------------------------------------------------------------------------- */

/* "... in all plans": a sentence may end by saying that it holds everywhere. */
static bool holds_everywhere(const struct reading *s, size_t at)
{
    return is_one(s, at, everywhere, 4) && is_one(s, at + 1, everywhere + 4, 2) && at + 3 == s->to;
}

static bool same_word(const struct reading *q, size_t i, const struct reading *s, size_t k)
{
    return q->tokens.at[i].stem == s->tokens.at[k].stem;
}

/* The question without its first word against the sentence; the first word must stand in the sentence where
 * the verb is, unless it is "do" or "does". */
static enum polarity compare_english(const struct reading *q, const struct reading *s)
{
    bool doing = is_one(q, 0, openings + DOING, 2), spent = doing;
    size_t i = 1, k = 0, denied = 0;

    while (k < s->to) {
        if (i < q->to && same_word(q, i, s, k)) {
            i++, k++;
        } else if (!spent && i > 1 && same_word(q, 0, s, k)) {
            spent = true, k++;
        } else if (spent && !doing && is_one(s, k, denials, 2)) {
            denied++, k++;
        } else if (doing && is_one(s, k, openings + DOING, 2) && is_one(s, k + 1, denials, 2)) {
            denied++, k += 2;
        } else if (i < q->to && is_one(q, i, fillers, ARRAY_LEN(fillers)) && i + 1 < q->to &&
                   same_word(q, i + 1, s, k)) {
            i++;
        } else if (is_one(s, k, fillers, 1) && i < q->to && k + 1 < s->to &&
                   same_word(q, i, s, k + 1)) {
            k++;
        } else if (i == q->to && spent && holds_everywhere(s, k)) {
            k = s->to;
        } else {
            return POLARITY_NONE;
        }
    }
    if (i != q->to || !spent || denied > 1)
        return POLARITY_NONE;
    return denied ? POLARITY_NO : POLARITY_YES;
}

/* --- Chinese ---------------------------------------------------------------------------------- */

/* The question as a statement: without "是否" and "吗". false: it does not ask that way. */
static bool state(struct arena *arena, struct str question, struct str *out)
{
    static const char *const asking[] = {"是否", "请问", "吗", "嗎"};
    struct buf b;
    bool asked = false;

    buf_init(&b, arena, 16 * KIB);
    for (size_t at = 0; at < question.len;) {
        size_t skip = 0;

        for (size_t i = 0; i < ARRAY_LEN(asking) && !skip; i++)
            if (str_starts(str_slice(question, at, question.len), str_from(asking[i]))) {
                skip = str_from(asking[i]).len;
                asked = asked || i != 1;
            }
        if (!skip)
            buf_char(&b, question.ptr[at]);
        at += skip ? skip : 1;
    }
    *out = buf_view(&b);
    return asked && buf_ok(&b);
}

static struct str without_end(struct str s)
{
    static const char *const marks[] = {"。", "！", "？", "?", ".", "!"};

    s = str_trim(s);
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_ends(s, str_from(marks[i])))
            return str_trim(str_slice(s, 0, s.len - str_from(marks[i]).len));
    return s;
}

static enum polarity compare_chinese(struct str statement, struct str sentence)
{
    size_t same = 0;

    if (str_eq(statement, sentence))
        return POLARITY_YES;
    while (same < statement.len && same < sentence.len && statement.ptr[same] == sentence.ptr[same])
        same++;
    while (same > 0 && ((uint8_t)sentence.ptr[same] & 0xC0) == 0x80)
        same--;
    struct str rest = str_slice(sentence, same, sentence.len);
    bool denied = str_starts(rest, STR("不")) && str_eq(str_slice(rest, STR("不").len, rest.len),
                                                        str_slice(statement, same, statement.len));
    return denied && same > 0 ? POLARITY_NO : POLARITY_NONE;
}

bool verdict_of(const struct span_request *r, const struct candidate *c, enum polarity *out,
                struct err *err)
{
    struct sentence s = c->found->sentences[c->sentence];
    struct str text = c->found->passage.blocks[s.block].text, statement;
    struct reading question, said;

    *out = POLARITY_NONE;
    if (!r->question->polar || r->question->negated)
        return true;
    if (str_eq(r->question->language, STR("zh"))) {
        if (state(r->arena, without_end(r->question->text), &statement))
            *out =
                compare_chinese(without_end(statement), without_end(str_slice(text, s.from, s.to)));
        return true;
    }
    if (!read_tokens(r, r->question->text, 0, (uint32_t)r->question->text.len, &question, err) ||
        !read_tokens(r, text, s.from, s.to, &said, err))
        return false;
    if (said.tokens.count == SPAN_TOKENS) /* there may be more of it */
        return true;
    if (question.to >= 3 && is_one(&question, 0, openings, ARRAY_LEN(openings)))
        *out = compare_english(&question, &said);
    return true;
}
