// The official OpenAI SDK with nothing but its base URL changed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { Provider } from "./provider.mjs";
import { Weir } from "./weir.mjs";

const hello = "Hello from the fake provider: 你好, 🌍!";
const user = (content) => [{ role: "user", content }];
const weather = { type: "function", function: { name: "weather", description: "The weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } } };
let provider, weir, client;

before(async () => {
  provider = await new Provider().start();
  weir = await new Weir().start({ provider });
  client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: weir.key, maxRetries: 0 });
});
after(async () => {
  await weir.stop();
  provider.stop();
});

test("a chat completion comes back as the provider gave it", async () => {
  const { data, response } = await client.chat.completions.create({ model: "fake", messages: user("hi") }).withResponse();
  assert.equal(data.choices[0].message.content, hello);
  assert.equal(data.usage.total_tokens, 60);
  assert.equal(data.system_fingerprint, "fp_fake");
  assert.deepEqual(data.vendor_extra, { kept: true });
  assert.match(response.headers.get("x-request-id"), /^req_[0-9a-f]{16}$/);
  const sent = provider.requests.at(-1);
  assert.equal(sent.body.model, "fake-remote");
  assert.equal(sent.headers.authorization, "Bearer sk-fake");
  assert.ok(!sent.text.includes(weir.key) && !JSON.stringify(sent.headers).includes(weir.key), "the client's key does not leave");
});

test("every field passes", async () => {
  const request = { model: "fake", messages: user("hi"), temperature: 0.25, top_p: 0.5, seed: 7, stop: ["x"], n: 2, logprobs: true, top_logprobs: 1, user: "u", metadata: { a: "b" },
    max_completion_tokens: 10, presence_penalty: 0.1, service_tier: "auto", an_unknown_field: { deep: [1, 2.50, "é"] } };
  const reply = await client.chat.completions.create(request);
  const { model, ...rest } = provider.requests.at(-1).body;
  const { model: asked, ...expected } = request;
  assert.deepEqual(rest, expected);
  assert.equal(reply.choices.length, 2);
  assert.equal(reply.choices[1].index, 1);
  assert.equal(reply.choices[0].logprobs.content[0].token, "Hello");
});

test("a stream arrives in pieces and whole", async () => {
  const stream = await client.chat.completions.create({ model: "fake", messages: user("hi"), stream: true });
  let text = "", pieces = 0, finish, usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
    pieces++;
  }
  assert.equal(text, hello);
  assert.equal(finish, "stop");
  assert.ok(pieces > 5);
  assert.equal(usage, undefined, "no usage chunk unless it was asked for");
  assert.equal(provider.requests.at(-1).body.stream_options.include_usage, true, "Weir asks for it all the same");
});

test("usage in a stream when it was asked for", async () => {
  const stream = await client.chat.completions.create({ model: "fake", messages: user("hi"), stream: true, stream_options: { include_usage: true } });
  let usage;
  for await (const chunk of stream) usage = chunk.usage ?? usage;
  assert.equal(usage.total_tokens, 60);
});

test("parallel tool calls in a stream", async () => {
  const runner = client.chat.completions.stream({ model: "fake", messages: user("tools"), tools: [weather] });
  const message = await runner.finalMessage();
  assert.deepEqual(message.tool_calls.map((c) => [c.id, c.function.name, c.function.arguments]), [["call_0", "weather", '{"city":"Zürich"}'], ["call_1", "time", '{"zone":"CET"}']]);
  assert.equal((await runner.finalChatCompletion()).choices[0].finish_reason, "tool_calls");
});

test("a tool's result goes back", async () => {
  const first = await client.chat.completions.create({ model: "fake", messages: user("tools"), tools: [weather] });
  const call = first.choices[0].message.tool_calls[0];
  const messages = [...user("tools"), first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "21 degrees" }];
  const second = await client.chat.completions.create({ model: "fake", messages, tools: [weather] });
  assert.equal(second.choices[0].message.content, hello);
  assert.deepEqual(provider.requests.at(-1).body.messages, messages);
});

test("structured output is parsed", async () => {
  const Report = z.object({ city: z.string(), celsius: z.number() });
  const reply = await client.chat.completions.parse({ model: "fake", messages: user("report"), response_format: zodResponseFormat(Report, "report") });
  assert.deepEqual(reply.choices[0].message.parsed, { city: "Zürich", celsius: 21 });
  assert.equal(provider.requests.at(-1).body.response_format.json_schema.strict, true);
});

