#include "knowledge/source_robots.h"

#include <string.h>

#define DELAY_MAX (60 * SECOND) /* who asks for more gets this: a crawl has its own bound of time */

struct group_state {
    struct str agent;
    bool in_agents; /* the last lines named agents: more of them join the same group */
    bool ours, everyones;
    struct robots own, all; /* rules of groups for us, of those for "*" */
    bool named;             /* some group is for us */
};

static bool add_rule(struct arena *arena, struct robots *to, struct str pattern, bool allow)
{
    if (to->rule_count >= ROBOTS_RULES_MAX) {
        to->cut = true;
        return true;
    }
    if (!to->rules)
        to->rules = arena_array(arena, ROBOTS_RULES_MAX, sizeof *to->rules);
    if (!to->rules)
        return false;
    to->rules[to->rule_count++] = (struct robots_rule){pattern, allow};
    return true;
}

/* "Weir/1.0" is Weir. */
static struct str product(struct str value)
{
    size_t end = 0;

    while (end < value.len && (value.ptr[end] == '-' || value.ptr[end] == '_' ||
                               ((value.ptr[end] | 32) >= 'a' && (value.ptr[end] | 32) <= 'z')))
        end++;
    return str_slice(value, 0, end);
}

static void agent_line(struct group_state *g, struct str value)
{
    if (!g->in_agents)
        g->ours = g->everyones = false;
    g->in_agents = true;
    if (str_eq(value, STR("*")))
        g->everyones = true;
    else if (str_eq_nocase(product(value), g->agent))
        g->ours = g->named = true;
}

static void delay_line(struct group_state *g, struct str value)
{
    double seconds;

    if (!f64_parse(value, &seconds) || seconds < 0)
        return;
    dur_ns delay = seconds > 60 ? DELAY_MAX : (dur_ns)(seconds * 1e9);
    if (g->ours)
        g->own.delay = MAX_OF(g->own.delay, delay);
    if (g->everyones)
        g->all.delay = MAX_OF(g->all.delay, delay);
}

static bool rule_line(struct arena *arena, struct group_state *g, struct str value, bool allow)
{
    if (value.len == 0)
        return true; /* "Disallow:" allows everything, which is so anyway */
    return (!g->ours || add_rule(arena, &g->own, value, allow)) &&
           (!g->everyones || add_rule(arena, &g->all, value, allow));
}

static bool read_line(struct arena *arena, struct group_state *g, struct robots *out,
                      struct str line)
{
    line = str_slice(line, 0, str_find_char(line, '#'));
    size_t colon = str_find_char(line, ':');
    struct str key = str_trim(str_slice(line, 0, colon)),
               value = str_trim(str_slice(line, MIN_OF(colon + 1, line.len), line.len));

    if (colon == line.len)
        return true;
    if (str_eq_nocase(key, STR("user-agent"))) {
        agent_line(g, value);
        return true;
    }
    if (str_eq_nocase(key, STR("sitemap"))) { /* of no group, and ends none */
        if (out->map_count < ROBOTS_MAPS_MAX && value.len > 0)
            out->maps[out->map_count++] = value;
        return true;
    }
    bool allow = str_eq_nocase(key, STR("allow"));
    if (allow || str_eq_nocase(key, STR("disallow"))) {
        g->in_agents = false;
        return rule_line(arena, g, value, allow);
    }
    if (str_eq_nocase(key, STR("crawl-delay"))) {
        g->in_agents = false;
        delay_line(g, value);
    }
    return true;
}

bool robots_read(struct arena *arena, struct str text, struct str agent, struct robots *out,
                 struct err *err)
{
    struct group_state g = {.agent = agent};
    struct robots r = {.maps = arena_array(arena, ROBOTS_MAPS_MAX, sizeof *r.maps)};

    r.cut = text.len > ROBOTS_BYTES_MAX;
    text = str_slice(text, str_starts(text, STR("\xEF\xBB\xBF")) ? 3 : 0,
                     MIN_OF(text.len, ROBOTS_BYTES_MAX));
    if (!r.maps)
        return err_arena(err, arena);
    for (size_t at = 0; at < text.len;) {
        size_t end = at;

        while (end < text.len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
            end++;
        if (!read_line(arena, &g, &r, str_slice(text, at, end)))
            return err_arena(err, arena);
        at = end + 1;
    }
    const struct robots *chosen = g.named ? &g.own : &g.all;
    r.rules = chosen->rules;
    r.rule_count = chosen->rule_count;
    r.delay = chosen->delay;
    r.cut |= chosen->cut;
    *out = r;
    return true;
}

/* --- patterns --------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a pattern or target, so that "%41", "A" and "%c3", "%C3" are alike; "%2F" is no "/", "%2A" no
 * "*" and "%24" no "$". */
static int next_byte(struct str s, size_t *at)
{
    int c = (unsigned char)s.ptr[*at];

    if (c == '%' && *at + 2 < s.len && hex_value(s.ptr[*at + 1]) >= 0 &&
        hex_value(s.ptr[*at + 2]) >= 0) {
        int decoded = hex_value(s.ptr[*at + 1]) * 16 + hex_value(s.ptr[*at + 2]);

        *at += 3;
        return decoded == '/' ? 0x12f : decoded;
    }
    ++*at;
    return c;
}

static bool pattern_fits(struct str pattern, struct str target)
{
    bool ends = str_ends(pattern, STR("$"));
    size_t p = 0, t = 0, star_p = 0, star_t = 0;
    bool star = false;

    pattern.len -= ends;
    for (;;) {
        size_t next_p = p, next_t = t;

        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = true;
            star_p = ++p;
            star_t = t;
        } else if (p == pattern.len && (!ends || t == target.len)) {
            return true;
        } else if (p < pattern.len && t < target.len &&
                   next_byte(pattern, &next_p) == next_byte(target, &next_t)) {
            p = next_p;
            t = next_t;
        } else if (star && star_t < target.len) {
            (void)next_byte(target, &star_t);
            p = star_p;
            t = star_t;
        } else {
            return false;
        }
    }
}

bool robots_allow(const struct robots *robots, struct str target)
{
    bool allow = true;
    size_t longest = 0;

    if (str_eq(target, STR("/robots.txt")))
        return true;
    for (size_t i = 0; i < robots->rule_count; i++) {
        const struct robots_rule *rule = &robots->rules[i];

        if (rule->pattern.len < longest || (rule->pattern.len == longest && !rule->allow))
            continue;
        if (!pattern_fits(rule->pattern, target))
            continue;
        longest = rule->pattern.len;
        allow = rule->allow;
    }
    return allow;
}
