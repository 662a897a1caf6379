#include "app/settings_internal.h"
#include "gateway/telemetry.h"
#include "models/attempt.h"
#include "models/prompts.h"

#define AT(field)           offsetof(struct settings, field)
#define PROVIDER(field)     offsetof(struct provider_settings, field)
#define AUDIT_TENANT(field) offsetof(struct body_settings, field)
#define MODEL(field)        offsetof(struct model_settings, field)
#define PRICE(field)        offsetof(struct price_settings, field)
#define ROUTE(field)        offsetof(struct route_settings, field)
#define MS(n)               ((n)*MILLISECOND)
#define S(n)                ((n)*SECOND)
#define SOURCE(field)       offsetof(struct source_settings, field)
#define ISSUER(field)       offsetof(struct issuer_settings, field)

/* clang-format off: a table reads as a table */
static const struct setting server_rows[] = {
    {"listen", SET_ADDRESS, AT(server.listen), "127.0.0.1:8080", 0, 0, NULL, true,
     "Where clients connect. The command line uses a Unix socket in the data directory beside it."},
    {"public_url", SET_URL, AT(server.public_url), "", 0, 0, NULL, false,
     "Where people and programs reach this Weir: \"https://weir.example.com\", without a path. It "
     "stands in front of the links of citations. Empty: login.url where people log in, else "
     "links_from."},
    {"links_from", SET_CHOICE, AT(server.links_from), "setting", 0, 0, "setting|host|forwarded",
     false,
     "Without public_url, links have their address from: setting: nowhere, they are paths; host: "
     "the request's Host; forwarded: X-Forwarded-Proto and X-Forwarded-Host of a proxy that sets "
     "both, else Host."},
    {"tls_certificate", SET_PATH, AT(server.tls_certificate), "", 0, 0, NULL, true,
     "PEM file with the server's certificate chain; with tls_key turns TLS 1.3 on. The files are "
     "read again on reload."},
    {"tls_key", SET_PATH, AT(server.tls_key), "", 0, 0, NULL, true,
     "PEM file with the key of tls_certificate; others may not be able to read it."},
    {"tls_client_ca", SET_PATH, AT(server.tls_client_ca), "", 0, 0, NULL, true,
     "PEM file with the authorities whose clients may connect; empty: any client may."},
    {"loops", SET_COUNT, AT(server.loops), "0", 0, 256, NULL, true,
     "Event loops, a thread each; 0: one for each processor."},
    {"connections", SET_COUNT, AT(server.connections), "20000", 1, 1000000, NULL, true,
     "Open client connections, all loops; above it new ones are answered with 503."},
    {"connections_per_address", SET_COUNT, AT(server.connections_per_address), "0", 0, 1000000,
     NULL, true,
     "Open connections of one client address; 0: unlimited (behind a balancer all come from one)."},
    {"requests_per_connection", SET_COUNT, AT(server.requests_per_connection), "100000", 1,
     1000000000, NULL, true, "Requests after which a connection is closed."},
    {"head_bytes", SET_BYTES, AT(server.head_bytes), "16KiB", 1024, 1048576, NULL, true,
     "Size of a request's head; above it 431."},
    {"body_bytes", SET_BYTES, AT(server.body_bytes), "32MiB", 1024, 67108864, NULL, true,
     "Size of a request's body; above it 413."},
    {"prompts_at_once", SET_COUNT, AT(server.prompts_at_once), "4", 1, PROMPTS_AT_ONCE_MAX, NULL,
     false,
     "Prompts of one /v1/completions that are asked at once where the provider takes one at a "
     "time; "
     "the key's and the model's limits of requests in flight count each."},
    {"request_memory", SET_BYTES, AT(server.request_memory), "128MiB", 65536, 1073741824, NULL,
     true, "Memory of one request with its body and index; above it the request fails with 503."},
    {"memory", SET_BYTES, AT(server.memory), "1GiB", 16777216, 1099511627776, NULL, true,
     "Memory of all requests together."},
    {"fibers", SET_COUNT, AT(server.fibers), "40000", 100, 1000000, NULL, true,
     "Fibers of one loop: about one for a request in progress."},
    {"head_timeout", SET_DURATION, AT(server.head_timeout), "10s", MS(10), S(600), NULL, true,
     "From the first byte of a head to its last; above it 408."},
    {"body_timeout", SET_DURATION, AT(server.body_timeout), "60s", MS(10), S(3600), NULL, true,
     "From the head to the last byte of the body; above it 408."},
    {"idle_timeout", SET_DURATION, AT(server.idle_timeout), "75s", MS(10), S(86400), NULL, true,
     "How long a connection may rest between requests."},
    {"write_timeout", SET_DURATION, AT(server.write_timeout), "30s", MS(10), S(3600), NULL, true,
     "How long a client may take no byte of its answer before it is given up."},
    {"request_timeout", SET_DURATION, AT(server.request_timeout), "15m", MS(10), S(86400), NULL,
     false, "From the head of a request to the last byte of its answer."},
    {"drain_timeout", SET_DURATION, AT(server.drain_timeout), "30s", 0, S(3600), NULL, false,
     "How long requests in progress may go on after SIGTERM."},
    {"drain_delay", SET_DURATION, AT(server.drain_delay), "0s", 0, S(600), NULL, false,
     "After SIGTERM /readyz says 503, but requests are served for so long, for a balancer to see "
     "it: "
     "a little more than it needs for that. Then drain_timeout begins."},
    {"batch_window", SET_DURATION, AT(server.batch_window), "1ms", 0, MS(10), NULL, true,
     "While many streams are open and little happens, events are gathered this long and handled "
     "together; 0: never."},
    {"batch_streams", SET_COUNT, AT(server.batch_streams), "64", 1, 1000000, NULL, true,
     "Open streams of a loop from which batch_window applies."},
    {"supervise", SET_BOOL, AT(server.supervise), "true", 0, 0, NULL, true,
     "A parent process starts the worker again when it dies and keeps its last words in the log."},
};

static const struct setting data_rows[] = {
    {"dir", SET_PATH, AT(data.dir), "data", 0, 0, NULL, true,
     "Directory of everything Weir keeps: database, audit log, documents, pepper, command socket."},
    {"store", SET_SECRET, AT(data.store), "", 0, 0, NULL, true,
     "Database that several Weirs share, env:NAME or file:PATH with "
     "postgres://USER:PASSWORD@HOST:PORT/DATABASE; empty: weir.db in dir, for one Weir alone. The "
     "audit log, documents and the cache's files stay in dir of each."},
    {"store_queue", SET_COUNT, AT(data.store_queue), "10000", 10, 1000000, NULL, true,
     "Jobs that may wait for the database."},
    {"audit_segment_bytes", SET_BYTES, AT(data.audit_segment_bytes), "16MiB", 65536, 1073741824,
     NULL, true, "Size of one file of the audit log; reserved on the disk before it is used."},
};

