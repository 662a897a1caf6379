/* How likely passages answer: scores in the order of a search, and what is left out. */
#include "knowledge/likely.h"

#include <math.h>

#include "rig.h"
#include "test.h"

static const struct {
    const char *name;
    float scores[6], want[6];
    size_t count;
} pools[] = {
    {"none", {0}, {0}, 0},
    {"one", {.4f}, {.4f}, 1},
    {"in order", {.9f, .5f, .5f, .1f}, {.9f, .5f, .5f, .1f}, 4},
    {"two the wrong way round", {.2f, .4f}, {.3f, .3f}, 2},
    {"rising", {0, .5f, 1}, {.5f, .5f, .5f}, 3},
    {"a rise in the middle", {.9f, .3f, .5f, .2f}, {.9f, .4f, .4f, .2f}, 4},
    {"one that goes far up", {.6f, .3f, .3f, .9f, .1f, 0}, {.6f, .5f, .5f, .5f, .1f, 0}, 6},
    {"one that joins two pools", {.4f, .6f, .2f, .4f, .9f}, {.5f, .5f, .5f, .5f, .5f}, 5},
};

TEST(scores_never_rise_and_stay_true_on_average)
{
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        float got[6], sum = 0;

        for (size_t k = 0; k < pools[i].count; k++)
            got[k] = pools[i].scores[k];
        likely_pool(got, pools[i].count);
        for (size_t k = 0; k < pools[i].count; k++) {
            EXPECT(fabsf(got[k] - pools[i].want[k]) < 1e-6f, "%s, %zu: %f", pools[i].name, k,
                   (double)got[k]);
            EXPECT(k == 0 || got[k] <= got[k - 1], "%s, %zu", pools[i].name, k);
            sum += got[k] - pools[i].scores[k];
        }
        EXPECT(fabsf(sum) < 1e-5f, "%s", pools[i].name);
    }
}

static size_t searched(struct rig *rig, const char *text, float least, struct citation **out)
{
    struct knowledge_question question = {.text = str_from(text), .scored = true, .least = least};
    struct passages_found found = {0};
    struct err err = {0};

    EXPECT(search_now(rig->knowledge, rig->arena, &question, 50, &found, &err), "%s", err.text);
    *out = found.list;
    return found.count;
}

TEST(passages_below_the_threshold_do_not_come)
{
    static const char *const questions[] = {"How much is the fee?", "island fee ferry",
                                            "Who is the captain?", "zzz"};
    struct rig rig;

    REQUIRE(rig_open(&rig));
    EXPECT(rig_write(&rig, "a.md", "# Fees\n\nThe fee is 12 euros a month.\n") &&
           rig_write(&rig, "b.md", "# Ferry\n\nThe ferry to the island sails on Mondays.\n") &&
           rig_write(&rig, "c.md", "# Island\n\nNo fee is taken on the island.\n"));
    EXPECT(rig_ingest(&rig, "").added == 3);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct citation *all, *some;
        size_t count = searched(&rig, questions[i], 0, &all);

        for (size_t k = 0; k < count; k++) {
            EXPECT(all[k].is_scored && all[k].likely >= 0 && all[k].likely <= 1);
            EXPECT(k == 0 || all[k].likely <= all[k - 1].likely, "%s, %zu", questions[i], k);
            size_t kept = searched(&rig, questions[i], all[k].likely, &some);
            EXPECT(kept > k && (kept == count || all[kept].likely < all[k].likely), "%s, %zu: %zu",
                   questions[i], k, kept);
        }
        EXPECT(searched(&rig, questions[i], 1.1f, &some) == 0);
    }
    rig_close(&rig);
}
