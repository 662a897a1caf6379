/* models/members.h: members of objects that strangers wrote, each with its place in every error.
 * A place is a chain on the stack: nothing is written out unless it is wrong.
 *   struct at at = {up, "source", 0};            messages.2.content.0.source
 *   member_text(r, object, &at, &text, err)      the member "source" of object
 * Absent and null are the same: the output stays as it was. */
#ifndef WEIR_MODELS_MEMBERS_H
#define WEIR_MODELS_MEMBERS_H

#include "models/dialect.h"

struct at {
    const struct at *up; /* NULL: the top of the body */
    const char *key;     /* NULL: an element */
    size_t index;
};

json_ref member(const struct json *j, json_ref object, const char *key); /* 0: absent or null */
/* ERR_INVALID "messages.2.role: expected a string". */
COLD bool at_error(const struct at *at, const char *expected, struct err *err);
COLD bool at_expected(const struct at *at, const char *what, struct err *err); /* "…: expected …" */
struct str at_text(struct arena *arena, const struct at *at); /* ptr NULL: no memory */

bool member_text(const struct field_reader *r, json_ref object, const struct at *at,
                 struct str *out, struct err *err) MUST_CHECK;
bool member_text_needed(const struct field_reader *r, json_ref object, const struct at *at,
                        struct str *out, struct err *err) MUST_CHECK;
/* -1 stays where it is absent. */
bool member_flag(const struct field_reader *r, json_ref object, const struct at *at, int *out,
                 struct err *err) MUST_CHECK;
/* The bytes of a value of this kind. */
bool member_raw(const struct field_reader *r, json_ref object, const struct at *at,
                enum json_kind kind, struct str *out, struct err *err) MUST_CHECK;
/* Whether the string member is this word; no decoding. */
bool member_is(const struct json *j, json_ref object, const char *key, struct str word);
bool member_is_known(const char *const *known, struct str key); /* known: a list ended by NULL */
/* All members that `known` (a list ended by NULL) does not name, as a raw object; nothing: empty. */
bool members_unknown(const struct field_reader *r, json_ref object, const char *const *known,
                     struct str *out, struct err *err) MUST_CHECK;
/* The same of a field of the top, to be named where the field is told in other words: conversation.inside. */
bool members_inside(struct field_reader *r, json_ref object, const char *const *known,
                    const char *field, struct err *err) MUST_CHECK;
/* The same of an object anywhere, where no writer has a place for it, its own dialect's neither. */
bool members_lost(struct field_reader *r, json_ref object, const char *const *known,
                  const struct at *at, struct err *err) MUST_CHECK;
/* The members of a raw object that members_unknown() made, into one that is being written. */
void members_write(struct json_writer *w, struct str extra);
/* Fields of the top that no table knows, as they came. */
void extras_write(struct json_writer *w, const struct extra *extras);

/* JSON text of an object, whatever a model wrote as arguments: nothing is {}, and what is no object is
 * kept as {"INVALID_JSON": "..."}. */
bool arguments_object(struct arena *arena, struct str arguments, struct str *out, struct err *err)
    MUST_CHECK;
/* Text of any kind of dialect, built in the arena. */
#define MADE_BYTES_MAX (256 * MIB) /* requests are bounded by the arena; this only by reason */

/* ---- building a conversation: as turn_add() and part_add(), with the error said ---- */

struct turn *member_turn(const struct field_reader *r, struct turn ***end, enum turn_role role,
                         const struct at *at, struct err *err) MUST_CHECK;
struct part *member_part(const struct field_reader *r, struct part ***end, enum part_kind kind,
                         struct err *err) MUST_CHECK;
struct tool *member_tool(const struct field_reader *r, struct tool ***end, struct err *err)
    MUST_CHECK;

#endif
