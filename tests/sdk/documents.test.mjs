// The embedded default: no provider needed, answers with citations, in both languages, by both SDKs.
import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { after, before, test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";
import OpenAI from "openai";
import { Provider } from "./provider.mjs";
import { Weir } from "./weir.mjs";

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

const ask = (content, more) => client.chat.completions.create({ model: "weir", messages: [{ role: "user", content }], ...more });

test("the curl line that was printed works as printed", () => {
  const line = /( {2}curl [^\n]*\\\n[^\n]*)/.exec(weir.said)[1];
  const reply = JSON.parse(execSync(line, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  assert.match(reply.choices[0].message.content, /\[1\]/);
  assert.ok(reply.weir.citations.length > 0);
});

for (const [language, question] of [["English", "How many days of annual leave do employees get?"], ["Chinese", "年假有多少天？"]])
  test(`an answer in ${language} cites its document, line and bytes`, async () => {
    const reply = await ask(question);
    assert.match(reply.choices[0].message.content, /\d+.*\[1\]/s);
    assert.equal(reply.weir.answered, true);
    const [citation] = reply.weir.citations;
    assert.ok(citation.lines[0] >= 1 && citation.bytes[1] > citation.bytes[0] && citation.quote.length > 0);
    const [{ url_citation: url }] = reply.choices[0].message.annotations;
    assert.equal([...reply.choices[0].message.content].slice(url.start_index, url.end_index).join(""), "[1]");
    assert.match(url.url, /\/documents\/default\/\S+#p$/);
  });

test("what the documents do not answer is said plainly", async () => {
  const reply = await ask("Who won the chess olympiad in 1972?");
  assert.equal(reply.weir.answered, false);
});

test("a streamed answer is the same answer", async () => {
  const whole = await ask("How many days of annual leave do employees get?");
  let text = "";
  for await (const chunk of await ask("How many days of annual leave do employees get?", { stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, whole.choices[0].message.content);
});

test("the ai SDK: text, stream, documents, errors", async () => {
  const openai = createOpenAI({ baseURL: `${weir.url}/v1`, apiKey: weir.key });
  const { text, usage } = await generateText({ model: openai.chat("fake"), prompt: "hi", maxRetries: 0 });
  assert.equal(text, "Hello from the fake provider: 你好, 🌍!");
  assert.equal(usage.totalTokens, 60);
  let streamed = "";
  for await (const piece of streamText({ model: openai.chat("fake"), prompt: "hi" }).textStream) streamed += piece;
  assert.equal(streamed, text);
  assert.match((await generateText({ model: openai.chat("weir"), prompt: "年假有多少天？" })).text, /\[1\]/);
  await assert.rejects(generateText({ model: openai.chat("nobody"), prompt: "hi", maxRetries: 0 }), /nobody/);
});
