// The semantic conventions for generative AI, attribute by attribute: every client dialect against every provider dialect,
// whole and streamed, as a collector decodes them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { providers } from "../matrix/strict.mjs";
import { startWeir } from "../matrix/weir.mjs";
import { Collector } from "./collector.mjs";

let weir, collector;
const kinds = { openai: "openai", anthropic: "anthropic", gemini: "gcp.gemini", bedrock: "aws.bedrock" };
const user = (content) => [{ role: "user", content }];
// How each dialect is asked; `asked` is what the conventions call the parameters that were sent.
const clients = {
  chat: {
    path: () => "/v1/chat/completions",
    body: (model, text, stream) => ({ model, messages: user(text), stream, temperature: 0.5, top_p: 0.25, max_completion_tokens: 500 }),
    asked: { "gen_ai.request.temperature": 0.5, "gen_ai.request.top_p": 0.25, "gen_ai.request.max_tokens": 500 },
    operation: "chat",
  },
  messages: {
    path: () => "/v1/messages",
    body: (model, text, stream) => ({ model, messages: user(text), stream, temperature: 0, max_tokens: 400 }),
    asked: { "gen_ai.request.temperature": 0, "gen_ai.request.max_tokens": 400 },
    operation: "chat",
  },
  responses: {
    path: () => "/v1/responses",
    body: (model, text, stream) => ({ model, input: text, stream, store: false, temperature: 1, max_output_tokens: 300 }),
    asked: { "gen_ai.request.temperature": 1, "gen_ai.request.max_tokens": 300 },
    operation: "chat",
  },
  gemini: {
    path: (model, stream) => `/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    body: (model, text) => ({ contents: [{ role: "user", parts: [{ text }] }], generationConfig: { temperature: 0.75, maxOutputTokens: 200 } }),
    asked: { "gen_ai.request.temperature": 0.75, "gen_ai.request.max_tokens": 200 },
    operation: "generate_content",
  },
};

const post = async (path, body) => {
  const reply = await fetch(weir.url + path, { method: "POST", headers: { authorization: `Bearer ${weir.key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
  await reply.text();
  return reply;
};
// The server span of a reply, and the client spans below it.
const spansOf = async (reply) => {
  const id = reply.headers.get("x-request-id").slice(4);
  const root = await collector.span((s) => s.attributes["weir.request"] === id);
  return { root: root.attributes, calls: collector.trace(root.traceId).filter((s) => s.kind === 3) };
};
const holds = (span, want) => {
  for (const [key, value] of Object.entries(want)) assert.deepEqual(span[key], value, key);
};

before(async () => {
  collector = await new Collector().start();
  const env = { WEIR_TELEMETRY_ENDPOINT: collector.url, WEIR_TELEMETRY_SAMPLE_PERCENT: "100", WEIR_TELEMETRY_INTERVAL: "100ms" };
  Object.assign(process.env, env);
  weir = await startWeir("routes:\n  - {name: both, models: both, use: strict-openai > strict-anthropic}\n  - {name: on, models: on, use: strict-openai > strict-anthropic, on_cut: continue}\n");
  for (const name of Object.keys(env)) delete process.env[name];
});
after(async () => {
  await weir.stop();
  collector.stop();
});

for (const provider of Object.keys(providers))
  for (const [name, { path, body, asked, operation }] of Object.entries(clients))
    for (const stream of [false, true])
      test(`${name} of ${provider}, ${stream ? "streamed" : "whole"}`, async () => {
        const model = `strict-${provider}`, url = new URL(weir.behind[provider].url);
        const reply = await post(path(model, stream), body(model, "hello", stream));
        assert.equal(reply.status, 200);
        const { root, calls } = await spansOf(reply);
        assert.equal(calls.length, 1);
        const call = calls[0].attributes;
        const of = { "gen_ai.operation.name": operation, "gen_ai.provider.name": kinds[weir.behind[provider].kind] };
        const answer = {
          "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.model": provider === "bedrock" ? "strict-remote" : "strict-2026",
          "gen_ai.usage.input_tokens": 25, "gen_ai.usage.output_tokens": 35, "gen_ai.usage.cache_read.input_tokens": 5,
        };
        holds(root, { ...of, ...answer, "gen_ai.request.model": model, "http.response.status_code": 200 });
        holds(call, { ...of, ...answer, ...asked, "gen_ai.request.model": "strict-remote", "gen_ai.request.stream": stream || undefined, "server.address": url.hostname, "server.port": Number(url.port),
          "http.response.status_code": 200, "error.type": undefined, "gen_ai.request.choice.count": undefined, "gen_ai.output.type": undefined, "gen_ai.request.seed": undefined });
        assert.equal(calls[0].name, `${operation} strict-remote`);
        if (provider === "openai" || provider === "gemini") holds(call, { "gen_ai.usage.reasoning.output_tokens": 7 });
        if (provider === "openai") holds(call, { "gen_ai.response.id": "chatcmpl-strict" });
        if (provider === "anthropic") holds(call, { "gen_ai.response.id": "msg_strict" });
        const first = call["gen_ai.response.time_to_first_chunk"];
        assert.ok(stream ? first > 0 && first < 60 : first === undefined, `time to first chunk ${first}`);
      });

test("an answer that is too long, and one that ends with calls, say so", async () => {
  for (const provider of Object.keys(providers)) {
    const model = `strict-${provider}`, tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }];
    holds((await spansOf(await post("/v1/chat/completions", clients.chat.body(model, "too long", true)))).root, { "gen_ai.response.finish_reasons": ["length"] });
    holds((await spansOf(await post("/v1/chat/completions", { ...clients.chat.body(model, "one tool", false), tools }))).root, { "gen_ai.response.finish_reasons": ["tool_calls"] });
  }
});

