/* Names in Chinese: by how they end, what stands beside them, and what encloses them. No dictionary: it
 * knows the words that are common, and names are the others. */
#include <string.h>

#include "base/utf8.h"
#include "index/terms.h"
#include "knowledge/choose.h"
#include "knowledge/entities.h"

#define NAME_CHARACTERS 20
#define ENCLOSED_MAX    60 /* bytes */
#define CHARACTER       3  /* bytes of all that is listed here */

/* What names of organisations, laws and events end with; the longer first. */
static const char *const endings[] = {
    "股份有限公司", "有限责任公司", "集团有限公司", "有限公司", "人民法院", "人民检察院",
    "律师事务所",   "人民医院",     "人民政府",     "委员会",   "事务所",   "研究院",
    "研究所",       "检察院",       "出版社",       "通讯社",   "电视台",   "公安局",
    "派出所",       "看守所",       "俱乐部",       "联合会",   "基金会",   "立法会",
    "博物馆",       "图书馆",       "运动会",       "奥运会",   "冬奥会",   "残奥会",
    "锦标赛",       "世界杯",       "公司",         "集团",     "银行",     "大学",
    "学院",         "医院",         "法院",         "协会",     "中学",     "小学",
    "联盟",         "议会",         "机场",         "联赛",     "峰会",     "论坛",
    "条例",         "油田",         "电影节",       "交易所"};

/* Where a name does not reach over: particles and the verbs of business. */
static const char *const stops[] = {
    "的",   "了",   "在",   "由",   "与",   "和",   "及",   "对",   "向",   "为",   "被",   "将",
    "从",   "于",   "是",   "到",   "给",   "使",   "让",   "并",   "而",   "且",   "以",   "其",
    "该",   "本",   "这",   "那",   "每",   "各",   "即",   "至",   "等",   "或",   "把",   "跟",
    "经",   "因",   "据",   "收购", "投资", "成立", "任命", "聘请", "委托", "起诉", "加入", "进入",
    "通过", "根据", "按照", "结合", "完成", "参与", "获得", "位于", "来自", "属于", "作为", "成为",
    "包括", "担任", "指控", "签署", "签订", "宣布", "表示", "设立", "控股", "一家", "多家", "这家",
    "两家", "比较", "请问", "关于", "介绍", "年度", "年底", "年初", "月份", "举行", "召开", "参加",
    "出席", "称",   "说",   "就",   "也",   "还",   "已",   "则"};

/* What only looks like one of these. */
static const char *const no_stops[] = {"华为", "日本", "和平", "本田", "经济", "因特", "以色列",
                                       "和谐", "本溪", "说明", "将军", "让·",  "使馆", "对外"};

/* Said before a person's name, or behind it. */
static const char *const roles_before[] = {
    "总经理", "董事长", "首席执行官", "审判长", "审判员", "书记员", "被告人", "辩护人", "被害人",
    "负责人", "代表人", "总监",       "经理",   "主任",   "导演",   "主演",   "作者",   "总裁",
    "院长",   "部长",   "局长",       "主席",   "法官",   "律师",   "被告",   "原告",   "医生",
    "医师",   "患者",   "教授",       "创始人", "发言人", "总统",   "总理",   "委员"};
static const char *const roles_behind[] = {"先生", "女士", "同志", "老师", "医生",
                                           "博士", "教授", "律师", "法官"};

static const char *const defined[] = {"以下简称为", "以下简称", "下称", "又称", "也称", "简称"};

/* The first character: this is asked of every place of a text for a hundred entries, and the last of an ideograph's
 * bytes tells most of them apart. */
static bool same_first(struct str text, const char *entry)
{
    if ((uint8_t)entry[0] < 0xE0)
        return text.len > 0 && text.ptr[0] == entry[0];
    return text.len >= CHARACTER && text.ptr[2] == entry[2] && text.ptr[1] == entry[1] &&
           text.ptr[0] == entry[0];
}

/* Bytes of the entry that `text` begins with, or 0. */
static size_t begins_with(struct str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_first(text, list[i]) && str_starts(text, str_from(list[i])))
            return str_from(list[i]).len;
    return 0;
}

/* Which lists have an entry that begins with a character like this one: most places of a text are passed at a look. */
enum {
    MARK_ENDING = 1,
    MARK_ROLE_BEFORE = 2,
    MARK_ROLE_BEHIND = 4,
    MARK_DEFINED = 8,
    MARK_UNNAMED = 16
};
struct wide_marks {
    uint8_t of[64 * 64]; /* by the last two bytes of three */
};

static size_t mark_place(const char *character)
{
    return ((size_t)(uint8_t)character[1] & 0x3F) << 6 | ((uint8_t)character[2] & 0x3F);
}

static void mark_list(struct wide_marks *marks, uint8_t mark, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        marks->of[mark_place(list[i])] |= mark;
}

