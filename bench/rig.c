/* bench/rig.c: the two ends of a measurement, cheap enough not to be what is measured: plain epoll and
 * callbacks, none of Weir's code, so that a mistake of ours cannot hide in both.
 *
 *   rig provider PORT
 *     POST <prefix>/chat/completions, where the prefix names the answer:
 *       /json    1 KB of chat completion             /large   the same to a prompt of any size
 *       /words   31 words, about 180 bytes, in one piece
 *       /burst   role, 31 pieces, finish, [DONE], one write each, without delay
 *       the last two also to <prefix>/messages and <prefix>/responses, as those dialects answer
 *       /paced   a piece each 50 ms, PIECES (default 100) of them, with the sender's clock inside
 *       /hold    one piece, then silence until the client leaves
 *   rig load HOST:PORT PATH KEY MODEL CONNECTIONS SECONDS PROMPT_BYTES [stream|hold]
 *     A closed loop on keep-alive connections; prints one line of JSON. The request is of the dialect that PATH
 *     ends in. UNIQUE=1: each request differs in eight characters of its prompt, also from
 *     those of other runs, so that no cache knows it.
 *   rig sink PORT
 *     Takes whatever is posted, and says 200.
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

enum mode { JSON, WORDS, BURST, PACED, HOLD, SINK };
enum dialect { CHAT, MESSAGES, RESPONSES, DIALECTS };

struct peer {
    int fd;
    enum mode mode;
    enum dialect dialect;
    size_t head_len, want, have; /* of the request in progress */
    char head[4096];
    int piece;         /* paced: sent so far */
    struct peer *next; /* paced: in the same slot of the wheel */
};

struct reply { /* written in pieces that end at at[] */
    char bytes[32768];
    size_t len, at[64];
    int pieces;
};

static struct reply json_reply, words[DIALECTS], burst[DIALECTS];
static int paced_pieces = 100;
static bool is_sink;
static struct peer
    *wheel[PACE_MS]; /* a slot a millisecond: streams keep the phase they began with */
static int64_t wheel_ms;

static size_t put_chunk(char *to, const char *text)
{
    size_t len = strlen(text);

    return (size_t)sprintf(to, "%zx\r\n%s\r\n", len, text);
}

static void put_piece(struct reply *r, const char *bytes, size_t len)
{
    memcpy(r->bytes + r->len, bytes, len);
    r->len += len;
    r->at[r->pieces++] = r->len;
}

static void put_whole(struct reply *r, const char *body)
{
    char text[4096];

    put_piece(r, text,
              (size_t)sprintf(text,
                              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                              "Content-Length: %zu\r\n\r\n%s",
                              strlen(body), body));
}

static void begin_events(struct reply *r)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    memcpy(r->bytes, head, r->len = sizeof head - 1);
}

/* name NULL: an event of the chat dialect, which has none. */
static void put_event(struct reply *r, const char *name, const char *data)
{
    char text[2048], chunk[2100];

    if (name)
        sprintf(text, "event: %s\ndata: {\"type\":\"%s\",%s}\n\n", name, name, data);
    else
        sprintf(text, "data: %s\n\n", data);
    put_piece(r, chunk, put_chunk(chunk, text));
}

static void end_events(struct reply *r)
{
    memcpy(r->bytes + r->len, "0\r\n\r\n", 5);
    r->at[r->pieces - 1] = r->len += 5;
}

#define PIECE  "word15 "
#define PIECES 31

static void make_chat(const char *said, struct reply *to)
{
    char body[2048];

    sprintf(body,
            "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\","
            "\"choices\":[{\"index\":0,"
            "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
            "\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":35,\"total_tokens\":60}}",
            said);
    put_whole(to, body);
}

