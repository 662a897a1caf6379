#include "knowledge/covering.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "knowledge/interval.h"
#include "knowledge/numeral.h"

#define ALTERNATIVES  14
#define WIDE_ONE      3 /* bytes of an ideograph as it is common */
#define WIDE_WORD     6 /* bytes: shorter Chinese words stand in too many others */
#define TELEPHONE_LEN 7 /* digits */
#define EXTENSION_LEN 3

/* Stems and Chinese words that ask for the same, or are used for one another by who works in an office. */
static const char *const alike[][ALTERNATIVES] = {
    {"telephon", "phone", "call", "ring", "dial", "hotlin", "line", "电话", "号码", "热线", "打"},
    {"email", "e-mail", "mail", "address", "邮箱", "邮件", "电邮"},
    {"address", "street", "locat", "situat", "地址", "哪里", "哪儿", "位置", "位于"},
    {"hour", "open", "close", "营业时间", "开门", "关门", "几点"},
    {"manag", "manager", "head", "lead", "led", "leader", "run", "boss", "charg", "负责人", "领导",
     "主管", "组长", "负责"},
    {"fee", "cost", "price", "charg", "rate", "费用", "多少钱", "收费", "收取", "价格", "保费"},
    {"limit", "maximum", "cap", "上限", "限额", "最高", "最多", "额度"},
    {"branch", "offic", "分公司", "分行", "办事处"},
    {"approv", "sign", "decid", "decis", "authoris", "consent", "审批", "批准", "批", "决定",
     "同意", "签字"},
    {"allow", "permit", "may", "可以", "允许", "不被允许"},
    {"gift", "present", "礼品", "礼物", "送礼", "赠送"},
    {"lose", "lost", "miss", "丢", "丢失", "遗失", "挂失"},
    {"fli", "flight", "fly", "plane", "飞行", "航班", "机票"},
    {"hotel", "accommod", "住宿", "酒店"},
    {"holiday", "vacat", "leav", "absenc", "休假", "请假", "假期", "年假"},
    {"refund", "reimburs", "repaid", "paid", "pay", "payment", "报销", "支付", "赔偿", "发放"},
    {"notic", "resign", "quit", "通知期", "辞职", "离职"},
    {"insur", "cover", "保险", "保障", "投保"},
    {"home", "hous", "flat", "房屋", "住宅", "房子"},
    {"abroad", "overs", "foreign", "境外", "国外", "海外", "出境"},
    {"request", "appli", "applic", "ask", "申请"},
    {"present", "submit", "hand", "提交", "提供"},
    {"ill", "sick", "unwel", "diseas", "生病", "病假"},
    {"begin", "start", "commenc", "开始", "生效"},
    {"rule", "condit", "requir", "规定", "条件", "要求"},
};

/* Words that ask, in stems; what they are about stands in the others. */
static const char *const asking[] = {
    "get",     "have",    "has",    "had",    "take",       "taken",   "give",   "given",
    "need",    "make",    "do",     "want",   "there",      "list",    "name",   "kind",
    "type",    "sort",    "occas",  "case",   "thing",      "item",    "entri",  "much",
    "mani",    "pleas",   "tell",   "show",   "compani",    "employe", "staff",  "compar",
    "differ",  "versus",  "vs",     "higher", "comparison", "lower",   "high",   "low",
    "more",    "less",    "same",   "which",  "what",       "who",     "whom",   "between",
    "both",    "respect", "larger", "longer", "smaller",    "cheaper", "better", "shorter",
    "each",    "all",     "any",    "eur",    "euro",       "usd",     "dollar", "yuan",
    "rmb",     "happen",  "ahead",  "advanc", "far",        "long",    "exist",  "count",
    "number",  "total",   "look",   "know",   "find",       "use",     "us",     "our",
    "we",      "sell",    "offer",  "say",    "contain",    "includ",  "mean",   "s",
    "possibl", "worth",   "amount", "exact",  "someon",     "current", "quick",  "still",
    "ever",    "exactli", "after",  "befor",  "dure",       "within",  "while",  "when",
    "about",   "through", "per",    "until",  "sinc",       "onc",     "becaus", "under",
    "if",
};
/* The longest at a place counts. */
static const char *const wide_asking[] = {
    "请问", "什么时候", "什么", "多少钱", "多少", "多长时间", "多久", "几点",   "几种", "几个",
    "几项", "几类",     "几家", "几条",   "几天", "几",       "哪些", "哪个",   "哪几", "哪里",
    "哪儿", "哪",       "由谁", "谁",     "怎么", "怎样",     "如何", "为什么", "是否", "是不是",
    "是",   "有没有",   "有",   "吗",     "呢",   "的",       "了",   "得",     "和",   "与",
    "及",   "以及",     "或",   "在",     "到",   "给",       "要",   "需要",   "需",   "能不能",
    "能否", "能",       "可以", "应该",   "应",   "想",       "知道", "告诉",   "列出", "列举",
    "比较", "对比",     "分别", "各是",   "各",   "不同",     "区别", "差别",   "差异", "更高",
    "更低", "更",       "一样", "相同",   "一共", "总共",     "共有", "一共有", "情况", "金额",
    "提前", "数额",     "我们", "我",     "你们", "员工",     "公司", "找",     "超过", "以上",
    "以下", "不到",     "大于", "小于",   "高于", "低于",     "不足", "之前",   "之后", "时候",
    "以内", "之内",     "每",   "这",     "那",
};

