/* knowledge/entities.h: the names in a document, found by rule: people, organisations, products, laws,
 * terms that are defined or quoted. What a document's names are depends on that document alone, so its
 * mentions come and go with it; which of them are worth walking over is judged by a question, from what its
 * asker may read (knowledge/graph.h).
 * English   runs of capitalised words ("Bank of England", "H. Walker"), abbreviations, what is quoted. A
 *           capital at the beginning of a sentence counts when the document has it elsewhere, too.
 * Chinese   《titles》, what is quoted, names by how organisations, laws and events end, people by surname
 *           beside a title or with 某, 以下简称.
 * Both      headings, "Basel Committee (BCBS)"; a part of a longer name means the longer one, too, where
 *           only one is meant: "Solheim" for "Ingrid Solheim", 华夏娱乐 for 华夏娱乐有限公司. What a document
 *           is about, its most frequent name, is a mention of each of its passages.
 * Keys      lower case, words by single spaces, no punctuation, no "Inc.": name_key(). At most
 *           TERM_BYTES_MAX bytes; the rest of a longer one is cut.
 * Limits    NAMES_PER_PASSAGE and NAMES_PER_DOCUMENT: what is more is found by its words alone.
 * Pure      everything in the caller's arena. Fuzzed by fuzz/entities.c. */
#ifndef WEIR_KNOWLEDGE_ENTITIES_H
#define WEIR_KNOWLEDGE_ENTITIES_H

#include "base/table.h"
#include "index/terms.h"
#include "knowledge/passage.h"

#define NAMES_PER_PASSAGE  64
#define NAMES_PER_DOCUMENT 20000

struct mention_sentence {
    uint32_t block, from, to; /* as struct sentence */
    uint32_t *names;          /* places in mentions.names */
    size_t count;
};
struct mentions {
    struct str *names; /* distinct keys */
    size_t count;
    uint32_t *head; /* names of title and headings, and what the document is about */
    size_t head_count;
    struct mention_sentence *sentences; /* those with names, in order */
    size_t sentence_count;
};
/* Of each passage of a document; out[count]. */
bool entities_find(struct arena *arena, const struct document *document,
                   const struct passage *passages, size_t count, struct mentions **out,
                   struct err *err) MUST_CHECK;

void mentions_write(struct buf *to, const struct mentions *mentions);
/* Names view the record. false: the bytes make no sense or memory is gone. */
bool mentions_read(struct arena *arena, struct str record, struct mentions *out) MUST_CHECK;

/* A text as keys are written; for each of the key's bytes where it comes from, which may be NULL. */
struct key_origin {
    uint32_t from, to; /* the character, in the text */
    bool named;        /* its word begins with a capital */
};
bool name_key(struct arena *arena, struct str text, struct str *key, struct key_origin **origins)
    MUST_CHECK;
/* "acme solutions" of "acme solutions inc": without what only says what kind of company it is. */
struct str name_stem(struct str key);

/* --- for the parts of the recogniser ----------------------------------------------------------- */

struct name {
    struct str key;
    uint32_t count;  /* sentences that have it */
    uint32_t sure;   /* ... where it is a name for certain */
    struct name *is; /* the longer name that is meant, or NULL */
    bool parted;     /* part of two longer names: none is meant */
    bool dropped;    /* a longer cut of another: not kept */
    bool about;      /* title or heading has it, or the first passage */
};
struct recogniser {
    struct arena *arena;
    struct table names;   /* key -> struct name */
    struct buf sightings; /* struct sighting */
    struct buf aliases;   /* struct alias: short forms to be looked for in the whole document */
    uint32_t passage, sentence;
    struct name_token *tokens;      /* room for a sentence */
    const struct wide_marks *marks; /* wide_marks_make() */
};
struct sighting {
    uint32_t passage, sentence; /* SIGHTING_HEAD: of title or heading */
    struct name *name;
};
#define SIGHTING_HEAD UINT32_MAX
struct alias {
    struct str text; /* as it is written */
    struct name *name;
};
/* A name at the place the recogniser stands at; NULL: it is none, or there is no room. */
struct name *sight(struct recogniser *r, struct str text, bool sure);
void add_alias(struct recogniser *r, struct str text, struct name *means);
void find_latin_names(struct recogniser *r, struct str sentence);
/* With what Chinese names begin and end, for a look at each place of a text; NULL: no memory. */
const struct wide_marks *wide_marks_make(struct arena *arena);
void find_wide_names(struct recogniser *r, struct str sentence);

#endif
