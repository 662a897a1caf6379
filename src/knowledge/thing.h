/* knowledge/thing.h: the thing a question asks the value of, in "What is the deductible for water damage?" and
 * 免赔额是多少: the word that an answer's passage must have, or it answers something else. Stems are too kind here: what
 * is deducted is no deductible.
 * Careful  general words ("name", "number", 时间) are in no answer: they are no things here.
 * Pure     functions of texts. */
#ifndef WEIR_KNOWLEDGE_THING_H
#define WEIR_KNOWLEDGE_THING_H

#include "base/str.h"

struct str thing_asked(struct str question); /* views it; empty: none that must stand */
/* The words of an office asked for: "chief executive officer" of "Who is the chief executive officer of ...?"; 0: of none. */
#define OFFICE_WORDS 6
size_t office_asked(struct str question, struct str *words, size_t max);
/* Singular and plural are one, upper and lower case too. */
bool thing_stands(struct str text, struct str thing);

#endif
