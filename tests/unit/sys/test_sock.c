#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/loop.h"
#include "sys/sock.h"
#include "test.h"

/* ---- addresses ---- */

static const struct {
    const char *name, *text, *want; /* want NULL: refused */
} addr_cases[] = {
    {"v4", "127.0.0.1:8080", "127.0.0.1:8080"},
    {"any port", "0.0.0.0:0", "0.0.0.0:0"},
    {"v6", "[::1]:80", "[::1]:80"},
    {"v6 is made canonical", "[0:0:0:0:0:0:0:1]:080", "[::1]:80"},
    {"unix", "unix:/run/weir.sock", "unix:/run/weir.sock"},
    {"unix with colon", "unix:/run/a:b", "unix:/run/a:b"},
    {"highest port", "10.0.0.1:65535", "10.0.0.1:65535"},
    {"port too high", "10.0.0.1:65536", NULL},
    {"port far too high", "10.0.0.1:4294967376", NULL},
    {"no port", "127.0.0.1", NULL},
    {"empty port", "127.0.0.1:", NULL},
    {"signed port", "127.0.0.1:+80", NULL},
    {"no host", ":80", NULL},
    {"a name", "localhost:80", NULL},
    {"v6 without brackets", "::1:80", NULL},
    {"half a bracket", "[::1:80", NULL},
    {"empty brackets", "[]:80", NULL},
    {"v4 in brackets", "[127.0.0.1]:80", NULL},
    {"short v4", "127.1:80", NULL},
    {"empty", "", NULL},
    {"unix without path", "unix:", NULL},
    {"path of 108 bytes",
     "unix:/"
     "3456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "1234567890123456789",
     NULL},
};

TEST(addr_parse)
{
    for (size_t i = 0; i < ARRAY_LEN(addr_cases); i++) {
        struct err err = {0};
        struct addr got = {"?"};
        bool ok = addr_parse(str_from(addr_cases[i].text), &got, &err);

        EXPECT(ok == (addr_cases[i].want != NULL), "%s: %s", addr_cases[i].name, err.text);
        EXPECT(strcmp(got.text, ok && addr_cases[i].want ? addr_cases[i].want : "?") == 0, "%s: %s",
               addr_cases[i].name, got.text);
    }
}

/* ---- a pair of connected sockets ---- */

struct pair {
    struct listener *listener;
    struct sock *a, *b; /* b was accepted */
};

static bool pair_open_at(struct pair *p, const char *at)
{
    struct err err = {0};
    struct addr addr;

    *p = (struct pair){0};
    if (addr_parse(str_from(at), &addr, &err) && sock_listen(&addr, NULL, &p->listener, &err)) {
        struct addr real = listener_addr(p->listener);
        if (sock_connect(&real, &p->a, &err) && sock_accept(p->listener, &p->b, &err))
            return true;
    }
    EXPECT(false, "%s", err.text);
    return false;
}

static bool pair_open(struct pair *p)
{
    return pair_open_at(p, "127.0.0.1:0");
}

static void pair_close(struct pair *p)
{
    sock_close(&p->a);
    sock_close(&p->b);
    listener_close(&p->listener);
}

static bool send_text(struct sock *s, const char *text)
{
    struct err err = {0};
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

    return sock_write(s, &iov, 1, &err);
}

FIBER_TEST(bytes_go_both_ways)
{
    static const char *const places[] = {"127.0.0.1:0", "[::1]:0"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct err err = {0};
        struct pair p;
        char bytes[16];
        size_t got = 0;

        REQUIRE(pair_open_at(&p, places[i]));
        EXPECT(send_text(p.a, "ping"));
        EXPECT(sock_read(p.b, bytes, sizeof bytes, &got, &err) && got == 4, "%s", err.text);
        EXPECT(send_text(p.b, "pong!"));
        EXPECT(sock_read(p.a, bytes, sizeof bytes, &got, &err) && got == 5, "%s", err.text);
        EXPECT(memcmp(bytes, "pong!", 5) == 0);
        EXPECT(strcmp(sock_peer(p.a).text, listener_addr(p.listener).text) == 0);
        EXPECT(sock_peer_uid(p.a) == UINT32_MAX);
        sock_end_writing(p.a);
        EXPECT(sock_read(p.b, bytes, sizeof bytes, &got, &err) && got == 0, "the end");
        EXPECT(sock_read(p.b, bytes, sizeof bytes, &got, &err) && got == 0, "the end stays");
        pair_close(&p);
    }
}

