/* app/settings_internal.h: the rows of the settings tables, for the files that read and print them. */
#ifndef WEIR_APP_SETTINGS_INTERNAL_H
#define WEIR_APP_SETTINGS_INTERNAL_H

#include "app/settings.h"

enum setting_type {
    SET_TEXT,
    SET_NAME,    /* letters, digits, . _ - / : */
    SET_ADDRESS, /* host:port or unix:/path */
    SET_URL,
    SET_PATH,
    SET_COUNT,    /* int64_t */
    SET_BYTES,    /* int64_t; "64KiB" */
    SET_DURATION, /* dur_ns; "10s" */
    SET_BOOL,
    SET_USD,     /* usd_micro; dollars */
    SET_PERCENT, /* int64_t; millionths of a percent */
    SET_CHOICE,  /* int: index into choices */
    SET_WORDS,   /* text: "a, b", or a list of values, which is joined so */
    SET_SECRET,  /* env:NAME or file:PATH */
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;        /* in struct settings, or in the item of a list */
    const char *fallback; /* default as it would be written; NULL in a list: must be given */
    int64_t min, max;     /* COUNT, BYTES, DURATION, USD; both 0: unbounded above 0 */
    const char *choices;  /* "error|warn|info|debug" */
    bool restart;         /* a change takes effect only after a restart */
    const char *help;
};

struct section {
    const char *name;
    const char *help;
    const struct setting *rows;
    size_t count;
    /* Lists: where the items stand and how large each is; item_size 0: a plain section. */
    size_t items_offset, items_count_offset, item_size, items_max;
};

extern const struct section settings_sections[];
extern const size_t settings_section_count;

struct setting_origin {
    struct str path;   /* "server.listen", "providers.0.url" */
    struct str source; /* "weir.yaml:3", "WEIR_SERVER_LISTEN" */
    struct str where;  /* the same with the column, for problems found later */
    struct str shown;  /* secrets: "env:OPENAI_API_KEY"; else "" */
};

/* One reading: what is being filled, from where, and what was wrong. */
struct reading {
    struct settings *settings;
    struct settings_problems *problems;
    const char *const *environment;
    const char *file;
    size_t origins_max;
    struct str wrong[SETTINGS_PROBLEMS_MAX]; /* paths of the problems so far */
    size_t wrong_count;
    bool failed;
    bool secrets_unread; /* what env:NAME and file:PATH name is not looked at */
    bool files_read;     /* certificates that are named are looked at */
    bool unreadable;     /* the file, as a whole: what it would have said is not known */
};

#define SETTING_PATH_MAX 128
/* "providers.0.url"; item -1: a plain section, no name: the section or the item itself. */
void setting_path(char out[SETTING_PATH_MAX], const struct section *section, long item,
                  struct str name);
/* Of what was read well and does not fit together: where it stands, or where its neighbours do. */
void settings_wrong(struct reading *r, const char *path, const char *what);
void settings_doubtful(struct reading *r, const char *path, const char *what); /* a warning */
/* What must fit together. Rules about values that were already wrong stay silent: one mistake, one problem. */
void settings_check(struct reading *r);
/* What is said and cannot do anything: warnings. */
void settings_check_idle(struct reading *r);
/* Certificates, of the server and of authorities: one that cannot be used is a mistake. */
void settings_check_files(struct reading *r);
/* Issuers and logins. */
void settings_check_people(struct reading *r);
/* The section, the item or the value itself, as far as the path goes, was read without a problem. */
bool settings_is_sound(const struct reading *r, const char *path);
bool settings_said(const struct reading *r, const char *path);  /* by the file or a variable */
bool settings_keeps_something(const struct settings *settings); /* a cache is on, for some model */
const struct section *settings_section(const char *name);
size_t settings_items(const struct settings *settings,
                      const struct section *section); /* 1: no list */

const char *setting_expects(const struct setting *row,
                            char out[160]); /* "a duration such as 10s, 1ms to 24h" */
/* The value at `base` as it would be written in the file; secrets as where they come from. */
void setting_print(const struct setting *row, const void *base, struct buf *out);

/* Of the environment; NULL: not set. */
const char *settings_variable(const char *const *environment, const char *name);
/* The member of `base` that this row is of. */
bool settings_set_value(struct reading *r, const struct setting *row, void *base, struct str text,
                        struct err *err) MUST_CHECK;

#endif
