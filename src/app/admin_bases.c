/* /api/v1/knowledge: the knowledge bases themselves. */
#include "app/admin_bases.h"

#include "app/admin_fields.h"
#include "app/admin_forget.h"

static const struct schema_field base_fields[] = {
    {"id", FIELD_TEXT, 0, "Never given again.", 0, 0, NULL, NULL},
    {"name", FIELD_TEXT, 0, "By which it is asked: model weir/NAME.", 0, 0, NULL, NULL},
    {"title", FIELD_PROSE, FIELD_NULL, NULL, 0, 0, NULL, NULL},
    {"tenant", FIELD_TEXT, FIELD_NULL, "Whose; null: everyone's.", 0, 0, NULL, NULL},
    {"documents", FIELD_COUNT, FIELD_NULL,
     "That who asks may read. Null: not known before it is asked, or to be counted one by one.", 0,
     0, NULL, NULL},
    {"damage", FIELD_PROSE, FIELD_NULL, "What is wrong with it.", 0, 0, NULL, NULL},
    {"created", FIELD_TIME, FIELD_NULL, "Null: of the default one.", 0, 0, NULL, NULL},
    {0},
};
static const struct schema base_schema = {"KnowledgeBase", "Documents that are asked together.",
                                          base_fields, NULL};

static const struct schema_field create_fields[] = {
    {"name", FIELD_TEXT, 0, "a to z, 0 to 9, and behind the first \".\", \"_\" and \"-\".", 1,
     BASE_NAME_MAX, NULL, NULL},
    {"title", FIELD_PROSE, FIELD_OPTIONAL, NULL, 0, BASE_TITLE_MAX, NULL, NULL},
    {"tenant", FIELD_TEXT, FIELD_OPTIONAL, "Whose; one's own when not said.", 1, 64, NULL, NULL},
    {"shared", FIELD_BOOL, FIELD_OPTIONAL, "Everyone's; operators alone make such.", 0, 0, NULL,
     NULL},
    {0},
};
static const struct schema create_schema = {"KnowledgeBaseCreate", "A knowledge base to make.",
                                            create_fields, NULL};

static const struct schema_field change_fields[] = {
    {"title", FIELD_PROSE, 0, NULL, 0, BASE_TITLE_MAX, NULL, NULL},
    {0},
};
static const struct schema change_schema = {"KnowledgeBaseChange", "What is to be said of it.",
                                            change_fields, NULL};

/* ---- for all handlers ---- */

bool call_base(struct admin_call *call, struct str name, bool change, struct base **out,
               struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct base_info info;

    if (!bases_borrow(call->house->bases, name, call->who, &base, err) ||
        !base_info(base, call->arena, &info, err))
        return false;
    if (change && !base_may_change(&info, call->who))
        return err_set(err, ERR_DENIED,
                       "key " STR_FMT " may not change knowledge base \"" STR_FMT "\"",
                       STR_ARG(call->who->key_id), STR_ARG(info.name));
    *out = base;
    base = NULL;
    return true;
}

bool call_base_read(struct admin_call *call, struct str name, bool text, struct base **out,
                    struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct base_info info;

    if (!bases_borrow(call->house->bases, name, call->who, &base, err) ||
        !base_info(base, call->arena, &info, err))
        return false;
    if ((text || !base_may_change(&info, call->who)) && !base_may_be_asked(base, call->who, err))
        return false;
    *out = base;
    base = NULL;
    return true;
}

bool call_base_intake(struct admin_call *call, struct str name, struct base **out, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct base_info info;

    if (!bases_borrow(call->house->bases, name, call->who, &base, err) ||
        !base_info(base, call->arena, &info, err))
        return false;
    if (!base_may_change(&info, call->who))
        return err_set(err, ERR_DENIED,
                       "key " STR_FMT " may not see what comes into knowledge base \"" STR_FMT
                       "\": that names documents it may not read; who may change the base sees it",
                       STR_ARG(call->who->key_id), STR_ARG(info.name));
    *out = base;
    base = NULL;
    return true;
}

const struct principal *call_reader(const struct admin_call *call, const struct base_info *info)
{
    return base_may_change(info, call->who) ? NULL : call->who;
}

/* ---- handlers ---- */

static void text_or_null(struct json_writer *w, const char *key, struct str text)
{
    jw_key(w, key);
    if (text.len > 0)
        jw_str(w, text);
    else
        jw_null(w);
}

/* documents: -1 for unknown. */
static void write_base(struct json_writer *w, const struct base_info *info, int64_t documents)
{
    jw_object(w);
    reply_text(w, "id", info->id);
    reply_text(w, "name", info->name);
    text_or_null(w, "title", info->title);
    text_or_null(w, "tenant", info->tenant);
    jw_key(w, "documents");
    if (documents >= 0)
        jw_i64(w, documents);
    else
        jw_null(w);
    text_or_null(w, "damage", str_from(info->damage));
    reply_time(w, "created", info->created);
    jw_object_end(w);
}

/* Listed without opening any: one that was never asked costs nothing. */
static bool list(struct admin_call *call, struct err *err)
{
    struct base_info *bases;
    struct page page;
    size_t count;

    if (!bases_list(call->house->bases, call->arena, call->who, &bases, &count, err) ||
        !page_begin(call, &page, err))
        return false;
    for (size_t i = 1; i < count; i++) /* pages go by id */
        for (size_t k = i; k > 0 && str_cmp(bases[k].id, bases[k - 1].id) < 0; k--) {
            struct base_info swap = bases[k];

            bases[k] = bases[k - 1];
            bases[k - 1] = swap;
        }
    for (size_t i = 0; i < count && !page_is_full(&page); i++)
        if (page_wants(&page, bases[i].id))
            write_base(&call->reply, &bases[i],
                       base_may_change(&bases[i], call->who) ? bases[i].documents : -1);
    page_end(call, &page);
    return true;
}