FIBER_TEST(a_try_never_waits)
{
    struct err err = {0};
    struct pair p;
    char bytes[4];
    size_t got;

    REQUIRE(pair_open(&p));
    EXPECT(sock_try_read(p.b, bytes, sizeof bytes, &got, &err) == IO_AGAIN);
    EXPECT(send_text(p.a, "123456"));
    EXPECT(sock_wait_readable(p.b, &err));
    EXPECT(sock_try_read(p.b, bytes, sizeof bytes, &got, &err) == IO_DONE && got == 4);
    EXPECT(sock_try_read(p.b, bytes, sizeof bytes, &got, &err) == IO_DONE && got == 2);
    EXPECT(sock_try_read(p.b, bytes, sizeof bytes, &got, &err) == IO_AGAIN);
    sock_close(&p.a);
    EXPECT(sock_wait_readable(p.b, &err));
    EXPECT(sock_try_read(p.b, bytes, sizeof bytes, &got, &err) == IO_END);
    pair_close(&p);
}

FIBER_TEST(the_last_bytes_and_the_end_both_arrive)
{
    for (int i = 0; i < 50; i++) {
        struct err err = {0};
        struct pair p;
        char bytes[64];
        size_t got = 0;

        REQUIRE(pair_open(&p));
        EXPECT(send_text(p.a, "last words"));
        sock_close(&p.a);
        EXPECT(sock_read(p.b, bytes, sizeof bytes, &got, &err) && got == 10, "%zu", got);
        EXPECT(sock_read(p.b, bytes, sizeof bytes, &got, &err) && got == 0, "%zu", got);
        pair_close(&p);
    }
}

/* ---- large and many ---- */

#define LARGE ((size_t)3 * 1024 * 1024)
static unsigned char large[LARGE];

struct reading {
    struct sock *from;
    size_t total, bad;
};

static void read_all(void *arg)
{
    struct reading *r = arg;
    unsigned char bytes[3001];
    struct err err = {0};
    size_t got = 0;

    while (sock_read(r->from, bytes, sizeof bytes, &got, &err) && got > 0) {
        for (size_t i = 0; i < got; i++)
            r->bad += bytes[i] != large[(r->total + i) % LARGE];
        r->total += got;
    }
}

static void write_and_check(const char *at, int pieces)
{
    struct err err = {0};
    struct pair p;
    static struct iovec iov[2000];
    struct scope s;

    REQUIRE(pair_open_at(&p, at));
    struct reading r = {.from = p.b};
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (unsigned char)(i * 31 >> 3);
    for (int i = 0; i < pieces; i++) {
        size_t from = LARGE * (size_t)i / (size_t)pieces;
        iov[i] = (struct iovec){large + from, LARGE * (size_t)(i + 1) / (size_t)pieces - from};
    }
    scope_open(&s, 0);
    EXPECT(scope_spawn(&s, read_all, &r, &err));
    EXPECT(sock_write(p.a, iov, pieces, &err), "%s", err.text);
    sock_close(&p.a);
    EXPECT(scope_wait(&s, &err));
    scope_close(&s);
    EXPECT(r.total == LARGE && r.bad == 0, "%d pieces: %zu read, %zu bad", pieces, r.total, r.bad);
    pair_close(&p);
}

FIBER_TEST(a_long_list_is_written_whole_in_parts)
{
    static const int pieces[] = {1, 2, 7, 33, 1024, 1025, 2000};

    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        write_and_check("127.0.0.1:0", pieces[i]);
}

