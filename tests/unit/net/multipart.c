/* Forms: whatever the cut, the same parts; what is wrong is said. */
#include "net/multipart.h"
#include "test.h"

#define TYPE "multipart/form-data; boundary=xx"

/* "name|filename|type=data;" of each part, and "." at the end. */
static bool read_all(struct arena *arena, struct str type, struct str body, size_t step,
                     struct str *out, struct err *err)
{
    struct multipart m;
    struct buf said;
    size_t fed = 0;
    bool over = false;

    buf_init(&said, arena, 64 * KIB);
    if (!multipart_init(&m, arena, type, err))
        return false;
    while (!over) {
        enum multipart_event event;
        struct multipart_part part;
        struct str data = STR_NONE;

        if (!multipart_next(&m, &event, &part, &data, err))
            return false;
        if (event == MULTIPART_MORE) {
            if (fed >= body.len)
                return err_set(err, ERR_INVALID, "cut");
            multipart_feed(&m, str_slice(body, fed, fed + step));
            fed += step;
        }
        if (event == MULTIPART_PART)
            buf_fmt(&said, STR_FMT "|%s" STR_FMT "|" STR_FMT "=", STR_ARG(part.name),
                    part.filename.ptr ? "" : "-", STR_ARG(part.filename), STR_ARG(part.type));
        if (event == MULTIPART_DATA)
            buf_str(&said, data);
        if (event == MULTIPART_PART_END)
            buf_char(&said, ';');
        over = event == MULTIPART_END;
    }
    buf_char(&said, '.');
    return buf_finish(&said, out, err);
}

static const struct {
    const char *name, *type, *body, *want, *error;
} cases[] = {
    {"a field and a file", TYPE,
     "--xx\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--xx\r\n"
     "content-disposition: form-data; name=\"file\"; filename=\"a b.md\"\r\nContent-Type: "
     "text/markdown\r\n\r\n# A\r\n--x\r\n\r\n--xx--\r\n",
     "purpose|-|=assistants;file|a b.md|text/markdown=# A\r\n--x\r\n;.", NULL},
    {"a preamble, blanks behind delimiters, an epilogue", TYPE,
     "hello\r\n--xx  \r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--xx--bye\r\n--xx\r\n",
     "a|-|=1;.", NULL},
    {"empty parts", TYPE,
     "--xx\r\nContent-Disposition: form-data; name=\"a\"; filename=\"\"\r\n\r\n\r\n--xx--",
     "a||=;.", NULL},
    {"no parts", TYPE, "--xx--", ".", NULL},
    {"escapes of browsers and of quoted strings", TYPE,
     "--xx\r\nContent-Disposition: form-data; name=\"a%22%0D%0a%41\"; filename=\"x\\\"y;z\"\r\n\r\n"
     "\r\n--xx--",
     "a\"\r\n%41|x\"y;z|=;.", NULL},
    {"a quoted boundary", "Multipart/Form-Data; charset=utf-8; boundary=\"a b\"",
     "--a b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--a b--", "a|-|=1;.", NULL},
    {"not a form", "application/json", "{}", NULL, "expected a body of multipart/form-data"},
    {"no boundary", "multipart/form-data", "", NULL, "expected a boundary"},
    {"a long boundary",
     "multipart/form-data; "
     "boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "", NULL, "expected a boundary"},
    {"cut", TYPE, "--xx\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x", NULL, "cut"},
    {"a part without a name", TYPE, "--xx\r\nContent-Type: text/plain\r\n\r\n1\r\n--xx--", NULL,
     "has no name"},
    {"a part without fields", TYPE, "--xx\r\n\r\n1\r\n--xx--", NULL, "has no name"},
    {"a field without a colon", TYPE, "--xx\r\nhello\r\n\r\n1\r\n--xx--", NULL, "without \":\""},
    {"another disposition", TYPE,
     "--xx\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--xx--", NULL,
     "not \"form-data\""},
    {"a quote without end", TYPE,
     "--xx\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--xx--", NULL, "has no end"},
    {"a delimiter that goes on", TYPE, "--xxy\r\n\r\n", NULL, "no line end"},
};

TEST(forms_are_the_same_however_they_are_cut)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t step = 1; step < 300; step = step < 8 ? step + 1 : step * 3) {
            struct arena *arena CLEANUP(arena_end) = arena_new(MIB);
            struct err err = {0};
            struct str said = STR("");
            bool ok = read_all(arena, str_from(cases[i].type), str_from(cases[i].body), step, &said,
                               &err);

            if (cases[i].want)
                EXPECT(ok && str_eq(said, str_from(cases[i].want)),
                       "%s, by %zu: \"" STR_FMT "\" %s", cases[i].name, step, STR_ARG(said),
                       err.text);
            else
                EXPECT(!ok && strstr(err.text, cases[i].error), "%s, by %zu: %s", cases[i].name,
                       step, err.text);
        }
}

TEST(fields_of_a_part_are_bounded)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(4 * MIB);
    char *body = arena_alloc(arena, 64 * KIB);
    struct err err = {0};
    struct str said;

    memset(body, 'a', 64 * KIB);
    memcpy(body, "--xx\r\nX: ", 9);
    EXPECT(!read_all(arena, STR(TYPE), (struct str){body, 64 * KIB}, 1000, &said, &err));
    EXPECT(err.code == ERR_INVALID && strstr(err.text, "more than 8192 bytes"), "%s", err.text);
}
