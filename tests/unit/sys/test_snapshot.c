#include <pthread.h>
#include <stdatomic.h>

#include "sys/snapshot.h"
#include "test.h"

/* Objects come from a table, so that the test needs no heap and sees what was freed. */
enum { OBJECTS = 5000, READERS = 3 };
struct object {
    int number, twin; /* equal in every object that is whole */
    atomic_int freed;
};
static struct object objects[OBJECTS];
static atomic_bool publishing;

static void free_object(void *object)
{
    struct object *o = object;

    o->twin = -1;
    o->freed++;
}

static struct object *make(int number)
{
    objects[number].number = objects[number].twin = number;
    objects[number].freed = 0;
    return &objects[number];
}

TEST(a_reader_keeps_what_it_borrowed)
{
    struct snapshot *s = snapshot_new(free_object);
    void *first, *second, *none;

    REQUIRE(s);
    EXPECT(snapshot_borrow(s, &none) == NULL && snapshot_version(s) == 0);
    snapshot_release(&none);
    snapshot_publish(s, make(1));
    const struct object *one = snapshot_borrow(s, &first);
    snapshot_publish(s, make(2));
    const struct object *two = snapshot_borrow(s, &second);
    EXPECT(one->number == 1 && two->number == 2 && snapshot_version(s) == 2);
    EXPECT(objects[1].freed == 0);
    snapshot_release(&first);
    EXPECT(first == NULL && objects[1].freed == 1, "the last reader frees an old one");
    snapshot_release(&first);
    snapshot_release(&second);
    EXPECT(objects[2].freed == 0, "the newest stays");
    snapshot_free(&s);
    EXPECT(objects[2].freed == 1 && s == NULL);
    snapshot_free(&s);
}

/* Long streams hold the settings they began with, and a script may change a model hundreds of times meanwhile. */
TEST(as_many_versions_are_held_as_readers_hold)
{
    enum { HELD = 3000 };
    static void *held[HELD];
    struct snapshot *s = snapshot_new(free_object);
    long bad = 0;

    REQUIRE(s);
    for (int i = 0; i < HELD; i++) {
        snapshot_publish(s, make(i));
        bad += ((const struct object *)snapshot_borrow(s, &held[i]))->number != i;
    }
    for (int i = 0; i < HELD; i += 2)
        snapshot_release(&held[i]);
    for (int i = 0; i < HELD - 1; i++)
        bad += objects[i].freed != (i % 2 == 0);
    EXPECT(bad == 0, "%ld are not what was borrowed, or freed too early or too late", bad);
    for (int i = 1; i < HELD; i += 2)
        snapshot_release(&held[i]);
    snapshot_free(&s);
    for (int i = 0; i < HELD; i++)
        EXPECT(objects[i].freed == 1, "object %d was freed %d times", i, objects[i].freed);
}

static void *read_on(void *arg)
{
    struct snapshot *s = arg;
    long bad = 0;
    int last = 0;

    while (publishing) {
        void *held[3];
        const struct object *o[3];

        for (int i = 0; i < 3; i++)
            o[i] = snapshot_borrow(s, &held[i]);
        for (int i = 0; i < 3; i++) {
            bad += o[i]->number != o[i]->twin || o[i]->freed != 0 || o[i]->number < last;
            last = o[i]->number;
        }
        for (int i = 0; i < 3; i++)
            snapshot_release(&held[i]);
    }
    return (void *)bad;
}

TEST(many_readers_one_publisher)
{
    struct snapshot *s = snapshot_new(free_object);
    pthread_t readers[READERS];

    REQUIRE(s);
    publishing = true;
    snapshot_publish(s, make(0));
    for (int i = 0; i < READERS; i++)
        EXPECT(pthread_create(&readers[i], NULL, read_on, s) == 0);
    for (int i = 1; i < OBJECTS; i++)
        snapshot_publish(s, make(i));
    publishing = false;
    for (int i = 0; i < READERS; i++) {
        void *bad;
        pthread_join(readers[i], &bad);
        EXPECT(bad == NULL, "%ld torn or freed objects seen", (long)bad);
    }
    for (int i = 0; i < OBJECTS - 1; i++)
        EXPECT(objects[i].freed == 1, "object %d was freed %d times", i, objects[i].freed);
    snapshot_free(&s);
    EXPECT(objects[OBJECTS - 1].freed == 1);
}
