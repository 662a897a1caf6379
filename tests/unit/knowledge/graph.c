#include "knowledge/graph.h"

#include <math.h>
#include <string.h>

#include "index/marks.h"
#include "knowledge/way.h"
#include "rig.h"
#include "sys/file.h"
#include "test.h"

static const struct {
    const char *name, *text;
} files[] = {
    {"deal.md", "# Deal\n\nIn March the Borealis Group bought Nordlicht Energy.\n"},
    {"board.md", "# Board\n\nThe Borealis Group is led by Ingrid Solheim. Oslo is its seat.\n"},
    {"plan.md", "# Plan\n\nWe met Ingrid Solheim. Later we saw Zanzibar Wind Parks there.\n"},
    {"wind.md", "# Wind\n\nOwned by Zanzibar Wind Parks and Nordlicht Energy in Oslo.\n"},
    {"canteen.md", "# Canteen\n\nThe canteen serves soup on Fridays.\n"},
    {"secret.md",
     "# Secret\n\nIngrid Solheim met Nordlicht Energy and the Borealis Group in Oslo.\n"},
};

static bool fill(struct rig *rig, const char *without)
{
    if (!rig_open(rig))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (strcmp(files[i].name, without) != 0 && !rig_write(rig, files[i].name, files[i].text))
            return false;
    return rig_ingest(rig, "").failed == 0;
}

/* Paths and ranks of what a walk finds, as text. */
static struct str walk(struct arena *arena, const struct access *access, const char *question)
{
    struct graph_seed *seeds;
    struct graph_walk found;
    struct err err = {0};
    struct buf b;
    size_t count;

    buf_init(&b, arena, MIB);
    if (!graph_seeds(access, arena, str_from(question), &seeds, &count, &err) ||
        !graph_rank(access, arena, &(struct graph_start){.seeds = seeds, .seed_count = count},
                    &found, &err)) {
        EXPECT(false, "%s", err.text);
        return STR_NONE;
    }
    EXPECT((double)found.edges <= 1 / (GRAPH_RESTART * GRAPH_EPSILON) && !found.limited);
    for (size_t i = 0; i < found.count; i++) {
        struct lexical_hit hit = lexical_hit_at(access->view, found.hits[i].passage);
        struct document_record record;
        struct graph_step *steps;
        size_t n;

        EXPECT(document_record_read(hit.document_record, &record));
        EXPECT(graph_path(&found, arena, found.hits[i].node, &steps, &n, &err), "%s", err.text);
        buf_fmt(&b, STR_FMT " %.9f", STR_ARG(record.path), (double)found.hits[i].score);
        for (size_t k = 0; k < n; k++)
            buf_fmt(&b, " <%s" STR_FMT, steps[k].sentence.to ? "" : "# ", STR_ARG(steps[k].name));
        buf_char(&b, '\n');
    }
    return buf_view(&b);
}

static bool not_secret(void *context, uint64_t i, const struct lexical_document_info *document)
{
    struct document_record record;

    (void)context, (void)i;
    return document_record_read(document->record, &record) &&
           !str_ends(record.path, STR("secret.md"));
}

TEST(the_walk_knows_nothing_of_what_is_hidden)
{
    static const char question[] = "Who leads the company that bought Nordlicht Energy?";
    struct rig all CLEANUP(rig_close) = {0};
    struct lexical_filter *filter;
    struct err err = {0};

    REQUIRE(fill(&all, ""));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(all.knowledge->index);
    REQUIRE(lexical_filter_make(view, all.arena, not_secret, NULL, &filter, &err));
    struct str seen = walk(all.arena, &(struct access){view, NULL}, question);
    struct str hidden = walk(all.arena, &(struct access){view, filter}, question);
    EXPECT(str_find(seen, STR("secret")) < seen.len &&
           str_find(hidden, STR("secret")) == hidden.len);
    EXPECT(str_find(hidden, STR("docs/deal.md")) < str_find(hidden, STR("docs/board.md")), STR_FMT,
           STR_ARG(hidden));
    EXPECT(str_find(hidden, STR(" <nordlicht energy <borealis group\n")) < hidden.len, STR_FMT,
           STR_ARG(hidden));
    /* Deleted is as hidden, number by number. */
    uint32_t gone = 0;
    lexical_release(&view);
    REQUIRE(forget_now(all.knowledge, STR("docs/secret.md"), &gone, &err) && gone == 1);
    view = lexical_borrow(all.knowledge->index);
    struct str after = walk(all.arena, &(struct access){view, NULL}, question);
    EXPECT(after.len == hidden.len, STR_FMT "\n" STR_FMT, STR_ARG(after), STR_ARG(hidden));
    for (struct str rest = hidden, line; str_split(&rest, '\n', &line);)
        EXPECT(str_find(after, line) < after.len, STR_FMT " is not in\n" STR_FMT, STR_ARG(line),
               STR_ARG(after));
}

