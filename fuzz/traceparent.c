/* What a client says of its trace: refused, or what the next house is told of it reads as the same trace. */
#include "base/trace.h"
#include "fuzz.h"

#include <string.h>

static bool is_hex(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789abcdef", text.ptr[i]) || !text.ptr[i])
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = fuzz_text(data, size);
    struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
    struct trace_context context, again = {.parent = 1};
    char told[TRACEPARENT_BYTES];

    if (!trace_context_parse(text, &context))
        return 0;
    ASSERT(text.len >= TRACEPARENT_BYTES && context.parent && !context.recorded && !context.told);
    ASSERT(is_hex(str_slice(text, 3, 35)) && is_hex(str_slice(text, 36, 52)));

    struct trace *trace = trace_new(arena, 7);
    context.told = true;
    context.recorded = context.sampled;
    trace_join(trace, &context);
    struct span *span = span_begin_leaf(trace, "call");
    if (span_traceparent(span, told)) {
        ASSERT(trace_context_parse((struct str){told, sizeof told}, &again));
        ASSERT(memcmp(again.trace_id, context.trace_id, sizeof again.trace_id) == 0);
        ASSERT(again.sampled == context.sampled && again.parent);
        ASSERT(context.sampled || again.parent == context.parent); /* no span of ours between */
    }
    span_end(&span);
    return 0;
}
