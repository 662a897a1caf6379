/* bench/rig.c: the two ends of a measurement, cheap enough not to be what is measured: plain epoll and
 * callbacks, none of Weir's code, so that a mistake of ours cannot hide in both.
 *
 *   rig provider PORT
 *     POST <prefix>/chat/completions, where the prefix names the answer:
 *       /json    1 KB of chat completion             /large   the same to a prompt of any size
 *       /burst   role, 31 pieces, finish, [DONE], one write each, without delay
 *       /paced   a piece each 50 ms, PIECES (default 100) of them, with the sender's clock inside
 *       /hold    one piece, then silence until the client leaves
 *   rig load HOST:PORT PATH KEY MODEL CONNECTIONS SECONDS PROMPT_BYTES [stream|hold]
 *     A closed loop on keep-alive connections; prints one line of JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE (256 * 1024)
#define FDS_MAX   200000
#define PACE_MS   50
#define EVENTS    512

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void raise_limits(void)
{
    struct rlimit limit = {FDS_MAX, FDS_MAX};

    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
}

static void watch(int loop, int fd, uint32_t what, void *ptr)
{
    struct epoll_event event = {.events = what, .data.ptr = ptr};

    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void no_delay(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- provider ---- */

enum mode { JSON, BURST, PACED, HOLD };

struct peer {
    int fd;
    enum mode mode;
    size_t head_len, want, have; /* of the request in progress */
    char head[4096];
    int piece;         /* paced: sent so far */
    struct peer *next; /* paced: in the same slot of the wheel */
};

static char json_reply[2048], burst_reply[16384];
static size_t json_len, burst_at[64];
static int burst_pieces, paced_pieces = 100;
static struct peer
    *wheel[PACE_MS]; /* a slot a millisecond: streams keep the phase they began with */
static int64_t wheel_ms;

static size_t put_chunk(char *to, const char *text)
{
    size_t len = strlen(text);

    return (size_t)sprintf(to, "%zx\r\n%s\r\n", len, text);
}

static void make_replies(void)
{
    char text[1024], body[1600];
    char words[800] = "";

    for (int i = 0; i < 130; i++)
        strcat(words, "hello ");
    int len = sprintf(
        body,
        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\","
        "\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":35,\"total_tokens\":60}}",
        words);
    json_len = (size_t)sprintf(
        json_reply,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len,
        body);

    char *at = burst_reply;
    at += sprintf(
        at,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 34; i++) {
        const char *delta = i == 0    ? "{\"role\":\"assistant\",\"content\":\"\"}"
                            : i <= 31 ? "{\"content\":\"word15 \"}"
                                      : "{}";

        sprintf(text,
                "data: "
                "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,"
                "\"model\":\"m\",\"choices\":[{\"index\":0,"
                "\"delta\":%s,\"finish_reason\":%s}]}\n\n",
                delta, i == 32 ? "\"stop\"" : "null");
        at += put_chunk(at, i == 33 ? "data: [DONE]\n\n" : text);
        if (i == 33)
            at += sprintf(at, "0\r\n\r\n");
        burst_at[burst_pieces++] = (size_t)(at - burst_reply);
    }
}

static void send_all(struct peer *p, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(p->fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* small answers fit the socket's buffer; who does not read them is not measured */
        bytes += n;
        len -= (size_t)n;
    }
}

static void send_paced(struct peer *p)
{
    char text[512], chunk[600];
    bool last = ++p->piece >= paced_pieces;

    sprintf(text,
            "data: "
            "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":"
            "\"m\",\"choices\":[{\"index\":0,"
            "\"delta\":{\"content\":\"word \"},\"finish_reason\":%s}],\"t\":%lld}\n\n",
            last ? "\"stop\"" : "null", (long long)now_ns());
    size_t len = put_chunk(chunk, text);
    send_all(p, chunk, len);
    if (last) {
        len = put_chunk(chunk, "data: [DONE]\n\n");
        len += (size_t)sprintf(chunk + len, "0\r\n\r\n");
        send_all(p, chunk, len);
    }
}