FIBER_TEST(nothing_to_write_is_written_at_once)
{
    struct err err = {0};
    struct pair p;
    struct iovec none[2] = {{"", 0}, {"", 0}};

    REQUIRE(pair_open(&p));
    EXPECT(sock_write(p.a, none, 0, &err) && sock_write(p.a, none, 2, &err), "%s", err.text);
    pair_close(&p);
}

/* ---- ending waits ---- */

FIBER_TEST(a_deadline_ends_waits_of_sockets)
{
    struct err err = {0};
    struct pair p;
    char bytes[8];
    size_t got;
    struct scope s;
    struct iovec iov = {large, LARGE};
    struct sock *other = NULL;

    REQUIRE(pair_open(&p));
    scope_open(&s, fiber_now() + MILLISECOND);
    EXPECT(!sock_read(p.a, bytes, sizeof bytes, &got, &err) && err.code == ERR_TIMEOUT);
    scope_close(&s);
    scope_open(&s, fiber_now() + MILLISECOND);
    EXPECT(!sock_accept(p.listener, &other, &err) && err.code == ERR_TIMEOUT && !other);
    scope_close(&s);
    scope_open(&s, fiber_now() + MILLISECOND);
    while (sock_write(p.a, &iov, 1, &err))
        ;
    EXPECT(err.code == ERR_TIMEOUT, "%s", err.text);
    EXPECT(!sock_connect(&(struct addr){"127.0.0.1:1"}, &other, &err) && err.code == ERR_TIMEOUT);
    scope_close(&s);
    pair_close(&p);
}

FIBER_TEST(connecting_to_nobody_is_unavailable)
{
    struct err err = {0};
    struct pair p;
    struct sock *s = NULL;

    REQUIRE(pair_open(&p));
    struct addr gone = listener_addr(p.listener);
    pair_close(&p);
    EXPECT(!sock_connect(&gone, &s, &err) && !s);
    EXPECT(err.code == ERR_UNAVAILABLE && err.sys == ECONNREFUSED, "%d %s", err.code, err.text);
    EXPECT(!sock_connect(&(struct addr){"nonsense"}, &s, &err) && err.code == ERR_INVALID);
    EXPECT(!sock_connect(&(struct addr){"unix:/nowhere/at/all"}, &s, &err) &&
           err.code == ERR_UNAVAILABLE);
}

FIBER_TEST(writing_to_one_who_left_fails_without_a_signal)
{
    struct err err = {0};
    struct pair p;
    struct iovec iov = {large, 100000};

    REQUIRE(pair_open(&p));
    sock_close(&p.b);
    while (sock_write(p.a, &iov, 1, &err))
        ;
    EXPECT(err.code == ERR_UNAVAILABLE && (err.sys == EPIPE || err.sys == ECONNRESET), "%s",
           err.text);
    pair_close(&p);
}

static void close_later(void *arg)
{
    struct err err = {0};

    EXPECT(fiber_sleep(MILLISECOND, &err));
    sock_close(arg);
}

static void half_close_later(void *arg)
{
    struct err err = {0};

    EXPECT(fiber_sleep(MILLISECOND, &err));
    sock_end_writing(*(struct sock **)arg);
}

FIBER_TEST(a_leaving_peer_cancels_the_scope)
{
    static fiber_fn *const ways[] = {close_later, half_close_later};

    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct err err = {0};
        struct pair p;
        struct scope s;

        REQUIRE(pair_open(&p));
        scope_open(&s, 0);
        sock_on_hangup(p.b, &s);
        EXPECT(fiber_spawn(ways[i], &p.a, &err));
        EXPECT(!fiber_sleep(10 * SECOND, &err) && err.code == ERR_CANCELLED, "%s", err.text);
        sock_on_hangup(p.b, NULL);
        scope_close(&s);
        scope_open(&s, 0);
        sock_on_hangup(p.b, &s);
        EXPECT(scope_is_over(&s), "one who has left already cancels at once");
        sock_on_hangup(p.b, NULL);
        scope_close(&s);
        pair_close(&p);
    }
}

