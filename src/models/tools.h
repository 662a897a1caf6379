/* models/tools.h: calls and results of tools, for dialects that want them otherwise than they were said:
 * objects where a client has text, names where it has ids. */
#ifndef WEIR_MODELS_TOOLS_H
#define WEIR_MODELS_TOOLS_H

#include "base/table.h"
#include "models/dialect.h"

/* A JSON object: the text itself where it is one ("{}" for an empty text), else {"key":"text"}. */
bool object_from_text(struct arena *arena, struct str text, const char *key, struct str *out,
                      struct err *err) MUST_CHECK;
bool text_is_object(struct arena *arena, struct str text); /* valid JSON, an object */
/* The texts of the parts, a line each. */
bool parts_text(struct arena *arena, const struct part *parts, struct str *out, struct err *err)
    MUST_CHECK;

/* The functions that were called, by the calls' ids: results in some dialects say only the id. */
#define CALLS_MAX 65536 /* in one conversation */
struct call_names {
    struct table by_id;
};
bool call_names_read(struct arena *arena, const struct conversation *in, struct call_names *out,
                     struct err *err) MUST_CHECK;
/* ERR_INVALID names the turn: no call has this id. */
bool call_name(const struct call_names *names, const struct turn *turn, const struct part *result,
               struct str *out, struct err *err) MUST_CHECK;

/* "messages.2.content.1", for errors and losses; STR_NONE when memory is gone. */
struct str part_path(struct arena *arena, struct losses *losses, const struct turn *turn,
                     const struct part *part);
/* Note the loss of a part, with what of it ("" for all). */
bool part_loss(struct arena *arena, const struct turn *turn, const struct part *part,
               const char *member, const char *why, struct losses *losses, struct err *err)
    MUST_CHECK;

/* A provider's own tool in the words of `to`, where that has an equal: a search of the web, code that is run there.
 * *out is NULL where it has none: noted, as options without a place are. builtin_tools.c */
bool builtin_tool(struct arena *arena, const struct tool *tool, size_t at, const struct dialect *to,
                  struct losses *losses, struct str *out, struct err *err) MUST_CHECK;

/* What is chosen was left out: that it must be called cannot be told. */
bool tool_choice_is_lost(const struct conversation *in, struct losses *losses, struct err *err)
    MUST_CHECK;
/* Of CHOOSE_NAMED: no tool of a provider's own, which goes by another name or is left out. */
bool tool_choice_is_a_function(const struct conversation *in);

/* May it be one that runs code? Anthropic wants to be told in the head. */
bool builtin_may_run_code(const struct tool *tool);
bool builtin_may_search(const struct tool *tool);

/* Where a part of a tool's result stands: "messages.2.content.1.content.0"; "input.2.output.0" of Responses. */
struct str inner_path(struct arena *arena, struct str result, size_t at);

/* *out: `in`, or a copy whose parts that are words to everybody are text, where `to` knows them not (words.c). */
bool words_fit(struct arena *arena, const struct conversation *in, const struct dialect *to,
               const struct conversation **out, struct err *err) MUST_CHECK;

/* What of it no writer of the dialect `to` looks at, noted (leftovers.c). */
bool leftovers_note(struct arena *arena, const struct conversation *in, const struct dialect *to,
                    struct losses *losses, struct err *err) MUST_CHECK;

/* Walk the strings of asked->inputs (ASK_EMBEDDING): one string or an array of strings. Token arrays are
 * ERR_INVALID: only the model's own tokenizer knows their text. */
bool inputs_read(struct arena *arena, const struct conversation *asked, struct str **texts,
                 size_t *count, struct err *err) MUST_CHECK;

/* A name in a path, its %XX undone; ERR_INVALID: one is broken. */
bool path_decode(struct arena *arena, struct str s, struct str *out, struct err *err) MUST_CHECK;

/* "application/pdf" by the ending of a name or url; empty when it says nothing. */
struct str media_type_guess(struct str name);

#endif
