/* Vectors: what is learned from whom, what goes with a document, what is found; and the two that rank. */
#include "knowledge/vectors_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/latent.h"
#include "knowledge/fuse.h"
#include "knowledge/rerank.h"
#include "knowledge/upload.h"
#include "rig.h"
#include "sys/file.h"
#include "sys/pool.h"
#include "test.h"

static const struct {
    const char *name, *text;
} files[] = {
    {"car.md", "# Car\n\nThe car needs an engine, four wheels and a driver on the road.\n"},
    {"auto.md",
     "# Automobile\n\nAn automobile needs an engine, wheels and a driver on the road.\n"},
    {"bus.md", "# Bus\n\nA bus needs an engine, many wheels and a driver on the road.\n"},
    {"limo.md", "# Limousine\n\nAn automobile with a driver, an engine and wheels for the road.\n"},
    {"bread.md", "# Bread\n\nBread is made from flour, yeast and water in a hot oven.\n"},
    {"cake.md", "# Cake\n\nA cake is made from flour, sugar and eggs in a hot oven.\n"},
    {"secret.md", "# Merger\n\nThe oven factory merges with the engine factory; wheels for all.\n"},
};

static bool open_with(struct rig *rig, const char *but)
{
    if (!rig_open(rig))
        return false;
    rig->knowledge->embedder.kind = EMBEDDER_LATENT;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (!but || strcmp(files[i].name, but) != 0)
            if (!rig_write(rig, files[i].name, files[i].text))
                return false;
    return rig_ingest(rig, "").failed == 0;
}

static struct vectors_status make(struct rig *rig)
{
    struct vectors_status status;
    struct err err = {0};
    bool more = true;

    for (int turns = 0; more && turns < 20; turns++)
        if (!vectors_make_now(rig->knowledge, &more, &err)) {
            EXPECT(false, "%s", err.text);
            break;
        }
    EXPECT(!more, "it comes to an end");
    knowledge_vectors(rig->knowledge, &status);
    return status;
}

/* The bytes of the model's file: there is one, or none. */
static struct str model_file(struct rig *rig)
{
    struct str *names, bytes = STR_NONE;
    size_t count = 0;
    struct err err = {0};

    if (!file_list(rig->arena, rig_path(rig, "base"), 1000, &names, &count, &err))
        return STR_NONE;
    for (size_t i = 0; i < count; i++)
        if (str_ends(names[i], STR(".latent"))) {
            EXPECT(!bytes.ptr, "one file");
            EXPECT(file_load(rig->arena,
                             arena_fmt(rig->arena, "%s/" STR_FMT, rig_path(rig, "base"),
                                       STR_ARG(names[i]))
                                 .ptr,
                             MIB, &bytes, &err),
                   "%s", err.text);
        }
    return bytes;
}

static void compact(struct rig *rig)
{
    struct lexical_writer *w CLEANUP(lexical_abandon) = NULL;
    struct err err = {0};

    if (!lexical_begin(rig->knowledge->index, &w, &err))
        EXPECT(false, "%s", err.text);
    lexical_compact(w);
    EXPECT(lexical_commit(&w, &err), "%s", err.text);
}

static const char *found(struct rig *rig, const char *question, const struct principal *who)
{
    struct knowledge_question q = {.text = str_from(question), .who = who};
    struct passages_found list = {0};
    struct err err = {0};
    struct buf b;

    EXPECT(search_now(rig->knowledge, rig->arena, &q, 10, &list, &err), "%s", err.text);
    buf_init(&b, rig->arena, KIB);
    for (size_t i = 0; i < list.count; i++) {
        EXPECT(i == 0 || list.list[i].score <= list.list[i - 1].score);
        buf_str(&b, list.list[i].title);
        buf_char(&b, ' ');
    }
    buf_char(&b, 0);
    return b.ptr;
}