/* ---- resting ---- */

static int rested;

static void wake_rested(void *arg)
{
    (void)arg;
    rested++;
}

/* The kernel may take its time under load: wait for what must come, do not count on a pause. */
static bool has_rested(int times)
{
    struct err err = {0};

    for (int i = 0; i < 5000 && rested < times; i++)
        EXPECT(fiber_sleep(MILLISECOND, &err));
    return rested == times;
}

FIBER_TEST(a_resting_socket_starts_a_fiber_at_the_first_byte)
{
    struct err err = {0};
    struct pair p;
    char bytes[3];
    size_t got;

    rested = 0;
    REQUIRE(pair_open(&p));
    EXPECT(sock_rest(p.b, wake_rested, NULL, &err));
    EXPECT(fiber_sleep(MILLISECOND, &err));
    EXPECT(rested == 0 && loop_stats(loop_self()).fibers == 1, "idle: no fiber");
    EXPECT(send_text(p.a, "abcdef"));
    EXPECT(has_rested(1), "%d", rested);
    EXPECT(fiber_sleep(MILLISECOND, &err));
    EXPECT(rested == 1, "one shot");
    EXPECT(sock_read(p.b, bytes, sizeof bytes, &got, &err) && got == 3);
    EXPECT(sock_rest(p.b, wake_rested, NULL, &err));
    EXPECT(has_rested(2), "bytes that are there already count");
    EXPECT(sock_read(p.b, bytes, sizeof bytes, &got, &err) && got == 3);
    EXPECT(sock_rest(p.b, wake_rested, NULL, &err));
    fiber_yield();
    EXPECT(rested == 2, "all was read, although the last read was full");
    sock_close(&p.a);
    EXPECT(has_rested(3), "the end counts too");
    pair_close(&p);
}

FIBER_TEST(a_rest_can_be_cancelled)
{
    struct err err = {0};
    struct pair p;

    rested = 0;
    REQUIRE(pair_open(&p));
    EXPECT(!sock_rest_cancel(p.b));
    EXPECT(sock_rest(p.b, wake_rested, NULL, &err));
    EXPECT(sock_rest_cancel(p.b));
    EXPECT(send_text(p.a, "x"));
    EXPECT(fiber_sleep(MILLISECOND, &err));
    EXPECT(rested == 0 && sock_wait_readable(p.b, &err));
    EXPECT(sock_rest(p.b, wake_rested, NULL, &err));
    EXPECT(!sock_rest_cancel(p.b), "its fiber is on the way");
    fiber_yield();
    EXPECT(rested == 1);
    pair_close(&p);
}

/* More than are begun in a turn: those in line count as begun, whoever ends their rest, and lose nothing. */
FIBER_TEST(many_that_wake_at_once_are_all_served)
{
    struct err err = {0};
    struct pair p[40];

    rested = 0;
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        REQUIRE(pair_open(&p[i]));
        EXPECT(sock_rest(p[i].b, wake_rested, NULL, &err));
    }
    fiber_yield();
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        EXPECT(send_text(p[i].a, "x"));
    fiber_yield();
    size_t undone = 0;
    for (size_t i = 0; i < ARRAY_LEN(p); i += 2)
        undone += sock_rest_cancel(p[i].b);
    EXPECT(has_rested((int)(ARRAY_LEN(p) - undone)), "%d", rested);
    EXPECT(fiber_sleep(MILLISECOND, &err));
    EXPECT(rested == (int)(ARRAY_LEN(p) - undone), "each once: %d", rested);
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        pair_close(&p[i]);
}

static void count_rested(void *arg)
{
    int *times = arg;

    (*times)++;
}