test("what else was asked for", async () => {
  const body = { ...clients.chat.body("strict-openai", "schema", false), n: 1, seed: 7, frequency_penalty: 0.5, presence_penalty: -0.5, reasoning_effort: "low", stop: ["secret words"],
    response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } } };
  const { calls } = await spansOf(await post("/v1/chat/completions", body));
  holds(calls[0].attributes, { "gen_ai.request.seed": 7, "gen_ai.request.frequency_penalty": 0.5, "gen_ai.request.presence_penalty": -0.5, "gen_ai.request.reasoning.level": "low", "gen_ai.output.type": "json" });
  assert.ok(!JSON.stringify(calls[0].attributes).includes("secret words"), "a stop sequence is the client's text");
});

test("every choice has its reason, and one that never ended has error", async () => {
  const provider = weir.behind.openai, { whole, stream } = provider;
  provider.whole = function (said, body) {
    const reply = JSON.parse(whole.call(this, said, body));
    reply.choices.push({ ...reply.choices[0], index: 1, finish_reason: "length" });
    return JSON.stringify(reply);
  };
  const two = await spansOf(await post("/v1/chat/completions", { ...clients.chat.body("strict-openai", "hello", false), n: 2 }));
  holds(two.calls[0].attributes, { "gen_ai.response.finish_reasons": ["stop", "length"], "gen_ai.request.choice.count": 2 });
  provider.whole = whole;
  provider.stream = function (said, body) {
    return stream.call(this, said, body).slice(0, 3);
  };
  const reply = await fetch(`${weir.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${weir.key}` }, body: JSON.stringify(clients.chat.body("strict-openai", "hello", true)) });
  await reply.text().catch(() => "");
  provider.stream = stream;
  const cut = await spansOf(reply);
  holds(cut.root, { "gen_ai.response.finish_reasons": ["error"], "weir.outcome": "cut", "error.type": "unavailable" });
});

test("a refusal by the provider has its status as the kind of error", async () => {
  const { root, calls } = await spansOf(await post("/v1/chat/completions", clients.chat.body("strict-anthropic", "error 429", false)));
  assert.ok(calls.length >= 1);
  for (const call of calls) {
    holds(call.attributes, { "error.type": "429", "http.response.status_code": 429, "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "strict-remote", "gen_ai.response.finish_reasons": undefined });
    assert.equal(call.status.code, 2);
  }
  holds(root, { "http.response.status_code": 429, "gen_ai.response.finish_reasons": undefined });
});

test("of two that were asked, each span speaks of its own", async () => {
  const provider = weir.behind.openai, { whole } = provider;
  provider.whole = () => "this is no answer";
  const { root, calls } = await spansOf(await post("/v1/chat/completions", clients.chat.body("both", "hello", false)));
  provider.whole = whole;
  const [first] = calls.filter((c) => c.attributes["gen_ai.provider.name"] === "openai"), last = calls.find((c) => c.attributes["gen_ai.provider.name"] === "anthropic");
  assert.ok(first && last, "both are there");
  holds(first.attributes, { "server.port": Number(new URL(provider.url).port), "gen_ai.response.finish_reasons": undefined, "gen_ai.usage.output_tokens": undefined });
  holds(last.attributes, { "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.output_tokens": 35, "gen_ai.response.id": "msg_strict" });
  holds(root, { "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "both" });
});

test("what was sent could be read, all of it", () => assert.deepEqual(collector.wrong, []));

test("an event says in whole why it came to be", async () => {
  const provider = weir.behind.openai, { stream } = provider;
  provider.stream = function (said, body) {
    return stream.call(this, said, body).slice(0, 3);
  };
  const reply = await fetch(`${weir.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${weir.key}` }, body: JSON.stringify(clients.chat.body("on", "hello", true)) });
  await reply.text().catch(() => "");
  provider.stream = stream;
  const root = await collector.span((s) => s.attributes["weir.request"] === reply.headers.get("x-request-id").slice(4));
  const cut = root.events.find((e) => e.name === "call.cut");
  const said = Object.fromEntries(cut.attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
  assert.match(said["weir.why"], / /, JSON.stringify(said));
  assert.deepEqual(Object.keys(said).sort(), ["http.response.body.size", "weir.why"]);
});