static bool is_wide(struct str s)
{
    return s.len && (uint8_t)s.ptr[0] >= 0x80;
}

static bool has_pieces(const struct question *q)
{
    return str_eq(q->language, STR("zh"));
}

static bool only_asks(const struct term *term)
{
    double value;

    if (term->number || numeral_word(term->text, &value))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(asking); i++)
        if (str_eq(term->text, str_from(asking[i])))
            return true;
    return false;
}

static bool is_alike(struct str word, size_t row)
{
    for (size_t k = 0; k < ALTERNATIVES && alike[row][k]; k++)
        if (str_eq(word, str_from(alike[row][k])))
            return true;
    return false;
}

/* --- Chinese: what is left between the words that ask ------------------------------------------ */

/* 分公司 is no 公司. */
static bool is_part_of_word(struct str text, size_t at, struct str word)
{
    static const char *const before[] = {"分", "子", "总"};

    for (size_t i = 0; i < ARRAY_LEN(before) && str_eq(word, STR("公司")); i++)
        if (at >= 3 && str_starts(str_slice(text, at - 3, text.len), str_from(before[i])))
            return true;
    return false;
}

static size_t asking_end(struct str text, size_t at, enum attribute without)
{
    struct str rest = str_slice(text, at, text.len);
    size_t longest = 0;

    for (size_t i = 0; i < ARRAY_LEN(wide_asking); i++) {
        struct str word = str_from(wide_asking[i]);

        if (word.len > longest && str_starts(rest, word) && !is_part_of_word(text, at, word))
            longest = word.len;
    }
    for (size_t k = 0; without && k < ALTERNATIVES && alike[without - 1][k]; k++) {
        struct str word = str_from(alike[without - 1][k]);

        if (is_wide(word) && word.len > longest && str_starts(rest, word))
            longest = word.len;
    }
    return at + longest;
}

/* Behind a number with its unit, or `at`. */
static size_t number_end(const struct numerals *numbers, struct str text, size_t at)
{
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->at[i].from == at)
            return wide_unit_end(text, numbers->at[i].to);
    return at;
}

static void put_piece(struct covering *c, struct str text, size_t from, size_t to)
{
    if (to > from && c->piece_count < COVERING_PIECES)
        c->pieces[c->piece_count++] = str_slice(text, from, to);
}

/* Of three bytes, as nearly all are; *len: of the character in any case. */
static bool is_ideograph(struct str text, size_t at, size_t *len)
{
    uint32_t rune = 0;
    size_t end = at;

    *len = utf8_next(text, &end, &rune) ? end - at : 1;
    return *len == WIDE_ONE && rune_is_ideographic(rune);
}

static bool cut_pieces(struct covering *c, enum attribute without, struct err *err)
{
    size_t mark = arena_mark(c->arena), from = 0, len;
    struct numerals *numbers = arena_alloc(c->arena, sizeof *numbers);
    struct str text = c->question->text;

    if (!numbers)
        return err_arena(err, c->arena);
    numerals_read(text, numbers);
    for (size_t at = 0; at < text.len;) {
        size_t end = MAX_OF(number_end(numbers, text, at), asking_end(text, at, without));

        if (end > at) {
            put_piece(c, text, from, at);
            from = at = end;
        } else if (!is_ideograph(text, at, &len)) {
            put_piece(c, text, from, at);
            from = at += len;
        } else {
            at += len;
        }
    }
    put_piece(c, text, from, text.len);
    arena_rewind(c->arena, mark);
    return true;
}

