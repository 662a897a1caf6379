/* What browsers bring: any bytes as a path to go on at are refused, or lead nowhere but here however a
 * browser reads them; as a Cookie field they give a value that stands there under that name once; as a state
 * they name a slot or none; escaped and read again as a query's value they are what they were. */
#include "fuzz.h"

#include "accounts/login.h"

/* As browsers read an address (WHATWG URL): tabs and line ends dropped, "\" is "/". */
static void check_next(struct arena *arena, struct str next)
{
    struct str read;
    struct err err = {0};
    struct buf b;

    if (!login_next_is_safe(next))
        return;
    buf_init(&b, arena, next.len + 1);
    for (size_t i = 0; i < next.len; i++)
        if (next.ptr[i] != '\t' && next.ptr[i] != '\r' && next.ptr[i] != '\n')
            buf_char(&b, next.ptr[i] == '\\' ? '/' : next.ptr[i]);
    ASSERT(buf_finish(&b, &read, &err));
    ASSERT(str_eq(read, next) && str_starts(read, STR("/")) && !str_starts(read, STR("//")));
}

static void check_cookie(struct str field)
{
    struct str name = STR("weir_session"), value = http_cookie(field, name);
    size_t times = 0;

    for (struct str rest = field, part; rest.len && str_split(&rest, ';', &part);) {
        size_t equals = str_find_char(part, '=');

        if (equals == part.len || !str_eq(str_trim(str_slice(part, 0, equals)), name))
            continue;
        times++;
        ASSERT(!value.ptr || times > 1 ||
               str_eq(value, str_trim(str_slice(part, equals + 1, part.len))));
    }
    ASSERT((times == 1) == (value.ptr != NULL));
}

static void check_escape(struct arena *arena, struct str text)
{
    struct str query, back;
    struct err err = {0};
    struct buf b;

    buf_init(&b, arena, 3 * text.len + 8);
    buf_str(&b, STR("a="));
    http_escape(&b, text);
    ASSERT(buf_finish(&b, &query, &err));
    back = http_query(arena, query, STR("a"));
    ASSERT(back.ptr && str_eq(back, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(16 * MIB);
    struct str text = {(const char *)data, size};

    if (!arena || size > 64 * KIB)
        return 0;
    check_next(arena, text);
    check_cookie(text);
    check_escape(arena, text);

    char slot = login_slot(arena, text);

    ASSERT(!slot || (slot >= '0' && slot <= '9') || (slot >= 'a' && slot <= 'f'));
    return 0;
}