TEST(learned_vectors_find_what_shares_no_word)
{
    struct rig rig CLEANUP(rig_close) = {0};

    if (!open_with(&rig, "secret.md"))
        return;
    EXPECT(!strstr(found(&rig, "automobile", NULL), "Car "), "by words alone");
    struct vectors_status status = make(&rig);
    EXPECT(status.vectors == 6 && status.passages == 6 && status.learned_from == 6,
           "%d of %d, from %d", (int)status.vectors, (int)status.passages,
           (int)status.learned_from);
    EXPECT(!strstr(found(&rig, "automobile", NULL), "Bread Car"), "the near before the far");
    EXPECT(strstr(found(&rig, "automobile", NULL), "Car "), "%s", found(&rig, "automobile", NULL));
    EXPECT(rig_reopen(&rig));
    rig.knowledge->embedder.kind = EMBEDDER_LATENT;
    EXPECT(strstr(found(&rig, "automobile", NULL), "Car "), "after a restart");
}

TEST(a_model_goes_with_what_it_was_learned_from)
{
    struct rig with CLEANUP(rig_close) = {0}, without CLEANUP(rig_close) = {0};
    struct vectors_status status;
    struct err err = {0};
    uint32_t gone = 0;

    if (!open_with(&with, NULL))
        return;
    EXPECT(make(&with).vectors == 7 && model_file(&with).len > 0);
    struct str before = model_file(&with);
    EXPECT(forget_now(with.knowledge, str_from(rig_path(&with, "docs/secret.md")), &gone, &err) &&
               gone == 1,
           "%s", err.text);
    EXPECT(model_file(&with).len == 0, "with the same commit");
    knowledge_vectors(with.knowledge, &status);
    EXPECT(status.vectors == 0 && status.learned_from == 0 && status.passages == 6);
    EXPECT(!strstr(found(&with, "automobile", NULL), "Car "), "by words, until then");
    compact(&with);
    EXPECT(make(&with).vectors == 6);
    struct str after = model_file(&with);
    EXPECT(after.len > 0 && !str_eq(before, after));
    EXPECT(str_find(after, STR("merg")) == after.len, "no word of it is left");

    /* As an index that never had it. */
    without.arena = arena_new(64 * MIB);
    without.dir = arena_fmt(without.arena, "%s/other", with.dir).ptr;
    struct knowledge_options options = {.dir = rig_path(&without, "base"),
                                        .readers = {.argv = rig_reader}};
    EXPECT(knowledge_open(&options, &without.knowledge, &err), "%s", err.text);
    without.knowledge->embedder.kind = EMBEDDER_LATENT;
    EXPECT(file_remove(rig_path(&with, "docs/secret.md"), &err), "%s", err.text);
    EXPECT(ingest_now(without.knowledge, without.arena,
                      &(struct ingest_wish){.path = str_from(rig_path(&with, "docs"))},
                      &(struct ingest_report){0}, &err),
           "%s", err.text);
    compact(&without);
    EXPECT(make(&without).vectors == 6);
    EXPECT(str_eq(model_file(&without), after), "byte for byte");
}

TEST(what_only_some_may_read_is_not_learned_from)
{
    static const struct principal ann = {.key_id = STR("k_ann"), .tenant = STR("acme")};
    struct rig rig CLEANUP(rig_close) = {0};
    struct vectors_status status;
    struct err err = {0};
    uint32_t labelled = 0;

    if (!open_with(&rig, NULL))
        return;
    EXPECT(make(&rig).learned_from == 7);
    struct ingest_wish wish = {.path = str_from(rig_path(&rig, "docs/secret.md")),
                               .says_readers = true,
                               .readers = STR("key:k_bob")};
    EXPECT(label_now(rig.knowledge, &wish, &labelled, &err) && labelled == 1, "%s", err.text);
    knowledge_vectors(rig.knowledge, &status);
    EXPECT(status.learned_from == 0 && status.vectors == 0, "its counts are in the model");
    status = make(&rig);
    EXPECT(status.learned_from == 6 && status.vectors == 7,
           "found by whoever may, learned by none");
    EXPECT(str_find(model_file(&rig), STR("merg")) == model_file(&rig).len);
    EXPECT(!strstr(found(&rig, "engine factory merger", &ann), "Merger"));
    EXPECT(strstr(found(&rig, "engine factory merger", NULL), "Merger"));
}