static const struct setting audit_rows[] = {
    {"retention", SET_DURATION, AT(audit.retention), "400d", S(86400) * 180, S(86400) * 36500, NULL,
     true,
     "How long audit records are kept, at least 180d; then whole files of them are removed, unless "
     "a hold is on them."},
    {"bodies", SET_CHOICE, AT(audit.bodies), "none", 0, 0, "none|hash|sealed", false,
     "What is kept of questions and answers: nothing, a keyed hash in the record, or all of them, "
     "encrypted (needs master_key). audit_tenants says it for single tenants."},
    {"body_bytes", SET_BYTES, AT(audit.body_bytes), "256KiB", 1024, 16777216, NULL, false,
     "Bytes kept of a question, and of an answer; what is longer is cut and marked in the record."},
    {"subjects", SET_COUNT, AT(audit.subjects), "1000000", 100, 10000000, NULL, true,
     "Subjects whose bodies can be sealed, a key each."},
    {"master_key", SET_SECRET, AT(audit.master_key), "", 0, 0, NULL, true,
     "Wraps the keys of sealed bodies: env:NAME or file:PATH with at least 32 bytes. Without it "
     "nothing can be sealed, nor read."},
};

static const struct setting audit_tenant_rows[] = {
    {"tenant", SET_NAME, AUDIT_TENANT(tenant), NULL, 0, 0, NULL, false, "Name of the tenant."},
    {"bodies", SET_CHOICE, AUDIT_TENANT(bodies), NULL, 0, 0, "none|hash|sealed", false,
     "What is kept of its questions and answers."},
};

static const struct setting log_rows[] = {
    {"level", SET_CHOICE, AT(log.level), "info", 0, 0, "error|warn|info|debug", false,
     "What is logged to standard error."},
    {"requests", SET_BOOL, AT(log.requests), "true", 0, 0, NULL, false,
     "One line of JSON for each request."},
};

static const struct setting telemetry_rows[] = {
    {"endpoint", SET_TEXT, AT(telemetry.endpoint), "", 0, 0, NULL, true,
     "Collector that takes traces by OTLP over HTTP, e.g. http://127.0.0.1:4318; empty: spans are "
     "exported nowhere."},
    {"header", SET_NAME, AT(telemetry.header), "authorization", 0, 0, NULL, true,
     "Header that the collector wants with every batch."},
    {"header_value", SET_SECRET, AT(telemetry.header_value), "", 0, 0, NULL, true,
     "Its value: env:NAME or file:PATH; empty: the header is not sent."},
    {"scheme", SET_TEXT, AT(telemetry.scheme), "Bearer", 0, 0, NULL, true,
     "Word in front of that value and a blank; empty: neither."},
    {"ca_file", SET_PATH, AT(telemetry.ca_file), "", 0, 0, NULL, true,
     "PEM file with the authorities that may vouch for an https endpoint; empty: the system's."},
    {"service", SET_NAME, AT(telemetry.service), "weir", 0, 0, NULL, true,
     "service.name of the spans."},
    {"instance", SET_TEXT, AT(telemetry.instance), "", 0, 0, NULL, true,
     "service.instance.id of the spans."},
    {"resource", SET_TEXT, AT(telemetry.resource), "", 0, 0, NULL, true,
     "Attributes of the resource besides: \"deployment.environment.name=prod,team=search\"."},
    {"sample_percent", SET_PERCENT, AT(telemetry.sample), "1", 0, 100000000, NULL, false,
     "Share of requests whose spans are exported, of those whose client has not decided itself."},
    {"follow_parent", SET_BOOL, AT(telemetry.follow_parent), "true", 0, 0, NULL, false,
     "A client's decision in its traceparent header holds; false: sample_percent decides always."},
    {"propagate", SET_BOOL, AT(telemetry.propagate), "true", 0, 0, NULL, false,
     "Providers get a traceparent header."},
    {"queue", SET_BYTES, AT(telemetry.queue), "4MiB", 262144, TELEMETRY_QUEUE_MAX, NULL, true,
     "Spans that may wait for the collector, about 2 KiB a request; further ones are dropped and "
     "counted. Part of server.memory, where there is an endpoint."},
    {"batch", SET_BYTES, AT(telemetry.batch), "256KiB", 1024, 536870912, NULL, true,
     "Spans that make a batch, which leaves at once."},
    {"interval", SET_DURATION, AT(telemetry.interval), "5s", MS(100), S(600), NULL, true,
     "At most between two batches."},
    {"timeout", SET_DURATION, AT(telemetry.timeout), "10s", MS(10), S(600), NULL, true,
     "Of one try to send a batch; four are made."},
    {"traces", SET_COUNT, AT(telemetry.traces), "1000", 0, 1000000, NULL, true,
     "Recent requests that `weir trace` can show, 4 KiB of server.memory each; half of the places "
     "are for those "
     "that failed or were slow. 0: none."},
    {"slow", SET_DURATION, AT(telemetry.slow), "30s", 0, S(86400), NULL, false,
     "From when on a request is slow; 0: none is."},
};

