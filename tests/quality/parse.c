/* weir_parse: what the readers make of files. With one file, its elements; with --compare, how well a folder
 * of files agrees with the Markdown expected of them: text found, headings in order, tables alike.
 *   weir_parse FILE
 *   weir_parse --compare DIR...      DIR/NAME and DIR/expected/NAME.md: a table; each file to stderr */
#include <stdio.h>
#include <string.h>

#include "agreement.h"
#include "knowledge/readers.h"
#include "sys/file.h"

static void print_place(const struct place *p)
{
    if (p->page)
        printf(" page %u", p->page);
    if (p->label.len)
        printf(" [" STR_FMT "]", STR_ARG(p->label));
}

static void print(const struct document *d)
{
    static const char *const kinds[] = {"#", "paragraph", "item", "row", "code"};

    printf("title: " STR_FMT "\n", STR_ARG(d->title));
    for (size_t i = 0; i < d->count; i++) {
        const struct block *b = &d->blocks[i];

        printf("%s %d", kinds[b->kind], b->level);
        print_place(&b->place);
        printf(": " STR_FMT "\n", STR_ARG(b->text));
    }
}

static int print_file(const char *path)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(GIB);
    struct parsed parsed;
    struct err err = {0};

    if (!parse_file(arena, path, &parsed, &err)) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        return 1;
    }
    print(&parsed.document);
    for (size_t i = 0; i < parsed.note_count; i++)
        printf("note: " STR_FMT "\n", STR_ARG(parsed.notes[i]));
    return 0;
}

static int compare_dirs(int count, char **dirs)
{
    printf("| files | n | text | of ours | headings | tables |\n|---|---|---|---|---|---|\n");
    for (int i = 0; i < count; i++) {
        struct agreement sum = {0};
        struct err err = {0};

        if (!compare_dir(dirs[i], true, &sum, &err)) {
            fprintf(stderr, "%s: %s\n", dirs[i], err.text);
            return 1;
        }
        print_agreement(dirs[i], &sum);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--compare") == 0)
        return compare_dirs(argc - 2, argv + 2);
    if (argc != 2) {
        fprintf(stderr, "usage: weir_parse FILE | weir_parse --compare DIR...\n");
        return 2;
    }
    return print_file(argv[1]);
}
