/* docs/dialects.md, made from the tables of fields. */
#include "models/dialect.h"

static const char *const kinds[] = {
    [FIELD_BOOL] = "true or false",    [FIELD_TRI] = "true or false", [FIELD_INT] = "integer",
    [FIELD_NUMBER] = "number",         [FIELD_TEXT] = "text",         [FIELD_RAW] = "JSON",
    [FIELD_OWN] = "by its own reader", [FIELD_EXTRA] = "JSON, kept",  [FIELD_IGNORED] = "not used",
};

static const struct {
    const char *dialect, *title, *clients;
} titles[] = {
    {"openai", "OpenAI chat completions", "POST /v1/chat/completions"},
    {"completions", "OpenAI completions", "POST /v1/completions"},
    {"embeddings", "OpenAI embeddings", "POST /v1/embeddings"},
    {"rerank", "Rerank (Cohere, Jina)", "POST /v1/rerank"},
    {"moderation", "OpenAI moderations", "POST /v1/moderations"},
    {"responses", "OpenAI Responses", "POST /v1/responses"},
    {"anthropic", "Anthropic Messages", "POST /v1/messages"},
    {"gemini", "Gemini", "POST /v1beta/models/NAME:generateContent, :streamGenerateContent"},
    {"bedrock", "Bedrock Converse", "POST /model/NAME/converse, /model/NAME/converse-stream"},
};

static void write_range(struct buf *out, const struct field *f)
{
    if ((f->kind == FIELD_INT || f->kind == FIELD_NUMBER) && (f->min != 0 || f->max != 0))
        buf_fmt(out, ", %g to %g", f->min, f->max);
}

static void write_row(struct buf *out, const struct field *f)
{
    buf_fmt(out, "| `%s` | %s", f->name, kinds[f->kind]);
    write_range(out, f);
    buf_str(out, STR(" | "));
    for (const char *at = f->help ? f->help : ""; *at; at++) {
        if (*at == '|')
            buf_char(out, '\\');
        buf_char(out, *at);
    }
    buf_str(out, STR(" |\n"));
}

static void write_dialect(struct buf *out, const struct dialect *d)
{
    const char *title = d->name, *clients = "";

    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (str_eq(str_from(titles[i].dialect), str_from(d->name))) {
            title = titles[i].title;
            clients = titles[i].clients;
        }
    buf_fmt(out, "\n## %s\n\n", title);
    if (d->read_request && *clients)
        buf_fmt(out, "Clients ask at `%s`. ", clients);
    buf_str(out, d->write_request ? STR("Providers are asked in it.\n")
                                  : STR("Providers are asked in another dialect.\n"));
    if (!d->field_count)
        return;
    buf_str(out, STR("\n| field | what it takes | meaning |\n|---|---|---|\n"));
    for (size_t i = 0; i < d->field_count; i++)
        write_row(out, &d->fields[i]);
}

void dialects_docs(struct buf *out)
{
    const struct dialect *d;

    buf_str(
        out,
        STR("# Dialects\n\nMade by `make docs` from the tables that read and write them.\n\n"
            "Every client dialect reaches every provider. Where both sides speak the same, the "
            "body passes "
            "as\n"
            "it came but for `model`, `weir` and `stream_options`, and so does the answer. Else a "
            "request is\n"
            "read by the client's table into one form and written from it by\n"
            "the provider's; a field of the wrong kind or range is refused with 400 and its name.\n"
            "What the provider has no place for is left out and named in the reply (header\n"
            "`x-weir-dropped`, member `weir.dropped`), or refused, as the provider's setting\n"
            "`unsupported` says. So is what an answer says and the client's dialect has no place "
            "for\n"
            "(`x-weir-reply-dropped`, `weir.reply_dropped`). Fields that no table knows, and those "
            "marked \"kept\", pass "
            "within one\n"
            "family (chat, completions, embeddings and Responses are one) and are named "
            "elsewhere.\n"));
    for (size_t i = 0; (d = dialect_at(i)); i++)
        write_dialect(out, d);
}
