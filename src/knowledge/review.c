#include "knowledge/review.h"

#include <string.h>

#include "base/utf8.h"
#include "knowledge/passage.h"

#define SCRATCH     ((size_t)16 * MIB)
#define MARK_MAX    20  /* bytes within brackets */
#define TEXT_TOLD   300 /* bytes of a sentence in a finding */
#define OUT_MAX     ((size_t)8 * MIB)
#define MARKS_APART 3 /* white space between a sentence and its marks */

struct finding {
    uint64_t first, end; /* characters of the answer that left; equal: it did not */
    struct str text, what;
    enum lack lack;
    uint32_t passage;
};
struct review {
    struct review_of of;
    struct arena *arena, *scratch;
    struct analyser *analyser;
    struct buf held; /* not judged yet, or all of it */
    struct buf out;
    size_t judged;       /* of held, when all is held or all has left */
    uint64_t characters; /* that were judged and left */
    struct finding *findings;
    size_t count, told, sentences, foreign;
    bool refused, left; /* something has left */
};

bool review_new(struct arena *arena, const struct review_of *of, struct review **out,
                struct err *err)
{
    struct review *c = arena_alloc(arena, sizeof *c);

    ASSERT(of->passages <= SUPPORT_PASSAGES_MAX);
    if (!c)
        return err_arena(err, arena);
    c->of = *of;
    c->arena = arena;
    c->findings = arena_array(arena, REVIEW_FINDINGS_MAX, sizeof *c->findings);
    if (!c->findings)
        return err_arena(err, arena);
    buf_init(&c->held, arena, OUT_MAX);
    buf_init(&c->out, arena, OUT_MAX);
    c->scratch = arena_new(SCRATCH);
    if (!c->scratch)
        return err_no_room(err, "no memory to check an answer");
    if (!analyser_open(&c->analyser, err)) {
        arena_end(&c->scratch);
        return false;
    }
    *out = c;
    return true;
}

void review_free(struct review **review)
{
    struct review *c = *review;

    if (!c)
        return;
    analyser_close(&c->analyser);
    arena_end(&c->scratch);
    *review = NULL;
}

/* --- where sentences end ---------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes of a mark like "[1]" or "[1, 3]" at `at`; 0: none. SIZE_MAX: it may become one. */
static size_t mark_at(struct str s, size_t at)
{
    if (at >= s.len || s.ptr[at] != '[')
        return 0;
    for (size_t i = at + 1; i < s.len && i - at <= MARK_MAX; i++) {
        char c = s.ptr[i];

        if (c == ']')
            return i > at + 1 ? i + 1 - at : 0;
        if ((c < '0' || c > '9') && c != ',' && c != ' ')
            return 0;
    }
    return s.len - at <= MARK_MAX ? SIZE_MAX : 0;
}

/* Behind a sentence's end: over its marks. `open`: more of the text may decide it. */
static size_t over_marks(struct str s, size_t at, bool *open)
{
    *open = false;
    for (;;) {
        size_t next = at, mark;

        while (next < s.len && next < at + MARKS_APART &&
               (s.ptr[next] == ' ' || s.ptr[next] == '\t'))
            next++;
        mark = mark_at(s, next);
        if (mark == SIZE_MAX || next == s.len)
            *open = true;
        if (!mark || mark == SIZE_MAX)
            return at;
        at = next + mark;
        if (at < s.len && (s.ptr[at] == '.' || s.ptr[at] == ','))
            at++;
    }
}

