/* models/price_rows.h: rows of prices as JSON, as the store keeps them and /api/v1 speaks of them:
 *   [{"hours":"16:30-00:30","prompt_tokens":"200000-","tenants":["acme"],"price_input_usd":1.25}]
 * Whatever is left out is not said: any hour, any prompt, whoever asks, the plain price.
 * Limits   PRICE_ROWS_MAX rows of a model; texts as the arena has room.
 * Errors   ERR_INVALID; `field` says where: "[1].hours". */
#ifndef WEIR_MODELS_PRICE_ROWS_H
#define WEIR_MODELS_PRICE_ROWS_H

#include "base/json.h"
#include "models/price.h"

#define PRICE_ROWS_MAX 100

struct price_rows {
    const struct price_row *at;
    size_t count;
};

struct price_rows_fault {
    char field[48];
};
/* Rows and their texts are the arena's. */
bool price_rows_read(struct arena *arena, const struct json *j, json_ref list,
                     struct price_rows *out, struct price_rows_fault *where, struct err *err)
    MUST_CHECK;
void price_row_write(struct json_writer *w, const struct price_row *row);
void price_rows_write(struct json_writer *w, const struct price_row *rows, size_t count);
/* The same rows, with texts of their own in this arena. */
bool price_rows_copy(struct arena *arena, const struct price_rows *rows, struct price_rows *out,
                     struct err *err) MUST_CHECK;

/* The i-th price and what it is called; NULL behind the last. */
usd_micro *price_of_kind(struct prices *prices, size_t i, const char **name);

#endif
