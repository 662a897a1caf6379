/* net/stock.h: equal-sized objects carved from pages, for connections and what hangs on them.
 * Pieces come zeroed. The pages go back when the last piece does, so that nothing is left once the
 * last connection is closed; until then the stock keeps what its busiest moment needed.
 * Threads  one: a stock belongs to a loop's thread.  Errors  NULL when the page pool is empty. */
#ifndef WEIR_NET_STOCK_H
#define WEIR_NET_STOCK_H

#include "base/base.h"

struct stock {
    size_t size; /* of a piece, set by whoever declares it */
    struct stock_piece *free;
    struct stock_chunk *chunks;
    uint32_t live;
};

void *stock_take(struct stock *stock) MUST_CHECK;
void stock_give(struct stock *stock, void *piece);

#endif
