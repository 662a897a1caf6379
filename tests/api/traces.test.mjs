import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import { after, before, test } from "node:test";
import { Api } from "./schema.mjs";
import { authority, Collector } from "./collector.mjs";
import { Provider } from "../sdk/provider.mjs";
import { Weir } from "../sdk/weir.mjs";

let provider, collector, weir;
const parent = (flags, trace = "0af7651916cd43dd8448eb211c80319c") => `00-${trace}-b7ad6b7169203331-${flags}`;

const ask = async (content, { headers = {}, stream = false, at = weir } = {}) => {
  const reply = await fetch(`${at.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${at.key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "fake", stream, messages: [{ role: "user", content }] }),
  });
  await reply.text();
  return reply;
};

const started = async (settings) => {
  const names = Object.keys(settings).map((name) => [`WEIR_TELEMETRY_${name.toUpperCase()}`, settings[name]]);
  for (const [name, value] of names) process.env[name] = value;
  try {
    return await new Weir().start({ provider });
  } finally {
    for (const [name] of names) delete process.env[name];
  }
};

const metric = async (at, name) => {
  const text = await (await fetch(`${at.url}/metrics`)).text();
  const line = text.split("\n").find((l) => l.startsWith(`${name} `));
  return line ? Number(line.split(" ").at(-1)) : 0;
};

const logOf = (at) => fs.readFileSync(`${at.dir}/log`, "utf8");

const until = async (holds, tries = 500) => {
  for (let i = 0; i < tries; i++) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail(`it never came to be: ${holds}`);
};

before(async () => {
  provider = await new Provider().start();
  collector = await new Collector().start();
  process.env.COLLECTOR_TOKEN = "secret";
  weir = await started({ endpoint: collector.url, header_value: "env:COLLECTOR_TOKEN", sample_percent: "100", interval: "100ms", resource: "deployment.environment.name=test, team=x" });
});
after(async () => {
  await weir.stop();
  collector.stop();
  provider.stop();
});

test("a request is a server span with its steps and a client span, named by the conventions", async () => {
  const reply = await ask("hi", { stream: true });
  const id = reply.headers.get("x-request-id").slice(4);
  const root = await collector.span((s) => s.attributes["weir.request"] === id);
  assert.equal(root.kind, 2);
  assert.equal(root.parentSpanId, undefined);
  assert.equal(root.name, "POST /v1/chat/completions");
  const has = {
    "http.request.method": "POST", "http.route": "/v1/chat/completions", "http.response.status_code": 200, "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "fake", "gen_ai.response.model": "fake-remote-2026", "gen_ai.usage.input_tokens": 25, "gen_ai.usage.output_tokens": 35, "weir.outcome": "complete",
    "weir.cost_micro_usd": 95,
  };
  for (const [key, value] of Object.entries(has)) assert.equal(root.attributes[key], value, key);
  assert.ok(root.attributes["weir.audit_sequence"] > 0);
  assert.ok(root.attributes["weir.time_to_first_token_us"] >= 0);
  const trace = collector.trace(root.traceId);
  const named = Object.fromEntries(trace.map((s) => [s.name, s]));
  for (const step of ["authenticate", "parse", "route", "budget", "call", "deliver"]) assert.equal(named[step].parentSpanId, root.spanId, step);
  const client = trace.find((s) => s.kind === 3);
  assert.equal(client.name, "chat fake-remote");
  assert.equal(client.parentSpanId, named.call.spanId);
  assert.equal(client.attributes["server.address"], "127.0.0.1");
  assert.equal(client.attributes["server.port"], Number(new URL(provider.url).port));
  assert.equal(client.attributes["http.response.status_code"], 200);
  assert.equal(client.attributes["gen_ai.request.model"], "fake-remote");
  assert.equal(client.attributes["gen_ai.usage.output_tokens"], 35);
  for (const one of trace) {
    assert.ok(one.start >= root.start - 1_000_000n, `${one.name} begins inside`);
    assert.equal(one.resource["service.name"], "weir");
    assert.equal(one.resource["deployment.environment.name"], "test");
    assert.equal(one.resource.team, "x");
  }
  assert.ok(client.end > client.start, "time passes");
  assert.ok(named.call.start <= client.start && client.end >= named.call.end, "the client span lasts as long as the answer");
  assert.equal(collector.headers.authorization, "Bearer secret");
});

test("no prompt, answer or key is in a span", async () => {
  const reply = await ask("a very secret prompt");
  const root = await collector.span((s) => s.attributes["weir.request"] === reply.headers.get("x-request-id").slice(4));
  const all = JSON.stringify(collector.trace(root.traceId), (_, v) => (typeof v === "bigint" ? String(v) : v));
  for (const secret of ["a very secret prompt", "Hello from the fake", weir.key, "sk-fake"]) assert.ok(!all.includes(secret), secret);
});

test("a client's trace is joined, and the provider is told of it", async () => {
  await ask("hi", { headers: { traceparent: parent("01"), tracestate: "vendor=a1,other=b2" } });
  const root = await collector.span((s) => s.kind === 2 && s.parentSpanId === "b7ad6b7169203331");
  assert.equal(root.traceId, "0af7651916cd43dd8448eb211c80319c");
  assert.equal(root.flags & 0x300, 0x300, "the parent is known to be remote");
  const client = collector.trace(root.traceId).find((s) => s.kind === 3);
  assert.equal(provider.requests.at(-1).headers.traceparent, `00-${root.traceId}-${client.spanId}-01`);
  assert.equal(provider.requests.at(-1).headers.tracestate, "vendor=a1,other=b2");
  assert.equal(root.traceState, "vendor=a1,other=b2");
});

test("a tracestate without its traceparent, or a boundless one, is not passed on", async () => {
  await ask("hi", { headers: { tracestate: "vendor=a1" } });
  assert.equal(provider.requests.at(-1).headers.tracestate, undefined);
  await ask("hi", { headers: { traceparent: parent("01"), tracestate: `v=${"a".repeat(600)}` } });
  assert.equal(provider.requests.at(-1).headers.tracestate, undefined);
});

test("a client's decision not to sample holds, and passes on", async () => {
  const trace = "1".repeat(32);
  await ask("hi", { headers: { traceparent: parent("00", trace) } });
  assert.equal(provider.requests.at(-1).headers.traceparent, parent("00", trace), "no span of ours stands between");
  await ask("hi", { headers: { traceparent: parent("01", "2".repeat(32)) } });
  await collector.span((s) => s.traceId === "2".repeat(32));
  assert.deepEqual(collector.trace(trace), []);
});

test("a traceparent that is none begins a new trace", async () => {
  const reply = await ask("hi", { headers: { traceparent: "00-zz-b7ad6b7169203331-01" } });
  const root = await collector.span((s) => s.attributes["weir.request"] === reply.headers.get("x-request-id").slice(4));
  assert.equal(root.parentSpanId, undefined);
});

test("a failure is marked with its kind", async () => {
  const reply = await ask("error 500");
  const root = await collector.span((s) => s.attributes["weir.request"] === reply.headers.get("x-request-id").slice(4));
  assert.equal(root.attributes["http.response.status_code"], reply.status);
  assert.equal(root.status.code, 2);
  const client = collector.trace(root.traceId).find((s) => s.kind === 3);
  assert.equal(client.attributes["http.response.status_code"], 500);
});

test("a provider's 500 that is passed on is the server span's error too", async () => {
  const reply = await ask("error 500");
  assert.equal(reply.status, 500);
  const root = await collector.span((s) => s.attributes["weir.request"] === reply.headers.get("x-request-id").slice(4));
  assert.equal(root.attributes["error.type"], "500");
  assert.equal(root.status.code, 2);
});

test("what clients send that is no UTF-8 breaks no batch", async () => {
  const send = (path, headers, body) => new Promise((done, failed) => {
    const req = http.request(`${weir.url}${path}`, { method: "POST", headers: { authorization: `Bearer ${weir.key}`, "content-type": "application/json", ...headers } }, (res) => (res.resume(), res.on("end", () => done(res.headers["x-request-id"].slice(4)))));
    req.on("error", failed);
    req.end(JSON.stringify(body));
  });
  const named = await send("/model/a%ffb/converse", {}, { messages: [{ role: "user", content: [{ text: "hi" }] }] });
  const long = await send(`/model/${"%c3%a9".repeat(127)}x%c3%a9/converse`, {}, { messages: [{ role: "user", content: [{ text: "hi" }] }] });
  const stated = await send("/v1/chat/completions", { traceparent: parent("01", "1af7651916cd43dd8448eb211c80319c"), tracestate: "a=b\xff" }, { model: "fake", reasoning_effort: "x" + "é".repeat(40), messages: [{ role: "user", content: "hi" }] });
  const span = (id) => collector.span((s) => s.attributes["weir.request"] === id);
  assert.equal((await span(named)).attributes["gen_ai.request.model"], "a\ufffdb");
  assert.ok((await span(long)).attributes["gen_ai.request.model"].startsWith("éé"));
  await span(stated);
});

test("what a trace has no room for is told and counted", async () => {
  const reply = await fetch(`${weir.url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${weir.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "fake", prompt: Array.from({ length: 100 }, (_, i) => `hi ${i}`) }),
  });
  assert.equal(reply.status, 200, await reply.text());
  const root = await collector.span((s) => s.attributes["weir.request"] === reply.headers.get("x-request-id").slice(4));
  assert.ok(root.attributes["weir.spans_missing"] >= 36, `${root.attributes["weir.spans_missing"]}`);
  assert.equal(await metric(weir, 'weir_telemetry_spans_total{outcome="missing"}'), root.attributes["weir.spans_missing"]);
});

