/* tests/quality/employees.h: what employees ask of the handbook in examples/, as a table beside its right answers.
 * A line    kind, question, what is wanted, file, the question before; tabs between.
 * Wanted    phrases of cited sentences, " | " for all of them, " / " for any; "~x" stands in the answer's own words; "!x":
 *           the handbook does not answer it, and x is what it does not have; nothing: it does not answer it.
 * Held out  one of the two tables is never looked at while the code is changed: docs/quality.md has both figures. */
#ifndef WEIR_TESTS_QUALITY_EMPLOYEES_H
#define WEIR_TESTS_QUALITY_EMPLOYEES_H

#include "knowledge/answer.h"

#define EMPLOYEES_HANDBOOK "examples/handbook"
#define EMPLOYEES_ASKED    "tests/quality/handbook/asked.tsv"
#define EMPLOYEES_MISLED   "tests/quality/handbook/look_alikes.tsv"
#define EMPLOYEES_HELD_OUT "tests/quality/handbook/held_out.tsv"

struct employee_question {
    struct str kind, text, wanted, file, before;
};
enum employee_mark {
    EMPLOYEE_RIGHT,
    EMPLOYEE_PARTLY, /* some of what is wanted is cited */
    EMPLOYEE_REFUSED,
    EMPLOYEE_WRONG, /* answered, with a citation, and not so */
    EMPLOYEE_MARKS
};
struct employee_tally {
    size_t asked, answerable;
    size_t marks[2][EMPLOYEE_MARKS]; /* of what the handbook answers, and of what it does not */
    size_t lacks, lacks_named; /* refusals that should name what is missing, and those that do */
};
/* What each came to; `names`: a refusal names what is missing. */
struct employee_result {
    enum employee_mark mark;
    bool names;
    const struct grounded *grounded;
    struct str asked; /* with what was said before */
};
typedef void employee_told(const struct employee_question *question,
                           const struct employee_result *result);

bool employee_question_is_answerable(const struct employee_question *question);
/* Ingests the handbook below `dir` and asks each question of the table. argv: of the child that reads. */
struct employees {
    const char *dir, *table;
    const char *const *argv;
    employee_told *told; /* or NULL */
};
bool employees_ask(const struct employees *employees, struct employee_tally *out, struct err *err)
    MUST_CHECK;
extern const char *const employee_marks[EMPLOYEE_MARKS];

#endif