/* Some are closed while they stand in line: the others are served, each once. */
FIBER_TEST(one_in_line_can_be_closed)
{
    struct err err = {0};
    struct pair p[40];
    int woke[ARRAY_LEN(p)] = {0};

    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        REQUIRE(pair_open(&p[i]));
        EXPECT(sock_rest(p[i].b, count_rested, &woke[i], &err));
    }
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        EXPECT(send_text(p[i].a, "x"));
    fiber_yield();
    for (size_t i = 0; i < ARRAY_LEN(p); i += 2)
        sock_close(&p[i].b);
    for (size_t i = 1; i < ARRAY_LEN(p); i += 2) {
        for (int wait = 0; wait < 5000 && !woke[i]; wait++)
            EXPECT(fiber_sleep(MILLISECOND, &err));
        EXPECT(woke[i] == 1, "%zu: %d", i, woke[i]);
        EXPECT(woke[i - 1] <= 1, "%zu: %d", i - 1, woke[i - 1]);
    }
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        pair_close(&p[i]);
}

static struct pair left_over[40];
static int woke_of[ARRAY_LEN(left_over)];

static void take_down(void *value)
{
    (void)value;
    for (size_t i = 0; i < ARRAY_LEN(left_over); i++) {
        EXPECT(woke_of[i] || sock_rest_cancel(left_over[i].b), "%zu: nobody will run its fiber", i);
        pair_close(&left_over[i]);
    }
}

static void leave_with_many_in_line(void *slot)
{
    struct err err = {0};

    loop_slot_set(*(int *)slot, left_over);
    for (size_t i = 0; i < ARRAY_LEN(left_over); i++) {
        REQUIRE(pair_open(&left_over[i]));
        EXPECT(sock_rest(left_over[i].b, count_rested, &woke_of[i], &err));
    }
    fiber_yield();
    for (size_t i = 0; i < ARRAY_LEN(left_over); i++)
        EXPECT(send_text(left_over[i].a, "x"));
    fiber_yield();
}

/* As kept connections do when their server stops together with us. */
TEST(a_rest_can_be_cancelled_when_the_loop_has_ended)
{
    struct err err = {0};
    struct loop *loop = loop_new(NULL, &err);
    int slot = loop_slot_new(take_down);

    REQUIRE(loop);
    loop_run(loop, leave_with_many_in_line, &slot);
    loop_free(&loop);
}

static void wait_at_gate(void *arg)
{
    struct err err = {0};

    EXPECT(event_wait(arg, &err));
}

static void rest_in_a_full_loop(void *arg)
{
    struct event gate = {0};
    struct err err = {0};
    struct pair p;

    (void)arg;
    rested = 0;
    REQUIRE(pair_open(&p));
    EXPECT(sock_rest(p.b, wake_rested, NULL, &err));
    while (fiber_spawn(wait_at_gate, &gate, &err))
        ;
    EXPECT(send_text(p.a, "x"));
    EXPECT(fiber_sleep(2 * MILLISECOND, &err));
    EXPECT(rested == 0);
    event_set(&gate);
    EXPECT(has_rested(1), "started as soon as a fiber was free");
    pair_close(&p);
}

TEST(a_rest_waits_for_a_free_fiber)
{
    struct err err = {0};
    struct loop_options options = {.fibers_max = 4};
    struct loop *loop = loop_new(&options, &err);

    REQUIRE(loop);
    loop_run(loop, rest_in_a_full_loop, NULL);
    loop_free(&loop);
}

FIBER_TEST(alive_means_fit_for_reuse)
{
    struct err err = {0};
    struct pair p;
    char byte;
    size_t got;

    REQUIRE(pair_open(&p));
    EXPECT(sock_is_alive(p.a));
    EXPECT(send_text(p.b, "?"));
    EXPECT(sock_wait_readable(p.a, &err) && !sock_is_alive(p.a), "an unexpected byte");
    EXPECT(sock_read(p.a, &byte, 1, &got, &err));
    EXPECT(sock_is_alive(p.a), "drained by a full read");
    sock_close(&p.b);
    EXPECT(sock_wait_readable(p.a, &err) && !sock_is_alive(p.a), "left");
    pair_close(&p);
}

