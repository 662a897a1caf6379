#include "knowledge/source_glob.h"

/* Where to go on when what follows a star does not fit: the star takes one character more. A later "**"
 * makes an earlier star's places needless, and a "*" those of an earlier "*"; so two places are enough. */
struct retry {
    size_t pattern, name;
    bool set, whole; /* whole: it takes whole folders, to the next "/" */
};

static bool step_back(struct retry *one, struct retry *deep, struct str name, size_t *p, size_t *n)
{
    if (one->set && one->name < name.len && name.ptr[one->name] != '/') {
        *n = ++one->name;
        *p = one->pattern;
        return true;
    }
    one->set = false;
    if (!deep->set || deep->name >= name.len)
        return false;
    if (deep->whole)
        deep->name += str_find_char(str_slice(name, deep->name, name.len), '/');
    if (deep->name >= name.len)
        return false;
    *n = ++deep->name;
    *p = deep->pattern;
    return true;
}

static bool fits(struct str pattern, struct str name)
{
    struct retry one = {0}, deep = {0};
    size_t p = 0, n = 0;

    for (;;) {
        char c = p < pattern.len ? pattern.ptr[p] : 0;

        if (c == '*' && p + 1 < pattern.len && pattern.ptr[p + 1] == '*') {
            p += 2;
            bool whole =
                (n == 0 || name.ptr[n - 1] == '/') && p < pattern.len && pattern.ptr[p] == '/';
            p += whole;
            deep = (struct retry){p, n, true, whole};
            one.set = false;
        } else if (c == '*') {
            one = (struct retry){++p, n, true, false};
        } else if (p < pattern.len && n < name.len &&
                   (c == name.ptr[n] || (c == '?' && name.ptr[n] != '/'))) {
            p++, n++;
        } else if (p == pattern.len && n == name.len) {
            return true;
        } else if (!step_back(&one, &deep, name, &p, &n)) {
            return false;
        }
    }
}

bool glob_fits(struct str pattern, struct str name)
{
    size_t from = name.len;

    if (str_find_char(pattern, '/') < pattern.len)
        return fits(pattern, name);
    while (from > 0 && name.ptr[from - 1] != '/')
        from--;
    return fits(pattern, str_slice(name, from, name.len));
}

bool globs_fit(struct str patterns, struct str name)
{
    struct str part;

    for (struct str rest = patterns; rest.len > 0 && str_split(&rest, ',', &part);)
        for (struct str word; part.len > 0 && str_split(&part, ' ', &word);)
            if (word.len > 0 && glob_fits(word, name))
                return true;
    return false;
}

bool globs_want(struct str include, struct str exclude, struct str name)
{
    return (str_trim(include).len == 0 || globs_fit(include, name)) && !globs_fit(exclude, name);
}