static const struct setting knowledge_rows[] = {
    {"model", SET_NAME, AT(knowledge.model), "weir", 0, 0, NULL, false,
     "Model name under which the documents answer."},
    {"through", SET_NAME, AT(knowledge.through), "auto", 0, 0, NULL, false,
     "Which configured model writes the answers from the passages found: its name, \"auto\" for "
     "the first of `models`, \"none\" to answer with the documents' own sentences."},
    {"unsupported", SET_CHOICE, AT(knowledge.unsupported), "mark", 0, 0, "mark|drop|refuse", false,
     "A sentence of such a model that the passages do not say, by its numbers, names, negation and "
     "words: told in "
     "`weir.support` (mark), left out (drop), or reason to refuse the whole answer (refuse)."},
    {"embedder", SET_NAME, AT(knowledge.embedder), "none", 0, 0, NULL, true,
     "What makes vectors of passages, by which they are found beside their words: \"none\", "
     "\"latent\" learned from the documents themselves, \"hashed\" parts of words, or the name of "
     "a "
     "configured embedding model, which is asked in the background and for each question."},
    {"embed_batch", SET_COUNT, AT(knowledge.embed_batch), "32", 1, 2048, NULL, true,
     "Passages in one call of an embedding model."},
    {"embed_limit", SET_DURATION, AT(knowledge.embed_limit), "2s", S(1) / 100, S(60), NULL, true,
     "How long a question waits for an embedding model; above it, it is searched by its words "
     "alone, and the answer says so."},
    {"vector_weight", SET_COUNT, AT(knowledge.vector_weight), "0", 0, 1000, NULL, true,
     "What the likeness of vectors counts beside that of words, in percent; 0: as it was learned, "
     "which is careful. More where questions and documents share few words."},
    {"graph_from", SET_COUNT, AT(knowledge.graph_from), "300000", 1, 100000000, NULL, true,
     "From how many vectors in one file on a graph (HNSW) is made of them when the file is "
     "written; "
     "below, and where a graph finds too few, every vector is compared."},
    {"reranker", SET_NAME, AT(knowledge.reranker), "none", 0, 0, NULL, true,
     "Which configured model, for chat or for reranking, puts the passages found into order before "
     "they are answered from: its name, or \"none\". One more question of the asker's for each."},
    {"rerank_passages", SET_COUNT, AT(knowledge.rerank_passages), "20", 2, 100, NULL, true,
     "Passages that the reranker is shown; a search for more of them is not reranked."},
    {"rerank_limit", SET_DURATION, AT(knowledge.rerank_limit), "5s", S(1) / 100, S(60), NULL, true,
     "How long a question waits for the reranker; above it, passages stand as they were found, and "
     "the answer says so."},
    {"examples", SET_PATH, AT(knowledge.examples), "auto", 0, 0, NULL, true,
     "Folder ingested when Weir starts for the first time: \"auto\" for the handbook that comes "
     "with it, \"none\" for nothing."},
    {"bases", SET_COUNT, AT(knowledge.bases), "100", 1, 10000, NULL, true,
     "Knowledge bases beside the default one; each keeps a file open once it was asked."},
    {"uploads", SET_COUNT, AT(knowledge.uploads), "10000", 1, 1000000, NULL, true,
     "Files that /v1/files keeps."},
    {"file_bytes", SET_BYTES, AT(knowledge.file_bytes), "16MiB", 1024, 1073741824, NULL, true,
     "Size of one document; a larger one is reported and skipped."},
    {"files", SET_COUNT, AT(knowledge.files), "100000", 1, 10000000, NULL, true,
     "Files of one ingest run."},
    {"batch_files", SET_COUNT, AT(knowledge.batch_files), "1000", 1, 1000000, NULL, true,
     "Files that a run commits at once. One that is stopped or killed is taken up behind its last "
     "batch."},
    {"batch_bytes", SET_BYTES, AT(knowledge.batch_bytes), "32MiB", 1024, 1073741824, NULL, true,
     "The same, in bytes of files."},
    {"batch_time", SET_DURATION, AT(knowledge.batch_time), "5s", MS(10), S(600), NULL, true,
     "The same, in time: how long somebody who labels or forgets a document may have to wait."},
    {"forget_wait", SET_DURATION, AT(knowledge.forget_wait), "10s", 0, S(600), NULL, true,
     "How long forgetting waits for those who are reading what goes: searches, answers, vectors in "
     "the making. Above it the receipt says what is still being read, and the audit log when that "
     "has ended. 0s: it does not wait."},
    {"threads", SET_COUNT, AT(knowledge.threads), "2", 1, 64, NULL, true,
     "Threads that search and answer, and as many analyse the texts of a run. Runs have one of "
     "their "
     "own."},
    {"queue", SET_COUNT, AT(knowledge.queue), "1000", 1, 100000, NULL, true,
     "Searches that may wait for a thread; above it 429."},
    {"readers", SET_COUNT, AT(knowledge.readers), "2", 1, 64, NULL, true,
     "Children that read PDF and office files, at once. Each has no rights: no files, no network."},
    {"reader_memory", SET_BYTES, AT(knowledge.reader_memory), "512MiB", 67108864, 68719476736, NULL,
     true, "Memory that reading one such file may take."},
    {"reader_time", SET_DURATION, AT(knowledge.reader_time), "20s", S(1), S(3600), NULL, true,
     "Processor time that reading one such file may take; by the clock, four times that."},
    {"reader_output", SET_BYTES, AT(knowledge.reader_output), "64MiB", 1048576, 268435456, NULL,
     true, "Text that is taken from one such file."},
    {"sandbox", SET_CHOICE, AT(knowledge.sandbox), "required", 0, 0, "required|optional", true,
     "\"required\": where the kernel refuses seccomp filters, PDF and office files are not read. "
     "\"optional\": they are read there all the same, by children with Weir's own rights."},
};