/* What one may not read is not counted either. */
static SUSPENDS bool count_readable(struct admin_call *call, struct base *base,
                                    const struct base_info *info, int64_t *out, struct err *err)
{
    struct document_info *list;
    size_t count = 0;

    *out = info->documents;
    if (base_may_change(info, call->who) || info->documents <= 0 || info->damage)
        return true;
    if (!knowledge_list(base_knowledge(base), call->arena, call->who, &list, &count, err))
        return false;
    *out = (int64_t)count;
    return true;
}

static bool show(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct base_info info;
    int64_t documents;

    if (!call_base(call, call->values[0], false, &base, err) ||
        !base_info(base, call->arena, &info, err) ||
        !count_readable(call, base, &info, &documents, err))
        return false;
    write_base(&call->reply, &info, documents);
    return true;
}

/* Whose it is to be: one's own unless operators say otherwise. */
static bool read_owner(struct admin_call *call, struct str *tenant, struct err *err)
{
    bool shared = false, rules = principal_may(call->who, RIGHT_CHANGE);
    struct str said = call->who->tenant;
    struct unit_info unit;
    struct err missing = {0};

    field_bool(call, "shared", &shared);
    if (shared && !rules)
        return field_wrong(call, "shared", err, "only operators make bases of everyone's");
    if (!field_text(call, "tenant", &said, err))
        return false;
    if (!rules && !str_eq(said, call->who->tenant))
        return field_wrong(call, "tenant", err, "only operators make bases of others");
    if (shared && field_given(call, "tenant"))
        return field_wrong(call, "shared", err, "it belongs to a tenant or to everyone");
    if (!str_eq(said, call->who->tenant) &&
        (!unit_find(call->house->accounts, said, call->arena, &unit, &missing) || unit.is_team))
        return field_wrong(call, "tenant", err, "there is no tenant \"" STR_FMT "\"",
                           STR_ARG(said));
    *tenant = shared ? STR("") : said;
    return true;
}

static bool create(struct admin_call *call, struct err *err)
{
    struct base_info wish = {.title = STR("")}, made;

    if (!field_text(call, "name", &wish.name, err) ||
        !field_text(call, "title", &wish.title, err) || !read_owner(call, &wish.tenant, err))
        return false;
    if (bases_has_name(call->house->bases, wish.name, wish.tenant))
        return admin_fail(call, 409, "conflict", err,
                          "there is a knowledge base called \"" STR_FMT "\"", STR_ARG(wish.name));
    if (!bases_create(call->house->bases, call->arena, &wish, &made, err))
        return err->code == ERR_INVALID && field_wrong(call, "name", err, "%s", err->text);
    call->note = arena_fmt(call->arena, "knowledge base " STR_FMT " (" STR_FMT ") created",
                           STR_ARG(made.name), STR_ARG(made.id));
    write_base(&call->reply, &made, made.documents);
    return true;
}

static bool change(struct admin_call *call, struct err *err)
{
    struct base *base CLEANUP(base_release) = NULL;
    struct str title = STR("");
    struct base_info info;

    if (!field_text(call, "title", &title, err) ||
        !call_base(call, call->values[0], true, &base, err) ||
        !base_change(base, &(struct base_changes){.title = title}, err) ||
        !base_info(base, call->arena, &info, err))
        return false;
    call->note =
        arena_fmt(call->arena, "knowledge base " STR_FMT ": title set", STR_ARG(info.name));
    write_base(&call->reply, &info, info.documents);
    return true;
}

static bool delete_base(struct admin_call *call, struct err *err)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(FORGET_MEMORY);
    struct base *base CLEANUP(base_release) = NULL;
    struct forget_order order = {.whole = true};
    struct forget_told told;
    struct base_info info;

    if (!arena)
        return err_no_room(err, "no memory to delete a knowledge base");
    if (!call_base(call, call->values[0], true, &base, err) ||
        !base_info(base, call->arena, &info, err))
        return false;
    if (info.is_default)
        return admin_fail(call, 409, "conflict", err,
                          "the default knowledge base stays: `weir forget` empties it");
    base_release(&base); /* who deletes it waits until nobody is in it */
    order.base = info.id;
    if (!house_forget(call->house, arena, &order, &told, err))
        return false;
    reply_receipt(call, &order, &told);
    call->note = arena_fmt(call->arena, "knowledge base " STR_FMT " deleted: " STR_FMT,
                           STR_ARG(info.name), STR_ARG(call->note));
    return true;
}

static const struct admin_route routes[] = {
    {"GET", "/api/v1/knowledge", "List the knowledge bases", RIGHT_LOOK, list, NULL, &base_schema,
     0, true, NULL, NULL},
    {"POST", "/api/v1/knowledge", "Make a knowledge base", RIGHT_BASES, create, &create_schema,
     &base_schema, 201, false, NULL, NULL},
    {"GET", "/api/v1/knowledge/{base}", "Show a knowledge base", RIGHT_LOOK, show, NULL,
     &base_schema, 0, false, NULL, NULL},
    {"PATCH", "/api/v1/knowledge/{base}", "Change what is said of a knowledge base", RIGHT_BASES,
     change, &change_schema, &base_schema, 0, false, NULL, NULL},
    {"DELETE", "/api/v1/knowledge/{base}", "Delete a knowledge base with all that is in it",
     RIGHT_BASES, delete_base, NULL, &receipt_schema, 0, false, NULL, NULL},
};
const struct admin_part admin_bases_part = {
    "bases", "Knowledge bases: documents that are asked together, of a tenant or of all.", routes,
    ARRAY_LEN(routes)};
