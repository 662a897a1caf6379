// Every client dialect, as official SDKs speak it, against every provider dialect. What comes back must be the same
// whoever is asked, and no strict provider may have refused anything.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { clients } from "./clients.mjs";
import { calls, hello, usage } from "./said.mjs";
import { providers } from "./strict.mjs";
import { startWeir } from "./weir.mjs";

let weir;
before(async () => (weir = await startWeir()));
after(() => weir.stop());

const text = hello.join("");
const wanted = calls.map(({ name, args }) => ({ name, args }));
const plain = (list) => list.map(({ name, args }) => ({ name, args }));
const counted = (got, client) => {
  // LangChain leaves what came from a cache out, and adds up what Anthropic says twice.
  if (client.startsWith("langchain anthropic")) return;
  assert.equal(got.in, usage.in, "tokens in");
  assert.equal(got.out, usage.out, "tokens out");
};

for (const provider of Object.keys(providers)) {
  for (const [name, { dialect, make }] of Object.entries(clients)) {
    const say = (what, fn) => test(`${name} to ${provider}: ${what}`, async () => {
      const strict = weir.behind[provider];
      strict.refusals = [];
      await fn(make({ url: weir.url, key: weir.key }), `strict-${provider}`, strict);
      assert.deepEqual(strict.refusals, []);
    });

    for (const stream of [false, true]) {
      const how = stream ? "streamed" : "whole";
      say(`text, ${how}`, async (client, model) => {
        const got = await client.ask([{ user: "hello" }], { model, stream, system: "Be kind." });
        assert.equal(got.text, text);
        assert.equal(got.finish, "stop");
        counted(got, name);
      });
      say(`parallel tool calls, ${how}`, async (client, model) => {
        const got = await client.ask([{ user: "tools" }], { model, stream, tools: true });
        assert.equal(got.text, "Let me look.");
        assert.deepEqual(plain(got.calls), wanted);
        assert.equal(got.finish, "tools");
        const ids = got.calls.map((c) => c.id).filter(Boolean);
        assert.equal(new Set(ids).size, ids.length, "ids differ");
        counted(got, name);
      });
      say(`one tool call and no text, ${how}`, async (client, model) => {
        const got = await client.ask([{ user: "one tool" }], { model, stream, tools: true });
        assert.deepEqual(plain(got.calls), wanted.slice(0, 1));
      });
      say(`an answer that reached its limit, ${how}`, async (client, model) => {
        const got = await client.ask([{ user: "too long" }], { model, stream });
        assert.equal(got.text, "It goes on and");
        assert.equal(got.finish, "length");
      });
    }
    say("results of tools go back to their calls", async (client, model) => {
      const first = await client.ask([{ user: "tools" }], { model, stream: true, tools: true });
      const results = first.calls.map((c, i) => ({ id: c.id, name: c.name, text: ["sun", "noon"][i] })).reverse();
      const got = await client.ask([{ user: "tools" }, { assistant: first.text, calls: first.calls }, { results }], { model, tools: true, system: "Be brief." });
      assert.deepEqual(new Set(got.text.slice(0, -1).split("; ")), new Set(["weather said sun", "time said noon"]));
    });
    say("a long conversation keeps its turns", async (client, model, strict) => {
      const got = await client.ask([{ user: "a" }, { assistant: "b" }, { user: "c" }, { assistant: "d" }, { user: "hello" }], { model });
      assert.equal(got.text, text);
      assert.match(strict.requests.at(-1).text, /"a".*"b".*"c".*"d".*"hello"/);
    });
    say("a picture is seen", async (client, model) => {
      const got = await client.ask([{ user: "what colour", image: true }], { model });
      assert.equal(got.text, "A picture of type image/png");
    });
    for (const status of [400, 429]) {
      say(`a provider's ${status} stays one`, async (client, model) => {
        await assert.rejects(client.ask([{ user: `error ${status}` }], { model, stream: dialect !== "gemini" }), (e) => {
          const shown = e.status ?? e.statusCode ?? e.$metadata?.httpStatusCode ?? Number(/status: (\d+)/.exec(e.message)?.[1]);
          assert.equal(shown, status, e.message);
          assert.match(e.message, /as you asked/);
          return true;
        });
      });
    }
  }
}
