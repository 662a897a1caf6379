/* tests/quality/sets.h: question sets on disk as passages and questions, ingested through the real code. */
#ifndef WEIR_TESTS_QUALITY_SETS_H
#define WEIR_TESTS_QUALITY_SETS_H

#include "base/json.h"
#include "knowledge/answer.h"
#include "knowledge/knowledge_internal.h"

struct asked_question {
    struct str set, document; /* document: key of the passage that answers, or has it asked of */
    struct str article;       /* title of that passage, where it was cut into pieces */
    struct str text;
    struct str *answers; /* none: the passage does not answer it */
    size_t answer_count;
};
struct noisy_question { /* RGB: documents that answer it and documents that are only about it */
    struct str text;
    struct str *answers; /* all of them are wanted; alternatives follow each other */
    uint32_t *part;      /* which of the wanted each alternative stands for */
    size_t answer_count;
    struct str *documents; /* keys, those that answer first */
    size_t positive, negative;
};

struct collection { /* all passages of one language, and the questions about some */
    struct arena *arena;
    struct knowledge *knowledge;
    struct lexical_writer *writer; /* while loading */
    struct buf questions, noisy;
    struct table news;     /* keys of documents that are in */
    struct table articles; /* of pieces: key of the passage -> its title, a struct str */
    uint64_t passages;
    bool pieces; /* passages are cut into such of one to four sentences without their title */
};

/* A file of JSON lines, one at a time. */
struct line_reader {
    struct collection *c;
    const char *set;
    struct arena *scratch; /* of the line */
    struct json *json;
    void *to; /* the reader's own */
};
typedef bool line_read(struct line_reader *r, json_ref line, struct err *err);
bool read_lines(struct line_reader with, const char *path, line_read *read, struct err *err)
    MUST_CHECK;
struct str line_field(const struct line_reader *r, json_ref v, struct str key);
/* "SET/PID", ingested as a file of these bytes. */
bool add_file(struct line_reader *r, struct str pid, struct str bytes, enum document_type type,
              struct err *err) MUST_CHECK;
struct str document_key(struct line_reader *r, struct str pid); /* in the collection's arena */
const char *file_at(struct collection *c, const char *data, const char *name);
/* A line of DragonBall's documents, where it is in this language. */
bool add_report(struct line_reader *r, json_ref v, const char *language, struct err *err)
    MUST_CHECK;

bool collection_open(const char *dir, struct collection *c, struct err *err);
void collection_close(struct collection *c);
/* The passage that a piece was cut from; else the document itself. */
struct str piece_source(struct str path);
bool load_english(struct collection *c, const char *data, struct err *err);
bool load_chinese(struct collection *c, const char *data, struct err *err);
bool load_chinese_pieces(struct collection *c, const char *data, struct err *err);
bool load_english_news(struct collection *c, const char *data, struct err *err); /* RGB's */
/* One pair of files in the squad2-en format below `folder`; questions may be NULL. */
bool load_set(struct collection *c, const char *set, const char *passages, const char *questions,
              struct err *err);
bool load_sample(struct collection *c, const char *name, struct err *err); /* "en", "zh" */
/* Commit, and make vectors where an embedder is asked for. */
bool collection_ready(struct collection *c, struct err *err);
bool collection_embed(struct collection *c, struct err *err);
extern enum embedder_kind
    sets_embedder; /* of collections opened from now on; default EMBEDDER_NONE */
const struct noisy_question *noisy_questions_of(const struct collection *c, size_t *count);
const struct asked_question *questions_of(const struct collection *c, size_t *count);
bool holds_answer(const struct asked_question *q, struct str text);

#endif