static void make_chat_events(struct reply *r)
{
    char text[1024];

    begin_events(r);
    for (int i = 0; i < PIECES + 2; i++) {
        sprintf(text,
                "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,"
                "\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%s}]}",
                i == 0        ? "{\"role\":\"assistant\",\"content\":\"\"}"
                : i <= PIECES ? "{\"content\":\"" PIECE "\"}"
                              : "{}",
                i > PIECES ? "\"stop\"" : "null");
        put_event(r, NULL, text);
    }
    put_event(r, NULL, "[DONE]");
    end_events(r);
}

static void make_messages(const char *said, struct reply *whole, struct reply *r)
{
    char body[2048];

    sprintf(body,
            "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\","
            "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\","
            "\"stop_sequence\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":35}}",
            said);
    put_whole(whole, body);
    begin_events(r);
    put_event(r, "message_start",
              "\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
              "\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
              "\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}");
    put_event(r, "content_block_start",
              "\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
    for (int i = 0; i < PIECES; i++)
        put_event(r, "content_block_delta",
                  "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" PIECE "\"}");
    put_event(r, "content_block_stop", "\"index\":0");
    put_event(r, "message_delta",
              "\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
              "\"usage\":{\"output_tokens\":35}");
    put_event(r, "message_stop", "\"index\":0");
    end_events(r);
}

static const char *response(char *to, const char *status, const char *output)
{
    sprintf(to,
            "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"%s\","
            "\"model\":\"m\",\"output\":[%s],\"usage\":{\"input_tokens\":25,"
            "\"output_tokens\":35,\"total_tokens\":60}}",
            status, output);
    return to;
}

static void make_responses(const char *said, struct reply *whole, struct reply *r)
{
    char item[1024], body[1500], text[1800];

    sprintf(item,
            "{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"completed\",\"role\":"
            "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"%s\","
            "\"annotations\":[]}]}",
            said);
    put_whole(whole, response(body, "completed", item));
    begin_events(r);
    sprintf(text, "\"response\":%s", response(body, "in_progress", ""));
    put_event(r, "response.created", text);
    put_event(r, "response.output_item.added",
              "\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"status\":"
              "\"in_progress\",\"role\":\"assistant\",\"content\":[]}");
    put_event(r, "response.content_part.added",
              "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,"
              "\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}");
    for (int i = 0; i < PIECES; i++)
        put_event(r, "response.output_text.delta",
                  "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,"
                  "\"delta\":\"" PIECE "\"");
    sprintf(text, "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"text\":\"%s\"",
            said);
    put_event(r, "response.output_text.done", text);
    sprintf(text, "\"output_index\":0,\"item\":%s", item);
    put_event(r, "response.output_item.done", text);
    sprintf(text, "\"response\":%s", response(body, "completed", item));
    put_event(r, "response.completed", text);
    end_events(r);
}