static const struct setting source_rows[] = {
    {"name", SET_NAME, SOURCE(name), NULL, 0, 0, NULL, true,
     "How `weir source` calls it; rows of databases and objects of buckets are cited below it."},
    {"base", SET_NAME, SOURCE(base), "default", 0, 0, NULL, true,
     "Which knowledge base its documents come into, by name or id."},
    {"kind", SET_CHOICE, SOURCE(kind), "folder", 0, 0, "folder|web|s3|sql", true,
     "A folder of this machine; pages of the web; a bucket that speaks S3; rows of a query."},
    {"location", SET_WORDS, SOURCE(location), "", 0, 0, NULL, true,
     "folder: its absolute path. web: addresses of pages and sitemaps, or \"file:/path\" of a list "
     "of them. s3: \"s3://bucket/prefix\". sql: the absolute path of a SQLite file."},
    {"every", SET_DURATION, SOURCE(every), "1h", 0, S(86400L * 30), NULL, true,
     "How often all of it is compared; 0: when `weir source run` asks for it."},
    {"watch", SET_BOOL, SOURCE(watch), "false", 0, 0, NULL, true,
     "folder: compare a second after something in it changed, too."},
    {"readers", SET_WORDS, SOURCE(readers), "", 0, 0, NULL, true,
     "Who may read its documents, as documents.md says; empty: whoever may now, new ones "
     "everyone."},
    {"metadata", SET_TEXT, SOURCE(metadata), "", 0, 0, NULL, true,
     "What is known of its documents: a JSON object."},
    {"include", SET_WORDS, SOURCE(include), "", 0, 0, NULL, true,
     "Patterns of what is wanted: * ? within a name, ** over folders; empty: everything. Of paths "
     "below the folder, the prefix or the site."},
    {"exclude", SET_WORDS, SOURCE(exclude), "", 0, 0, NULL, true, "Patterns of what is not."},
    {"delete_limit", SET_COUNT, SOURCE(delete_limit), "50", 0, 100, NULL, true,
     "Per cent of its documents that may vanish at once; if more would, and more than ten, none "
     "does "
     "until `weir source run NAME --force`. 100: no limit."},
    {"items", SET_COUNT, SOURCE(items), "25000", 1, 10000000, NULL, true,
     "Pages, objects or rows of a run; what is behind them is left, and nothing is removed then."},
    {"item_bytes", SET_BYTES, SOURCE(item_bytes), "16MiB", 1024, 1073741824, NULL, true,
     "Size of one of them, at most knowledge.file_bytes; a larger one is told and left."},
    {"bytes", SET_BYTES, SOURCE(bytes), "4GiB", 1024, 1099511627776, NULL, true,
     "The same, of all that a run fetches."},
    {"time", SET_DURATION, SOURCE(time), "12h", S(1), S(86400L * 7), NULL, true,
     "The same, in time."},
    {"retries", SET_COUNT, SOURCE(retries), "3", 0, 10, NULL, true,
     "web, s3: how often a page or object is asked for again when the server is busy (429, 5xx), "
     "or its answer is cut or never comes. Then its version that is known stays, and the run "
     "reports it."},
    {"retry_wait", SET_DURATION, SOURCE(retry_wait), "60s", 0, S(3600), NULL, true,
     "web, s3: longest wait before one is asked for again. What Retry-After names is waited for up "
     "to here; who wants longer is not asked again in this run."},
    {"depth", SET_COUNT, SOURCE(depth), "3", 0, 100, NULL, true,
     "web: how many links from the first addresses; 0: those alone."},
    {"hosts", SET_WORDS, SOURCE(hosts), "", 0, 0, NULL, true,
     "web: further hosts that links may lead to, as host or host:port. Else only where the first "
     "addresses are."},
    {"rate", SET_COUNT, SOURCE(rate), "60", 1, 60000, NULL, true,
     "web: requests a minute and host. A longer Crawl-delay of its robots.txt holds."},
    {"robots", SET_BOOL, SOURCE(robots), "true", 0, 0, NULL, true,
     "web: keep to robots.txt. Only for sites of one's own: false."},
    {"agent", SET_TEXT, SOURCE(agent), "Weir", 0, 0, NULL, true,
     "web: what it is called there, User-Agent; its first word is looked for in robots.txt."},
    {"private_addresses", SET_BOOL, SOURCE(private_addresses), "false", 0, 0, NULL, true,
     "web: pages may be on this machine or in a private network. Else such addresses are refused, "
     "whatever name leads to them."},
    {"endpoint", SET_URL, SOURCE(endpoint), "", 0, 0, NULL, true,
     "s3: of another service than AWS."},
    {"region", SET_NAME, SOURCE(region), "us-east-1", 0, 0, NULL, true, "s3: what is signed for."},
    {"access_key", SET_NAME, SOURCE(access_key), "", 0, 0, NULL, true,
     "s3: id of the key; empty: requests are not signed."},
    {"secret_key", SET_SECRET, SOURCE(secret_key), "", 0, 0, NULL, true,
     "s3: env:NAME or file:PATH."},
    {"session_token", SET_SECRET, SOURCE(session_token), "", 0, 0, NULL, true,
     "s3: env:NAME or file:PATH, of temporary keys."},
    {"path_style", SET_BOOL, SOURCE(path_style), "false", 0, 0, NULL, true,
     "s3: the bucket stands in the path, not before the host."},
    {"database", SET_SECRET, SOURCE(database), "", 0, 0, NULL, true,
     "sql: env:NAME or file:PATH with postgres://USER:PASSWORD@HOST:PORT/DATABASE; empty: "
     "location."},
    {"query", SET_TEXT, SOURCE(query), "", 0, 0, NULL, true,
     "sql: one SELECT; each row is a document. It runs read-only."},
    {"key", SET_TEXT, SOURCE(key), "", 0, 0, NULL, true,
     "sql: column that names a row for ever; citations show it."},
    {"title", SET_TEXT, SOURCE(title), "", 0, 0, NULL, true, "sql: column of titles."},
    {"text", SET_WORDS, SOURCE(text), "", 0, 0, NULL, true,
     "sql: columns that are the text; empty: all that are nothing else."},
    {"metadata_columns", SET_WORDS, SOURCE(metadata_columns), "", 0, 0, NULL, true,
     "sql: columns that are metadata."},
    {"timeout", SET_DURATION, SOURCE(timeout), "60s", MS(10), S(3600), NULL, true,
     "sql: how long the database may take for a step."},
};

static const struct setting responses_rows[] = {
    {"keep", SET_DURATION, AT(responses.keep), "720h", 0, S(86400L * 400), NULL, true,
     "How long an answer of /v1/responses is kept for previous_response_id, unless the request "
     "says "
     "store: false; 0: none is kept. Kept answers stand in the database as text, not encrypted."},
    {"count", SET_COUNT, AT(responses.count), "100000", 1, 100000000, NULL, true,
     "Answers kept; above it the oldest go."},
    {"bytes", SET_BYTES, AT(responses.bytes), "1GiB", 65536, 1099511627776, NULL, true,
     "Of all answers kept; above it the oldest go."},
};

static const struct setting upstream_rows[] = {
    {"connections", SET_COUNT, AT(upstream.connections), "4096", 1, 1000000, NULL, true,
     "Connections of one loop to one provider; further requests wait in line."},
    {"idle", SET_COUNT, AT(upstream.idle), "512", 0, 1000000, NULL, true,
     "Connections of one loop to one provider kept for reuse."},
    {"idle_timeout", SET_DURATION, AT(upstream.idle_timeout), "60s", MS(10), S(3600), NULL, true,
     "How long a connection is kept for reuse."},
};

