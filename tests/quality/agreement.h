/* How well what our readers make of a file agrees with Markdown that a well-kept parser made of it.
 *   text      share of the expected words (characters, in Chinese) that were read, counted with repetition
 *   of ours   share of the words read from the file that are expected: menus and page numbers are not
 *   headings  longest common subsequence of headings over the longer of both lists
 *   tables    share of the expected cells that stand in a row with the same neighbour on their left
 * Each is summed over files; a file without headings or tables counts for neither. */
#ifndef WEIR_TESTS_QUALITY_AGREEMENT_H
#define WEIR_TESTS_QUALITY_AGREEMENT_H

#include "knowledge/document.h"

struct parsed {
    struct document document;
    struct str *notes;
    size_t note_count;
};
/* In this process, by the reader of its type. */
bool parse_file(struct arena *arena, const char *path, struct parsed *out, struct err *err)
    MUST_CHECK;

struct agreement {
    uint32_t files, failed;
    uint64_t words, words_found, words_read, read_expected;
    uint64_t headings, headings_found;
    uint64_t cells, cells_found;
};
/* Every file of `dir` with dir/expected/NAME.md beside it; `tell` prints a line for each. */
bool compare_dir(const char *dir, bool tell, struct agreement *sum, struct err *err) MUST_CHECK;
void print_agreement(const char *name, const struct agreement *a);
double share(uint64_t found, uint64_t all); /* 1 when there was nothing to find */

#endif
