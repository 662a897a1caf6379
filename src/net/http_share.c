/* What the servers of several loops count together. The kernel deals clients to loops by chance: a share of the limit for each
 * loop would refuse some long before the limit, and a limit for each would be many times what was said. */
#include <stdatomic.h>
#include <string.h>

#include "base/pages.h"
#include "net/http_server_internal.h"
#include "sys/mutex.h"

#define CALLERS_MAX 65536

/* Who calls, when connections per address are limited. */
struct http_caller {
    uint32_t connections;
    size_t len;
    char text[ADDR_TEXT_MAX];
};

struct http_share {
    size_t bytes; /* of this */
    atomic_uint connections;
    struct mutex lock; /* guards all below */
    struct stock callers;
    struct table by_addr; /* peer address without port -> struct http_caller */
};

bool http_share_new(struct http_share **out, struct err *err)
{
    size_t bytes;
    struct http_share *s = pages_take(sizeof *s, &bytes);

    if (!s)
        return err_no_room(err, "no memory for a server");
    memset(s, 0, sizeof *s);
    s->bytes = bytes;
    mutex_init(&s->lock);
    s->callers.size = sizeof(struct http_caller);
    table_init(&s->by_addr, NULL, CALLERS_MAX);
    *out = s;
    return true;
}

void http_share_free(struct http_share **share)
{
    struct http_share *s = *share;

    if (!s)
        return;
    ASSERT(s->connections == 0 && s->callers.live == 0);
    table_done(&s->by_addr);
    mutex_done(&s->lock);
    pages_give(s, s->bytes);
    *share = NULL;
}

bool http_share_take(struct http_share *s, uint32_t most)
{
    if (atomic_fetch_add(&s->connections, 1) < most)
        return true;
    atomic_fetch_sub(&s->connections, 1);
    return false;
}

void http_share_give(struct http_share *s)
{
    atomic_fetch_sub(&s->connections, 1);
}

/* With the lock held; NULL when memory is gone. */
static struct http_caller *find_or_add(struct http_share *s, struct str addr)
{
    struct http_caller *caller = table_get(&s->by_addr, addr);

    if (caller)
        return caller;
    caller = stock_take(&s->callers);
    if (!caller)
        return NULL;
    memcpy(caller->text, addr.ptr, addr.len);
    caller->len = addr.len;
    if (table_put(&s->by_addr, (struct str){caller->text, caller->len}, caller, NULL))
        return caller;
    stock_give(&s->callers, caller);
    return NULL;
}

struct http_caller *http_share_count(struct http_share *s, struct str addr, uint32_t most)
{
    mutex_lock(&s->lock);
    struct http_caller *caller = find_or_add(s, addr);

    if (caller && caller->connections >= most)
        caller = NULL;
    if (caller)
        caller->connections++;
    mutex_unlock(&s->lock);
    return caller;
}

void http_share_forget(struct http_share *s, struct http_caller *caller)
{
    mutex_lock(&s->lock);
    if (--caller->connections == 0) {
        table_remove(&s->by_addr, (struct str){caller->text, caller->len});
        stock_give(&s->callers, caller);
    }
    mutex_unlock(&s->lock);
}
