/* models/habits.h: what servers of the OpenAI dialect do otherwise than it says, by the provider's kind
 * (one table in habits.c) and by the shape of what they send.
 * Never silent  what changes the meaning of a question is refused or told; what only has another name is
 *               renamed. docs/providers.md lists each habit. */
#ifndef WEIR_MODELS_HABITS_H
#define WEIR_MODELS_HABITS_H

#include "models/models.h"

/* Where requests of this deployment go: Azure's deployments stand in the path, with a version. Others:
 * the path as it is. */
bool habits_path(struct arena *arena, const struct model *model, struct str path, struct str *out,
                 struct err *err) MUST_CHECK;

/* What a spliced body needs beside its usual edits. */
void habits_of_request(const struct model *model, const struct chat_request *request,
                       struct chat_habits *out);
/* The same for a body that is written: how this kind of server turns reasoning on and off. */
void habits_write_thinking(struct json_writer *w, const struct conversation *in,
                           const struct model *to);
/* That the last turn is to be gone on with, to servers that want to be told. */
void habits_write_going_on(struct json_writer *w, const struct conversation *in,
                           const struct model *to);
/* It writes a number of tokens to think with. */
bool habits_takes_budget(const struct model *model);

/* What is looked at of an answer, or of an event of one, in one pass: 0 what is absent or null. */
struct habits_reply {
    json_ref id, object, model, choices, usage, error, error_code, error_msg, message, data, code,
        type, timings, x_groq;
};
void habits_reply_read(const struct json *j, json_ref root, struct habits_reply *out);

/* An error that came with a good status, in whichever of the shapes: {"error":...}, Baidu's error_code and
 * error_msg, DashScope's code and message, {"object":"error"}. */
struct habits_failure {
    json_ref message, type; /* strings, or 0 */
};
bool habits_failure_read(const struct json *j, const struct habits_reply *reply,
                         struct habits_failure *out);

/* "usage" under all its names; llama.cpp's timings where there is none. false: nothing is told, and *out
 * stays as it was. */
bool habits_usage_read(const struct json *j, const struct habits_reply *reply, struct usage *out);

/* Ollama cuts prompts that do not fit its window (num_ctx) and says nothing: far fewer tokens were read
 * than the text can have. body: the client's. */
bool habits_prompt_was_cut(const struct model *model, struct str body, size_t prompt_bytes,
                           const struct usage *usage);

#endif