static const struct setting cache_rows[] = {
    {"mode", SET_CHOICE, AT(cache.mode), "off", 0, 0, "off|asked|on", false,
     "Whether answers are kept and given again to the same question of the same tenant: for none, "
     "for "
     "requests that ask for it in weir.cache, for all. A model may say otherwise."},
    {"sampled", SET_CHOICE, AT(cache.sampled), "on", 0, 0, "off|asked|on", false,
     "The same for requests whose temperature is not 0."},
    {"shared", SET_CHOICE, AT(cache.shared), "off", 0, 0, "off|asked|on", false,
     "Whether tenants share kept answers: never, when the request asks for it in weir.cache, "
     "always."},
    {"ttl", SET_DURATION, AT(cache.ttl), "1h", S(1), S(31536000), NULL, false,
     "How long an answer is good, unless the request says."},
    {"ttl_max", SET_DURATION, AT(cache.ttl_max), "720h", S(1), S(31536000), NULL, false,
     "The most a request may say."},
    {"price_percent", SET_COUNT, AT(cache.price_percent), "0", 0, 100, NULL, false,
     "What an answer from the cache is charged, of what it would cost from its provider."},
    {"memory", SET_BYTES, AT(cache.memory), "64MiB", 65536, 1099511627776, NULL, true,
     "Memory for kept answers; part of server.memory, at most half of it."},
    {"memory_tenant", SET_BYTES, AT(cache.memory_tenant), "32MiB", 65536, 1099511627776, NULL, true,
     "Of it, what one tenant may have."},
    {"entry", SET_BYTES, AT(cache.entry), "4MiB", 1024, 33554432, NULL, true,
     "Size of one answer; a larger one is not kept."},
    {"disk", SET_BYTES, AT(cache.disk), "1GiB", 0, 17592186044416, NULL, true,
     "Bytes of kept answers in the data directory, which survive a restart; 0: none."},
    {"disk_segment", SET_BYTES, AT(cache.disk_segment), "64MiB", 65536, 1073741824, NULL, true,
     "Size of one of its files; the oldest is thrown out as a whole."},
    {"disk_entries", SET_COUNT, AT(cache.disk_entries), "200000", 16, 100000000, NULL, true,
     "Answers on disk; their index takes about 200 bytes of memory each."},
    {"redis", SET_TEXT, AT(cache.redis), "", 0, 0, NULL, true,
     "A Redis or Valkey that several Weirs share: redis://host:port/db, rediss:// for TLS, or "
     "unix:/path; empty: none."},
    {"redis_user", SET_TEXT, AT(cache.redis_user), "", 0, 0, NULL, true,
     "User of its ACL; empty: the default user."},
    {"redis_password", SET_SECRET, AT(cache.redis_password), "", 0, 0, NULL, true,
     "env:NAME or file:PATH; empty: none is sent."},
    {"redis_ca", SET_PATH, AT(cache.redis_ca), "", 0, 0, NULL, true,
     "PEM file with the authorities that may vouch for rediss; empty: the system's."},
    {"redis_timeout", SET_DURATION, AT(cache.redis_timeout), "5ms", MS(1), S(10), NULL, true,
     "The most a request waits for it, connecting included; after three failures it is not asked "
     "for "
     "a while."},
    {"redis_prefix", SET_TEXT, AT(cache.redis_prefix), "weir:cache:", 0, 0, NULL, true,
     "What the names of its keys begin with; a purge looks at all of them."},
};

static const struct setting provider_rows[] = {
    {"name", SET_NAME, PROVIDER(name), NULL, 0, 0, NULL, false, "How models refer to it."},
    {"url", SET_URL, PROVIDER(url), NULL, 0, 0, NULL, false,
     "Its endpoint, up to and without the part that its dialect adds (/chat/completions, "
     "/messages, "
     "/models/...), e.g. https://api.openai.com/v1, https://api.anthropic.com/v1, "
     "https://generativelanguage.googleapis.com/v1beta or http://127.0.0.1:11434/v1."},
    {"kind", SET_CHOICE, PROVIDER(kind), "openai", 0, 0,
     "openai|azure|vllm|sglang|llama.cpp|ollama|deepseek|dashscope|baidu|anthropic|gemini|bedrock",
     false,
     "Whose house it is: which dialect it speaks and which habits it has. openai also stands for "
     "any other endpoint that speaks the OpenAI dialect."},
    {"dialect", SET_CHOICE, PROVIDER(dialect), "auto", 0, 0, "auto|openai|responses|anthropic",
     false, "What it speaks, where that is not what its kind usually does."},
    {"auth", SET_CHOICE, PROVIDER(auth), "auto", 0, 0,
     "auto|bearer|api-key|x-api-key|x-goog-api-key|aws", false,
     "How it is shown api_key: in which header, or as an AWS signature; auto: as its kind wants."},
    {"api_version", SET_NAME, PROVIDER(api_version), "", 0, 0, NULL, false,
     "Azure's query api-version, Anthropic's header anthropic-version; empty: what Weir was "
     "written "
     "for."},
    {"unsupported", SET_CHOICE, PROVIDER(unsupported), "drop", 0, 0, "drop|refuse", false,
     "What a request says and this provider has no place for: dropped and named in the reply "
     "(header "
     "x-weir-dropped and member weir.dropped), or refused with 400."},
    {"api_key", SET_SECRET, PROVIDER(api_key), "", 0, 0, NULL, false,
     "Shown to it as auth says: env:NAME or file:PATH; empty: none is sent."},
    {"region", SET_NAME, PROVIDER(region), "", 0, 0, NULL, false,
     "AWS region that requests are signed for, e.g. us-east-1."},
    {"aws_secret_key", SET_SECRET, PROVIDER(aws_secret_key), "", 0, 0, NULL, false,
     "Secret access key, where auth is aws; api_key is then the access key's id."},
    {"aws_session_token", SET_SECRET, PROVIDER(aws_session_token), "", 0, 0, NULL, false,
     "Of temporary credentials; empty: none."},
    {"ca_file", SET_PATH, PROVIDER(ca_file), "", 0, 0, NULL, false,
     "PEM file with the authorities that may vouch for an https url; empty: the system's. Read "
     "again on "
     "reload."},
    {"connect_timeout", SET_DURATION, PROVIDER(connect_timeout), "5s", MS(1), S(600), NULL, false,
     "To a connection, TLS included."},
    {"first_byte_timeout", SET_DURATION, PROVIDER(first_byte_timeout), "120s", MS(1), S(3600), NULL,
     false, "From the request to the head of the answer."},
    {"gap_timeout", SET_DURATION, PROVIDER(gap_timeout), "60s", MS(1), S(3600), NULL, false,
     "Between two pieces of an answer."},
    {"total_timeout", SET_DURATION, PROVIDER(total_timeout), "10m", MS(1), S(86400), NULL, false,
     "From the request to the end of the answer."},
    {"probe_interval", SET_DURATION, PROVIDER(probe_interval), "0s", 0, S(3600), NULL, false,
     "How often it is asked whether it is there (GET .../models, which costs nothing); failures "
     "open the breakers of its models before a request finds out. 0s: never."},
    {"probe_failures", SET_COUNT, PROVIDER(probe_failures), "3", 1, 1000, NULL, false,
     "Such failures in a row that open them; they close when it answers again."},
    {"reply_bytes", SET_BYTES, PROVIDER(reply_bytes), "32MiB", 1024, 67108864, NULL, false,
     "Size of a whole answer that is not streamed."},
    {"event_bytes", SET_BYTES, PROVIDER(event_bytes), "1MiB", 1024, 67108864, NULL, false,
     "Size of one event of a stream."},
};