/* What may begin at `at`; nothing within a character. */
static unsigned marks_at(const struct recogniser *r, struct str text, size_t at)
{
    return text.len - at < CHARACTER || (uint8_t)text.ptr[at] < 0xE0
               ? 0
               : r->marks->of[mark_place(text.ptr + at)];
}

static size_t ends_with(struct str text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_ends(text, str_from(list[i])))
            return str_from(list[i]).len;
    return 0;
}

/* The beginning of the character that ends at `end`. */
static size_t character_before(struct str text, size_t end)
{
    size_t at = end - 1;

    while (at > 0 && ((uint8_t)text.ptr[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static bool is_letter_or_digit(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9');
}

static bool is_name_character(struct str text, size_t at)
{
    uint32_t rune;

    return is_letter_or_digit(text.ptr[at]) ||
           (utf8_next(text, &at, &rune) && (rune_is_ideographic(rune) || rune == 0xB7));
}

/* Does a word that ends a name's way stand right before `at`? Looked at with the character behind, as 和
 * is none in 和平. */
static bool stops_before(struct str text, size_t at)
{
    struct str before = str_slice(text, 0, at);
    size_t stop = ends_with(before, stops, ARRAY_LEN(stops)), behind = at;
    uint32_t rune;

    if (!stop) /* "2017年", "3月" */
        return at > CHARACTER && ends_with(before, (const char *const[]){"年", "月", "日"}, 3) &&
               text.ptr[at - CHARACTER - 1] >= '0' && text.ptr[at - CHARACTER - 1] <= '9';
    (void)utf8_next(text, &behind, &rune);
    return !ends_with(before, no_stops, ARRAY_LEN(no_stops)) &&
           !ends_with(str_slice(text, 0, behind), no_stops, ARRAY_LEN(no_stops));
}

/* From where the name that ends at `end` goes. */
static size_t name_begin(struct str text, size_t end)
{
    size_t at = end;

    for (int i = 0; i < NAME_CHARACTERS && at > 0; i++) {
        size_t before = character_before(text, at);

        if (!is_name_character(text, before) || stops_before(text, at))
            break;
        at = before;
    }
    return at;
}

/* 华夏娱乐 of 华夏娱乐有限公司. */
static void add_short_form(struct recogniser *r, struct str text, size_t ending, struct name *name)
{
    struct str core = str_slice(text, 0, text.len - ending);

    while ((ending = ends_with(core, endings, ARRAY_LEN(endings))) > 0 && ending < core.len)
        core.len -= ending;
    if (core.len >= 3 * CHARACTER && name)
        add_alias(r, core, name);
}

static void find_by_ending(struct recogniser *r, struct str text)
{
    for (size_t at = 0; at < text.len;) {
        size_t ending =
            marks_at(r, text, at) & MARK_ENDING
                ? begins_with(str_slice(text, at, text.len), endings, ARRAY_LEN(endings))
                : 0;
        size_t end = at + ending;

        if (!ending) {
            at++;
            continue;
        }
        size_t begin = name_begin(text, at);
        if (at - begin >= 2 * (size_t)CHARACTER) {
            struct str name = str_slice(text, begin, end);

            add_short_form(r, name, ending, sight(r, name, true));
        }
        at = end;
    }
}

/* --- people ----------------------------------------------------------------------------------- */

static struct str characters_from(struct str text, size_t at, int count)
{
    size_t end = at;
    uint32_t rune;

    for (int i = 0; i < count; i++) {
        size_t next = end;

        if (!utf8_next(text, &next, &rune) || !rune_is_ideographic(rune))
            return str_slice(text, at, end);
        end = next;
    }
    return str_slice(text, at, end);
}

static bool is_surname_at(struct str text, size_t at)
{
    struct str first = characters_from(text, at, 1);

    return first.len == CHARACTER && is_surname(first);
}

/* A surname and two characters, or one where the next stops it. */
static struct str person_from(struct str text, size_t at)
{
    struct str three = characters_from(text, at, 3), two = characters_from(text, at, 2);

    if (!is_surname_at(text, at) || two.len < 2 * (size_t)CHARACTER)
        return STR_NONE;
    struct str rest = str_slice(text, at + two.len, text.len);
    if (three.len == two.len || begins_with(rest, stops, ARRAY_LEN(stops)) ||
        begins_with(rest, roles_behind, ARRAY_LEN(roles_behind)))
        return two;
    return three;
}

static void sight_person(struct recogniser *r, struct str person)
{
    struct name *name = person.len ? sight(r, person, true) : NULL;

    if (name)
        add_alias(r, person, name);
}

static size_t skip_marks(struct str text, size_t at)
{
    static const char *const marks[] = {"：", "是", "为", "、", ":", "*", " "};

    for (size_t len; at < text.len && (len = begins_with(str_slice(text, at, text.len), marks,
                                                         ARRAY_LEN(marks))) > 0;)
        at += len;
    return at;
}

/* 谈某, 禹某某: one or two 某 behind a surname. */
static void sight_unnamed(struct recogniser *r, struct str text, size_t at)
{
    size_t end = at, begin = at > 0 ? character_before(text, at) : at;

    while (str_starts(str_slice(text, end, text.len), STR("某")))
        end += CHARACTER;
    if (begin < at && is_name_character(text, begin) && end - at <= 2 * (size_t)CHARACTER &&
        !str_eq(str_slice(text, begin, at), STR("某")))
        (void)sight(r, str_slice(text, begin, end), true);
}

static void find_people(struct recogniser *r, struct str text)
{
    for (size_t at = 0; at < text.len; at++) {
        struct str rest = str_slice(text, at, text.len);
        unsigned marks = marks_at(r, text, at);

        if (!(marks & (MARK_ROLE_BEFORE | MARK_ROLE_BEHIND | MARK_UNNAMED)))
            continue;
        size_t role = begins_with(rest, roles_before, ARRAY_LEN(roles_before));
        if (role)
            sight_person(r, person_from(text, skip_marks(text, at + role)));
        if (str_starts(rest, STR("某")) && !str_ends(str_slice(text, 0, at), STR("某")))
            sight_unnamed(r, text, at);
        if (!begins_with(rest, roles_behind, ARRAY_LEN(roles_behind)))
            continue;
        for (size_t n = 3; n >= 2; n--) {
            size_t begin = at - n * CHARACTER;

            if (at < n * CHARACTER || !is_surname_at(text, begin) ||
                characters_from(text, begin, (int)n).len != n * CHARACTER)
                continue;
            sight_person(r, str_slice(text, begin, at));
            break;
        }
    }
}

/* --- what is enclosed or defined -------------------------------------------------------------- */

static void find_enclosed(struct recogniser *r, struct str text, struct str open, struct str close)
{
    for (size_t at = 0; at < text.len;) {
        size_t from = at + str_find(str_slice(text, at, text.len), open) + open.len;
        struct str rest = str_slice(text, from, text.len);
        size_t len = str_find(rest, close);

        if (from >= text.len || len >= rest.len)
            return;
        if (len > 0 && len <= ENCLOSED_MAX)
            (void)sight(r, str_slice(rest, 0, len), true);
        at = from + len + close.len;
    }
}

/* 草莓文化传媒有限公司（以下简称“草莓文化”） */
static void find_defined(struct recogniser *r, struct str text)
{
    static const char *const opens[] = {"“", "「", "\"", "《"};
    static const char *const closes[] = {"”", "」", "\"", "》", "）", ")", "，", ",", "。", "；"};

    for (size_t at = 0; at < text.len; at++) {
        size_t word = marks_at(r, text, at) & MARK_DEFINED
                          ? begins_with(str_slice(text, at, text.len), defined, ARRAY_LEN(defined))
                          : 0;
        size_t from = at + word, end;

        if (!word)
            continue;
        from += begins_with(str_slice(text, from, text.len), opens, ARRAY_LEN(opens));
        for (end = from; end < text.len && end - from < ENCLOSED_MAX; end++)
            if (begins_with(str_slice(text, end, text.len), closes, ARRAY_LEN(closes)))
                break;
        struct str before = str_slice(text, 0, at);
        if (!str_ends(before, STR("（")) && !str_ends(before, STR("(")))
            continue;
        size_t behind = character_before(text, at), begin = name_begin(text, behind);
        struct name *means = begin < behind ? sight(r, str_slice(text, begin, behind), true) : NULL;
        if (means && end > from && end < text.len)
            add_alias(r, str_slice(text, from, end), means);
        at = from;
    }
}

const struct wide_marks *wide_marks_make(struct arena *arena)
{
    static const char *const unnamed[] = {"某"};
    struct wide_marks *marks = arena_alloc(arena, sizeof *marks);

    if (!marks)
        return NULL;
    mark_list(marks, MARK_ENDING, endings, ARRAY_LEN(endings));
    mark_list(marks, MARK_ROLE_BEFORE, roles_before, ARRAY_LEN(roles_before));
    mark_list(marks, MARK_ROLE_BEHIND, roles_behind, ARRAY_LEN(roles_behind));
    mark_list(marks, MARK_DEFINED, defined, ARRAY_LEN(defined));
    mark_list(marks, MARK_UNNAMED, unnamed, ARRAY_LEN(unnamed));
    return marks;
}

void find_wide_names(struct recogniser *r, struct str text)
{
    find_enclosed(r, text, STR("《"), STR("》"));
    find_enclosed(r, text, STR("「"), STR("」"));
    find_by_ending(r, text);
    find_people(r, text);
    find_defined(r, text);
}
