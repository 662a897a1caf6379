/* app/problems.h: what can go wrong in /api/v1, as application/problem+json (RFC 9457): a table of
 * codes that never change their meaning. "type" is where the code is explained. */
#ifndef WEIR_APP_PROBLEMS_H
#define WEIR_APP_PROBLEMS_H

#include "app/schema.h"
#include "base/err.h"

#define PROBLEM_MEDIA "application/problem+json"
#define PROBLEM_PATH  "/api/v1/problems/"

struct problem {
    const char *code;
    int status; /* usual */
    const char *title, *help;
};
extern const struct problem problems[];
extern const size_t problem_count;

const struct problem *problem_find(struct str code); /* NULL: none */
/* The code for a failure that has no code of its own. */
const char *problem_of(int status, enum err_code code);

struct problem_report {
    int status;
    const char *code;
    struct str detail;
    const struct schema_faults *faults; /* or NULL */
};
void problem_write(const struct problem_report *report, struct buf *out);
extern const struct schema problem_schema; /* of what problem_write() writes */

#endif
