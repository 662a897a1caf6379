/* What of a page is its main content. The pages are written like those that are found: in them each piece of text that
 * a reader came for begins with K and a number, each that frames it with D and a number. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "knowledge/document.h"
#include "knowledge/html_main.h"
#include "sys/file.h"
#include "test.h"

static const struct {
    const char *name;
    int keep, drop;   /* how many of each it has */
    int lost, left;   /* of them: left out by mistake, kept by mistake */
    const char *note; /* stands in the note; NULL: there is none */
} pages[] = {
    {"news", 10, 26, 0, 0, "notices of consent"},
    {"docs", 15, 12, 0, 0, "navigation"},
    {"wiki", 13, 11, 0, 0, "navigation"},
    {"table", 23, 7, 0, 0, "what is outside of it"},
    {"layout-tables", 4, 0, 0, 0, NULL},
    {"blog-index", 7, 3, 0, 0, "footer"},
    {"no-main", 6, 0, 0, 0, "no main part was found"},
    {"app-shell", 3, 1, 0, 0, "25 characters for browsers without scripts"},
    {"hinted-names", 8, 4, 0, 0, "navigation"},
    {"chinese", 3, 7, 0, 0, "navigation"},
};

/* How many of the marks stand in the document; each is a word of its own. */
static int marks_in(const struct document *d, char kind, int count)
{
    int found = 0;

    for (int n = 1; n <= count; n++) {
        char mark[16];
        bool there = false;

        (void)snprintf(mark, sizeof mark, "%c%d ", kind, n);
        for (size_t i = 0; i < d->count && !there; i++)
            there = str_find(d->blocks[i].text, str_from(mark)) < d->blocks[i].text.len;
        found += there;
    }
    return found;
}

static bool read_page(struct arena *arena, const char *name, struct document *out)
{
    struct err err = {0};
    struct str text;
    char path[200];

    (void)snprintf(path, sizeof path, "tests/unit/knowledge/pages/%s.html", name);
    bool ok = file_load(arena, path, MIB, &text, &err) &&
              document_read(arena, text, DOCUMENT_HTML, out, &err);
    EXPECT(ok, "%s: %s", name, err.text);
    return ok;
}

TEST(main_parts_of_pages)
{
    int keep = 0, lost = 0, drop = 0, left = 0;

    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
        const char *note = pages[i].note;
        struct document d;

        if (!read_page(arena, pages[i].name, &d))
            continue;
        int here = pages[i].keep - marks_in(&d, 'K', pages[i].keep);
        int there = marks_in(&d, 'D', pages[i].drop);
        EXPECT(here == pages[i].lost, "%s: %d of %d lost", pages[i].name, here, pages[i].keep);
        EXPECT(there == pages[i].left, "%s: %d of %d kept", pages[i].name, there, pages[i].drop);
        EXPECT(note ? str_find(d.note, str_from(note)) < d.note.len : d.note.len == 0,
               "%s: " STR_FMT, pages[i].name, STR_ARG(d.note));
        keep += pages[i].keep;
        drop += pages[i].drop;
        lost += here;
        left += there;
    }
    printf("# of %d pieces of content %d are lost, of %d that frame it %d are kept\n", keep, lost,
           drop, left);
}