static bool is_in_piece(const struct covering *c, struct str word)
{
    for (size_t i = 0; i < c->piece_count; i++)
        if (str_find(c->pieces[i], word) < c->pieces[i].len)
            return true;
    return false;
}

/* Pairs within a piece, and a character that is a piece by itself. */
static bool is_needed(const struct covering *c, const struct term *term)
{
    if (!is_wide(term->text))
        return term->field == TERM_WORD && !only_asks(term);
    if (term->field == TERM_PAIR)
        return is_in_piece(c, term->text);
    for (size_t i = 0; i < c->piece_count; i++)
        if (term->text.len == WIDE_ONE && str_eq(c->pieces[i], term->text))
            return true;
    return false;
}

/* --- what is needed --------------------------------------------------------------------------- */

bool covering_begin(struct covering *c, enum attribute without, struct err *err)
{
    bool pieces = has_pieces(c->question);

    c->needed = 0;
    c->piece_count = 0;
    if (pieces && !cut_pieces(c, without, err))
        return false;
    for (size_t i = 0; i < c->question->asked_count; i++) {
        const struct term *term = &c->question->asked[i].term;
        bool needed = pieces ? is_needed(c, term) : term->field == TERM_WORD && !only_asks(term);

        if (needed && without && is_alike(term->text, (size_t)without - 1))
            needed = false;
        c->needed |= needed ? 1ull << i : 0;
    }
    return true;
}

static bool has_term(const struct terms *terms, struct str text)
{
    for (size_t i = 0; i < terms->count; i++)
        if (terms->at[i].field == TERM_WORD && str_eq(terms->at[i].text, text))
            return true;
    return false;
}

/* The word of a row that `asked` is, or is a part of in its piece. */
static bool speaks_of_row(const struct covering *c, const struct asked *asked, size_t row)
{
    for (size_t k = 0; k < ALTERNATIVES && alike[row][k]; k++) {
        struct str word = str_from(alike[row][k]);

        if (str_eq(asked->term.text, word) ||
            (is_wide(word) && str_find(word, asked->term.text) < word.len && is_in_piece(c, word)))
            return true;
    }
    return false;
}

static bool has_alike(const struct covering *c, const struct asked *asked,
                      const struct terms *terms, struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(alike); i++) {
        bool is_of = speaks_of_row(c, asked, i);

        for (size_t k = 0; is_of && k < ALTERNATIVES && alike[i][k]; k++) {
            struct str other = str_from(alike[i][k]);

            if (is_wide(other) ? other.len >= WIDE_WORD && str_find(text, other) < text.len
                               : has_term(terms, other))
                return true;
        }
    }
    return false;
}

static bool has_kin(const struct asked *asked, const struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++)
        if (terms->at[i].field == TERM_WORD && !terms->at[i].stop &&
            asked_has_kin(asked, terms->at[i].text))
            return true;
    return false;
}

bool covering_read(const struct covering *c, struct str text, uint64_t *bits, struct err *err)
{
    size_t mark = arena_mark(c->arena);
    const struct question *q = c->question;
    struct terms terms;
    uint64_t there = 0;

    if (!analyser_terms(c->analyser, c->arena, text, &terms, err))
        return false;
    for (size_t i = 0; i < terms.count; i++) {
        const struct asked *asked =
            terms.at[i].field == TERM_WORD ? question_word(q, terms.at[i].text) : NULL;

        there |= asked ? 1ull << asked->number : 0;
    }
    for (size_t i = 0; i < q->asked_count; i++) {
        const struct asked *asked = &q->asked[i];
        struct str word = asked->term.text;

        if (!(c->needed >> i & 1) || there >> i & 1)
            continue;
        if ((is_wide(word) && word.len >= WIDE_WORD && str_find(text, word) < text.len) ||
            (!is_wide(word) && has_kin(asked, &terms)) || has_alike(c, asked, &terms, text))
            there |= 1ull << i;
    }
    *bits = there & c->needed;
    arena_rewind(c->arena, mark);
    return true;
}

/* --- how much of it stands there -------------------------------------------------------------- */

