#include "app/yaml.h"

#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    uint32_t nodes;
};

const char *yaml_kind_name(enum yaml_kind kind)
{
    switch (kind) {
    case YAML_SCALAR: return "a value";
    case YAML_LIST: return "a list";
    case YAML_MAP: return "a map";
    }
    return "";
}

struct yaml *yaml_get(const struct yaml *map, struct str key)
{
    for (struct yaml *at = map ? map->first : NULL; at; at = at->next)
        if (str_eq(at->key, key))
            return at;
    return NULL;
}

static int line_of(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

static int column_of(yaml_mark_t mark)
{
    return (int)mark.column + 1;
}

static bool refuse(struct err *err, yaml_mark_t mark, const char *why)
{
    return err_set(err, ERR_INVALID, "%d:%d: %s", line_of(mark), column_of(mark), why);
}

static bool next_event(struct reader *r, yaml_event_t *event, struct err *err)
{
    if (yaml_parser_parse(&r->parser, event))
        return true;
    yaml_mark_t mark = r->parser.problem_mark;
    const char *why = r->parser.problem ? r->parser.problem : "not YAML";
    const char *context = r->parser.context ? r->parser.context : "";
    return err_set(err, ERR_INVALID, "%d:%d: %s%s%s", line_of(mark), column_of(mark), why,
                   *context ? " " : "", context);
}

static struct yaml *new_node(struct reader *r, enum yaml_kind kind, yaml_mark_t mark,
                             struct err *err)
{
    if (++r->nodes > YAML_NODES_MAX) {
        err_set(err, ERR_INVALID, "%d:%d: more than %d names and values, which is the most here",
                line_of(mark), column_of(mark), YAML_NODES_MAX);
        return NULL;
    }
    struct yaml *node = arena_alloc(r->arena, sizeof *node);
    if (!node) {
        err_arena(err, r->arena);
        return NULL;
    }
    node->kind = kind;
    node->line = line_of(mark);
    node->column = column_of(mark);
    return node;
}

static bool read_value(struct reader *r, yaml_event_t *event, int depth, struct yaml **out,
                       struct err *err);

static bool read_list(struct reader *r, struct yaml *list, int depth, struct err *err)
{
    struct yaml **end = &list->first;

    for (;;) {
        yaml_event_t event;

        if (!next_event(r, &event, err))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        if (!read_value(r, &event, depth, end, err))
            return false;
        end = &(*end)->next;
    }
}

static bool read_map(struct reader *r, struct yaml *map, int depth, struct err *err)
{
    struct yaml **end = &map->first;

    for (;;) {
        yaml_event_t event;
        struct yaml *key = NULL;

        if (!next_event(r, &event, err))
            return false;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        if (!read_value(r, &event, depth, &key, err))
            return false;
        if (key->kind != YAML_SCALAR)
            return err_set(err, ERR_INVALID, "%d:%d: expected a name, found %s", key->line,
                           key->column, yaml_kind_name(key->kind));
        struct yaml *before = yaml_get(map, key->text);
        if (before)
            return err_set(err, ERR_INVALID,
                           "%d:%d: \"" STR_FMT "\" stands twice, first in line %d", key->line,
                           key->column, STR_ARG(key->text), before->key_line);
        if (!next_event(r, &event, err) || !read_value(r, &event, depth, end, err))
            return false;
        (*end)->key = key->text;
        (*end)->key_line = key->line;
        (*end)->key_column = key->column;
        end = &(*end)->next;
    }
}

static bool read_scalar(struct reader *r, yaml_event_t *event, struct yaml **out, struct err *err)
{
    struct yaml *node = new_node(r, YAML_SCALAR, event->start_mark, err);

    if (!node)
        return false;
    node->text = arena_str(
        r->arena, (struct str){(const char *)event->data.scalar.value, event->data.scalar.length});
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (!node->text.ptr)
        return err_arena(err, r->arena);
    *out = node;
    return true;
}

/* Takes the event over. */
static bool read_value(struct reader *r, yaml_event_t *event, int depth, struct yaml **out,
                       struct err *err)
{
    yaml_event_t CLEANUP(yaml_event_delete) taken = *event;

    if (depth > YAML_DEPTH_MAX)
        return refuse(err, taken.start_mark, "nested deeper than a settings file may be");
    switch (taken.type) {
    case YAML_SCALAR_EVENT:
        if (taken.data.scalar.anchor || taken.data.scalar.tag)
            return refuse(err, taken.start_mark,
                          "anchors and tags are not used here: write the value itself");
        return read_scalar(r, &taken, out, err);
    case YAML_SEQUENCE_START_EVENT:
        if (taken.data.sequence_start.anchor || taken.data.sequence_start.tag)
            return refuse(err, taken.start_mark,
                          "anchors and tags are not used here: write the list itself");
        *out = new_node(r, YAML_LIST, taken.start_mark, err);
        return *out && read_list(r, *out, depth + 1, err);
    case YAML_MAPPING_START_EVENT:
        if (taken.data.mapping_start.anchor || taken.data.mapping_start.tag)
            return refuse(err, taken.start_mark,
                          "anchors and tags are not used here: write the map itself");
        *out = new_node(r, YAML_MAP, taken.start_mark, err);
        return *out && read_map(r, *out, depth + 1, err);
    case YAML_ALIAS_EVENT:
        return refuse(err, taken.start_mark, "aliases are not used here: write the value itself");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: break;
    }
    return refuse(err, taken.start_mark, "expected a value");
}

static bool read_document(struct reader *r, struct yaml **out, struct err *err)
{
    int documents = 0;

    for (;;) {
        yaml_event_t event;

        if (!next_event(r, &event, err))
            return false;
        switch (event.type) {
        case YAML_STREAM_END_EVENT: yaml_event_delete(&event); return true;
        case YAML_DOCUMENT_START_EVENT:
            if (++documents > 1) {
                yaml_mark_t mark = event.start_mark;
                yaml_event_delete(&event);
                return refuse(err, mark, "a second document begins: one file, one document");
            }
            yaml_event_delete(&event);
            break;
        case YAML_SCALAR_EVENT:
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
        case YAML_ALIAS_EVENT:
            if (!read_value(r, &event, 0, out, err))
                return false;
            break;
        case YAML_NO_EVENT:
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT: yaml_event_delete(&event); break;
        }
    }
}

bool yaml_parse(struct arena *arena, struct str text, struct yaml **out, struct err *err)
{
    struct reader r = {.arena = arena};
    struct yaml *root = NULL;

    if (text.len > YAML_BYTES_MAX)
        return err_set(err, ERR_TOO_LARGE, " the file has %zu bytes, at most %zu are read",
                       text.len, YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&r.parser))
        return err_no_room(err, " no memory for the YAML reader");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.ptr, text.len);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    bool ok = read_document(&r, &root, err);
    yaml_parser_delete(&r.parser);
    if (ok)
        *out = root;
    return ok;
}
