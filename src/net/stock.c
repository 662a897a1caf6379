#include "net/stock.h"

#include <string.h>

#include "base/pages.h"

#define CHUNK_BYTES ((size_t)16 * 1024)

struct stock_piece {
    struct stock_piece *next;
};

struct stock_chunk {
    struct stock_chunk *next;
    size_t bytes;
};

static size_t piece_bytes(const struct stock *stock)
{
    return (MAX_OF(stock->size, sizeof(struct stock_piece)) + 15) & ~(size_t)15;
}

static bool carve_chunk(struct stock *stock)
{
    size_t got, step = piece_bytes(stock);
    struct stock_chunk *chunk = pages_take(CHUNK_BYTES, &got);

    if (!chunk)
        return false;
    *chunk = (struct stock_chunk){stock->chunks, got};
    stock->chunks = chunk;
    for (size_t at = (sizeof *chunk + 15) & ~(size_t)15; at + step <= got; at += step) {
        struct stock_piece *piece = (void *)((char *)chunk + at);

        piece->next = stock->free;
        stock->free = piece;
    }
    return true;
}

void *stock_take(struct stock *stock)
{
    ASSERT(stock->size > 0 && stock->size <= CHUNK_BYTES / 2);
    if (!stock->free && !carve_chunk(stock))
        return NULL;

    struct stock_piece *piece = stock->free;
    stock->free = piece->next;
    stock->live++;
    memset(piece, 0, stock->size);
    return piece;
}

void stock_give(struct stock *stock, void *memory)
{
    struct stock_piece *piece = memory;

    if (!piece)
        return;
    ASSERT(stock->live > 0);
    piece->next = stock->free;
    stock->free = piece;
    if (--stock->live > 0)
        return;
    stock->free = NULL;
    while (stock->chunks) {
        struct stock_chunk *chunk = stock->chunks;

        stock->chunks = chunk->next;
        pages_give(chunk, chunk->bytes);
    }
}
