/* knowledge/number_forms.h: the numbers of a question in the other ways in which documents write them: "thirty days" also
 * asks for "30", 三十天 too, and "30 days" for "thirty" and 三十. The index holds what documents say; only questions are
 * widened.
 * Which    numbers that count or measure something: no dates, no times, no "one of them", nothing above
 *          NUMBER_FORM_MAX in words.
 * Pure     a function of the text; everything in the caller's arena. */
#ifndef WEIR_KNOWLEDGE_NUMBER_FORMS_H
#define WEIR_KNOWLEDGE_NUMBER_FORMS_H

#include "index/terms.h"

#define NUMBER_FORM_MAX 9999

struct number_form {
    size_t term; /* of the text: that this one may stand for */
    struct term as;
    bool is_small; /* too common to find passages by */
};
bool number_forms(struct analyser *analyser, struct arena *arena, struct str text,
                  const struct terms *terms, struct number_form **out, size_t *count,
                  struct err *err) MUST_CHECK;
/* Only those that find passages are left, in front: small numbers stand everywhere and only tell sentences apart. */
size_t number_forms_finding(struct number_form *forms, size_t count);
/* Behind the text's own terms. */
bool number_forms_add(struct arena *arena, const struct number_form *forms, size_t count,
                      struct terms *terms, struct err *err) MUST_CHECK;
/* What a question asks the index for: its terms, and those of its numbers in other forms. */
bool question_terms(struct analyser *analyser, struct arena *arena, struct str text,
                    struct terms *out, struct err *err) MUST_CHECK;

#endif