static bool directory_has(struct rig *rig, const char *dir, struct str what)
{
    struct str *names, bytes;
    struct err err = {0};
    size_t count;
    bool has = false;

    EXPECT(file_list(rig->arena, dir, 100, &names, &count, &err), "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        struct str path = arena_fmt(rig->arena, "%s/" STR_FMT, dir, STR_ARG(names[i]));
        struct file_info info;

        if (file_stat(path.ptr, &info, &err) && !info.is_dir &&
            file_load(rig->arena, path.ptr, 16 * MIB, &bytes, &err))
            has = has || str_find(bytes, what) < bytes.len;
    }
    return has;
}

TEST(edges_of_a_forgotten_document_are_gone)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct marked marked = {0};
    struct err err = {0};
    uint32_t gone = 0;

    REQUIRE(fill(&rig, "wind.md"));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig.knowledge->index);
    marks_find(view, NULL, STR("zanzibar wind parks"), &marked);
    EXPECT(marked.count == 1);
    lexical_release(&view);
    EXPECT(directory_has(&rig, rig.knowledge->dir, STR("zanzibar wind parks")));
    REQUIRE(forget_now(rig.knowledge, STR("docs/plan.md"), &gone, &err) && gone == 1);
    view = lexical_borrow(rig.knowledge->index);
    marks_find(view, NULL, STR("zanzibar wind parks"), &marked);
    EXPECT(marked.count == 0 && !marks_begin(view, STR("zan")));
    EXPECT(!directory_has(&rig, rig.knowledge->dir, STR("zanzibar wind parks")));
}

/* --- the numbers, by adding up round after round over all of the graph -------------------------- */

#define PASSAGES 8
#define NAMES    32
struct plain {
    struct mentions m[PASSAGES];
    struct str names[NAMES];
    size_t passages, count;
    double weight[PASSAGES][NAMES];
    double at_passage[PASSAGES], at_name[NAMES], rank[PASSAGES];
};

static size_t plain_name(struct plain *g, struct str name)
{
    for (size_t i = 0; i < g->count; i++)
        if (str_eq(g->names[i], name))
            return i;
    ASSERT(g->count < NAMES);
    g->names[g->count] = name;
    return g->count++;
}

static bool plain_near(const struct mentions *m, size_t name, struct str seed)
{
    for (size_t s = 0; s < m->sentence_count; s++) {
        bool one = false, other = false;

        for (size_t i = 0; i < m->sentences[s].count; i++) {
            one = one || m->sentences[s].names[i] == name;
            other = other || (m->sentences[s].names[i] != name &&
                              str_eq(m->names[m->sentences[s].names[i]], seed));
        }
        if (one && other)
            return true;
    }
    return false;
}

static void plain_read(struct plain *g, struct arena *arena, const struct lexical_view *view,
                       struct str seed)
{
    g->passages = lexical_stats(view).passages;
    ASSERT(g->passages <= PASSAGES);
    for (size_t p = 0; p < g->passages; p++) {
        EXPECT(mentions_read(arena, lexical_hit_at(view, p).record, &g->m[p]));
        for (size_t i = 0; i < g->m[p].count; i++)
            g->weight[p][plain_name(g, g->m[p].names[i])] = plain_near(&g->m[p], i, seed) ? 3 : 1;
    }
    for (size_t n = 0; n < g->count; n++) { /* what stands in one passage leads nowhere */
        size_t having = 0;

        for (size_t p = 0; p < g->passages; p++)
            having += g->weight[p][n] > 0;
        for (size_t p = 0; p < g->passages && having < 2; p++)
            g->weight[p][n] = 0;
    }
}

