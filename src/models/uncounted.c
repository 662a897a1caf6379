/* Usage that a provider left out of a stream whose bytes pass to a client of the same dialect, OpenAI's: the estimate
 * that is charged, and that it is one. */
#include "models/openai_internal.h"
#include "sys/clock.h"

#define EVENT_BYTES 2048u
#define MARK        "{\"usage_estimated\":true}"

static struct usage estimate(const struct chat_meter *meter, size_t prompt_bytes)
{
    struct chat_meter closed = *meter;

    chat_meter_close(&closed, prompt_bytes);
    return closed.usage;
}

bool usage_is_left_out(const struct chat_meter *meter)
{
    return meter->usage.tokens_in < 0 && meter->usage.tokens_out < 0;
}

bool uncounted_event(struct arena *arena, const struct chat_meter *meter, size_t prompt_bytes,
                     struct str *out, struct err *err)
{
    struct usage usage = estimate(meter, prompt_bytes);
    struct json_writer w;
    struct buf text;

    buf_init(&text, arena, EVENT_BYTES);
    buf_str(&text, STR("data: "));
    jw_init(&w, &text);
    jw_object(&w);
    jw_key(&w, "id");
    jw_str(&w, (struct str){meter->id, meter->id_len});
    jw_key(&w, "object");
    jw_cstr(&w, "chat.completion.chunk");
    jw_key(&w, "created");
    jw_i64(&w, clock_wall() / 1000);
    jw_key(&w, "model");
    jw_str(&w, (struct str){meter->model, meter->model_len});
    jw_key(&w, "choices");
    jw_array(&w);
    jw_array_end(&w);
    openai_write_usage(&w, &usage);
    jw_key(&w, "weir");
    jw_raw(&w, STR(MARK));
    jw_object_end(&w);
    buf_str(&text, STR("\n\n"));
    return buf_finish(&text, out, err);
}
