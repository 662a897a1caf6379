/* Numbers in English words: "thirty", "twenty-eight", "two hundred and fifty", "1.5 million". */
#include "knowledge/numeral_internal.h"

struct word_value {
    const char *word;
    double value;
};
/* Stems stand beside their words where the stemmer changes them. */
static const struct word_value small_words[] = {
    {"zero", 0},      {"one", 1},      {"two", 2},      {"three", 3},      {"four", 4},
    {"five", 5},      {"six", 6},      {"seven", 7},    {"eight", 8},      {"nine", 9},
    {"ten", 10},      {"eleven", 11},  {"twelve", 12},  {"twelv", 12},     {"thirteen", 13},
    {"fourteen", 14}, {"fifteen", 15}, {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18},
    {"nineteen", 19}, {"twenty", 20},  {"twenti", 20},  {"thirty", 30},    {"thirti", 30},
    {"forty", 40},    {"forti", 40},   {"fifty", 50},   {"fifti", 50},     {"sixty", 60},
    {"sixti", 60},    {"seventy", 70}, {"seventi", 70}, {"eighty", 80},    {"eighti", 80},
    {"ninety", 90},   {"nineti", 90},  {"dozen", 12},   {"first", 1},      {"second", 2},
    {"third", 3},     {"fourth", 4},   {"fifth", 5},    {"sixth", 6},      {"seventh", 7},
    {"eighth", 8},    {"ninth", 9},    {"tenth", 10},   {"twelfth", 12},
};
static const struct word_value scale_words[] = {
    {"hundred", 1e2},  {"thousand", 1e3}, {"million", 1e6}, {"billion", 1e9}, {"trillion", 1e12},
    {"hundreds", 1e2}, {"k", 1e3},        {"m", 1e6},       {"bn", 1e9},
};
static bool find_word(const struct word_value *list, size_t count, struct str word, double *value)
{
    for (size_t i = 0; i < count && word.len; i++) {
        if (str_eq_nocase(word, str_from(list[i].word))) {
            *value = list[i].value;
            return true;
        }
    }
    return false;
}

bool small_word(struct str word, double *value)
{
    return find_word(small_words, ARRAY_LEN(small_words), word, value);
}

bool scale_word(struct str word, double *value)
{
    return find_word(scale_words, ARRAY_LEN(scale_words), word, value);
}

/* "twenty-five", "two hundred and fifty": the value, and where its last word ends. */
static size_t words_value(struct str s, size_t at, double *value)
{
    double sum = 0, group = 0, one;
    size_t end = at, next = at;
    bool any = false;

    for (;;) {
        struct str word = word_at(s, next);

        if (any && str_eq_nocase(word, STR("and"))) {
            next = skip_spaces(s, next + word.len);
            word = word_at(s, next);
            if (!small_word(word, &one) || group < 100)
                break;
        }
        if (small_word(word, &one) &&
            (!any || (group >= 20 && one < 10) || (group >= 100 && one < 100))) {
            group += one;
        } else if (any && scale_word(word, &one) && word.len > 2) {
            group *= one;
            sum += one >= 1000 ? group : 0;
            group = one >= 1000 ? 0 : group;
        } else {
            break;
        }
        any = true;
        end = next + word.len;
        next = end < s.len && s.ptr[end] == '-' ? end + 1 : skip_spaces(s, end);
    }
    *value = sum + group;
    return end;
}

size_t take_word(struct reader *r, size_t at)
{
    struct str word = word_at(r->text, at);
    struct numeral n = {.from = (uint32_t)at};
    size_t end = month_first(r->text, word, at + word.len, &n);
    double value;

    if (end) {
        n.to = (uint32_t)end;
        numeral_put(r, n);
        return end;
    }
    n = (struct numeral){.from = (uint32_t)at};
    if (!small_word(word, &value))
        return at + word.len;
    end = words_value(r->text, at, &n.value);
    /* "One of them", "the second", "both plans are": mostly no number of the text. */
    n.loose = end == at + word.len && value <= LOOSE_MAX &&
              (!unit_behind(r->text, end) || str_ends(word, STR("th")));
    return finish_plain(r, &n, end);
}