static void plain_round(struct plain *g)
{
    double passages[PASSAGES] = {0}, names[NAMES] = {0};

    for (size_t p = 0; p < g->passages; p++) {
        double sum = 0;

        for (size_t n = 0; n < g->count; n++)
            sum += g->weight[p][n];
        g->rank[p] += (sum > 0 ? GRAPH_RESTART : 1) * g->at_passage[p];
        for (size_t n = 0; n < g->count && sum > 0; n++)
            names[n] += (1 - GRAPH_RESTART) * g->at_passage[p] * g->weight[p][n] / sum;
    }
    for (size_t n = 0; n < g->count; n++) {
        size_t having = 0;

        for (size_t p = 0; p < g->passages; p++)
            having += g->weight[p][n] > 0;
        for (size_t p = 0; p < g->passages; p++)
            if (g->weight[p][n] > 0)
                passages[p] += (1 - GRAPH_RESTART) * g->at_name[n] / (double)having;
    }
    memcpy(g->at_passage, passages, sizeof passages);
    memcpy(g->at_name, names, sizeof names);
}

TEST(pushing_gives_what_adding_up_gives)
{
    static struct plain g;
    struct rig rig CLEANUP(rig_close) = {0};
    struct graph_seed *seeds;
    struct graph_walk found;
    struct err err = {0};
    size_t count;

    REQUIRE(fill(&rig, ""));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig.knowledge->index);
    struct access access = {view, NULL};
    memset(&g, 0, sizeof g);
    plain_read(&g, rig.arena, view, STR("nordlicht energy"));
    g.at_name[plain_name(&g, STR("nordlicht energy"))] = 1;
    for (int round = 0; round < 200; round++)
        plain_round(&g);
    REQUIRE(graph_seeds(&access, rig.arena, STR("nordlicht energy"), &seeds, &count, &err) &&
            count == 1);
    REQUIRE(graph_rank(&access, rig.arena, &(struct graph_start){.seeds = seeds, .seed_count = 1},
                       &found, &err));
    EXPECT(found.count >= 5);
    for (size_t i = 0; i < found.count; i++) /* what rests below the epsilon is missing */
        EXPECT(fabs((double)found.hits[i].score - g.rank[found.hits[i].passage]) < 0.01 &&
                   g.rank[found.hits[i].passage] > 0,
               "%d: %f, %f", (int)found.hits[i].passage, (double)found.hits[i].score,
               g.rank[found.hits[i].passage]);
}

/* One name in 12 passages that have three others each, which have 11 more passages each. */
static bool fill_wide(struct rig *rig)
{
    struct buf b;

    if (!rig_open(rig))
        return false;
    buf_init(&b, rig->arena, MIB);
    buf_str(&b, STR("# Firms\n"));
    for (int i = 0; i < 36; i += 3) {
        buf_fmt(&b, "\n## Near %d\n\nKestrel Works met", i);
        for (int k = i; k < i + 3; k++)
            buf_fmt(&b, "%s Harbour K%c%c", k > i ? " and" : "", 'a' + k / 6, 'a' + k % 6);
        buf_str(&b, STR(".\n"));
    }
    for (int i = 0; i < 36 * 11; i++)
        buf_fmt(&b, "\n## Far %d\n\nHere is what we know of Harbour K%c%c today.\n", i,
                'a' + i / 11 / 6, 'a' + i / 11 % 6);
    buf_char(&b, 0);
    return buf_ok(&b) && rig_write(rig, "firms.md", b.ptr) && rig_ingest(rig, "").failed == 0;
}

