/* What finding a route costs among a thousand: docs/performance.md. */
#include <stdio.h>

#include "base/log.h"
#include "models/route.h"
#include "sys/clock.h"

#define ROWS  1000
#define FINDS 2000000

static struct route_table *make(struct arena *arena, bool by_tenant)
{
    static struct route_text rows[ROWS];
    struct route_table *table = NULL;
    struct err err = {0};

    for (int i = 0; i < ROWS; i++)
        rows[i] = (struct route_text){
            .name = arena_fmt(arena, "row %d", i),
            .models = by_tenant ? STR("chat") : arena_fmt(arena, "model-%d", i),
            .tenants = by_tenant ? arena_fmt(arena, "tenant-%d", i) : STR(""),
            .use = STR("a"),
        };
    if (!route_table_read(arena, rows, ROWS, NULL, &table, &err))
        printf("# %s\n", err.text);
    return table;
}

static void measure(struct arena *arena, bool by_tenant)
{
    struct route_table *table = make(arena, by_tenant);
    struct route_ask asks[64];
    size_t found = 0;

    for (int i = 0; i < 64; i++)
        asks[i] = (struct route_ask){
            .values = {by_tenant ? STR("chat") : arena_fmt(arena, "model-%d", i * 15),
                       arena_fmt(arena, "tenant-%d", i * 15)}};
    mono_ns start = clock_mono();
    for (int i = 0; i < FINDS; i++)
        found += route_find(table, &asks[i % 64]) != NULL;
    printf("%s: %.0f ns a find of %d rows, %zu found\n", by_tenant ? "by tenant" : "by model",
           (double)(clock_mono() - start) / FINDS, ROWS, found);
}

int main(void)
{
    struct arena *arena CLEANUP(arena_end) = arena_new(256 * MIB);

    measure(arena, false);
    measure(arena, true);
    return 0;
}
