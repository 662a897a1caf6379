// What belongs to one dialect alone: counting tokens, errors as SDKs know them, leaving; answers that are kept.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { hello } from "./said.mjs";
import { startWeir } from "./weir.mjs";

let weir, anthropic, openai;
before(async () => {
  weir = await startWeir();
  anthropic = new Anthropic({ baseURL: weir.url, apiKey: weir.key, maxRetries: 0 });
  openai = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: weir.key, maxRetries: 0 });
});
after(() => weir.stop());

const text = hello.join("");
const ask = (model) => ({ model, max_tokens: 100, messages: [{ role: "user", content: "hello" }] });

test("tokens of a model that nobody counts for are estimated", async () => {
  const got = await anthropic.messages.countTokens({ model: "strict-openai", messages: [{ role: "user", content: "twelve bytes" }] });
  assert.equal(got.input_tokens, 3);
  assert.deepEqual(got.weir, { estimated: true });
});

for (const [name, change, kind, type] of [
  ["a model that is not there", { model: "nobody" }, Anthropic.NotFoundError, "not_found_error"],
  ["a role that is none", { messages: [{ role: "robot", content: "x" }] }, Anthropic.BadRequestError, "invalid_request_error"],
  ["a number out of range", { max_tokens: 0 }, Anthropic.BadRequestError, "invalid_request_error"],
])
  test(`anthropic: ${name}`, async () => {
    const error = await anthropic.messages.create({ ...ask("strict-openai"), ...change }).then(() => null, (e) => e);
    assert.ok(error instanceof kind, `${error}`);
    assert.equal(error.error.type, "error");
    assert.equal(error.error.error.type, type);
  });

test("anthropic: a key that is none", async () => {
  const error = await new Anthropic({ baseURL: weir.url, apiKey: "wr_none", maxRetries: 0 }).messages.create(ask("strict-openai")).then(() => null, (e) => e);
  assert.ok(error instanceof Anthropic.AuthenticationError, `${error}`);
});

for (const provider of ["openai", "anthropic"]) {
  const model = `strict-${provider}`;

  test(`anthropic to ${provider}: a client that leaves a stream`, async () => {
    const stream = anthropic.messages.stream(ask(model));
    stream.on("text", () => stream.abort());
    await assert.rejects(stream.finalMessage(), Anthropic.APIUserAbortError);
    assert.equal((await anthropic.messages.create(ask(model))).content[0].text, text);
  });

  test(`responses to ${provider}: an answer is gone on from, shown, listed and deleted`, async () => {
    const first = await openai.responses.create({ model, input: "hello", instructions: "Be kind.", metadata: { a: "b" } });
    assert.equal(first.output_text, text);
    const before = weir.behind[provider].requests?.length ?? 0;
    const second = await openai.responses.create({ model, input: "hello", previous_response_id: first.id });
    assert.equal(second.previous_response_id, first.id);
    const sent = weir.behind[provider].requests?.[before];
    if (sent) assert.equal(sent.body.messages.filter((m) => m.role === "assistant").length, 1, "the first answer came before");
    const shown = await openai.responses.retrieve(second.id);
    assert.deepEqual(shown.output, second.output);
    const items = [];
    for await (const item of openai.responses.inputItems.list(first.id)) items.push(item);
    assert.equal(items.length, 1);
    assert.equal(items[0].content[0].text, "hello");
    await openai.responses.delete(first.id);
    await assert.rejects(openai.responses.retrieve(first.id), OpenAI.NotFoundError);
    const error = await openai.responses.create({ model, input: "hello", previous_response_id: second.id }).then(() => null, (e) => e);
    assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
    assert.equal(error.code, "previous_response_not_found");
    await assert.rejects(openai.responses.cancel(second.id), OpenAI.BadRequestError);
  });

  test(`responses to ${provider}: a streamed answer is kept too`, async () => {
    const stream = openai.responses.stream({ model, input: "hello" });
    const done = await stream.finalResponse();
    assert.equal(done.output_text, text);
    assert.equal((await openai.responses.retrieve(done.id)).output_text ?? text, text);
  });

  test(`responses to ${provider}: store false keeps nothing`, async () => {
    const got = await openai.responses.create({ model, input: "hello", store: false });
    await assert.rejects(openai.responses.retrieve(got.id), OpenAI.NotFoundError);
  });
}

test("responses: what cannot be done is refused by name", async () => {
  const error = await openai.responses.create({ model: "strict-openai", input: "hello", background: true }).then(() => null, (e) => e);
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "background");
});