static const struct setting model_rows[] = {
    {"name", SET_NAME, MODEL(name), NULL, 0, 0, NULL, false, "What clients say in \"model\"."},
    {"provider", SET_NAME, MODEL(provider), NULL, 0, 0, NULL, false,
     "Name of the provider that answers."},
    {"remote_name", SET_NAME, MODEL(remote_name), "", 0, 0, NULL, false,
     "What the provider calls it; empty: the same name."},
    {"price_input", SET_USD, MODEL(prices.in), "0", 0, 0, NULL, false,
     "US dollars for a million prompt tokens."},
    {"price_output", SET_USD, MODEL(prices.out), "0", 0, 0, NULL, false,
     "US dollars for a million completion tokens."},
    {"price_cached", SET_USD, MODEL(prices.cached), "", 0, 0, NULL, false,
     "Of prompt tokens that the provider had cached; empty: as price_input."},
    {"price_cache_write", SET_USD, MODEL(prices.cache_write), "", 0, 0, NULL, false,
     "Of prompt tokens that it wrote to its cache; empty: as price_input."},
    {"price_cache_write_long", SET_USD, MODEL(prices.cache_write_long), "", 0, 0, NULL, false,
     "Of those that it keeps for an hour; empty: as price_cache_write."},
    {"price_reasoning", SET_USD, MODEL(prices.reasoning), "", 0, 0, NULL, false,
     "Of completion tokens spent on reasoning; empty: as price_output."},
    {"price_audio_input", SET_USD, MODEL(prices.audio_in), "", 0, 0, NULL, false,
     "Of prompt tokens that are audio; empty: as price_input."},
    {"price_audio_output", SET_USD, MODEL(prices.audio_out), "", 0, 0, NULL, false,
     "Of completion tokens that are audio; empty: as price_output."},
    {"price_image_input", SET_USD, MODEL(prices.image_in), "", 0, 0, NULL, false,
     "Of prompt tokens that are images; empty: as price_input."},
    {"price_request", SET_USD, MODEL(prices.request), "", 0, 0, NULL, false,
     "US dollars for each request, whatever its tokens."},
    {"output_tokens_max", SET_COUNT, MODEL(output_tokens_max), "4096", 1, 10000000, NULL, false,
     "Completion tokens set aside from a budget when the request names no maximum."},
    {"window", SET_COUNT, MODEL(window), "0", 0, 1000000000, NULL, false,
     "Tokens that prompt and answer may have together; a route skips what cannot hold a request. "
     "0: not known."},
    {"abilities", SET_WORDS, MODEL(abilities), "", 0, 0, NULL, false,
     "What it can do: stream, tools, parallel_tools, images, audio, files, json, schema, "
     "reasoning, logprobs, seed, choices, continue, embeddings, rerank, moderation, chat; a route "
     "skips what cannot do what a request needs. Empty: what its kind of provider usually can, but "
     "rerank and moderation. `weir model test` measures it."},
    {"zone", SET_CHOICE, MODEL(zone), "unsaid", 0, 0, "unsaid|local|trusted|public", false,
     "Where prompts go with it: keys and routes may be bound to zones."},
    {"lifecycle", SET_CHOICE, MODEL(lifecycle), "active", 0, 0, "active|preview|deprecated|retired",
     false,
     "Deprecated: answered, and the client is told of the successor. Retired: refused with its "
     "name."},
    {"cache", SET_CHOICE, MODEL(cache), "default", 0, 0, "default|off|asked|on", false,
     "Whether its answers are kept; default: as cache.mode says."},
    {"successor", SET_NAME, MODEL(successor), "", 0, 0, NULL, false,
     "The model to use in place of one that is deprecated or retired."},
    {"licence", SET_TEXT, MODEL(licence), "", 0, 0, NULL, false,
     "Under which terms it may be used, e.g. apache-2.0; shown by `weir model show`."},
    {"in_flight", SET_COUNT, MODEL(in_flight), "0", 0, 1000000, NULL, false,
     "Requests that it may have at once; a route takes another candidate, else 429. 0: unlimited."},
};

static const struct setting price_rows[] = {
    {"model", SET_NAME, PRICE(model), NULL, 0, 0, NULL, false, "Name of the model it is about."},
    {"hours", SET_TEXT, PRICE(hours), "", 0, 0, NULL, false,
     "From when to when it holds, UTC, e.g. 16:30-00:30; empty: the whole day."},
    {"prompt_tokens", SET_TEXT, PRICE(prompt_tokens), "", 0, 0, NULL, false,
     "For prompts of how many tokens, e.g. 200000- or 0-128000 (the end is not included); empty: "
     "all."},
    {"tenants", SET_WORDS, PRICE(tenants), "", 0, 0, NULL, false,
     "What these tenants are charged; empty: whoever asks."},
    {"price_input", SET_USD, PRICE(prices.in), "", 0, 0, NULL, false,
     "US dollars for a million prompt tokens."},
    {"price_output", SET_USD, PRICE(prices.out), "", 0, 0, NULL, false,
     "US dollars for a million completion tokens."},
    {"price_cached", SET_USD, PRICE(prices.cached), "", 0, 0, NULL, false,
     "Of prompt tokens that the provider had cached; empty: as price_input."},
    {"price_cache_write", SET_USD, PRICE(prices.cache_write), "", 0, 0, NULL, false,
     "Of prompt tokens that it wrote to its cache; empty: as price_input."},
    {"price_cache_write_long", SET_USD, PRICE(prices.cache_write_long), "", 0, 0, NULL, false,
     "Of those that it keeps for an hour; empty: as price_cache_write."},
    {"price_reasoning", SET_USD, PRICE(prices.reasoning), "", 0, 0, NULL, false,
     "Of completion tokens spent on reasoning; empty: as price_output."},
    {"price_audio_input", SET_USD, PRICE(prices.audio_in), "", 0, 0, NULL, false,
     "Of prompt tokens that are audio; empty: as price_input."},
    {"price_audio_output", SET_USD, PRICE(prices.audio_out), "", 0, 0, NULL, false,
     "Of completion tokens that are audio; empty: as price_output."},
    {"price_image_input", SET_USD, PRICE(prices.image_in), "", 0, 0, NULL, false,
     "Of prompt tokens that are images; empty: as price_input."},
    {"price_request", SET_USD, PRICE(prices.request), "", 0, 0, NULL, false,
     "US dollars for each request, whatever its tokens."},
};

