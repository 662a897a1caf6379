#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http_status;
} codes[] = {
    [ERR_NONE] = {"none", 200},
    [ERR_INVALID] = {"invalid", 400},
    [ERR_UNAUTHENTICATED] = {"unauthenticated", 401},
    [ERR_DENIED] = {"denied", 403},
    [ERR_NOT_FOUND] = {"not_found", 404},
    [ERR_TOO_LARGE] = {"too_large", 413},
    [ERR_EXHAUSTED] = {"exhausted", 429},
    [ERR_UNAVAILABLE] = {"unavailable", 503},
    [ERR_TIMEOUT] = {"timeout", 504},
    [ERR_CANCELLED] = {"cancelled", 499}, /* nginx's number for a client that left */
    [ERR_INTERNAL] = {"internal", 500},
};

/* Text on its way into an err: written beside it, because the arguments may view the old text. */
struct draft {
    char text[sizeof((struct err *)NULL)->text];
    size_t len; /* what it would be without the limit */
};

PRINTF(2, 0) static void draft_add_args(struct draft *draft, const char *fmt, va_list args)
{
    size_t at = MIN_OF(draft->len, sizeof draft->text - 1);
    int len = vsnprintf(draft->text + at, sizeof draft->text - at, fmt, args);

    draft->len += len > 0 ? (size_t)len : 0;
}

PRINTF(2, 3) static void draft_add(struct draft *draft, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    draft_add_args(draft, fmt, args);
    va_end(args);
}

/* Cut between characters: logs and JSON replies carry this text on. */
static void draft_finish(struct draft *draft, struct err *err)
{
    if (draft->len >= sizeof draft->text) {
        size_t at = sizeof draft->text - sizeof "...";

        for (int i = 0; i < 3 && ((unsigned char)draft->text[at] & 0xc0) == 0x80; i++)
            at--;
        memcpy(draft->text + at, "...", sizeof "...");
    }
    memcpy(err->text, draft->text, sizeof err->text);
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    struct draft draft = {.len = 0};
    va_list args;

    ASSERT(code != ERR_NONE);
    va_start(args, fmt);
    draft_add_args(&draft, fmt, args);
    va_end(args);
    draft_finish(&draft, err);
    err->code = code;
    err->sys = 0;
    return false;
}

bool err_no_room(struct err *err, const char *fmt, ...)
{
    struct draft draft = {.len = 0};
    va_list args;

    va_start(args, fmt);
    draft_add_args(&draft, fmt, args);
    va_end(args);
    draft_finish(&draft, err);
    err->code = ERR_EXHAUSTED;
    err->sys = ENOMEM;
    return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
    struct draft draft = {.len = 0};
    va_list args;

    ASSERT(err->code != ERR_NONE);
    va_start(args, fmt);
    draft_add_args(&draft, fmt, args);
    va_end(args);
    draft_add(&draft, ": %s", err->text);
    draft_finish(&draft, err);
    return false;
}

bool err_recast(struct err *err, const struct err *why, enum err_code code, const char *fmt, ...)
{
    struct draft draft = {.len = 0};
    struct err made = *why;
    va_list args;

    ASSERT(why->code != ERR_NONE && code != ERR_NONE);
    va_start(args, fmt);
    draft_add_args(&draft, fmt, args);
    va_end(args);
    draft_add(&draft, ": %s", why->text);
    draft_finish(&draft, &made);
    if (why->code != ERR_EXHAUSTED) {
        made.code = code;
        made.sys = 0;
    }
    *err = made;
    return false;
}

bool err_sys(struct err *err, enum err_code code, int sys, const char *fmt, ...)
{
    struct draft draft = {.len = 0};
    char words[64];
    va_list args;

    ASSERT(code != ERR_NONE);
    va_start(args, fmt);
    draft_add_args(&draft, fmt, args);
    va_end(args);
    draft_add(&draft, ": %s", strerror_r(sys, words, sizeof words));
    draft_finish(&draft, err);
    err->code = code;
    err->sys = sys;
    return false;
}

int err_http_status(enum err_code code)
{
    ASSERT((size_t)code < ARRAY_LEN(codes));
    return codes[code].http_status;
}

const char *err_code_name(enum err_code code)
{
    ASSERT((size_t)code < ARRAY_LEN(codes));
    return codes[code].name;
}