test("what the collector rejects is counted", async () => {
  const before = await metric(weir, 'weir_telemetry_spans_total{outcome="rejected"}');
  const normal = collector.answer;
  collector.answer = async (res) => res.writeHead(200).end(Buffer.from([0x0a, 0x07, 0x08, 0x02, 0x12, 0x03, 0x62, 0x61, 0x64])); // partial_success {rejected_spans: 2, error_message: "bad"}
  await ask("hi");
  await until(async () => (await metric(weir, 'weir_telemetry_spans_total{outcome="rejected"}')) === before + 2);
  collector.answer = normal;
});

test("a collector that is busy is asked again, and nothing is lost or doubled", async () => {
  const normal = collector.answer, spans = collector.spans.length;
  let refused = 0;
  collector.answer = async (res) => (refused++ === 0 ? res.writeHead(503, { "retry-after": "0" }).end() : normal(res));
  const reply = await ask("hi");
  const root = await collector.span((s) => s.attributes["weir.request"] === reply.headers.get("x-request-id").slice(4));
  assert.equal(collector.spans.slice(spans).filter((s) => s.spanId === root.spanId).length, 1);
  assert.ok(refused >= 2);
  collector.answer = normal;
});

test("requests do not wait for a collector that hangs, and what has no room is counted", async () => {
  const held = [];
  const hanging = await new Collector().start();
  hanging.answer = (res) => new Promise(() => held.push(res));
  const other = await started({ endpoint: hanging.url, sample_percent: "100", interval: "100ms", timeout: "60s", queue: "256KiB", batch: "1KiB" });
  for (let i = 0; i < 40; i++) await Promise.all(Array.from({ length: 10 }, () => ask("hi", { at: other })));
  assert.ok(held.length > 0, "a batch is on its way");
  assert.ok((await metric(other, 'weir_telemetry_spans_total{outcome="dropped"}')) > 0);
  await until(async () => (await metric(other, "weir_telemetry_queue_bytes")) > 100 * 1024);
  await other.end();
  assert.match(logOf(other), /telemetry: \d+ spans still waited when Weir stopped, and are lost/);
  await other.stop();
  hanging.stop();
});