static bool has_bit(const struct covering *c, struct str word, uint64_t bits)
{
    const struct asked *asked =
        word.len == WIDE_ONE ? question_word(c->question, word) : question_pair(c->question, word);

    return asked && bits >> asked->number & 1;
}

/* A word of a piece that another of its row stands for, 丢 for 遗失, has no pair of its own. */
static bool character_stands(const struct covering *c, struct str piece, size_t at, uint64_t bits)
{
    bool before =
        at >= WIDE_ONE && has_bit(c, str_slice(piece, at - WIDE_ONE, at + WIDE_ONE), bits);
    bool after =
        at + WIDE_WORD <= piece.len && has_bit(c, str_slice(piece, at, at + WIDE_WORD), bits);

    return before || after || (piece.len == WIDE_ONE && has_bit(c, piece, bits));
}

/* Of the pieces' characters; and the longest run that is not there. */
static void count_characters(const struct covering *c, uint64_t bits, size_t *all, size_t *there,
                             size_t *gap)
{
    *all = *there = *gap = 0;
    for (size_t i = 0; i < c->piece_count; i++) {
        size_t missing = 0;

        for (size_t at = 0; at + WIDE_ONE <= c->pieces[i].len; at += WIDE_ONE) {
            bool stands = character_stands(c, c->pieces[i], at, bits);

            ++*all;
            *there += stands;
            missing = stands ? 0 : missing + 1;
            *gap = MAX_OF(*gap, missing);
        }
    }
}

static float words_share(const struct covering *c, uint64_t bits)
{
    float sum = 0, all = 0;

    for (size_t i = 0; i < c->question->asked_count; i++) {
        float idf = c->question->asked[i].idf;

        all += c->needed >> i & 1 ? idf : 0;
        sum += c->needed & bits & 1ull << i ? idf : 0;
    }
    return all > 0 ? sum / all : 1;
}

/* A Latin word among Chinese counts as two characters. */
float covering_share(const struct covering *c, uint64_t bits)
{
    size_t all, there, gap;

    if (!has_pieces(c->question))
        return words_share(c, bits);
    count_characters(c, bits, &all, &there, &gap);
    for (size_t i = 0; i < c->question->asked_count; i++)
        if (c->needed >> i & 1 && !is_wide(c->question->asked[i].term.text)) {
            all += 2;
            there += bits >> i & 1 ? 2 : 0;
        }
    return all ? (float)there / (float)all : 1;
}

bool covering_lacks_word(const struct covering *c, uint64_t bits)
{
    const struct question *q = c->question;

    for (size_t i = 0; i < q->asked_count && has_pieces(q); i++)
        if (c->needed >> i & 1 && !(bits >> i & 1) && !is_wide(q->asked[i].term.text))
            return true;
    return false;
}

bool covering_lacks_name(const struct covering *c, uint64_t bits)
{
    const struct question *q = c->question;
    size_t all, there, gap = 0;

    if (has_pieces(q))
        count_characters(c, bits, &all, &there, &gap);
    for (size_t i = 0; i < q->asked_count && !has_pieces(q); i++) {
        const struct term *term = &q->asked[i].term;

        if (c->needed >> i & 1 && !(bits >> i & 1) && term->name && term->position > 0)
            return true;
    }
    return gap >= 2 || covering_lacks_word(c, bits);
}

size_t covering_words(const struct covering *c)
{
    size_t all = 0, there, gap, words = 0;

    if (has_pieces(c->question))
        count_characters(c, 0, &all, &there, &gap);
    for (size_t i = 0; i < c->question->asked_count; i++)
        words += c->needed >> i & 1 && !is_wide(c->question->asked[i].term.text);
    return words + all / 2;
}

/* --- attributes ------------------------------------------------------------------------------- */

/* Not within a word: "call" stands in no "recall". */
static bool begins_word(struct str text, struct str word)
{
    for (size_t from = 0;;) {
        size_t at = from + str_find(str_slice(text, from, text.len), word);

        if (at >= text.len)
            return false;
        if (at == 0 || is_wide(word) || text.ptr[at - 1] < 'a' || text.ptr[at - 1] > 'z')
            return true;
        from = at + 1;
    }
}

