/* What the index keeps of a document beside its passages. */
#include <string.h>

#include "knowledge/answer.h"

void document_record_write(struct buf *to, const struct document_record *r)
{
    record_put_str(to, r->path);
    record_put_str(to, r->source);
    record_put_str(to, r->root);
    record_put_str(to, r->title);
    record_put_str(to, r->language);
    record_put_str(to, (struct str){(const char *)r->hash.bytes, sizeof r->hash.bytes});
    record_put_number(to, r->bytes);
    record_put_number(to, (uint64_t)r->ingested);
    record_put_str(to, r->readers);
    record_put_str(to, r->metadata);
    record_put_number(to, r->version);
    record_put_str(to, r->mark);
    if (!r->chunking.tokens)
        return;
    record_put_number(to, r->chunking.tokens);
    record_put_number(to, r->chunking.overlap);
}

static bool read_chunking(struct str *rest, struct chunking *out)
{
    uint64_t tokens, overlap;

    if (!record_number(rest, &tokens) || !record_number(rest, &overlap) ||
        tokens > CHUNK_TOKENS_MAX || overlap > CHUNK_TOKENS_MAX)
        return false;
    *out = (struct chunking){(uint32_t)tokens, (uint32_t)overlap};
    return tokens > 0 && chunking_fits(*out);
}

bool document_record_read(struct str bytes, struct document_record *out)
{
    struct document_record r = {.version = 1};
    struct str rest = bytes, hash;
    uint64_t ingested;

    if (!record_str(&rest, &r.path) || !record_str(&rest, &r.source) ||
        !record_str(&rest, &r.root) || !record_str(&rest, &r.title) ||
        !record_str(&rest, &r.language) || !record_str(&rest, &hash) ||
        hash.len != sizeof r.hash.bytes || !record_number(&rest, &r.bytes) ||
        !record_number(&rest, &ingested))
        return false;
    /* Records of the first format end here. */
    if (rest.len > 0 && (!record_str(&rest, &r.readers) || !record_str(&rest, &r.metadata) ||
                         !record_number(&rest, &r.version)))
        return false;
    /* Those of the second end here. */
    if (rest.len > 0 && !record_str(&rest, &r.mark))
        return false;
    /* Those of documents that are cut along their structure. */
    if (rest.len > 0 && !read_chunking(&rest, &r.chunking))
        return false;
    memcpy(r.hash.bytes, hash.ptr, hash.len);
    r.ingested = (wall_ms)ingested;
    *out = r;
    return true;
}

uint64_t document_content_sign(const struct document_record *record)
{
    uint64_t sign;

    memcpy(&sign, record->hash.bytes, sizeof sign);
    return sign;
}