test("a collector that is not there costs nothing but its spans", async () => {
  const other = await started({ endpoint: "http://127.0.0.1:1", sample_percent: "100", interval: "100ms" });
  assert.equal((await ask("hi", { at: other })).status, 200);
  await until(async () => (await metric(other, 'weir_telemetry_exports_total{outcome="failed"}')) > 0);
  assert.equal((await ask("hi", { at: other })).status, 200);
  await other.stop();
});

test("a collector over TLS is believed by its authority alone, and by its name", async () => {
  const ours = authority(), other = authority(), elsewhere = authority("DNS:collector.example");
  const good = await new Collector().start({ tls: ours.tls }), named = await new Collector().start({ tls: elsewhere.tls });
  const cases = [["its own authority", good, ours.ca, true], ["another authority", good, other.ca], ["the authorities of the system", good], ["another name", named, elsewhere.ca]];
  const houses = [];
  for (const [, at, ca] of cases) houses.push(await started({ endpoint: at.url, sample_percent: "100", interval: "100ms", ...(ca ? { ca_file: ca } : {}) }));
  await Promise.all(cases.map(async ([what, , , arrives], i) => {
    const one = houses[i], id = (await ask("hi", { at: one })).headers.get("x-request-id").slice(4);
    if (arrives) return good.span((s) => s.attributes["weir.request"] === id);
    await until(() => /spans could not be sent to the collector and are lost \(\d+ since it last took any\): .*certificate/.test(logOf(one)), 2000);
    assert.ok((await metric(one, 'weir_telemetry_spans_total{outcome="lost"}')) > 0, what);
    assert.equal((await ask("hi", { at: one })).status, 200, `${what}: requests go on`);
  }));
  for (const one of houses) await one.stop();
  assert.equal(good.spans.filter((s) => s.kind === 2).length, 1, "only whom the authority vouches for was told anything");
  assert.equal(named.spans.length, 0);
  assert.deepEqual(good.wrong, []);
  for (const one of [good, named]) one.stop();
  for (const one of [ours, other, elsewhere]) one.remove();
});