/* The same bytes under the same name, sent again for fewer. */
FIBER_TEST(what_is_sent_again_for_some_is_not_learned_from)
{
    struct pool *pool CLEANUP(pool_free) = NULL;
    struct rig rig CLEANUP(rig_close) = {0};
    struct upload upload = {.name = STR("secret.md")};
    struct upload_report report = {0};
    struct vectors_status status;
    struct err err = {0};

    pool = pool_new(&(struct pool_options){.name = "test", .threads = 1, .queue_max = 10}, &err);
    REQUIRE(pool && open_with(&rig, "secret.md"));
    rig.knowledge->pool = pool;
    upload.file = rig_path(&rig, "sent");
    REQUIRE(file_store(upload.file, str_from(files[6].text), 0600, &err));
    EXPECT(knowledge_upload(rig.knowledge, rig.arena, &upload, &report, &err), "%s", err.text);
    EXPECT(make(&rig).learned_from == 7);
    upload.labels = (struct ingest_wish){.says_readers = true, .readers = STR("key:k_bob")};
    EXPECT(knowledge_upload(rig.knowledge, rig.arena, &upload, &report, &err) &&
               report.became == UPLOAD_CHANGED,
           "%s", err.text);
    knowledge_vectors(rig.knowledge, &status);
    EXPECT(status.learned_from == 0, "its words are in the model");
    EXPECT(make(&rig).learned_from == 6);
    EXPECT(str_find(model_file(&rig), STR("merg")) == model_file(&rig).len);
}

TEST(another_embedder_starts_anew)
{
    struct rig rig CLEANUP(rig_close) = {0};

    if (!open_with(&rig, NULL))
        return;
    EXPECT(make(&rig).vectors == 7);
    rig.knowledge->embedder.kind = EMBEDDER_HASHED;
    struct vectors_status status = make(&rig);
    EXPECT(status.vectors == 7 && status.learned_from == 0 && model_file(&rig).len == 0);
    EXPECT(strstr(found(&rig, "automobil", NULL), "Automobile "), "a word cut short is found");
    rig.knowledge->embedder.kind = EMBEDDER_NONE;
    EXPECT(strcmp(found(&rig, "automobil", NULL), "") == 0 ||
               strstr(found(&rig, "automobil", NULL), "Automobile "),
           "by words alone");
}

/* What a model gives is kept whole or not at all, and what is no vector is not asked for again. */
TEST(a_models_vectors_are_kept)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct vectors_round round = {0}, rest = {0};
    struct vectors_status status;
    struct err err = {0};

    if (!open_with(&rig, NULL))
        return;
    rig.knowledge->embedder.kind = EMBEDDER_MODEL;
    rig.knowledge->embedder.model = STR("m");
    round.arena = rest.arena = rig.arena;
    EXPECT(vectors_collect_now(rig.knowledge, &round, &err), "%s", err.text);
    EXPECT(round.document_count == ARRAY_LEN(files) && round.text_count == ARRAY_LEN(files));
    round.dim = 3;
    round.values = arena_array(rig.arena, round.text_count * 3, sizeof(float));
    for (size_t i = 0; i < round.text_count * 3; i++)
        round.values[i] = (float)(i % 7) + 1;
    memset(round.values + 3, 0, 3 * sizeof(float)); /* of the second, zeros */
    round.values[6] = NAN;                          /* of the third, no number */
    round.documents[3].failed = true;               /* the fourth was not embedded */
    EXPECT(vectors_keep_now(rig.knowledge, &round, &err), "%s", err.text);
    knowledge_vectors(rig.knowledge, &status);
    EXPECT(status.vectors == ARRAY_LEN(files) - 3 && status.failed == 2 && status.problem[0]);
    EXPECT(vectors_collect_now(rig.knowledge, &rest, &err), "%s", err.text);
    EXPECT(rest.document_count == 1 && str_eq(rest.documents[0].key, round.documents[3].key));
}

