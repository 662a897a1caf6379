/* What employees ask of the handbook, with floors. None of the answers may be wrong: what is not known is refused. */
#include "employees.h"
#include "knowledge/readers.h"
#include "test.h"

CHILD(reader)
{
    return reader_main(argc, argv);
}

static const char *const reader[] = {"/proc/self/exe", "--child", "reader", NULL};

static void tell(const struct employee_question *q, const struct employee_result *r)
{
    EXPECT(r->mark != EMPLOYEE_WRONG, STR_FMT ": " STR_FMT, STR_ARG(q->text),
           STR_ARG(r->grounded->text));
}

TEST(employees_are_answered)
{
    struct employees e = {test_dir(), EMPLOYEES_ASKED, reader, tell};
    struct employee_tally t;
    struct err err = {0};

    REQUIRE(employees_ask(&e, &t, &err), "%s", err.text);
    EXPECT(t.asked >= 100 && t.answerable >= 86);
    EXPECT(t.marks[0][EMPLOYEE_RIGHT] >= 78, "right: %zu", t.marks[0][EMPLOYEE_RIGHT]);
    EXPECT(t.lacks_named == t.lacks, "named: %zu of %zu", t.lacks_named, t.lacks);
}

/* Some of them are answered all the same: docs/quality.md says what kind. */
TEST(look_alikes_are_refused)
{
    struct employees e = {test_dir(), EMPLOYEES_MISLED, reader, NULL};
    struct employee_tally t;
    struct err err = {0};

    REQUIRE(employees_ask(&e, &t, &err), "%s", err.text);
    EXPECT(t.asked >= 32 && t.answerable == 0 && t.marks[1][EMPLOYEE_RIGHT] >= 27,
           "refused: %zu of %zu", t.marks[1][EMPLOYEE_RIGHT], t.asked);
}