TEST(a_walk_that_is_left_off_says_so_and_favours_nobody)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct graph_seed *seeds;
    struct graph_walk all, best;
    struct err err = {0};
    size_t count;

    REQUIRE(fill_wide(&rig));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig.knowledge->index);
    struct access access = {view, NULL};
    REQUIRE(graph_seeds(&access, rig.arena, STR("Kestrel Works"), &seeds, &count, &err) &&
            count == 1 && seeds[0].passages == 12);
    struct graph_start start = {.seeds = seeds, .seed_count = 1};
    REQUIRE(graph_rank(&access, rig.arena, &start, &all, &err), "%s", err.text);
    EXPECT(all.limited && all.count > GRAPH_OPENED, "%zu", all.count);
    for (size_t i = 12; i + 1 < all.count; i++) /* those before are near */
        EXPECT(all.hits[i].score < 2 * 0.8f * all.hits[all.count - 1].score, "%zu: %f beside %f", i,
               (double)all.hits[i].score, (double)all.hits[all.count - 1].score);

    start.most = 12;
    REQUIRE(graph_rank(&access, rig.arena, &start, &best, &err), "%s", err.text);
    REQUIRE(best.count >= 12 && best.count < all.count, "%zu", best.count);
    for (size_t i = 0; i < best.count; i++)
        EXPECT(best.hits[i].passage == all.hits[i].passage &&
               str_eq(best.hits[i].document, all.hits[i].document));
    EXPECT(all.hits[best.count].score < best.hits[11].score, "its equals are told, too");
}

/* --- names of questions, and the way ------------------------------------------------------------ */

static const struct {
    const char *question, *names; /* as found; "!" before one that is written as a name */
    const char *way;
} questions[] = {
    {"Who leads the Borealis Group?", "!borealis group", "words"},
    {"who leads the borealis group?", "borealis group", "words"},
    {"Who leads the company that bought Nordlicht Energy?", "!nordlicht energy", "graph"},
    {"What do Borealis Group and Zanzibar Wind Parks have in common?",
     "!borealis group !zanzibar wind parks", "graph"},
    {"Where is Ingrid Solheim with Zanzibar Wind Parks?", "!ingrid solheim !zanzibar wind parks",
     "words"}, /* one passage has both */
    {"Is Borealis Group near Zanzibar Wind Parks?", "!borealis group !zanzibar wind parks",
     "graph"},
    {"Why did Ingrid Solheim go?", "!ingrid solheim", "graph"},
    {"What does the canteen serve on Fridays?", "canteen", "words"},
    {"What are the main topics of the documents?", "", "overview"},
    {"How many moons does Jupiter have?", "", "words"},
    {"", "", "words"},
};

TEST(the_way_follows_from_the_question)
{
    struct rig rig CLEANUP(rig_close) = {0};
    struct err err = {0};

    REQUIRE(fill(&rig, "secret.md"));
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig.knowledge->index);
    struct access access = {view, NULL};
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        struct way_request request = {
            .access = &access, .arena = rig.arena, .text = str_from(questions[i].question)};
        struct question_parts parts;
        struct graph_seed *seeds;
        struct buf b;
        size_t count;
        enum way way;

        buf_init(&b, rig.arena, KIB * 4);
        REQUIRE(graph_seeds(&access, rig.arena, request.text, &seeds, &count, &err));
        for (size_t k = 0; k < count; k++)
            buf_fmt(&b, "%s%s" STR_FMT, k ? " " : "", seeds[k].named ? "!" : "",
                    STR_ARG(seeds[k].name));
        EXPECT(str_eq(buf_view(&b), str_from(questions[i].names)), "%s: " STR_FMT,
               questions[i].question, STR_ARG(buf_view(&b)));
        REQUIRE(way_choose(&request, &way, &parts, &err));
        EXPECT(strcmp(way_name(way), questions[i].way) == 0, "%s: %s", questions[i].question,
               way_name(way));
    }
}

static bool find_by_graph(struct rig *rig, struct analyser *analyser, bool reads,
                          struct way_found *out, struct err *err)
{
    struct lexical_view *view CLEANUP(lexical_release) = lexical_borrow(rig->knowledge->index);
    struct access access = {.view = view};
    struct way_request request = {
        .access = &access,
        .analyser = analyser,
        .arena = rig->arena,
        .text = STR("How does Nordlicht Energy repair the boiler valve?"),
        .limit = 10,
        .way = WAY_CHOOSE,
        .reads = reads,
    };