static const struct setting route_rows[] = {
    {"name", SET_TEXT, ROUTE(name), NULL, 0, 0, NULL, false, "In records, metrics and errors."},
    {"models", SET_WORDS, ROUTE(models), "", 0, 0, NULL, false,
     "Holds for these names in \"model\", or names that begin so: gpt-4*; empty: every name."},
    {"tenants", SET_WORDS, ROUTE(tenants), "", 0, 0, NULL, false,
     "Of these tenants; empty: of all."},
    {"teams", SET_WORDS, ROUTE(teams), "", 0, 0, NULL, false, "Of these teams; empty: of all."},
    {"tags", SET_WORDS, ROUTE(tags), "", 0, 0, NULL, false,
     "With one of these tags, of the key or in the request's weir.tags; empty: with any or none."},
    {"data_classes", SET_WORDS, ROUTE(data_classes), "", 0, 0, NULL, false,
     "With one of these in the request's weir.data_class; empty: with any or none."},
    {"hours", SET_TEXT, ROUTE(hours), "", 0, 0, NULL, false,
     "From when to when, UTC, e.g. 22:00-06:00; empty: the whole day."},
    {"prompt_tokens", SET_TEXT, ROUTE(prompt_tokens), "", 0, 0, NULL, false,
     "For prompts of about how many tokens, e.g. 100000- or 0-8000; empty: all."},
    {"needs", SET_WORDS, ROUTE(needs), "", 0, 0, NULL, false,
     "For requests that need all of these abilities, e.g. images; empty: for all."},
    {"use", SET_WORDS, ROUTE(use), NULL, 0, 0, " > ", false,
     "Who answers: names of `models`. \"a*3, b > c\" asks a or b, a three times as often, and c "
     "when "
     "both fail. A list is groups in order."},
    {"attempts", SET_COUNT, ROUTE(attempts), "3", 1, ATTEMPTS_MAX, NULL, false,
     "How often candidates are asked for one request, the first time included."},
    {"attempts_time", SET_DURATION, ROUTE(attempts_time), "60s", 0, S(3600), NULL, false,
     "After so long no further attempt begins; 0s: no limit of its own."},
    {"backoff", SET_DURATION, ROUTE(backoff), "250ms", 0, S(60), NULL, false,
     "Longest pause before a candidate that failed is asked again; a random part of it is waited, "
     "and "
     "it doubles each time."},
    {"backoff_max", SET_DURATION, ROUTE(backoff_max), "8s", 0, S(600), NULL, false,
     "Where that doubling ends."},
    {"retry_after_max", SET_DURATION, ROUTE(retry_after_max), "10s", 0, S(600), NULL, false,
     "A candidate's Retry-After is waited for up to here when nobody else is left; a longer one "
     "ends "
     "the request, which then carries it."},
    {"first_token_timeout", SET_DURATION, ROUTE(first_token_timeout), "0s", 0, S(3600), NULL, false,
     "A stream without its first token by then is left for the next candidate; 0s: only the "
     "provider's own timeouts."},
    {"on_cut", SET_CHOICE, ROUTE(on_cut), "error", 0, 0, "error|continue", false,
     "A stream that breaks off ends with an error event, or the next candidate goes on with what "
     "was "
     "said."},
    {"hedge_delay", SET_DURATION, ROUTE(hedge_delay), "0s", 0, S(600), NULL, false,
     "Without a first token by then a second candidate is asked as well, and the first token wins; "
     "0s: never."},
    {"hedge_percentile", SET_COUNT, ROUTE(hedge_percentile), "0", 0, 99, NULL, false,
     "The same after the time in which so many of a hundred first tokens came lately; hedge_delay "
     "counts until enough were seen. 0: off."},
    {"breaker_failures", SET_COUNT, ROUTE(breaker_failures), "5", 0, 1000, NULL, false,
     "Failures in a row, or half of the last 20, after which a candidate rests; 0: never."},
    {"breaker_time", SET_DURATION, ROUTE(breaker_time), "30s", MS(10), S(3600), NULL, false,
     "How long it rests before one request tries it; doubles up to 8 times while that fails."},
    {"retry_empty", SET_BOOL, ROUTE(retry_empty), "true", 0, 0, NULL, false,
     "An answer with nothing in it counts as a failure."},
};

static const struct setting issuer_rows[] = {
    {"name", SET_NAME, ISSUER(name), NULL, 0, 0, NULL, true, "How logs call it."},
    {"url", SET_URL, ISSUER(url), NULL, 0, 0, NULL, true,
     "The issuer, exactly as tokens have it in \"iss\"."},
    {"audience", SET_TEXT, ISSUER(audience), NULL, 0, 0, NULL, true,
     "What tokens for Weir have in \"aud\"."},
    {"jwks_url", SET_URL, ISSUER(jwks_url), "", 0, 0, NULL, true,
     "Where its keys are; empty: where its openid-configuration says."},
    {"ca_file", SET_PATH, ISSUER(ca_file), "", 0, 0, NULL, true,
     "PEM file with the authorities that may vouch for it; empty: the system's."},
    {"algorithms", SET_TEXT, ISSUER(algorithms), "RS256 PS256 ES256 ES384 EdDSA", 0, 0, NULL, true,
     "Signatures that are believed, of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA."},
    {"tenant", SET_TEXT, ISSUER(tenant), "", 0, 0, NULL, true,
     "Tenant of tokens that name none; empty: they are refused."},
    {"tenant_claim", SET_TEXT, ISSUER(tenant_claim), "", 0, 0, NULL, true,
     "Claim that names the tenant, e.g. \"org\" or \"app.tenant\"; empty: `tenant` for all."},
    {"team_claim", SET_TEXT, ISSUER(team_claim), "", 0, 0, NULL, true,
     "Claim that names the team, as \"search\" or \"acme/search\"; empty: none."},
    {"role_claim", SET_TEXT, ISSUER(role_claim), "", 0, 0, NULL, true,
     "Claim that names the role, or a list of names of which the strongest role counts."},
    {"role_prefix", SET_TEXT, ISSUER(role_prefix), "", 0, 0, NULL, true,
     "What stands before roles in role_claim: \"weir-\" for \"weir-admin\"."},
    {"default_role", SET_CHOICE, ISSUER(default_role), "none", 0, 0, "none|app|developer|auditor",
     true, "Role of tokens that name none; none: they are refused."},
    {"skew", SET_DURATION, ISSUER(skew), "60s", 0, S(300), NULL, true, "What clocks may differ."},
    {"refresh", SET_DURATION, ISSUER(refresh), "10m", S(1), S(86400), NULL, true,
     "How often its keys are fetched; sooner when a token names a key that is not among them."},
    {"stale", SET_DURATION, ISSUER(stale), "24h", S(1), S(2592000), NULL, true,
     "How long its last keys are believed while it cannot be reached."},
    {"timeout", SET_DURATION, ISSUER(timeout), "10s", MS(10), S(600), NULL, true,
     "For fetching its keys, and for exchanging the code of a login."},
    {"client_id", SET_TEXT, ISSUER(client_id), "", 0, 0, NULL, true,
     "What Weir is called there: people can log in at it then. Empty: they cannot."},
    {"client_secret", SET_SECRET, ISSUER(client_secret), "", 0, 0, NULL, true,
     "What Weir shows there when it exchanges a code; none: a public client, by PKCE alone."},
    {"client_auth", SET_CHOICE, ISSUER(client_auth), "auto", 0, 0, "auto|basic|post", true,
     "How it shows it: client_secret_basic or client_secret_post; auto: basic, unless the issuer "
     "names only post."},
    {"scopes", SET_TEXT, ISSUER(scopes), "openid profile email", 0, 0, NULL, true,
     "What a login asks for, with spaces between; \"openid\" among them."},
};

