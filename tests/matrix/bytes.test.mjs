// Streamed parallel tool calls, split and cut at every byte of what the provider sends (STEP: at every n-th, from a start
// that moves with the pair, so that the pairs together meet every byte).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { calls } from "./said.mjs";
import { providers } from "./strict.mjs";
import { startWeir } from "./weir.mjs";
import { wires } from "./wire.mjs";

const step = Number(process.env.STEP ?? 13);
let weir;
before(async () => (weir = await startWeir()));
after(() => weir.stop());

const ask = async (wire, model) => {
  const res = await fetch(weir.url + wire.path(model), { method: "POST", headers: { authorization: `Bearer ${weir.key}`, "content-type": "application/json", "anthropic-version": "2023-06-01" }, body: JSON.stringify(wire.body(model)) });
  let text = "", broken = false;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const piece of res.body) text += decoder.decode(piece, { stream: true });
  } catch {
    broken = true; // the connection was closed without its end: nobody takes that for whole
  }
  return { status: res.status, text, broken };
};
const wanted = calls.map((c) => [c.name, c.args]);
const whole = (read) => read.calls.map((c) => [c.name, JSON.parse(c.args)]);

let pair = 0;
const restoring = async (strict, fn) => {
  try {
    await fn(strict);
  } finally {
    strict.split = strict.cut = undefined;
  }
};
for (const provider of Object.keys(providers)) {
  for (const [client, wire] of Object.entries(wires)) {
    const start = pair++;
    test(`${client} to ${provider}: split anywhere, nothing changes`, () => restoring(weir.behind[provider], async (strict) => {
      strict.split = 0;
      await ask(wire, `strict-${provider}`);
      for (strict.split = start % step; strict.split < strict.length; strict.split += step) {
        const { status, text } = await ask(wire, `strict-${provider}`);
        assert.equal(status, 200, text);
        const read = wire.read(text);
        assert.deepEqual([whole(read), read.ended, read.failed], [wanted, true, false], `split at ${strict.split}`);
      }
    }));
    test(`${client} to ${provider}: cut anywhere, nobody takes it for whole`, () => restoring(weir.behind[provider], async (strict) => {
      for (strict.cut = start % step; strict.cut < strict.length - 1; strict.cut += step) {
        const { status, text, broken } = await ask(wire, `strict-${provider}`);
        const where = `cut at ${strict.cut} of ${strict.length}: ${text.slice(-300)}`;
        if (status !== 200) {
          assert.ok(status >= 500, where);
          continue;
        }
        const read = wire.read(text);
        // With only the end mark missing everything has been said, and that may count as whole.
        if (read.ended) assert.deepEqual([whole(read), read.failed], [wanted, false], where);
        else assert.ok(read.failed && broken, where);
      }
    }));
  }
}