    return ways_find(&request, out, err);
}

static bool is_of(const struct lexical_hit *hit, const char *file)
{
    struct document_record record;

    return document_record_read(hit->document_record, &record) &&
           str_ends(record.path, str_from(file));
}

/* The words stand more often in the one, and together in the other; each keeps its score and the way to it. */
TEST(what_the_graph_found_is_put_in_order_by_reading_it)
{
    struct analyser *analyser CLEANUP(analyser_close) = NULL;
    struct rig rig CLEANUP(rig_close) = {0};
    struct way_found plain = {0}, read = {0};
    struct err err = {0};

    REQUIRE(rig_open(&rig) && analyser_open(&analyser, &err) &&
            rig_write(&rig, "parts.md",
                      "# Parts\n\nNordlicht Energy has a valve in the store. Boiler paint is red. "
                      "The valve list "
                      "names each valve. Old boiler, new boiler. Repairs take a day.\n") &&
            rig_write(&rig, "duties.md",
                      "# Duties\n\nEach flat of Nordlicht Energy has a caretaker who sweeps the "
                      "stairs on Monday "
                      "and looks after the bins in the yard. Nordlicht Energy repairs the boiler "
                      "valve with a "
                      "wrench. Post is left in the hall, and parcels are kept in the cellar until "
                      "Friday.\n") &&
            rig_ingest(&rig, "").added == 2);
    REQUIRE(find_by_graph(&rig, analyser, false, &plain, &err) &&
                find_by_graph(&rig, analyser, true, &read, &err),
            "%s", err.text);
    REQUIRE(plain.way == WAY_GRAPH && plain.hits.count == 2 && read.hits.count == 2);
    EXPECT(is_of(&plain.hits.at[0], "parts.md"), "or the test shows nothing");
    EXPECT(is_of(&read.hits.at[0], "duties.md"));
    for (size_t i = 0; i < 2; i++)
        EXPECT(read.hits.at[i].score == plain.hits.at[1 - i].score &&
               read.paths[i].count == plain.paths[1 - i].count);
}

TEST(an_overview_tells_what_documents_share)
{
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(fill(&rig, "secret.md"));
    struct grounded g = rig_ask(&rig, "What are the main topics of the documents?");
    EXPECT(g.answered && strcmp(g.retrieval, "overview") == 0);
    EXPECT(g.citation_count >= 2 && g.citation_count <= 4, "%zu", g.citation_count);
    for (size_t i = 0; i < g.citation_count; i++) {
        EXPECT(g.citations[i].byte_end > g.citations[i].byte_first);
        EXPECT(str_find(g.text, g.citations[i].quote) < g.text.len);
        EXPECT(!str_ends(g.citations[i].path, STR("canteen.md")), "no name of it stands elsewhere");
        for (size_t k = 0; k < i; k++)
            EXPECT(!str_eq(g.citations[i].quote, g.citations[k].quote));
    }
    g = rig_ask(&rig, "文档的主要内容是什么？");
    EXPECT(g.answered && str_find(g.text, STR("来源：")) < g.text.len);
}

TEST(parts_are_answered_each)
{
    struct rig rig CLEANUP(rig_close) = {0};

    REQUIRE(fill(&rig, "secret.md"));
    struct grounded g =
        rig_ask(&rig, "What does the canteen serve on Fridays? How many moons does Jupiter have?");
    REQUIRE(g.answered && g.part_count == 2);
    EXPECT(g.parts[0].answered && g.parts[0].count >= 1 && !g.parts[1].answered &&
           g.parts[1].count == 0);
    EXPECT(str_find(g.text, STR("The documents do not answer: How many moons does Jupiter have?")) <
               g.text.len,
           STR_FMT, STR_ARG(g.text));
    g = rig_ask(&rig, "How many moons does Jupiter have? Who won the football world cup in 1998?");
    EXPECT(!g.answered && g.part_count == 0, "nothing answered: as any question");
}
