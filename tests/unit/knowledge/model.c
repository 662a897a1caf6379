/* The model "weir" alone: the dialect's shapes, whole and streamed. */
#include <string.h>

#include "base/json.h"
#include "knowledge/bases.h"
#include "net/sse.h"
#include "rig.h"
#include "sys/pool.h"
#include "test.h"

struct asking {
    struct rig rig;
    struct pool *pool;
    struct bases *bases;
    struct knowledge_model model;
    struct model row;
    struct request req;
};

static bool begin(struct asking *a, const char *body)
{
    struct pool_options options = {.name = "test", .threads = 1, .queue_max = 10};
    struct err err = {0}, damage = {0};

    *a = (struct asking){0};
    if (!rig_open(&a->rig))
        return false;
    knowledge_close(&a->rig.knowledge); /* the bases' now */
    a->pool = pool_new(&options, &err);
    struct bases_options bases = {.alias = STR("weir"),
                                  .each = {.dir = rig_path(&a->rig, "base"),
                                           .pool = a->pool,
                                           .readers = {.argv = rig_reader}}};
    if (!a->pool || !bases_open(&bases, &a->bases, &damage, &err)) {
        EXPECT(false, "%s", err.text);
        return false;
    }
    a->rig.knowledge = bases_default(a->bases);
    a->model.bases = a->bases;
    a->row.name = STR("weir");
    a->req =
        (struct request){.magic = REQUEST_MAGIC, .id = 7, .arena = a->rig.arena, .model = &a->row};
    rig_write(&a->rig, "rules/gift \xC3\xBC.md",
              "# Gifts\n\nGifts may be worth \xE2\x82\xAC 35. They must be "
              "registered within 3 days.\n");
    (void)rig_ingest(&a->rig, "");
    bool ok = a->pool && chat_read_request(a->rig.arena, str_from(body), &a->req.chat, &err);
    EXPECT(ok, "%s", err.text);
    if (ok && !chat_read_question(a->rig.arena, &a->req.chat, &err)) /* as the gateway does */
        a->req.chat.question = STR_NONE;
    return ok;
}

static void end(struct asking *a)
{
    a->rig.knowledge = NULL;
    bases_close(&a->bases);
    pool_free(&a->pool);
    rig_close(&a->rig);
}

/* All bytes of the answer, joined. */
static struct str all_bytes(struct asking *a, uint32_t *citations)
{
    struct answer *answer CLEANUP(answer_end) = NULL;
    struct err err = {0};
    struct str piece;
    struct buf b;
    bool last = false;

    buf_init(&b, a->rig.arena, MIB);
    if (!knowledge_model_ask(&a->model, &a->req, &answer, &err)) {
        EXPECT(false, "%s", err.text);
        return STR_NONE;
    }
    EXPECT(answer->status == 200 && answer->meter.usage.estimated && answer->meter.finished);
    *citations = answer->citations;
    while (!last) {
        if (!answer->next(answer, &piece, &last, &err)) {
            EXPECT(false, "%s", err.text);
            break;
        }
        buf_str(&b, piece);
    }
    return buf_view(&b);
}

static struct str text_at(struct arena *arena, const struct json *j, const char *path)
{
    struct str s = STR_NONE;

    EXPECT(json_str(j, json_path(j, path), arena, &s), "%s", path);
    return s;
}

FIBER_TEST(a_whole_answer)
{
    struct asking a;
    struct err err = {0};
    uint32_t citations = 0;
    int64_t start = 0, line = 0;
    bool answered = false;

    if (begin(&a, "{\"model\":\"weir\",\"messages\":[{\"role\":\"user\",\"content\":\"How much may "
                  "gifts be worth?\"}]}")) {
        struct arena *arena = a.rig.arena;
        struct json *j = json_parse(arena, all_bytes(&a, &citations), &err);

        REQUIRE(j, "%s", err.text);
        struct str content = text_at(arena, j, "choices.0.message.content");
        EXPECT(str_starts(content, STR("Gifts may be worth \xE2\x82\xAC 35.")), STR_FMT,
               STR_ARG(content));
        EXPECT(citations == 1);
        EXPECT(json_bool(j, json_path(j, "weir.answered"), &answered) && answered);
        EXPECT(json_i64(j, json_path(j, "weir.citations.0.lines.0"), &line) && line == 3);
        EXPECT(
            str_eq(text_at(arena, j, "weir.citations.0.path"), STR("docs/rules/gift \xC3\xBC.md")));
        struct str url = text_at(arena, j, "choices.0.message.annotations.0.url_citation.url");
        EXPECT(str_starts(url, STR("/documents/default/d_")) && str_ends(url, STR("#p")), STR_FMT,
               STR_ARG(url));
        EXPECT(str_eq(url, text_at(arena, j, "weir.citations.0.url")));
        EXPECT(json_i64(j, json_path(j, "choices.0.message.annotations.0.url_citation.start_index"),
                        &start));
        size_t mark = str_find(content, STR("[1]"));
        EXPECT(start == (int64_t)mark - 2, "characters, not bytes: %" PRId64, start);
    }
    end(&a);
}

FIBER_TEST(a_streamed_answer_is_the_same)
{
    struct asking a;
    struct err err = {0};
    uint32_t citations = 0;

    if (begin(&a,
              "{\"model\":\"weir\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
              "\"How much may gifts be worth?\"}]}")) {
        struct arena *arena = a.rig.arena;
        struct sse_reader reader;
        struct sse_event event;
        struct buf text;
        bool done = false, weir = false;

        sse_reader_init(&reader, arena, MIB);
        buf_init(&text, arena, MIB);
        REQUIRE(sse_feed(&reader, all_bytes(&a, &citations), &err));
        while (sse_next(&reader, &event)) {
            struct str piece;

            EXPECT(!done, "nothing after [DONE]");
            done = str_eq(event.data, STR("[DONE]"));
            struct json *j = done ? NULL : json_parse(arena, event.data, &err);
            EXPECT(done || j, "%s", err.text);
            if (j && json_str(j, json_path(j, "choices.0.delta.content"), arena, &piece))
                buf_str(&text, piece);
            weir = weir || (j && json_path(j, "weir.citations.0"));
        }
        struct grounded g = rig_ask(&a.rig, "How much may gifts be worth?");
        EXPECT(str_eq(buf_view(&text), g.text), STR_FMT, STR_ARG(buf_view(&text)));
        EXPECT(done && weir && citations == 1);
    }
    end(&a);
}

FIBER_TEST(no_question_is_an_error)
{
    struct asking a;
    struct answer *answer = NULL;
    struct err err = {0};

    if (begin(&a, "{\"model\":\"weir\",\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}"))
        EXPECT(!knowledge_model_ask(&a.model, &a.req, &answer, &err) && err.code == ERR_INVALID);
    end(&a);
}
