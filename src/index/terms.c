#include "index/terms.h"

#include <libstemmer.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "base/scan.h"
#include "base/utf8.h"
#include "index/terms_internal.h"

/* What a word became, remembered: a language has few words, and stemming is most of the work. */
#define WIDE_FROM       0xE0 /* first byte of three: no word has a stem from here on */
#define STEMS_KEPT      8192 /* a power of two */
#define STEM_WORD_MAX   16
#define STEMS_FROM_WORD 500 /* a question has fewer */
struct kept_stem {
    uint64_t word[2]; /* scan_load_short() */
    uint8_t word_len, stem_len;
    bool stop;
    char stem[STEM_WORD_MAX];
};

struct analyser {
    struct arena *arena;
    struct analysers *home; /* where it goes when it is closed, or NULL */
    uint32_t since;         /* home->dropped when it was opened */
    struct sb_stemmer *stemmer;
    struct kept_stem *stems; /* NULL until a text is long */
    uint32_t words_seen;
    struct stop_marks stops;
    const UNormalizer2 *nfkc; /* ICU's, shared, immutable; NULL until a text needs it */
    struct cutter cutter;
};

static void analyser_end(struct analyser *tools)
{
    struct arena *arena = tools->arena;

    if (tools->stemmer)
        sb_stemmer_delete(tools->stemmer);
    cutter_end(&tools->cutter);
    arena_end(&arena);
}

bool analyser_open(struct analyser **out, struct err *err)
{
    struct arena *arena =
        arena_new(64 * KIB + DICTIONARY_BYTES + STEMS_KEPT * sizeof(struct kept_stem));
    struct analyser *tools = arena ? arena_alloc(arena, sizeof *tools) : NULL;

    if (!tools) {
        arena_end(&arena);
        return err_no_room(err, "no memory for text analysis");
    }
    tools->arena = arena;
    tools->cutter.arena = arena;
    stop_marks_make(&tools->stops);
    tools->stemmer = sb_stemmer_new("english", "UTF_8");
    if (!tools->stemmer) {
        analyser_end(tools);
        return err_set(err, ERR_INTERNAL, "could not open the English stemmer");
    }
    *out = tools;
    return true;
}

bool analyser_open_kept(struct analysers *all, struct analyser **out, struct err *err)
{
    struct analyser *tools = NULL;

    for (size_t i = 0; i < ANALYSERS_KEPT && !tools; i++)
        tools = atomic_exchange(&all->closed[i], NULL);
    uint32_t since = atomic_load(&all->dropped);
    if (!tools) {
        if (!analyser_open(&tools, err))
            return false;
        tools->since = since;
    }
    tools->home = all;
    *out = tools;
    return true;
}

void analyser_close(struct analyser **analyser)
{
    struct analyser *tools = *analyser, *none = NULL;

    *analyser = NULL;
    struct analysers *home = tools ? tools->home : NULL;
    uint32_t since = tools ? tools->since : 0;
    for (size_t i = 0; home && since == atomic_load(&home->dropped) && i < ANALYSERS_KEPT;
         i++, none = NULL)
        if (atomic_compare_exchange_strong(&home->closed[i], &none, tools)) {
            if (since != atomic_load(&home->dropped)) /* dropped in between */
                analysers_end(home);
            return;
        }
    if (tools)
        analyser_end(tools);
}

void analysers_drop(struct analysers *all)
{
    atomic_fetch_add(&all->dropped, 1);
    analysers_end(all);
}

void analysers_end(struct analysers *all)
{
    for (size_t i = 0; i < ANALYSERS_KEPT; i++) {
        struct analyser *tools = atomic_exchange(&all->closed[i], NULL);

        if (tools)
            analyser_end(tools);
    }
}

bool rune_is_ideographic(uint32_t rune)
{
    if (rune < 0x1100)
        return false;
    return (rune >= 0x4E00 && rune <= 0x9FFF) || (rune >= 0x3400 && rune <= 0x4DBF) ||
           (rune >= 0x3041 && rune <= 0x30FF && rune != 0x30FB) || rune == 0x3005 ||
           rune == 0x3007 || (rune >= 0x31F0 && rune <= 0x31FF) ||
           (rune >= 0xAC00 && rune <= 0xD7A3) || rune <= 0x11FF ||
           (rune >= 0xF900 && rune <= 0xFAFF) || (rune >= 0x20000 && rune <= 0x3FFFF);
}

struct str text_language(struct str text)
{
    static const char *const chinese[] = {"谁", "誰", "什", "吗", "嗎", "哪", "多少",
                                          "几", "幾", "怎", "何", "的", "是"};
    size_t letters = 0, ideographs = 0, at = 0;
    uint32_t rune;