test("a ca_file that is none stops the start, and says so", async () => {
  await assert.rejects(started({ endpoint: "https://127.0.0.1:1", ca_file: "/dev/null" }), /telemetry.ca_file/);
});

test("spans that wait leave before a stop", async () => {
  const last = await new Collector().start();
  const other = await started({ endpoint: `${last.url}/v1/traces`, sample_percent: "100", interval: "60s" });
  await ask("hi", { at: other });
  await other.stop();
  assert.equal(last.wrong.length, 0);
  assert.ok(last.spans.some((s) => s.kind === 2));
  last.stop();
});

test("spans of requests that end while Weir stops leave too, on whichever loop they end", async () => {
  const last = await new Collector().start();
  const houses = await Promise.all(Array.from({ length: 4 }, () => started({ endpoint: last.url, sample_percent: "100", interval: "100ms" })));
  const asked = houses.flatMap((at) => Array.from({ length: 6 }, async (_, i) => {
    await new Promise((done) => setTimeout(done, i * 150));
    return (await ask("long", { at, stream: true })).headers.get("x-request-id").slice(4);
  }));
  await new Promise((done) => setTimeout(done, 1200));
  await Promise.all(houses.map((one) => one.stop()));
  const told = new Set(last.spans.map((s) => s.attributes["weir.request"])), missing = (await Promise.all(asked)).filter((id) => !told.has(id));
  assert.deepEqual(missing, []);
  assert.deepEqual(last.wrong, []);
  last.stop();
});