static void make_replies(void)
{
    char hello[1000] = "", said[400] = "";

    for (int i = 0; i < 130; i++)
        strcat(hello, "hello ");
    for (int i = 0; i < PIECES; i++)
        strcat(said, i + 1 < PIECES ? "hello " : "hello");
    make_chat(hello, &json_reply);
    make_chat(said, &words[CHAT]);
    make_chat_events(&burst[CHAT]);
    make_messages(said, &words[MESSAGES], &burst[MESSAGES]);
    make_responses(said, &words[RESPONSES], &burst[RESPONSES]);
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

static void send_pieces(struct peer *p, const struct reply *r)
{
    size_t from = 0;

    for (int i = 0; i < r->pieces; from = r->at[i++])
        send_all(p, r->bytes + from, r->at[i] - from);
}

static void answer(struct peer *p)
{
    static const char none[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char stream_head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    switch (p->mode) {
    case SINK: send_all(p, none, sizeof none - 1); break;
    case JSON: send_pieces(p, &json_reply); break;
    case WORDS: send_pieces(p, &words[p->dialect]); break;
    case BURST: send_pieces(p, &burst[p->dialect]); break;
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
    char *line = strstr(p->head, "\r\n");
    *line = 0; /* the path alone is asked; a prompt may say anything */
    p->dialect = strstr(p->head, "/messages")    ? MESSAGES
                 : strstr(p->head, "/responses") ? RESPONSES
                                                 : CHAT;
    p->mode = is_sink                      ? SINK
              : strstr(p->head, "/burst/") ? BURST
              : strstr(p->head, "/words/") ? WORDS
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
    bool in_body, heard;
    char tail[8]; /* last bytes of a chunked body: its end is 0 CR LF CR LF */
};

static struct {
    char *request;
    size_t request_len;
    char *unique; /* eight characters of the prompt that count up, or NULL */
    int64_t *took, *delay, *first;
    size_t took_count, delay_count, first_count, count_max;
    uint64_t requests, events, errors, connects, number;
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
    c->in_body = c->heard = false;
    if (load.unique) {
        uint64_t rest = load.number++;

        for (int i = 8; i--; rest /= 32)
            load.unique[i] = "0123456789abcdefghijklmnopqrstuv"[rest % 32];
    }
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
    if (load.stream && !c->heard && memmem(room, len, "word", 4)) {
        c->heard = true; /* the first word of the answer, not the first byte */
        keep(load.first, &load.first_count, now_ns() - c->sent_at);
    }
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
    if (getenv("UNIQUE") && prompt > 8)
        memset(text + prompt - 8, '0', 8);
    int len = sprintf(body, "{\"model\":\"%s\",\"stream\":%s,", model,
                      load.stream || load.hold ? "true" : "false");
    if (strstr(path, "/responses"))
        len += sprintf(body + len, "\"input\":\"%s\"}", text);
    else
        len += sprintf(body + len, "%s\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                       strstr(path, "/messages") ? "\"max_tokens\":100," : "", text);
    load.request = malloc((size_t)len + 1024);
    load.request_len = (size_t)sprintf(load.request,
                                       "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer "
                                       "%s\r\nContent-Type: application/json\r\n"
                                       "Content-Length: %d\r\n\r\n%s",
                                       path, host, key, len, body);
    if (getenv("UNIQUE") && prompt > 8)
        load.unique = strstr(strstr(load.request, "\r\n\r\n"), "00000000");
    load.number = (uint64_t)now_ns() / 1000; /* grows faster than requests are made */
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
    load.first = malloc(load.count_max * sizeof *load.first);
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
    qsort(load.first, load.first_count, sizeof *load.first, compare);
    qsort(load.delay, load.delay_count, sizeof *load.delay, compare);
    printf("{\"requests\":%llu,\"events\":%llu,\"errors\":%llu,\"seconds\":%.3f,\"per_second\":%."
           "0f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"delay_p50_us\":%.1f,\"delay_p99_us\":%.1f,\"ttft_p50_us\":%.1f,\"ttft_p99_us\":%.1f,"
           "\"connections\":%d}\n",
           (unsigned long long)load.requests, (unsigned long long)load.events,
           (unsigned long long)load.errors, took, (double)load.requests / took,
           percentile(load.took, load.took_count, 0.5),
           percentile(load.took, load.took_count, 0.99),
           percentile(load.delay, load.delay_count, 0.5),
           percentile(load.delay, load.delay_count, 0.99),
           percentile(load.first, load.first_count, 0.5),
           percentile(load.first, load.first_count, 0.99), connections);
    return 0;
}

int main(int argc, char **argv)
{
    raise_limits();
    if (argc == 3 && strcmp(argv[1], "provider") == 0)
        provider(atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "sink") == 0) {
        is_sink = true;
        provider(atoi(argv[2]));
    }
    if (argc >= 9 && strcmp(argv[1], "load") == 0)
        return run_load(argv + 2, argc - 2);
    fprintf(
        stderr,
        "usage: rig provider PORT | rig sink PORT | rig load HOST:PORT PATH KEY MODEL CONNECTIONS "
        "SECONDS PROMPT_BYTES [stream|hold]\n");
    return 2;
}