    while (utf8_next(text, &at, &rune)) {
        ideographs += rune_is_ideographic(rune);
        letters += (rune | 0x20) >= 'a' && (rune | 0x20) <= 'z';
    }
    for (size_t i = 0; ideographs && i < ARRAY_LEN(chinese); i++)
        ideographs += str_find(text, str_from(chinese[i])) < text.len ? 100 : 0;
    /* A Chinese character says about as much as three letters. */
    return ideographs * 3 > letters ? STR("zh") : STR("en");
}

bool scan_no_memory(const struct scan *scan, struct err *err)
{
    return err_arena(err, scan->arena);
}

struct term *scan_room(struct scan *scan, size_t count)
{
    if (scan->cap - scan->count < count) {
        size_t cap = MAX_OF(scan->cap ? scan->cap * 2 : 64, scan->count + count);
        void *grown =
            arena_grow(scan->arena, scan->at, scan->cap * sizeof *scan->at, cap * sizeof *scan->at);

        if (!grown)
            return NULL;
        scan->at = grown;
        scan->cap = cap;
    }
    return scan->at + scan->count;
}

bool scan_add_term(struct scan *scan, struct term term, struct err *err)
{
    struct term *room = scan_room(scan, 1);

    if (!room)
        return scan_no_memory(scan, err);
    *room = term;
    scan->count++;
    return true;
}

size_t scan_lower(const struct scan *scan, int32_t from, int32_t to, char word[TERM_BYTES_MAX])
{
    size_t len = 0;

    while (from < to) {
        char bytes[4];
        uint32_t rune = scan_next_rune(scan, &from);

        if (rune < 128 && rune != '-' && len < TERM_BYTES_MAX) {
            word[len++] = (char)(rune >= 'A' && rune <= 'Z' ? rune | 0x20 : rune);
            continue;
        }
        size_t size = rune == '-' ? 0 : utf8_put(bytes, (uint32_t)u_tolower((UChar32)rune));

        if (len + size > TERM_BYTES_MAX)
            break;
        memcpy(word + len, bytes, size);
        len += size;
    }
    return len;
}

/* Where a short word's stem is or would be kept; NULL for others. Without memory nothing is kept. */
static struct kept_stem *place_of_stem(struct analyser *tools, struct str word, uint64_t bytes[2])
{
    if (word.len > STEM_WORD_MAX || tools->words_seen < STEMS_FROM_WORD)
        return NULL;
    if (!tools->stems)
        tools->stems = arena_array(tools->arena, STEMS_KEPT, sizeof *tools->stems);
    scan_load_short(word.ptr, word.len, 0, bytes);
    /* Which words meet in one place costs a stemming, no more. */
    uint64_t hash = (bytes[0] ^ word.len) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32 ^ bytes[1]) * 0xff51afd7ed558ccdu;
    return tools->stems ? &tools->stems[(hash >> 40) % STEMS_KEPT] : NULL;
}

static bool stem_word(struct analyser *tools, struct str word, struct str *stem, bool *stop,
                      struct err *err)
{
    *stem = word;
    *stop = may_be_stop_word(&tools->stops, word) && is_stop_word(word);
    if (*stop || (uint8_t)word.ptr[0] >= WIDE_FROM)
        return true;
    const sb_symbol *found =
        sb_stemmer_stem(tools->stemmer, (const sb_symbol *)word.ptr, (int)word.len);
    if (!found)
        return err_no_room(err, "no memory to stem a word");
    *stem = (struct str){(const char *)found, (size_t)sb_stemmer_length(tools->stemmer)};
    return true;
}

static bool find_stem(struct analyser *tools, struct str word, struct str *stem, bool *stop,
                      struct err *err)
{
    uint64_t bytes[2] = {0};

    if (word.len && (uint8_t)word.ptr[0] >= WIDE_FROM) /* has no stem to be kept */
        return stem_word(tools, word, stem, stop, err);
    struct kept_stem *kept = place_of_stem(tools, word, bytes);

    tools->words_seen++;
    if (kept && word.len > 0 && kept->word_len == word.len && kept->word[0] == bytes[0] &&
        kept->word[1] == bytes[1]) {
        *stem = (struct str){kept->stem, kept->stem_len};
        *stop = kept->stop;
        return true;
    }
    if (!stem_word(tools, word, stem, stop, err))
        return false;
    if (kept && stem->len <= STEM_WORD_MAX) {
        kept->word_len = (uint8_t)word.len;
        kept->stem_len = (uint8_t)stem->len;
        kept->stop = *stop;
        memcpy(kept->word, bytes, sizeof kept->word);
        memcpy(kept->stem, stem->ptr, stem->len);
    }
    return true;
}