/* As many passages as before, and another text: what was made of the old one is not kept for it. */
TEST(a_document_that_changed_meanwhile_gets_no_vectors_of_what_it_was)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct vectors_round round = {0}, rest = {0};
    struct vectors_status status;
    struct err err = {0};

    if (!open_with(&rig, NULL))
        return;
    rig.knowledge->embedder.kind = EMBEDDER_MODEL;
    rig.knowledge->embedder.model = STR("m");
    round.arena = rest.arena = rig.arena;
    REQUIRE(vectors_collect_now(rig.knowledge, &round, &err), "%s", err.text);
    rig_write(&rig, "cake.md", "# Cake\n\nA cake is bought from the shop around the corner.\n");
    EXPECT(rig_ingest(&rig, "").changed == 1);
    round.dim = 3;
    round.values = arena_array(rig.arena, round.text_count * 3, sizeof(float));
    for (size_t i = 0; i < round.text_count * 3; i++)
        round.values[i] = (float)(i % 7) + 1;
    REQUIRE(vectors_keep_now(rig.knowledge, &round, &err), "%s", err.text);
    knowledge_vectors(rig.knowledge, &status);
    EXPECT(status.vectors == ARRAY_LEN(files) - 1, "%" PRIu64, (uint64_t)status.vectors);
    REQUIRE(vectors_collect_now(rig.knowledge, &rest, &err), "%s", err.text);
    EXPECT(rest.document_count == 1 &&
           str_find(rest.texts[0], STR("shop around")) < rest.texts[0].len);
}

/* A model that gives every text a vector; with its first call every document but one is forgotten. */
struct forgetful {
    struct rig *rig;
    struct str kept; /* id */
    size_t texts;    /* that were sent since */
    bool forgot;
};

static SUSPENDS bool embed_and_forget(void *ctx, struct embed_call *call, struct err *err)
{
    struct forgetful *f = ctx;
    struct document_info *list;
    size_t count;
    uint32_t gone;

    f->texts += f->forgot ? call->count : 0;
    call->dim = 3;
    call->values = arena_array(call->arena, call->count * 3, sizeof(float));
    for (size_t i = 0; i < call->count * 3; i++)
        ((float *)(uintptr_t)call->values)[i] = (float)(i % 3) + 1;
    if (f->forgot)
        return true;
    f->forgot = true;
    EXPECT(list_now(f->rig->knowledge, f->rig->arena, NULL, &list, &count, err));
    f->kept = list[count - 1].id;
    for (size_t i = 0; i + 1 < count; i++)
        EXPECT(forget_now(f->rig->knowledge, list[i].id, &gone, err), "%s", err->text);
    return true;
}

/* Its text is in memory, waiting for its turn: it must not go to a provider behind the receipt. */
FIBER_TEST(what_is_forgotten_is_embedded_by_nobody)
{
    struct pool_options options = {.name = "test", .threads = 1, .queue_max = 10};
    struct err err = {0};
    struct pool *pool = pool_new(&options, &err);
    struct rig rig = {0};
    struct forgetful f = {.rig = &rig};
    bool more = false;

    REQUIRE(pool && open_with(&rig, NULL));
    struct knowledge *k = rig.knowledge;
    k->pool = k->ingest = pool;
    k->embedder.kind = EMBEDDER_MODEL;
    k->embedder.model = STR("m");
    k->embedder.batch = 1;
    k->embedder.ask = embed_and_forget;
    k->embedder.ctx = &f;
    for (int turn = 0; turn < 2; turn++) /* the first sees that the index is as it was */
        EXPECT(knowledge_vectors_step(k, &more, &err), "%s", err.text);
    EXPECT(f.forgot && f.texts == 1, "%zu texts were sent", f.texts);
    EXPECT(knowledge_documents(k) == 1);
    k->pool = k->ingest = NULL;
    pool_free(&pool);
    rig_close(&rig);
}

/* --- what a model refuses -------------------------------------------------------------------- */

static uint32_t refused_of(struct rig *rig)
{
    struct vectors_status status;

    knowledge_vectors(rig->knowledge, &status);
    return status.failed;
}

