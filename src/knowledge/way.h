/* knowledge/way.h: how passages are looked for, chosen by what a question asks.
 * Words     a question of one fact: BM25 alone.
 * Graph     what one passage does not hold: a comparison, "both", two names that no passage mentions together,
 *           a person or thing described by another ("who leads the company that bought X"), how and why of
 *           something named. Each part of the
 *           question is looked for by itself, by its words and by the walk over names (knowledge/graph.h),
 *           and the lists are dealt out in turn; for a search what words found of the first ten of each as reading orders it.
 * Overview  "what are the main topics", "summarise", 概述: knowledge/overview.h.
 * Rule      a function of the question and of what the asker may see; no model, nothing random, nothing kept. */
#ifndef WEIR_KNOWLEDGE_WAY_H
#define WEIR_KNOWLEDGE_WAY_H

#include "knowledge/graph.h"
#include "knowledge/parts.h"

enum way {
    WAY_WORDS,
    WAY_GRAPH,
    WAY_OVERVIEW,
    WAY_PARTS, /* for measuring: the graph's parts, each by its words alone */
    WAY_CHOOSE
};
const char *way_name(enum way way); /* as replies call it */

struct way_request {
    const struct access *access;
    struct analyser *analyser;
    struct arena *arena;
    struct str text;
    size_t limit; /* 1 to WAY_LIMIT_MAX */
    enum way way; /* WAY_CHOOSE; or one of the others, for measuring */
    bool reads;   /* the first passages of each part are put in order by reading them: ranking.h */
};
#define WAY_LIMIT_MAX LEXICAL_LIMIT_MAX

struct way_path {
    struct graph_step *steps;
    size_t count; /* 0: found by its words */
};
struct way_found {
    enum way way;
    struct lexical_hits
        hits; /* their scores are those of the words: 0 where these are not the question's */
    struct way_path *paths; /* [hits.count]; NULL for words */
    bool limited;           /* the walk was: GRAPH_OPENED */
};
#define WAY_LIMITED \
    "the walk over names was left off at its limit: what lies farther was not looked at"
/* What is asked: the way, and the parts where there are several. */
bool way_choose(const struct way_request *request, enum way *way, struct question_parts *parts,
                struct err *err) MUST_CHECK;
bool ways_find(const struct way_request *request, struct way_found *out, struct err *err)
    MUST_CHECK;

#endif