/* The end of the first sentence of `s`, white space behind it included; 0: it may go on. */
static size_t first_end(struct str s, bool last)
{
    size_t line = str_find_char(s, '\n');
    struct str one = str_slice(s, 0, line);
    size_t end = sentence_end(one, 0);
    bool open;

    if (end == one.len && line == s.len && !last)
        return 0; /* "3." may become "3.5" */
    end = over_marks(one, end, &open);
    if (open && line == s.len && !last)
        return 0;
    while (end < s.len && is_space(s.ptr[end]))
        end++;
    return end;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* The sentence without its marks, and the passages they name. false: one names no passage. */
static bool read_marks(struct review *c, struct str s, struct str *plain, uint64_t *passages)
{
    bool good = true;
    struct buf b;

    *passages = 0;
    buf_init(&b, c->scratch, OUT_MAX);
    for (size_t at = 0; at < s.len;) {
        size_t mark = mark_at(s, at);
        struct str inside = str_slice(s, at + 1, at + (mark == SIZE_MAX ? 0 : mark) - 1), part;

        if (!mark || mark == SIZE_MAX) {
            buf_char(&b, s.ptr[at++]);
            continue;
        }
        for (struct str rest = inside; str_split(&rest, ',', &part);) {
            uint64_t n;
            bool is_number = u64_parse(str_trim(part), &n);

            good = good && is_number && n >= 1 && n <= c->of.passages;
            *passages |= is_number && n >= 1 && n <= c->of.passages ? 1ull << (n - 1) : 0;
        }
        at += mark;
    }
    *plain = str_trim(buf_view(&b));
    return good;
}

static bool note(struct review *c, struct str sentence, const struct support *support,
                 struct err *err)
{
    struct finding *f = &c->findings[c->told];
    struct str text = str_trim(sentence);

    c->count++;
    if (c->told == REVIEW_FINDINGS_MAX)
        return true;
    *f = (struct finding){.first = c->characters,
                          .end = c->characters,
                          .lack = support->lack,
                          .passage = support->passage};
    if (c->of.policy == UNSUPPORTED_MARK)
        f->end += utf8_count(text);
    f->text = arena_str(c->arena, str_slice(text, 0, utf8_boundary(text, TEXT_TOLD)));
    f->what = arena_str(c->arena, support->what);
    if (!f->text.ptr || (support->what.len && !f->what.ptr))
        return err_arena(err, c->arena);
    c->told++;
    return true;
}

static bool judge(struct review *c, struct str sentence, bool *stands, struct err *err)
{
    struct support support = {.lack = LACK_PASSAGE};
    uint64_t passages;
    struct str plain;

    *stands = true;
    bool good = read_marks(c, sentence, &plain, &passages);
    if (!plain.len || str_eq(plain, c->of.refusal))
        return true;
    if (good &&
        !support_find(c->analyser, c->scratch, c->of.evidence, passages, plain, &support, err))
        return false;
    if (good && support.empty)
        return true;
    c->sentences++;
    c->foreign += support.foreign;
    *stands = support.lack == LACK_NOTHING;
    return *stands || note(c, sentence, &support, err);
}

/* One sentence that is whole: judged, and on its way or not. */
static bool settle(struct review *c, struct str sentence, struct err *err)
{
    size_t mark = arena_mark(c->scratch);
    bool stands;

    if (!judge(c, sentence, &stands, err))
        return false;
    arena_rewind(c->scratch, mark);
    if (c->of.policy == UNSUPPORTED_DROP && stands)
        buf_str(&c->out, sentence);
    if (c->of.policy != UNSUPPORTED_DROP || stands)
        c->characters += utf8_count(sentence);
    return true;
}

static bool judge_whole(struct review *c, bool last, struct err *err)
{
    for (;;) {
        struct str rest = str_slice(buf_view(&c->held), c->judged, c->held.len);
        size_t end = rest.len ? first_end(rest, last) : 0;

        if (!end && rest.len > REVIEW_HELD_MAX)
            end = utf8_boundary(rest, REVIEW_HELD_MAX);
        if (!end)
            return true;
        if (!settle(c, str_slice(rest, 0, end), err))
            return false;
        c->judged += end;
    }
}

/* What is judged needs no room any more, unless all of it is held. */
static void forget_judged(struct review *c)
{
    if (c->of.policy == UNSUPPORTED_REFUSE)
        return;
    memmove(c->held.ptr, c->held.ptr + c->judged, c->held.len - c->judged);
    c->held.len -= c->judged;
    c->judged = 0;
}

/* --- as it comes ------------------------------------------------------------------------------ */

static bool give(struct review *c, struct str *out, struct err *err)
{
    if (!buf_finish(&c->out, out, err))
        return false;
    c->left = c->left || out->len > 0;
    return true;
}

bool review_feed(struct review *c, struct str piece, struct str *out, struct err *err)
{
    c->out.len = 0;
    if (c->of.policy == UNSUPPORTED_MARK)
        buf_str(&c->out, piece);
    if (c->of.policy == UNSUPPORTED_REFUSE && c->held.len + piece.len > REVIEW_ANSWER_MAX) {
        c->refused = true;
        c->held.len = c->judged = 0;
    }
    if (!c->refused)
        buf_str(&c->held, piece);
    if (!buf_ok(&c->held))
        return err_arena(err, c->arena);
    if (!judge_whole(c, false, err))
        return false;
    if (c->held.len)
        forget_judged(c);
    return give(c, out, err);
}

bool review_end(struct review *c, struct str *out, struct err *err)
{
    c->out.len = 0;
    if (!judge_whole(c, true, err))
        return false;
    if (c->of.policy == UNSUPPORTED_REFUSE) {
        c->refused = c->refused || c->count > 0;
        buf_str(&c->out, c->refused ? c->of.refusal : buf_view(&c->held));
    } else if (c->of.policy == UNSUPPORTED_DROP && c->count > 0 && !c->left && !c->out.len) {
        c->refused = true; /* nothing is left of it */
        buf_str(&c->out, c->of.refusal);
    }
    c->held.len = c->judged = 0;
    return give(c, out, err);
}

bool review_is_refused(const struct review *c)
{
    return c->refused;
}

size_t review_unsupported(const struct review *c)
{
    return c->count;
}

/* --- told ------------------------------------------------------------------------------------- */

static void write_finding(struct json_writer *w, const struct review *c, const struct finding *f)
{
    jw_object(w);
    jw_key(w, "text");
    jw_str(w, f->text);
    jw_key(w, "lack");
    jw_cstr(w, lack_name(f->lack));
    if (f->what.len) {
        jw_key(w, "what");
        jw_str(w, f->what);
    }
    if (f->passage) {
        jw_key(w, "passage");
        jw_u64(w, f->passage);
    }
    if (c->of.policy == UNSUPPORTED_MARK) {
        jw_key(w, "characters");
        jw_array(w);
        jw_u64(w, f->first);
        jw_u64(w, f->end);
        jw_array_end(w);
    } else {
        jw_key(w, "dropped");
        jw_bool(w, true);
    }
    jw_object_end(w);
}

void review_write(struct json_writer *w, const struct review *c)
{
    static const char *const policies[] = {"mark", "drop", "refuse"};

    jw_object(w);
    jw_key(w, "policy");
    jw_cstr(w, policies[c->of.policy]);
    jw_key(w, "sentences");
    jw_u64(w, c->sentences);
    if (c->foreign) {
        jw_key(w, "only_numbers"); /* the passages are in another language */
        jw_u64(w, c->foreign);
    }
    jw_key(w, "unsupported");
    jw_array(w);
    for (size_t i = 0; i < c->told; i++)
        write_finding(w, c, &c->findings[i]);
    jw_array_end(w);
    if (c->count > c->told) {
        jw_key(w, "unsupported_more");
        jw_u64(w, c->count - c->told);
    }
    jw_object_end(w);
}