test("without a collector a client's traceparent passes unchanged, and nobody is told otherwise", async () => {
  const other = await started({});
  await ask("hi", { at: other, headers: { traceparent: parent("01") } });
  assert.equal(provider.requests.at(-1).headers.traceparent, parent("01"));
  await ask("hi", { at: other });
  assert.equal(provider.requests.at(-1).headers.traceparent, undefined);
  await other.stop();
});

test("a share is sampled", async () => {
  const some = await new Collector().start();
  const other = await started({ endpoint: some.url, sample_percent: "50", interval: "100ms" });
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, () => ask("hi", { at: other })));
  await until(() => some.spans.filter((s) => s.kind === 2).length > 20);
  await other.stop();
  const roots = some.spans.filter((s) => s.kind === 2).length;
  assert.ok(roots > 50 && roots < 150, `${roots} of 200`);
  some.stop();
});

test("weir trace tells the same, step by step", async () => {
  const reply = await ask("hi", { stream: true }), id = reply.headers.get("x-request-id");
  const api = new Api(JSON.parse(weir.cli("api", "schema")));
  const get = async (where) => {
    const answer = await fetch(weir.url + where, { headers: { authorization: `Bearer ${weir.admin}` } });
    return api.check("GET", where, answer.status, answer.headers.get("content-type"), await answer.text());
  };
  const trace = await get(`/api/v1/traces/${id}`);
  assert.equal(trace.provider, "fake");
  assert.equal(trace.tokens_out, 35);
  assert.equal(trace.exported, true);
  assert.equal(weir.records().find((r) => r.seq === trace.audit_sequence).request, id.slice(4));
  const steps = trace.steps.filter((s) => s.depth === 0).map((s) => s.name);
  assert.deepEqual(steps.filter((s) => ["authenticate", "parse", "budget", "call", "deliver"].includes(s)), ["authenticate", "parse", "budget", "call", "deliver"]);
  const called = trace.steps.find((s) => s.kind === "call");
  assert.match(called.notes, /provider=fake .*status=200/);
  assert.ok(called.ms > 0);
  assert.match(weir.cli("trace", id), /upstream +provider=fake/);
  const all = await get("/api/v1/traces?limit=3");
  assert.equal(all.items[0].id, id, "the newest first");
  assert.equal(all.items.length, 3);
  assert.ok((await get("/api/v1/traces?failed=true")).items.every((t) => t.status >= 400 || t.error));
  assert.equal((await fetch(`${weir.url}/api/v1/traces/${id}`, { headers: { authorization: `Bearer ${weir.key}` } })).status, 403);
});

test("every recent request is on a page, however little memory a request has", async () => {
  const limits = { WEIR_SERVER_REQUEST_MEMORY: "1MiB", WEIR_SERVER_BODY_BYTES: "256KiB" };
  Object.assign(process.env, limits);
  const other = await started({ traces: "2000" });
  for (const name of Object.keys(limits)) delete process.env[name];
  const asked = [], found = [];
  for (let i = 0; i < 40; i++) asked.push(...(await Promise.all(Array.from({ length: 20 }, () => ask("hi", { at: other })))).map((r) => r.headers.get("x-request-id")));
  for (let cursor = ""; cursor !== null;) {
    const reply = await fetch(`${other.url}/api/v1/traces?limit=100${cursor && `&cursor=${cursor}`}`, { headers: { authorization: `Bearer ${other.admin}` } });
    const page = await reply.json();
    assert.equal(reply.status, 200, JSON.stringify(page));
    found.push(...page.items.map((t) => t.id));
    cursor = page.next_cursor;
  }
  await other.stop();
  assert.equal(found.length, new Set(found).size, "none twice");
  assert.deepEqual(asked.filter((id) => !found.includes(id)), []);
});

test("what was sent could be read, all of it", () => assert.deepEqual(collector.wrong, []));