/* ---- accepting and Unix sockets ---- */

FIBER_TEST(many_clients_are_accepted)
{
    enum { CLIENTS = 200 };
    static struct sock *clients[CLIENTS], *served[CLIENTS];
    struct err err = {0};
    struct listener *l = NULL;

    REQUIRE(sock_listen(&(struct addr){"127.0.0.1:0"}, &(struct listen_options){.reuse_port = true},
                        &l, &err));
    struct addr at = listener_addr(l);
    for (int i = 0; i < CLIENTS; i++)
        EXPECT(sock_connect(&at, &clients[i], &err), "%s", err.text);
    for (int i = 0; i < CLIENTS; i++)
        EXPECT(sock_accept(l, &served[i], &err), "%s", err.text);
    EXPECT(loop_stats(loop_self()).socks == 2 * CLIENTS + 1);
    struct sock *other = NULL;
    EXPECT(!sock_listen(&(struct addr){"127.0.0.1:99999"}, NULL, &l, &err));
    EXPECT(!other);
    for (int i = 0; i < CLIENTS; i++) {
        sock_close(&clients[i]);
        sock_close(&served[i]);
    }
    listener_close(&l);
}

FIBER_TEST(a_unix_socket_knows_its_peer_and_replaces_a_stale_file)
{
    struct err err = {0};
    struct addr at = {{0}};
    struct stat info;
    struct pair p;
    struct listener *second = NULL;
    char aside[160];

    snprintf(at.text, sizeof at.text, "unix:%s/s", test_dir());
    const char *path = at.text + strlen("unix:");
    REQUIRE(pair_open_at(&p, at.text));
    EXPECT(sock_peer_uid(p.b) == getuid() && sock_peer_uid(p.a) == getuid());
    if (sock_fd(p.b) < 0) { /* the simulator's Unix sockets have no files */
        pair_close(&p);
        return;
    }
    EXPECT(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600, "%o", info.st_mode);
    EXPECT(!sock_listen(&at, NULL, &second, &err) && err.sys == EADDRINUSE, "%s", err.text);
    snprintf(aside, sizeof aside, "%s.aside", path);
    EXPECT(link(path, aside) == 0);
    pair_close(&p); /* removes the path, the other name stays */
    EXPECT(rename(aside, path) == 0, "a file behind which nobody listens any more");
    EXPECT(sock_listen(&at, &(struct listen_options){.mode = 0666}, &second, &err), "%s", err.text);
    EXPECT(stat(path, &info) == 0 && (info.st_mode & 0777) == 0666, "%o", info.st_mode);
    listener_close(&second);
    EXPECT(stat(path, &info) != 0, "removed");
}

/* To connect to a file that is no socket is refused, too: only what is one was left by a process. */
FIBER_TEST(a_file_in_the_place_of_a_socket_is_not_removed)
{
    struct listener *l = NULL;
    struct err err = {0};
    struct addr at;
    struct stat info;

    snprintf(at.text, sizeof at.text, "unix:%s/precious", test_dir());
    const char *path = at.text + strlen("unix:");
    REQUIRE(sock_listen(&at, NULL, &l, &err), "%s", err.text);
    bool has_files = stat(path, &info) == 0; /* the simulator's Unix sockets have none */
    listener_close(&l);
    if (!has_files)
        return;
    FILE *f = fopen(path, "w");
    REQUIRE(f && fputs("what nobody has twice\n", f) > 0 && fclose(f) == 0);
    EXPECT(!sock_listen(&at, NULL, &l, &err) && strstr(err.text, "precious"), "%s", err.text);
    EXPECT(stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 22);
    listener_close(&l);
}

FIBER_TEST(unix_sockets_carry_long_lists_too)
{
    char at[128];

    snprintf(at, sizeof at, "unix:%s/s", test_dir());
    write_and_check(at, 33);
}