TEST(what_was_refused_is_asked_for_again_when_it_has_changed)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct vectors_round round = {0}, rest = {0}, last = {0};
    struct document_info *list;
    struct err err = {0};
    size_t count = 0;
    uint32_t gone;

    if (!open_with(&rig, NULL))
        return;
    rig.knowledge->embedder.kind = EMBEDDER_MODEL;
    rig.knowledge->embedder.model = STR("m");
    round.arena = rest.arena = last.arena = rig.arena;
    REQUIRE(vectors_collect_now(rig.knowledge, &round, &err), "%s", err.text);
    round.dim = 3;
    round.values = arena_array(rig.arena, round.text_count * 3, sizeof(float)); /* zeros, all */
    REQUIRE(vectors_keep_now(rig.knowledge, &round, &err), "%s", err.text);
    EXPECT(refused_of(&rig) == ARRAY_LEN(files));
    rig_write(&rig, "cake.md", "# Cake\n\nA cake is bought from the shop around the corner.\n");
    EXPECT(rig_ingest(&rig, "").changed == 1);
    REQUIRE(vectors_collect_now(rig.knowledge, &rest, &err), "%s", err.text);
    EXPECT(rest.document_count == 1 &&
           str_find(rest.texts[0], STR("shop around")) < rest.texts[0].len);
    EXPECT(refused_of(&rig) == ARRAY_LEN(files) - 1, "%u", refused_of(&rig));
    REQUIRE(list_now(rig.knowledge, rig.arena, NULL, &list, &count, &err) && count > 0);
    for (size_t i = 0; i < count; i++)
        EXPECT(forget_now(rig.knowledge, list[i].id, &gone, &err), "%s", err.text);
    REQUIRE(vectors_collect_now(rig.knowledge, &last, &err), "%s", err.text);
    EXPECT(last.document_count == 0 && refused_of(&rig) == 0, "%u are none any more",
           refused_of(&rig));
}

struct choosy {
    const char *dislikes; /* a word */
    int calls;
};

static SUSPENDS bool embed_but(void *ctx, struct embed_call *call, struct err *err)
{
    struct choosy *c = ctx;

    c->calls++;
    call->dim = 3;
    call->values = arena_array(call->arena, call->count * 3, sizeof(float));
    for (size_t i = 0; i < call->count * 3; i++)
        ((float *)(uintptr_t)call->values)[i] = (float)(i % 3) + 1;
    for (size_t i = 0; i < call->count; i++)
        if (str_find(call->texts[i], str_from(c->dislikes)) < call->texts[i].len)
            return err_set(err, ERR_INVALID, "status 400: no %s", c->dislikes);
    return true;
}

static bool open_choosy(struct rig *rig, struct choosy *c, struct pool **pool)
{
    struct pool_options options = {.name = "test", .threads = 1, .queue_max = 10};
    struct err err = {0};

    *pool = pool_new(&options, &err);
    if (!*pool || !open_with(rig, NULL))
        return false;
    struct knowledge *k = rig->knowledge;
    k->pool = k->ingest = *pool;
    k->embedder.kind = EMBEDDER_MODEL;
    k->embedder.model = STR("m");
    k->embedder.batch = 4;
    k->embedder.ask = embed_but;
    k->embedder.ctx = c;
    return true;
}

static void close_choosy(struct rig *rig, struct pool **pool)
{
    rig->knowledge->pool = rig->knowledge->ingest = NULL;
    pool_free(pool);
    rig_close(rig);
}

FIBER_TEST(why_a_document_was_refused_is_told_when_the_others_have_vectors)
{
    struct choosy choosy = {.dislikes = "Merger"};
    struct vectors_status status;
    struct rig rig = {0};
    struct pool *pool;
    struct err err = {0};
    bool more = false;

    REQUIRE(open_choosy(&rig, &choosy, &pool));
    for (int turn = 0; turn < 6; turn++)
        EXPECT(knowledge_vectors_step(rig.knowledge, &more, &err), "%s", err.text);
    knowledge_vectors(rig.knowledge, &status);
    EXPECT(status.vectors == ARRAY_LEN(files) - 1 && status.failed == 1);
    EXPECT(strstr(status.problem, "no Merger"), "%s", status.problem);
    close_choosy(&rig, &pool);
}

/* Those that cannot be noted would be asked for in each turn, and paid, without a pause between. */
FIBER_TEST(a_model_that_refuses_more_than_can_be_noted_is_left_alone_for_a_while)
{
    struct choosy choosy = {.dislikes = ""}; /* everything */
    struct rig rig = {0};
    struct pool *pool;
    int refused = 0;
    bool more = false;

    REQUIRE(open_choosy(&rig, &choosy, &pool));
    rig.knowledge->vectors->failed.max = 2;
    for (int turn = 0; turn < 20; turn++) {
        struct err err = {0};

        refused += !knowledge_vectors_step(rig.knowledge, &more, &err);
        EXPECT(err.code == ERR_NONE || strstr(err.text, "2 that are known"), "%s", err.text);
    }
    EXPECT(refused == 1 && choosy.calls == 1 + 3, "%d, %d calls", refused, choosy.calls);
    EXPECT(refused_of(&rig) == 2);
    close_choosy(&rig, &pool);
}