static void answer(struct peer *p)
{
    static const char stream_head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    switch (p->mode) {
    case JSON: send_all(p, json_reply, json_len); break;
    case BURST:
        for (size_t i = 0, from = 0; i < (size_t)burst_pieces; from = burst_at[i++])
            send_all(p, burst_reply + from, burst_at[i] - from);
        break;
    case PACED:
    case HOLD:
        send_all(p, stream_head, sizeof stream_head - 1);
        p->piece = 0;
        if (p->mode == HOLD) {
            send_paced(p);
            break;
        }
        p->next = wheel[wheel_ms % PACE_MS];
        wheel[wheel_ms % PACE_MS] = p;
        break;
    }
}

static void turn_wheel(void)
{
    int64_t until = now_ns() / 1000000;

    for (; wheel_ms < until; wheel_ms++)
        for (struct peer **at = &wheel[(wheel_ms + 1) % PACE_MS]; *at;) {
            struct peer *p = *at;

            if (p->fd < 0) {
                *at = p->next;
                free(p);
                continue;
            }
            send_paced(p);
            if (p->piece >= paced_pieces)
                *at = p->next, p->next = NULL;
            else
                at = &p->next;
        }
}

static bool is_paced(const struct peer *p)
{
    return p->mode == PACED && p->piece > 0 && p->piece < paced_pieces;
}

static void drop(struct peer *p)
{
    bool in_wheel = false;

    close(p->fd);
    p->fd = -1;
    for (int i = 0; i < PACE_MS && !in_wheel && p->mode == PACED; i++)
        for (struct peer *at = wheel[i]; at; at = at->next)
            in_wheel |= at == p;
    if (!in_wheel && !is_paced(p))
        free(p);
}

static void begin_body(struct peer *p, char *end)
{
    char *length = strcasestr(p->head, "content-length:");
    size_t head = (size_t)(end + 4 - p->head);

    p->want = length ? strtoul(length + 15, NULL, 10) : 0;
    p->have = p->head_len - head;
    p->mode = strstr(p->head, "/burst/")   ? BURST
              : strstr(p->head, "/paced/") ? PACED
              : strstr(p->head, "/hold/")  ? HOLD
                                           : JSON;
}

static void provider_read(struct peer *p, char *room)
{
    for (;;) {
        ssize_t n = recv(p->fd, room, READ_SIZE, 0);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            drop(p);
            return;
        }
        size_t rest = (size_t)n;
        if (p->want == 0) {
            size_t take =
                rest < sizeof p->head - 1 - p->head_len ? rest : sizeof p->head - 1 - p->head_len;

            memcpy(p->head + p->head_len, room, take);
            p->head_len += take;
            p->head[p->head_len] = 0;
            char *end = strstr(p->head, "\r\n\r\n");
            if (!end)
                continue;
            begin_body(p, end);
            p->have += rest - take;
        } else {
            p->have += rest;
        }
        if (p->have >= p->want) {
            p->want = p->have = p->head_len = 0;
            answer(p);
        }
    }
}

static void provider(int port)
{
    int on = 1, loop = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct itimerspec each = {{0, 1000000}, {0, 1000000}};
    struct epoll_event events[EVENTS];
    char *room = malloc(READ_SIZE);

    make_replies();
    if (getenv("PIECES"))
        paced_pieces = atoi(getenv("PIECES"));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4096) != 0)
        die("listen");
    timerfd_settime(timer, 0, &each, NULL);
    watch(loop, listener, EPOLLIN, &listener);
    watch(loop, timer, EPOLLIN, &timer);
    wheel_ms = now_ns() / 1000000;
    for (;;) {
        int n = epoll_wait(loop, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &timer) {
                uint64_t ticks;

                (void)!read(timer, &ticks, sizeof ticks);
                turn_wheel();
            } else if (events[i].data.ptr == &listener) {
                for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                    struct peer *p = calloc(1, sizeof *p);

                    p->fd = fd;
                    no_delay(fd);
                    watch(loop, fd, EPOLLIN | EPOLLET | EPOLLRDHUP, p);
                }
            } else {
                provider_read(events[i].data.ptr, room);
            }
        }
    }
}

