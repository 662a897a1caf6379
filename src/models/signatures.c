/* Signatures go back to the house that made them, never to another. */
#include "models/dialect.h"
#include "models/tools.h"

#define ELSEWHERE "it was signed by another provider, which alone can read it"

/* Claude's are good in every cloud. In the chat dialect Google signs calls, and blocks of thought are
 * Anthropic's. */
enum signer dialect_signer(const struct dialect *dialect, bool of_call)
{
    if (dialect == &dialect_anthropic || dialect == &dialect_bedrock)
        return SIGNER_ANTHROPIC;
    if (dialect && str_eq(str_from(dialect->name), STR("gemini")))
        return SIGNER_GEMINI;
    if (dialect == &dialect_responses)
        return SIGNER_OPENAI;
    return of_call ? SIGNER_GEMINI : SIGNER_ANTHROPIC;
}

static const char *const marks[] = {[SIGNER_ANTHROPIC] = SIGNED_MARK "anthropic:",
                                    [SIGNER_GEMINI] = SIGNED_MARK "gemini:",
                                    [SIGNER_OPENAI] = SIGNED_MARK "openai:"};

bool signature_mark(struct arena *arena, const struct dialect *made, const struct dialect *client,
                    bool of_call, struct str *signature, struct err *err)
{
    enum signer by = dialect_signer(made, of_call);

    if (!made || !signature->len || by == dialect_signer(client, of_call))
        return true;
    *signature = arena_fmt(arena, "%s" STR_FMT, marks[by], STR_ARG(*signature));
    return signature->ptr || err_arena(err, arena);
}

/* Whose it is, and what it is without our mark. */
static enum signer read_mark(struct str *signature, enum signer usual)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        struct str mark = str_from(marks[i]);

        if (!str_starts(*signature, mark))
            continue;
        *signature = str_slice(*signature, mark.len, signature->len);
        return (enum signer)i;
    }
    return usual;
}

struct fitting {
    struct arena *arena;
    const struct conversation *in;
    const struct dialect *to;
    struct losses *losses;
};

static bool is_own(const struct fitting *f, enum signer by, bool of_call)
{
    if (f->to == &dialect_openai && !of_call) /* it has no field for signed thoughts */
        return false;
    return by == dialect_signer(f->to, of_call);
}

static bool is_signed(const struct part *p)
{
    return p->signature.len || (p->kind == PART_REASONING && p->is_redacted);
}

/* Nothing to do is the usual case: found without a copy. */
static bool all_fit(const struct fitting *f)
{
    for (const struct turn *t = f->in->turns; t; t = t->next)
        for (const struct part *p = t->parts; p; p = p->next) {
            bool of_call = p->kind == PART_TOOL_CALL;
            struct str signature = p->signature;
            enum signer by = dialect_signer(f->in->spoken, of_call);

            if (!is_signed(p))
                continue;
            if (p->is_redacted)
                by = SIGNER_ANTHROPIC; /* nobody else makes them */
            if (!is_own(f, read_mark(&signature, by), of_call) || signature.len != p->signature.len)
                return false;
        }
    return true;
}

/* *keep: the part as it may be sent; false there: it may not. */
static bool fit_part(const struct fitting *f, const struct part *was, const struct turn *turn,
                     struct part *part, bool *keep, struct err *err)
{
    bool of_call = part->kind == PART_TOOL_CALL;
    enum signer by = dialect_signer(f->in->spoken, of_call);

    *keep = true;
    if (!is_signed(part))
        return true;
    if (part->is_redacted) {
        *keep = is_own(f, SIGNER_ANTHROPIC, false);
        return *keep || part_loss(f->arena, turn, was, "", ELSEWHERE, f->losses, err);
    }
    if (is_own(f, read_mark(&part->signature, by), of_call))
        return true;
    if (!part_loss(f->arena, turn, was, "signature", ELSEWHERE, f->losses, err))
        return false;
    /* A signature alone is nothing now, and Claude takes back no thought without one. */
    *keep = part->kind != PART_REASONING ||
            (part->text.len && dialect_signer(f->to, false) != SIGNER_ANTHROPIC) ||
            f->to == &dialect_openai;
    part->signature = STR_NONE;
    return true;
}

/* Paths of losses are counted in the client's own turn. */
static bool fit_turn(void *ctx, const struct turn *from, struct turn *to, struct err *err)
{
    const struct fitting *f = ctx;
    struct part **end = &to->parts;

    *end = NULL;
    for (const struct part *p = from->parts; p; p = p->next) {
        struct part *copy = arena_alloc(f->arena, sizeof *copy);
        bool keep;

        if (!copy)
            return err_arena(err, f->arena);
        *copy = *p;
        copy->next = NULL;
        if (is_signed(p) && !fit_part(f, p, from, copy, &keep, err))
            return false;
        if (is_signed(p) && !keep)
            continue;
        *end = copy;
        end = &copy->next;
    }
    return true;
}

bool signatures_fit(struct arena *arena, const struct conversation *in, const struct dialect *to,
                    struct losses *losses, const struct conversation **out, struct err *err)
{
    struct fitting f = {arena, in, to, losses};

    *out = all_fit(&f) ? in : conversation_rewrite(arena, in, fit_turn, &f, err);
    return *out != NULL;
}
