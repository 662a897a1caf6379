/* weir_handbook [--held-out]: each of the employees' questions with what became of it, and the sums. From the
 * repository's folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "employees.h"
#include "knowledge/readers.h"
#include "scratch_dir.h"
#include "sys/file.h"

static bool is_brief;

static void tell(const struct employee_question *q, const struct employee_result *r)
{
    if (is_brief || (r->mark == EMPLOYEE_RIGHT && (r->names || !str_starts(q->wanted, STR("!")))))
        return;
    printf("%-8s %-9.*s " STR_FMT "   (" STR_FMT ")\n", employee_marks[r->mark], (int)q->kind.len,
           q->kind.ptr, STR_ARG(q->text), STR_ARG(q->wanted));
    if (q->before.len)
        printf("         asked: " STR_FMT "\n", STR_ARG(r->asked));
    printf(STR_FMT "\n\n", STR_ARG(r->grounded->text));
}

static void print(const struct employee_tally *t)
{
    const size_t *of = t->marks[0], *none = t->marks[1];

    printf("answered by the handbook: %zu; right %zu, partly %zu, refused %zu, wrong %zu\n",
           t->answerable, of[EMPLOYEE_RIGHT], of[EMPLOYEE_PARTLY], of[EMPLOYEE_REFUSED],
           of[EMPLOYEE_WRONG]);
    printf("not answered by it: %zu; refused %zu, answered all the same %zu; of %zu refusals %zu "
           "name what is "
           "missing\n",
           t->asked - t->answerable, none[EMPLOYEE_RIGHT], none[EMPLOYEE_WRONG], t->lacks,
           t->lacks_named);
}

int main(int argc, char **argv)
{
    struct employees employees = {.table = EMPLOYEES_ASKED, .told = tell};
    struct employee_tally tally;
    struct err err = {0};
    char dir[SCRATCH_DIR_MAX];

    if (argc > 1 && strcmp(argv[1], READER_WORD) == 0)
        return reader_main(argc, argv); /* PDF files are read in a child, which is this program */
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--table=", 8) == 0)
            employees.table = argv[i] + 8;
        if (strcmp(argv[i], "--held-out") == 0)
            employees.table = EMPLOYEES_HELD_OUT;
        is_brief = is_brief || strcmp(argv[i], "--brief") == 0;
    }
    if (!scratch_dir_make(dir))
        return 2;
    employees.dir = dir;
    bool ok = employees_ask(&employees, &tally, &err);
    if (ok)
        print(&tally);
    else
        fprintf(stderr, "weir_handbook: %s\n", err.text);
    scratch_dir_remove(dir);
    return !ok;
}