bool scan_add_word(struct scan *scan, struct term term, const char *word, size_t len,
                   struct err *err)
{
    struct str text = {word, len};

    if (!term.number && !find_stem(scan->tools, text, &text, &term.stop, err))
        return false;
    term.text = arena_str(scan->arena, text);
    if (!term.text.ptr)
        return scan_no_memory(scan, err);
    term.position = scan->words++;
    return scan_add_term(scan, term, err);
}

static bool is_word_rune(uint32_t rune)
{
    if (rune < 128)
        return (rune >= '0' && rune <= '9') || ((rune | 0x20) >= 'a' && (rune | 0x20) <= 'z');
    if (rune_is_ideographic(rune))
        return false;
    return u_isalnum((UChar32)rune) || (U_GET_GC_MASK((UChar32)rune) & U_GC_M_MASK);
}

static uint32_t rune_at(const struct scan *scan, int32_t at)
{
    return at < scan->len ? scan_next_rune(scan, &at) : 0;
}

static bool digit_at(const struct scan *scan, int32_t at)
{
    return at < scan->len && u_isdigit((UChar32)rune_at(scan, at));
}

/* "1,500" is one number; "1,5" is not English, "a,b" is two words. */
static bool is_thousands_comma(const struct scan *scan, int32_t at)
{
    return scan->text[at] == ',' && digit_at(scan, at + 1) && digit_at(scan, at + 2) &&
           digit_at(scan, at + 3) && !digit_at(scan, at + 4);
}

static bool scan_number(struct scan *scan, int32_t *at, struct err *err)
{
    char word[TERM_BYTES_MAX];
    size_t len = 0;
    int32_t i = *at;

    for (; i < scan->len; i++) {
        UChar c = scan->text[i];

        if (is_thousands_comma(scan, i))
            continue;
        if (!(c < 128 && u_isalnum(c)) && !(c == '.' && digit_at(scan, i + 1)))
            break;
        if (len < sizeof word)
            word[len++] = (char)u_tolower(c);
    }
    *at = i;
    return scan_add_word(scan, (struct term){.number = true}, word, len, err);
}

/* "e-mail" is "email", "X-ray" is "xray": one letter before a hyphen is no word. */
static bool is_joining_hyphen(const struct scan *scan, int32_t from, int32_t at)
{
    return at - from == 1 && scan->text[from] < 128 && scan->text[at] == '-' &&
           at + 1 < scan->len && u_isalpha((UChar32)rune_at(scan, at + 1));
}

/* Letters and digits; a possessive 's is dropped, so that "company's" is "company". */
static bool scan_letters(struct scan *scan, int32_t *at, struct err *err)
{
    char word[TERM_BYTES_MAX];
    int32_t from = *at, i = from;

    while (i < scan->len) {
        int32_t next = i;

        if (!is_word_rune(scan_next_rune(scan, &next)) && !is_joining_hyphen(scan, from, i))
            break;
        i = next;
    }
    size_t len = scan_lower(scan, from, i, word);
    *at = i;
    if (i + 1 < scan->len && (scan->text[i] == '\'' || scan->text[i] == 0x2019) &&
        (scan->text[i + 1] | 0x20) == 's' && !is_word_rune(rune_at(scan, i + 2)))
        *at = i + 2;
    return scan_add_word(scan, (struct term){.name = u_isupper((UChar32)rune_at(scan, from))}, word,
                         len, err);
}

static int32_t run_end(const struct scan *scan, int32_t at)
{
    while (at < scan->len) {
        int32_t next = at;

        if (!rune_is_ideographic(scan_next_rune(scan, &next)))
            break;
        at = next;
    }
    return at;
}

static bool scan_all(struct scan *scan, struct err *err)
{
    for (int32_t at = 0; at < scan->len;) {
        uint32_t rune = rune_at(scan, at);

        if (rune_is_ideographic(rune)) {
            int32_t end = run_end(scan, at);

            if (!scan_run(scan, at, end, err))
                return false;
            at = end;
        } else if (rune >= '0' && rune <= '9') {
            if (!scan_number(scan, &at, err))
                return false;
        } else if (is_word_rune(rune)) {
            if (!scan_letters(scan, &at, err))
                return false;
        } else {
            U16_FWD_1(scan->text, at, scan->len);
        }
    }
    return true;
}