/* ---- load ---- */

struct conn {
    int fd;
    int64_t sent_at;
    int64_t length; /* content length, -1: chunked */
    size_t have;
    bool in_body;
    char tail[8]; /* last bytes of a chunked body: its end is 0 CR LF CR LF */
};

static struct {
    char *request;
    size_t request_len;
    int64_t *took, *delay;
    size_t took_count, delay_count, count_max;
    uint64_t requests, events, errors, connects;
    bool stream, hold;
} load;

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double percentile(int64_t *values, size_t count, double part)
{
    if (count == 0)
        return 0;
    return (double)values[(size_t)((double)(count - 1) * part)] / 1000.0;
}

static void keep(int64_t *values, size_t *count, int64_t value)
{
    if (*count < load.count_max)
        values[(*count)++] = value;
}

static void ask(struct conn *c)
{
    size_t done = 0;

    c->sent_at = now_ns();
    c->have = 0;
    c->in_body = false;
    while (done < load.request_len) {
        ssize_t n = send(c->fd, load.request + done, load.request_len - done, MSG_NOSIGNAL);

        if (n > 0) {
            done += (size_t)n;
        } else {
            return;
        }
    }
}

static void open_conn(struct conn *c, const struct sockaddr_in *to, int loop)
{
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)to, sizeof *to) != 0)
        die("connect");
    no_delay(c->fd);
    load.connects++;
    watch(loop, c->fd, EPOLLIN, c);
    ask(c);
}

static void count_events(const char *bytes, size_t len)
{
    const char *end = bytes + len;
    int64_t now = 0;

    for (const char *at = bytes; (at = memmem(at, (size_t)(end - at), "data: ", 6)); at += 6) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *sent = memmem(at, (size_t)((stop ? stop : end) - at), "\"t\":", 4);

        load.events++;
        if (sent && stop) {
            now = now ? now : now_ns();
            keep(load.delay, &load.delay_count, now - strtoll(sent + 4, NULL, 10));
        }
    }
}

static void finish(struct conn *c)
{
    keep(load.took, &load.took_count, now_ns() - c->sent_at);
    load.requests++;
    ask(c);
}

static void parse_head(struct conn *c, char *bytes, size_t *len)
{
    char *end = memmem(bytes, *len, "\r\n\r\n", 4);

    if (!end)
        return; /* heads come whole here; a cut one counts as an error below */
    end[2] = 0;
    char *length = strcasestr(bytes, "content-length:");
    c->length = length ? strtoll(length + 15, NULL, 10) : -1;
    if (strncmp(bytes, "HTTP/1.1 200", 12) != 0)
        load.errors++;
    size_t head = (size_t)(end + 4 - bytes);
    memmove(bytes, bytes + head, *len - head);
    *len -= head;
    c->in_body = true;
    memset(c->tail, 0, sizeof c->tail);
}

static void load_read(struct conn *c, char *room, int loop, const struct sockaddr_in *to)
{
    ssize_t n = recv(c->fd, room, READ_SIZE - 1, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        load.errors++;
        close(c->fd);
        open_conn(c, to, loop);
        return;
    }
    size_t len = (size_t)n;
    room[len] = 0;
    if (!c->in_body)
        parse_head(c, room, &len);
    if (!c->in_body)
        return;
    c->have += len;
    if (load.stream || load.hold)
        count_events(room, len);
    if (c->length >= 0) {
        if (c->have >= (size_t)c->length)
            finish(c);
        return;
    }
    size_t keep_len = len < 5 ? len : 5;
    memmove(c->tail, c->tail + keep_len, 5 - keep_len);
    memcpy(c->tail + 5 - keep_len, room + len - keep_len, keep_len);
    if (memcmp(c->tail, "0\r\n\r\n", 5) == 0)
        finish(c);
}

