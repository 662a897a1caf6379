#include "index/terms_internal.h"

/* Sorted by bytes: looked up by bisection. English function words, Chinese particles and the question
 * words of both; nothing that could be the subject of a question to a company's documents. "Will" is
 * in: the document called a will is rare, the verb is everywhere. */
static const char *const stop_words[] = {
    "a",      "about",  "again",   "all",    "also",    "am",    "an",      "and",     "any",
    "are",    "as",     "at",      "be",     "because", "been",  "being",   "between", "both",
    "but",    "by",     "can",     "could",  "d",       "did",   "do",      "does",    "doing",
    "down",   "during", "each",    "few",    "for",     "from",  "further", "had",     "has",
    "have",   "having", "he",      "her",    "here",    "hers",  "him",     "his",     "how",
    "i",      "if",     "in",      "into",   "is",      "it",    "its",     "just",    "ll",
    "m",      "many",   "may",     "me",     "might",   "more",  "most",    "much",    "must",
    "my",     "no",     "nor",     "not",    "now",     "of",    "off",     "on",      "once",
    "only",   "or",     "other",   "our",    "out",     "own",   "please",  "re",      "s",
    "same",   "shall",  "she",     "should", "so",      "some",  "such",    "t",       "tell",
    "than",   "that",   "the",     "their",  "them",    "then",  "there",   "these",   "they",
    "this",   "those",  "through", "to",     "too",     "up",    "us",      "ve",      "very",
    "was",    "we",     "were",    "what",   "when",    "where", "which",   "while",   "who",
    "whom",   "whose",  "why",     "will",   "with",    "would", "you",     "your",    "yours",
    "一个",   "一些",   "一個",    "一种",   "一種",    "与",    "並",      "个",      "为",
    "为什么", "为何",   "么",      "之",     "也",      "了",    "于",      "什么",    "什麼",
    "从",     "他",     "以",      "会",     "但",      "何",    "你",      "個",      "其",
    "其中",   "几",     "到",      "又",     "及",      "可",    "可以",    "吗",      "吧",
    "呢",     "和",     "哪",      "哪一",   "哪个",    "哪些",  "哪位",    "哪個",    "哪儿",
    "哪裡",   "哪里",   "啊",      "嗎",     "因为",    "因為",  "在",      "地",      "多少",
    "她",     "如何",   "它",      "对",     "将",      "將",    "對",      "就",      "已",
    "并",     "幾",     "得",      "從",     "怎么",    "怎样",  "怎樣",    "怎麼",    "您",
    "我",     "或",     "所",      "把",     "於",      "是",    "是否",    "會",      "有",
    "為",     "為什麼", "為何",    "由",     "的",      "着",    "等",      "而",      "能",
    "與",     "著",     "被",      "裡",     "要",      "誰",    "請",      "請問",    "请",
    "请问",   "谁",     "还",      "这",     "這",      "還",    "那",      "都",      "里",
    "麼",
};

bool is_stop_word(struct str word)
{
    size_t from = 0, to = ARRAY_LEN(stop_words);

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = str_cmp(word, str_from(stop_words[middle]));

        if (order == 0)
            return true;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return false;
}

/* By its length and its last bytes: an ideograph's first says little. */
static size_t mark_of(struct str word)
{
    const uint8_t *end = (const uint8_t *)word.ptr + word.len;
    uint32_t n = (uint32_t)word.len;

    for (size_t i = 1; i <= MIN_OF(word.len, (size_t)5); i++)
        n = n * 37 + end[-(ptrdiff_t)i];
    return (n ^ n >> 11 ^ n >> 22) % STOP_MARKS;
}

void stop_marks_make(struct stop_marks *marks)
{
    *marks = (struct stop_marks){0};
    for (size_t i = 0; i < ARRAY_LEN(stop_words); i++) {
        size_t n = mark_of(str_from(stop_words[i]));

        marks->bits[n / 64] |= 1ull << n % 64;
    }
}

bool may_be_stop_word(const struct stop_marks *marks, struct str word)
{
    size_t n = mark_of(word);

    return marks->bits[n / 64] >> n % 64 & 1;
}