static bool normalise(struct scan *scan, const UChar *text, int32_t len, struct err *err)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t cap = len + len / 2 + 64;

    if (!scan->tools->nfkc)
        scan->tools->nfkc = unorm2_getNFKCInstance(&status);
    for (int attempt = 0; U_SUCCESS(status) && attempt < 2; attempt++) {
        UChar *to = arena_alloc_raw(scan->arena, (size_t)cap * sizeof *to);

        if (!to)
            return scan_no_memory(scan, err);
        int32_t need = unorm2_normalize(scan->tools->nfkc, text, len, to, cap, &status);
        if (U_SUCCESS(status)) {
            scan->text = to;
            scan->len = need;
            return true;
        }
        if (status == U_BUFFER_OVERFLOW_ERROR) /* some ligatures grow eighteenfold */
            status = U_ZERO_ERROR;
        cap = need + 1;
    }
    return err_set(err, ERR_INTERNAL, "could not normalise a text: %s", u_errorName(status));
}

/* Our UTF-8 to ICU's UTF-16; what is all ASCII is NFKC already. */
static bool widen(struct scan *scan, struct str text, struct err *err)
{
    UChar *wide = arena_alloc_raw(scan->arena, (text.len + 1) * sizeof *wide);
    UErrorCode status = U_ZERO_ERROR;
    uint8_t high = 0;
    int32_t len = 0;

    if (!wide)
        return scan_no_memory(scan, err);
    for (size_t i = 0; i < text.len; i++) {
        high |= (uint8_t)text.ptr[i];
        wide[i] = (uint8_t)text.ptr[i];
    }
    scan->text = wide;
    scan->len = (int32_t)text.len;
    if (high < 128)
        return true;
    u_strFromUTF8WithSub(wide, (int32_t)text.len + 1, &len, text.ptr, (int32_t)text.len, ' ', NULL,
                         &status);
    if (U_FAILURE(status))
        return err_set(err, ERR_INTERNAL, "could not read a text: %s", u_errorName(status));
    return normalise(scan, wide, len, err);
}

static bool analyse(struct scan *scan, struct str text, struct terms *out, struct err *err)
{
    if (text.len > ANALYSED_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, "a text of %zu bytes is above %zu", text.len,
                       ANALYSED_BYTES_MAX);
    if (!widen(scan, text, err))
        return false;
    if (scan->making) {
        scan->making->bits = arena_array(scan->arena, (size_t)scan->len / 8 + 1, 1);
        if (!scan->making->bits)
            return scan_no_memory(scan, err);
    }
    if (!scan_all(scan, err))
        return false;
    *out = (struct terms){scan->at, scan->count, scan->words};
    return true;
}

bool analyser_terms(struct analyser *analyser, struct arena *arena, struct str text,
                    struct terms *out, struct err *err)
{
    struct scan scan = {
        .tools = analyser, .cutter = &analyser->cutter, .stops = &analyser->stops, .arena = arena};

    return analyse(&scan, text, out, err);
}

bool analyser_terms_cut(struct analyser *analyser, struct arena *arena, struct str text,
                        struct word_cuts *cuts, struct terms *out, struct err *err)
{
    struct scan scan = {.tools = analyser,
                        .cutter = &analyser->cutter,
                        .stops = &analyser->stops,
                        .arena = arena,
                        .known = cuts};

    return analyse(&scan, text, out, err);
}

/* How many there are, then the bits. */
bool analyser_cut(struct analyser *analyser, struct arena *arena, struct str text,
                  struct terms *out, struct str *cuts, struct err *err)
{
    struct making_cuts making = {0};
    struct scan scan = {.tools = analyser,
                        .cutter = &analyser->cutter,
                        .stops = &analyser->stops,
                        .arena = arena,
                        .making = &making};
    size_t bytes;

    if (!analyse(&scan, text, out, err))
        return false;
    *cuts = STR_NONE;
    if (!making.count)
        return true;
    bytes = (making.count + 7) / 8;
    char *packed = arena_array(arena, sizeof making.count + bytes, 1);
    if (!packed)
        return scan_no_memory(&scan, err);
    memcpy(packed, &making.count, sizeof making.count);
    memcpy(packed + sizeof making.count, making.bits, bytes);
    *cuts = (struct str){packed, sizeof making.count + bytes};
    return true;
}

struct word_cuts word_cuts_of(struct str packed)
{
    struct word_cuts cuts = {0};

    if (packed.len < sizeof cuts.count)
        return cuts;
    memcpy(&cuts.count, packed.ptr, sizeof cuts.count);
    cuts.bits = (const uint8_t *)packed.ptr + sizeof cuts.count;
    if (((uint64_t)cuts.count + 7) / 8 != packed.len - sizeof cuts.count)
        cuts = (struct word_cuts){0};
    return cuts;
}

bool terms_is_repeat(const struct terms *terms, size_t i)
{
    const struct term *term = &terms->at[i];

    for (size_t k = 0; k < i; k++)
        if (terms->at[k].field == term->field && str_eq(terms->at[k].text, term->text))
            return true;
    return false;
}
