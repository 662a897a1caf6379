/* knowledge/review.h: an answer that a model writes from passages, judged sentence by sentence as it comes.
 *   mark     every byte passes at once; what had no support is told beside
 *   drop     a sentence is held until it is whole, and leaves only when it stands
 *   refuse   all is held; one sentence without support, and the answer is the refusal
 * A line of a list or table is a sentence. Marks ("[1]") belong to the sentence before them and say against
 * which passages it is judged; without any, all passages are tried.
 * Held     at most REVIEW_HELD_MAX of one sentence: longer ones are cut there and have no support.
 *          `refuse` holds REVIEW_ANSWER_MAX; an answer longer than that is refused.
 * Memory   the arena's. Threads one. */
#ifndef WEIR_KNOWLEDGE_REVIEW_H
#define WEIR_KNOWLEDGE_REVIEW_H

#include "base/json.h"
#include "knowledge/support.h"

#define REVIEW_HELD_MAX     ((size_t)8 * KIB)
#define REVIEW_ANSWER_MAX   ((size_t)256 * KIB)
#define REVIEW_FINDINGS_MAX 64 /* told one by one; further ones are counted */

enum unsupported { UNSUPPORTED_MARK, UNSUPPORTED_DROP, UNSUPPORTED_REFUSE };

struct review;
struct review_of {
    const struct evidence *evidence;
    size_t passages;
    enum unsupported policy;
    struct str refusal; /* passes always: it claims nothing */
};
bool review_new(struct arena *arena, const struct review_of *of, struct review **out,
                struct err *err) MUST_CHECK;
void review_free(struct review **review); /* CLEANUP-able */
/* More of the answer; *out: what may leave now. It holds until the next call. */
bool review_feed(struct review *review, struct str piece, struct str *out, struct err *err)
    MUST_CHECK;
/* Nothing more comes; *out: the rest, or the refusal. */
bool review_end(struct review *review, struct str *out, struct err *err) MUST_CHECK;
bool review_is_refused(const struct review *review); /* what left is the refusal */
size_t review_unsupported(const struct review *review);
/* {"policy", "sentences", "unsupported": [{"text", "lack", "what", "passage", "characters" | "dropped"}]} */
void review_write(struct json_writer *w, const struct review *review);

#endif
