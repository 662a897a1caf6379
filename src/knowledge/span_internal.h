/* knowledge/span_internal.h: what the ranker of answer spans reads from question and sentence. */
#ifndef WEIR_KNOWLEDGE_SPAN_INTERNAL_H
#define WEIR_KNOWLEDGE_SPAN_INTERNAL_H

#include "knowledge/span.h"

/* What a token looks like. */
enum shape {
    SHAPE_NONE, /* before the first and behind the last */
    SHAPE_MARK, /* punctuation */
    SHAPE_OPEN,
    SHAPE_CLOSE,
    SHAPE_FUNCTION, /* stop words */
    SHAPE_YEAR,
    SHAPE_NUMBER,
    SHAPE_NUMBER_WORD,
    SHAPE_MONTH,
    SHAPE_UNIT,
    SHAPE_MONEY,
    SHAPE_PERCENT,
    SHAPE_NAME,
    SHAPE_OPENING, /* a capital letter that begins the sentence */
    SHAPE_ACRONYM,
    SHAPE_ING,
    SHAPE_ED,
    SHAPE_LY,
    SHAPE_TION,
    SHAPE_PLURAL,
    SHAPE_LOWER,
    SHAPE_WIDE, /* ideographs */
    SHAPES
};
struct token {
    uint32_t from, to; /* bytes of the text */
    uint32_t word;     /* hash of the word as it stands, lower case */
    uint32_t stem;     /* hash */
    uint32_t
        look; /* the word itself where it is a function word or a mark, else its shape or ending */
    enum shape shape;
    bool spaced; /* white space before it */
    float idf;
    uint32_t asked; /* 1 + number in question.asked; 0: none */
    float weight;   /* of the question's words: idf; kin counts in part */
    bool shared;    /* of the question, exactly */
    bool counts;    /* begins with a Chinese digit */
};
struct token_list {
    struct token *at;
    size_t count;
};
/* Tokens of text[from, to); question NULL: of the question itself. */
bool tokens_read(const struct span_request *request, struct str text, uint32_t from, uint32_t to,
                 bool of_question, struct token_list *out, struct err *err) MUST_CHECK;

enum ask {
    ASK_OTHER,
    ASK_WHO,
    ASK_WHEN,
    ASK_YEAR,
    ASK_DURATION,
    ASK_COUNT,
    ASK_MUCH,
    ASK_PERCENT,
    ASK_WHERE,
    ASK_WHY,
    ASK_HOW,
    ASK_WHAT,  /* "what is", "什么是": no noun says what kind of thing */
    ASK_THING, /* "what country", "哪种" */
    ASK_POLAR,
    ASKS
};
enum form { FORM_OTHER, FORM_SUBJECT, FORM_DO, FORM_BE, FORM_LATE, FORMS };

struct asking {
    enum ask ask;
    enum form form;         /* where in the sentence the gap is */
    uint32_t focus;         /* stem of the noun behind the question word */
    uint32_t focus_word;    /* the word itself */
    uint32_t before, after; /* words right beside the question word */
    uint32_t verb, last;    /* stems: first content word behind the auxiliary; last content word */
    uint32_t verb_asked, last_asked; /* 1 + number in question.asked */
    uint32_t opening;                /* hash of the two first words */
    struct str left, right;          /* Chinese: the text on both sides of the question word */
    struct token_list tokens;
};
bool asking_read(const struct span_request *request, struct asking *out, struct err *err)
    MUST_CHECK;

enum span_type {
    TYPE_LOWER,
    TYPE_YEAR,
    TYPE_DATE,
    TYPE_MONEY,
    TYPE_PERCENT,
    TYPE_QUANTITY, /* number and unit or noun */
    TYPE_NUMBER,
    TYPE_NAME,
    TYPE_PART_NAME,
    TYPE_PLACE,  /* Chinese, by its ending */
    TYPE_PERSON, /* Chinese, by surname or middle dot */
    TYPE_LATIN,  /* within Chinese */
    TYPES
};

uint32_t text_hash(struct str s);
bool is_one_of_words(struct str s, const char *const *words, size_t count);

#endif