/* "Whom do I call", "the number of ...", 打哪个电话: a line is asked for only where it is no verb of another thing. */
static bool asks_one_of(struct str question, const char *const *list, size_t count)
{
    struct buf b;
    char memory[1024];

    buf_init_fixed(&b, memory, sizeof memory);
    for (size_t i = 0; i < question.len && i < sizeof memory - 1; i++) {
        char ch = question.ptr[i];

        buf_char(&b, ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch);
    }
    for (size_t i = 0; i < count; i++)
        if (begins_word(buf_view(&b), str_from(list[i])))
            return true;
    return false;
}

enum attribute attribute_asked(struct str question)
{
    static const char *const telephone[] = {
        "phone number", "telephone", "number of", "number for", "what number",
        "which number", "phone",     "call",      "dial",       "hotline",
        "电话",         "热线",      "号码",      "拨打"};
    static const char *const mail[] = {"e-mail address", "email address", "which e-mail",
                                       "which email",    "what e-mail",   "what email",
                                       "邮箱",           "邮件地址"};

    if (asks_one_of(question, mail, ARRAY_LEN(mail)))
        return ATTRIBUTE_MAIL;
    return asks_one_of(question, telephone, ARRAY_LEN(telephone)) ? ATTRIBUTE_TELEPHONE
                                                                  : ATTRIBUTE_NONE;
}

bool attribute_is_all(struct str question, enum attribute *attribute)
{
    static const char *const telephone[] = {
        "phone number",    "telephone number",  "telephone of",   "whom do i call",
        "who do i call",   "whom do i phone",   "who do i phone", "what number do",
        "which number do", "who should i call", "电话是多少",     "电话号码",
        "打哪个电话",      "打什么电话",        "电话呢",         "电话是什么"};
    static const char *const mail[] = {"e-mail address", "email address", "邮箱", "邮件地址"};

    *attribute = ATTRIBUTE_NONE;
    if (asks_one_of(question, mail, ARRAY_LEN(mail)))
        *attribute = ATTRIBUTE_MAIL;
    else if (asks_one_of(question, telephone, ARRAY_LEN(telephone)))
        *attribute = ATTRIBUTE_TELEPHONE;
    return *attribute != ATTRIBUTE_NONE;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What joins the digits of a line's number: "+00 800 555 0142", "010-5550-1100". */
static bool joins_digits(struct str text, size_t i)
{
    char c = text.ptr[i];

    return (c == ' ' || c == '-' || c == '/' || c == '(' || c == ')') && i + 1 < text.len &&
           (is_digit(text.ptr[i + 1]) || text.ptr[i + 1] == '(');
}

/* 2026-03-31 */
static bool is_day(struct str run)
{
    return run.len == 10 && run.ptr[4] == run.ptr[7] && !is_digit(run.ptr[4]);
}

static bool has_telephone(struct str text)
{
    for (size_t from = 0; from < text.len;) {
        size_t end = from, digits = 0, groups = 0;

        for (; end < text.len && (is_digit(text.ptr[end]) || (digits && joins_digits(text, end)));
             end++) {
            digits += is_digit(text.ptr[end]);
            groups += is_digit(text.ptr[end]) && (end == from || !is_digit(text.ptr[end - 1]));
        }
        if (digits >= TELEPHONE_LEN && groups >= 2 && !is_day(str_slice(text, from, end)))
            return true;
        from = end + 1;
    }
    return false;
}

/* "Her telephone number is 4711": a line of the house is shorter, and said to be one. */
static bool has_extension(struct str text)
{
    static const char *const said[] = {"telephone", "phone", "extension", "电话", "分机", "热线"};
    size_t digits = 0;

    if (!asks_one_of(text, said, ARRAY_LEN(said)))
        return false;
    for (size_t i = 0; i < text.len && digits < EXTENSION_LEN; i++)
        digits = is_digit(text.ptr[i]) ? digits + 1 : 0;
    return digits >= EXTENSION_LEN;
}

static bool has_mail(struct str text)
{
    size_t at = str_find(text, STR("@"));

    return at > 0 && at + 1 < text.len && text.ptr[at - 1] != ' ' &&
           str_find(str_slice(text, at, text.len), STR(".")) < text.len - at;
}

bool attribute_stands(enum attribute attribute, struct str text)
{
    switch (attribute) {
    case ATTRIBUTE_NONE: return false;
    case ATTRIBUTE_TELEPHONE: return has_telephone(text) || has_extension(text);
    case ATTRIBUTE_MAIL: return has_mail(text);
    }
    return false;
}
