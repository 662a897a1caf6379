/* knowledge/listing.h: the lists and tables of a passage found, as groups of neighbouring items or rows.
 * Row      is read as "Label: cell; Label: cell": its key is the first cell, or each of those it names (北京、上海).
 * Whole    a group goes on in the passage before or behind it where that begins or ends with rows or items under the same
 *          heading, and beside a row whose first cell is empty; a group of which some is elsewhere is never counted.
 * Pure: views of the passage. */
#ifndef WEIR_KNOWLEDGE_LISTING_H
#define WEIR_KNOWLEDGE_LISTING_H

#include "knowledge/access.h"
#include "knowledge/choose.h"

struct listing {
    const struct found *found;
    uint32_t first, end; /* blocks [first, end) */
    bool is_table;
};
/* The next group at or behind block *at of the passage; *at behind it. false: there is none. */
bool listing_next(const struct found *found, uint32_t *at, struct listing *out);
struct str listing_row(const struct listing *listing, uint32_t i); /* text of member i, from 0 */
/* The paragraph right above it; empty: there is none. */
struct str listing_introduction(const struct listing *listing);
struct str row_label(struct str row); /* of the first cell; empty: rows have none */
struct str row_key(struct str row);   /* the first cell; of an item what stands before its colon */
/* Where `text` names the key, or one of several that it lists, as whole words; text.len: nowhere. *len: of the name. */
size_t row_named(struct str row, struct str text, size_t *len);
/* The labels of its columns, joined; into the arena. */
bool listing_labels(const struct listing *listing, struct arena *arena, struct str *out,
                    struct err *err) MUST_CHECK;
/* Nothing of it stands in another passage of its document. */
bool listing_is_whole(const struct listing *listing, const struct access *access,
                      struct arena *arena);
/* A list or table that the passage ends with goes on in the next one. */
bool listing_goes_on(const struct found *found, const struct access *access, struct arena *arena);

#endif