static void make_request(const char *host, const char *path, const char *key, const char *model,
                         size_t prompt)
{
    char *body = malloc(prompt + 1024), *text = malloc(prompt + 1);

    for (size_t i = 0; i < prompt; i++)
        text[i] = "Say hello for a benchmark test. "[i % 32];
    text[prompt] = 0;
    int len = sprintf(
        body,
        "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
        model, load.stream || load.hold ? "true" : "false", text);
    load.request = malloc((size_t)len + 1024);
    load.request_len = (size_t)sprintf(load.request,
                                       "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer "
                                       "%s\r\nContent-Type: application/json\r\n"
                                       "Content-Length: %d\r\n\r\n%s",
                                       path, host, key, len, body);
    free(body);
    free(text);
}

static int run_load(char **a, int argc)
{
    char host[64];
    int connections = atoi(a[4]);
    double seconds = atof(a[5]);
    struct epoll_event events[EVENTS];
    int loop = epoll_create1(0);
    char *room = malloc(READ_SIZE), *colon;
    struct conn *conns = calloc((size_t)connections, sizeof *conns);

    load.stream = argc > 7 && strcmp(a[7], "stream") == 0;
    load.hold = argc > 7 && strcmp(a[7], "hold") == 0;
    load.count_max = 20u << 20;
    load.took = malloc(load.count_max * sizeof *load.took);
    load.delay = malloc(load.count_max * sizeof *load.delay);
    snprintf(host, sizeof host, "%s", a[0]);
    make_request(host, a[1], a[2], a[3], strtoul(a[6], NULL, 10));
    colon = strchr(host, ':');
    *colon = 0;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    inet_pton(AF_INET, host, &to.sin_addr);
    int64_t begun = now_ns(), until = begun + (int64_t)(seconds * 1e9);
    int opened = 0;
    while (now_ns() < until) {
        /* Open in small steps, so that the listener's queue holds. */
        for (int i = 0; i < 50 && opened < connections; i++)
            open_conn(&conns[opened++], &to, loop);
        int n = epoll_wait(loop, events, EVENTS, opened < connections ? 0 : 100);

        for (int i = 0; i < n; i++)
            load_read(events[i].data.ptr, room, loop, &to);
    }
    double took = (double)(now_ns() - begun) / 1e9;
    qsort(load.took, load.took_count, sizeof *load.took, compare);
    qsort(load.delay, load.delay_count, sizeof *load.delay, compare);
    printf("{\"requests\":%llu,\"events\":%llu,\"errors\":%llu,\"seconds\":%.3f,\"per_second\":%."
           "0f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"delay_p50_us\":%.1f,\"delay_p99_us\":%.1f,\"connections\":%d}\n",
           (unsigned long long)load.requests, (unsigned long long)load.events,
           (unsigned long long)load.errors, took, (double)load.requests / took,
           percentile(load.took, load.took_count, 0.5),
           percentile(load.took, load.took_count, 0.99),
           percentile(load.delay, load.delay_count, 0.5),
           percentile(load.delay, load.delay_count, 0.99), connections);
    return 0;
}

int main(int argc, char **argv)
{
    raise_limits();
    if (argc == 3 && strcmp(argv[1], "provider") == 0)
        provider(atoi(argv[2]));
    if (argc >= 9 && strcmp(argv[1], "load") == 0)
        return run_load(argv + 2, argc - 2);
    fprintf(stderr, "usage: rig provider PORT | rig load HOST:PORT PATH KEY MODEL CONNECTIONS "
                    "SECONDS PROMPT_BYTES [stream|hold]\n");
    return 2;
}