static const struct setting login_rows[] = {
    {"url", SET_URL, AT(login.url), "", 0, 0, NULL, true,
     "Where browsers reach this Weir: \"https://weir.example.com\". Logins need it; http only for "
     "this machine. The issuer has to know URL/auth/callback, and URL/auth/me for logouts."},
    {"lifetime", SET_DURATION, AT(login.lifetime), "12h", S(1), S(2592000), NULL, true,
     "How long a session lasts from its login."},
    {"idle", SET_DURATION, AT(login.idle), "1h", S(1), S(2592000), NULL, true,
     "After so long without a request it ends, up to a sixteenth earlier."},
    {"sessions", SET_COUNT, AT(login.sessions), "10000", 1, 1000000, NULL, true,
     "Sessions at once; above it logins are refused with 429."},
    {"sessions_per_person", SET_COUNT, AT(login.sessions_per_person), "20", 1, 1000, NULL, true,
     "Sessions of a person at once; the oldest ends when there would be more."},
    {"remember", SET_DURATION, AT(login.remember), "5s", 0, S(60), NULL, true,
     "How long what the database said of a session is believed, at most a thirty-second part of "
     "idle. Another Weir over the same database "
     "hears of an end within a second; when it cannot, so long it may go on."},
    {"timeout", SET_DURATION, AT(login.timeout), "10m", S(1), S(86400), NULL, true,
     "How long a login may take at the issuer."},
    {"per_minute", SET_COUNT, AT(login.per_minute), "600", 1, 1000000, NULL, true,
     "Logins begun or ended in a minute, together; above it 429."},
    {"per_address", SET_COUNT, AT(login.per_address), "60", 1, 1000000, NULL, true,
     "The same of one client address. Behind a proxy all have one."},
};

const struct section settings_sections[] = {
    {"server", "The listener and the limits of requests.", server_rows, ARRAY_LEN(server_rows), 0,
     0, 0, 0},
    {"data", "What is kept, and where.", data_rows, ARRAY_LEN(data_rows), 0, 0, 0, 0},
    {"audit", "The audit log: how long it is kept.", audit_rows, ARRAY_LEN(audit_rows), 0, 0, 0, 0},
    {"audit_tenants", "A list: what the audit log keeps of single tenants' questions and answers.",
     audit_tenant_rows, ARRAY_LEN(audit_tenant_rows), AT(audit_tenants), AT(audit_tenant_count),
     sizeof(struct body_settings), 1000},
    {"log", "Logging, to standard error.", log_rows, ARRAY_LEN(log_rows), 0, 0, 0, 0},
    {"telemetry", "Traces: for a collector, and for `weir trace`.", telemetry_rows,
     ARRAY_LEN(telemetry_rows), 0, 0, 0, 0},
    {"knowledge", "Answers from documents.", knowledge_rows, ARRAY_LEN(knowledge_rows), 0, 0, 0, 0},
    {"sources", "A list: where documents come from by themselves: documents.md.", source_rows,
     ARRAY_LEN(source_rows), AT(sources), AT(source_count), sizeof(struct source_settings), 64},
    {"responses", "Answers that clients may go on from.", responses_rows, ARRAY_LEN(responses_rows),
     0, 0, 0, 0},
    {"upstream", "Connections to providers.", upstream_rows, ARRAY_LEN(upstream_rows), 0, 0, 0, 0},
    {"providers", "A list: who answers from outside.", provider_rows, ARRAY_LEN(provider_rows),
     AT(providers), AT(provider_count), sizeof(struct provider_settings), 64},
    {"models", "A list: what clients may ask for.", model_rows, ARRAY_LEN(model_rows), AT(models),
     AT(model_count), sizeof(struct model_settings), 1000},
    {"prices",
     "A list: other prices at some hours, prompt sizes or for some tenants. Of a model's rows the "
     "first that fits "
     "holds for the whole request; what it leaves out is as in `models`.",
     price_rows, ARRAY_LEN(price_rows), AT(prices), AT(price_count), sizeof(struct price_settings),
     2000},
    {"routes",
     "A list: who answers what. The first row that holds for a request is taken; rows that overlap "
     "without one being the exception of the other above it are refused. See routing.md.",
     route_rows, ARRAY_LEN(route_rows), AT(routes), AT(route_count), sizeof(struct route_settings),
     ROUTES_MAX},
    {"cache", "Answers that are kept: docs/cache.md.", cache_rows, ARRAY_LEN(cache_rows), 0, 0, 0,
     0},
    {"issuers",
     "A list: whose tokens (OpenID Connect, JWT) are believed beside keys. See accounts.md.",
     issuer_rows, ARRAY_LEN(issuer_rows), AT(issuers), AT(issuer_count),
     sizeof(struct issuer_settings), 16},
    {"login", "Logins of people, at issuers with a client_id. See accounts.md.", login_rows,
     ARRAY_LEN(login_rows), 0, 0, 0, 0},
};
/* clang-format on */
const size_t settings_section_count = ARRAY_LEN(settings_sections);
