/* tests/sim/story.h: one seed's story. Everything is drawn from the seed before anything runs: who asks
 * what over which connection, how the provider behaves, when the client leaves. What then happened is
 * noted beside it, so that check.c can hold the two against each other. */
#ifndef WEIR_TESTS_SIM_STORY_H
#define WEIR_TESTS_SIM_STORY_H

#include "base/base.h"
#include "base/str.h"

#define ASKS_MAX        6
#define CONNECTIONS_MAX 4
#define PROVIDERS       2
#define BODY_BYTES_MAX  ((size_t)256 * 1024) /* of a request */
#define EVENT_BYTES_MAX ((size_t)8 * 1024)   /* of the providers: what is larger is refused */
#define REPLY_BYTES_MAX ((size_t)256 * 1024)

enum key_kind { KEY_GOOD, KEY_LIMITED, KEY_POOR, KEY_REVOKED, KEY_WRONG, KEY_NONE, KEYS };

enum tongue { TONGUE_CHAT, TONGUE_MESSAGES, TONGUE_RESPONSES, TONGUES }; /* what a client speaks */

enum client_way {
    CLIENT_READS,
    CLIENT_READS_SLOWLY,
    CLIENT_LEAVES_AFTER_BYTES, /* of the reply's body */
    CLIENT_LEAVES_AFTER_TIME,
    CLIENT_SENDS_HALF,     /* of the body, then closes */
    CLIENT_SENDS_NONSENSE, /* a body that is no JSON */
    CLIENT_TALKS_NONSENSE, /* a head that is no HTTP */
    CLIENT_STALLS,         /* in the middle of the head */
    CLIENT_WAYS
};

enum provider_way {
    PROVIDER_ANSWERS,
    PROVIDER_REFUSES,      /* with a status of its own */
    PROVIDER_HANGS_UP,     /* before its first byte */
    PROVIDER_CUTS,         /* at a random byte of the answer */
    PROVIDER_BREAKS_CHUNK, /* framing that is not HTTP */
    PROVIDER_BREAKS_EVENT, /* data that is not JSON */
    PROVIDER_OVERFLOWS,    /* one event too large */
    PROVIDER_CONFESSES,    /* an error event inside a 200 stream */
    PROVIDER_FORGETS_DONE,
    PROVIDER_STOPS_SHORT,    /* a clean end of the framing in the middle of the text */
    PROVIDER_PAUSES,         /* longer than the gap allows */
    PROVIDER_IS_SILENT,      /* until the gateway gives up */
    PROVIDER_TALKS_NONSENSE, /* no HTTP at all */
    PROVIDER_WAYS
};

enum collector_way {
    COLLECTOR_ANSWERS,
    COLLECTOR_IS_SLOW, /* slower than the house waits for one try */
    COLLECTOR_IS_SILENT,
    COLLECTOR_IS_BUSY, /* 503, with a time to wait */
    COLLECTOR_REFUSES,
    COLLECTOR_CUTS, /* in the head of its answer */
    COLLECTOR_IS_ABSENT,
    COLLECTOR_IS_FULL, /* the house's queue is: nothing fits it */
    COLLECTOR_WAYS
};

struct ask {
    int number;  /* from 1 */
    int same_as; /* the number of another ask, which this one asks again, word for word; 0: none */
    /* the client's part */
    enum key_kind key;
    enum tongue tongue;
    bool lists_models; /* GET /v1/models instead of a question */
    bool known_model, stream, wants_usage;
    int provider;
    bool routed; /* asks for the route: both providers may be asked */
    size_t prompt_bytes;
    bool in_chunks, expects_continue; /* how the body is sent */
    enum client_way client;
    size_t leave_bytes;
    dur_ns leave_time;
    /* the provider's part */
    enum provider_way way;
    enum provider_way other_way; /* of the one that is not `provider`, when routed */
    int status;                  /* PROVIDER_REFUSES */
    int pieces;
    size_t piece_bytes;
    dur_ns gap;      /* between events */
    int odd_event;   /* the one that is broken, too large or preceded by a long pause */
    uint64_t cut_at; /* PROVIDER_CUTS: per million of the answer */
    bool reports_usage, by_length, closes;

    /* what happened */
    bool from_cache; /* x-weir-cache: hit or joined */
    bool sent_whole; /* the client handed every byte to its socket */
    bool left;       /* the client closed before the end */
    int got_status;  /* 0: no head arrived */
    bool got_end;    /* the framing says that the body is complete */
    char *body;      /* decoded */
    size_t body_len, body_cap;
    uint64_t request_id;
    mono_ns ended, left_at;
    int provider_heard; /* how often the provider had the whole request; of all that ask the same
                               * in the first of them, as are the next two */
    bool provider_said_all;   /* wrote the last byte */
    mono_ns provider_dropped; /* the gateway hung up on it */
};

struct connection {
    int asks[ASKS_MAX]; /* numbers */
    int count;
    bool pipelined;
    dur_ns starts;
};

/* The row of routes. Times 0: off. */
struct story_route {
    int first; /* the provider that is asked first; -1: either, one group */
    uint32_t attempts_max, breaker_failures;
    dur_ns first_token_timeout, hedge_delay;
    bool continues, prefills;
};

struct story {
    uint64_t seed;
    struct story_route route;
    bool second_is_anthropic; /* the second provider speaks its messages */
    bool caches;              /* what was answered once is kept */
    bool calm;                /* no faults of the world: whatever should work must work */
    bool is_nth;              /* one call fails, perhaps while the house opens */
    bool small_disk, killed, power_fails; /* the latter: killed by that */
    dur_ns kill_at;                       /* look at the files as kill -9 would leave them */
    int old_records; /* in the audit log before anybody asks: the segment may be nearly full */
    struct ask asks[ASKS_MAX];
    int ask_count;
    struct connection connections[CONNECTIONS_MAX];
    int connection_count;
    enum collector_way collector;
    uint64_t spans_heard; /* bytes that the collector had whole */
    mono_ns kept_at;      /* when the files were kept; 0: never */
    bool disk_failed;     /* at least once: a request that was not answered may lack its record */
};

struct sim_options;
/* Draws the story and the world's odds; the world itself is not up yet. */
void story_options(uint64_t seed, struct sim_options *out);
/* Needs the world: draws from its scenario stream. */
void story_draw(struct story *story, uint64_t seed);
/* One ask that goes well, or with a cache the same twice. */
void story_plain(struct story *story, bool stream, bool caches);
void story_free(struct story *story);
struct ask *story_ask(struct story *story, int number); /* NULL: no such */
/* What stands in the prompt, so that the provider knows which story to play. */
int ask_question(const struct ask *ask);
int story_askers(const struct story *story, int question); /* how many ask it */
void story_print(const struct story *story);

/* The text the provider means to give: *len bytes in malloc()ed memory. */
char *ask_text(const struct ask *ask, size_t *len);
int64_t ask_tokens_in(const struct ask *ask);
int64_t ask_tokens_out(const struct ask *ask);

#endif