test("a picture as a part", async () => {
  const content = [{ type: "text", text: "what colour" }, { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(100_000)}` } }];
  const reply = await client.chat.completions.create({ model: "fake", messages: user(content) });
  assert.equal(reply.choices[0].message.content, "The picture is red.");
  assert.deepEqual(provider.requests.at(-1).body.messages[0].content, content);
});

test("models are listed and found", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.deepEqual(names.sort(), ["dear", "fake", "omni-moderation-latest", "unreachable", "weir"]);
  assert.equal((await client.models.retrieve("fake")).object, "model");
  await assert.rejects(client.models.retrieve("nobody"), OpenAI.NotFoundError);
});

const wrong = [
  ["a key of nobody", { apiKey: "wr_0000" }, {}, OpenAI.AuthenticationError, "invalid_api_key"],
  ["an unknown model", {}, { model: "nobody" }, OpenAI.NotFoundError, "model_not_found"],
  ["no messages", {}, { messages: undefined }, OpenAI.BadRequestError, null],
  ["messages of the wrong kind", {}, { messages: "hi" }, OpenAI.BadRequestError, null],
  ["a provider that is down", {}, { model: "unreachable" }, OpenAI.InternalServerError, null],
];
for (const [name, options, fields, kind, code] of wrong)
  test(`error shape: ${name}`, async () => {
    const error = await client.withOptions(options).chat.completions.create({ model: "fake", messages: user("hi"), ...fields }).then(() => assert.fail("was accepted"), (e) => e);
    assert.ok(error instanceof kind, `${error.constructor.name}: ${error.message}`);
    assert.ok(error.error.message.length > 10 && typeof error.error.type === "string");
    assert.ok("param" in error.error && "code" in error.error);
    if (code) assert.equal(error.code, code);
    assert.match(error.requestID ?? "", /^req_/);
  });

for (const status of [400, 403, 404, 422, 429, 500, 503])
  test(`a provider's own ${status} passes untouched`, async () => {
    const error = await client.chat.completions.create({ model: "fake", messages: user(`error ${status}`) }).then(() => assert.fail("was accepted"), (e) => e);
    assert.equal(error.status, status);
    assert.deepEqual(error.error, { message: `fake ${status}`, type: "fake_error", param: "messages", code: "fake_code" });
    if (status === 429) assert.equal(error.headers.get("retry-after"), "0");
  });

test("a provider that refuses Weir's own key is not the client's mistake", async () => {
  const error = await client.chat.completions.create({ model: "fake", messages: user("error 401") }).then(() => assert.fail("was accepted"), (e) => e);
  assert.equal(error.status, 503);
  assert.match(error.message, /provider "fake" refused the api_key/);
});

test("half a character in a piece passes", async () => {
  const stream = await client.chat.completions.create({ model: "fake", messages: user("halves"), stream: true });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, "🌍🌍🌍");
});

test("a cut stream is an error, never an end", async () => {
  const stream = await client.chat.completions.create({ model: "fake", messages: user("cut"), stream: true });
  let text = "";
  await assert.rejects(async () => {
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  });
  assert.ok(hello.startsWith(text) && text.length > 0, text);
});

test("an error inside a stream reaches the client", async () => {
  const stream = await client.chat.completions.create({ model: "fake", messages: user("fail"), stream: true });
  await assert.rejects(async () => {
    for await (const _ of stream);
  }, /fake failure/);
});

test("aborting cancels upstream", async () => {
  const before = provider.closed;
  const stream = await client.chat.completions.create({ model: "fake", messages: user("long"), stream: true });
  for await (const _ of stream) break; // the SDK aborts the request when its iterator is left
  for (let i = 0; i < 50 && provider.closed === before; i++) await new Promise((done) => setTimeout(done, 10));
  assert.equal(provider.closed, before + 1);
});

test("a spend limit holds and says so", async () => {
  const made = JSON.parse(weir.cli("key", "create", "poor", "--day", "0.000100", "--json"));
  const poor = client.withOptions({ apiKey: made.key });
  const error = await (async () => {
    for (let i = 0; i < 5; i++) await poor.chat.completions.create({ model: "dear", messages: user("hi"), max_completion_tokens: 10 });
  })().then(() => assert.fail("was never refused"), (e) => e);
  assert.ok(error instanceof OpenAI.RateLimitError, error.message);
  assert.equal(error.code, "insufficient_quota");
  assert.match(error.message, /spend limit/);
});

test("moderations of texts and pictures", async () => {
  const one = await client.moderations.create({ input: "I will kill you" });
  assert.equal(one.model, "omni-moderation-latest");
  assert.match(one.id, /^modr-/);
  assert.equal(one.results[0].flagged, true);
  assert.equal(one.results[0].category_scores.violence, 0.97);
  assert.equal(provider.requests.at(-1).body.model, "omni-remote");
  const many = await client.moderations.create({ model: "omni-moderation-latest", input: ["hello", "kill"] });
  assert.deepEqual(many.results.map((r) => r.flagged), [false, true]);
  const input = [{ type: "text", text: "hello" }, { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }];
  assert.equal((await client.moderations.create({ input })).results.length, 1);
  assert.deepEqual(provider.requests.at(-1).body.input, input);
  await assert.rejects(client.moderations.create({ model: "fake", input: "x" }), OpenAI.BadRequestError);
});

test("requests a minute hold, with Retry-After", async () => {
  const made = JSON.parse(weir.cli("key", "create", "slow", "--rpm", "2", "--json"));
  const slow = client.withOptions({ apiKey: made.key });
  for (let i = 0; i < 2; i++) await slow.chat.completions.create({ model: "fake", messages: user("hi") });
  const error = await slow.chat.completions.create({ model: "fake", messages: user("hi") }).then(() => assert.fail("was accepted"), (e) => e);
  assert.ok(error instanceof OpenAI.RateLimitError, error.message);
  assert.equal(error.code, "rate_limit_exceeded");
  assert.ok(Number(error.headers.get("retry-after")) > 0);
});

test("a revoked key is refused at once", async () => {
  const made = JSON.parse(weir.cli("key", "create", "short", "--json"));
  const short = client.withOptions({ apiKey: made.key });
  await short.chat.completions.create({ model: "fake", messages: user("hi") });
  weir.cli("key", "revoke", made.id);
  await assert.rejects(short.chat.completions.create({ model: "fake", messages: user("hi") }), OpenAI.AuthenticationError);
});

test("every request above has its record, and the chain holds", () => {
  const records = weir.records().filter((r) => r.route?.startsWith("POST /v1/chat"));
  assert.ok(records.length > 25);
  assert.ok(records.some((r) => r.outcome === "cut") && records.some((r) => r.outcome === "cancelled") && records.some((r) => r.outcome === "refused"));
  assert.ok(records.filter((r) => r.outcome === "complete" && r.model === "fake" && r.status === 200).every((r) => r.tokens_in === 25 && r.tokens_out === 35));
  assert.match(weir.cli("audit", "verify"), /the chain holds/);
});