/* --- pure ------------------------------------------------------------------------------------- */

TEST(ranks_are_read)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t order[4];
    } cases[] = {
        {"2, 1", true, {1, 0, 2, 3}},
        {"[3] > [1] > [2] > [4]", true, {2, 0, 1, 3}},
        {"4\n4\n1", true, {3, 0, 1, 2}},
        {"Passage 2 is best; 99 and 0 are none.", true, {1, 0, 2, 3}},
        {"99999999999999999999999, 3", true, {2, 0, 1, 3}},
        {"none of them", false, {0, 1, 2, 3}},
        {"", false, {0, 1, 2, 3}},
        {"7", false, {0, 1, 2, 3}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t order[4] = {9, 9, 9, 9};

        EXPECT(rerank_read(str_from(cases[i].text), 4, order) == cases[i].good, "%s",
               cases[i].text);
        EXPECT(memcmp(order, cases[i].order, sizeof order) == 0, "%s: %u %u %u %u", cases[i].text,
               order[0], order[1], order[2], order[3]);
    }
}

TEST(fusing)
{
    struct fuse_item items[] = {
        {.passage = 1, .lexical = 10, .vector = 0.1f},
        {.passage = 2, .lexical = 9, .vector = 0.9f},
        {.passage = 3, .lexical = 0, .vector = 0.95f},
        {.passage = 4, .lexical = 9, .vector = NAN},
    };
    static const float words[FUSE_FEATURES] = {[U_WORDS] = 1},
                       cosine[FUSE_FEATURES] = {[U_COSINE] = 1},
                       both[FUSE_FEATURES] = {[U_WORDS] = 1, [U_COSINE] = 0.5f};
    static const struct {
        const char *name;
        const float *by;
        uint64_t order[4];
    } cases[] = {
        {"by words, of equals the lower passage", words, {1, 2, 4, 3}},
        {"by vectors; none counts nothing", cosine, {3, 2, 1, 4}},
        {"by both", both, {2, 1, 3, 4}},
    };
    struct fuse_signs signs = fuse_signs_of(items, 4, 20, 5);

    EXPECT(fabsf(signs.top - 0.5f) < 1e-6f && fabsf(signs.lead - 0.1f) < 1e-6f);
    EXPECT(signs.vector_best > 0.94f && signs.vector_worst < 0.11f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fuse_item list[4];

        memcpy(list, items, sizeof list);
        fuse_by(cases[i].by, &signs, list, 4);
        for (size_t k = 0; k < 4; k++)
            EXPECT(list[k].passage == cases[i].order[k], "%s: %zu", cases[i].name, k);
    }
}

/* What a reranker put in order was found for the whole question. */
TEST(a_part_is_not_asked_in_the_order_of_the_whole)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct grounded g = {0};
    struct err err = {0};
    uint64_t passage = 0;
    float score = 1;

    REQUIRE(rig_open(&rig));
    REQUIRE(rig_write(&rig, "leave.md", "# Leave\n\nEmployees get 30 days of annual leave.\n"));
    REQUIRE(rig_write(&rig, "contracts.md",
                      "# Contracts\n\nContracts are signed by the managing director.\n"));
    REQUIRE(rig_ingest(&rig, "").added == 2);
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig.knowledge->index);
    struct lexical_hit hit = lexical_hit_at(view, 0);
    struct document_record record;
    REQUIRE(document_record_read(hit.document_record, &record));
    passage = str_ends(record.path, STR("leave.md")) ? 0 : 1;
    struct reranked order = {lexical_view_number(view), &passage, &score, 1};
    struct knowledge_question q = {
        .text = STR("How many days of annual leave do employees get, and who signs contracts?"),
        .order = &order};
    rig.knowledge->reranker.passages = 20;
    EXPECT(answer_now(rig.knowledge, rig.arena, &q, &g, &err), "%s", err.text);
    EXPECT(str_find(g.text, STR("30 days")) < g.text.len &&
               str_find(g.text, STR("managing director")) < g.text.len,
           STR_FMT, STR_ARG(g.text));
}
