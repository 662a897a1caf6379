// chunking_strategy: files cut to a size that is asked for, in each place where the SDK says it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { toFile } from "openai";
import { openHouse } from "./house.mjs";

let provider, weir, client, app;
const poll = { pollIntervalMs: 50 };
const sentence = (n) => `Clause ${n} of the contract says something of cover and of claims.`;
const text = Array.from({ length: 120 }, (_, n) => sentence(n)).join(" ") + "\n";
const strategy = (max_chunk_size_tokens, chunk_overlap_tokens) => ({ type: "static", static: { max_chunk_size_tokens, chunk_overlap_tokens } });
const other = { type: "other" };
const refused = (about) => (e) => { assert.equal(e.status, 400, String(e)); assert.match(e.message, about); return true; };
const send = async (name = "contract.txt", body = text) => (await client.files.create({ file: await toFile(Buffer.from(body), name), purpose: "assistants" })).id;
const found = async (id, query = "clause cover claims") => (await app.vectorStores.search(id, { query, max_num_results: 50 })).data.map((hit) => hit.content[0].text);
const document = async (store, name = "contract.txt") => (await (await fetch(`${weir.url}/api/v1/knowledge/${store}/documents`, { headers: { authorization: `Bearer ${weir.admin}` } })).json()).items.find((d) => d.path === name);
const settle = async (store, id) => { for (;;) { const f = await client.vectorStores.files.retrieve(id, { vector_store_id: store }); if (f.status !== "in_progress") return f; await new Promise((done) => setTimeout(done, 50)); } };

before(async () => {
  ({ provider, weir, client, app } = await openHouse());
});
after(async () => {
  await weir.stop();
  provider.stop();
});

test("of a file, of a batch, of each file of a batch, of a store's first files; auto says nothing of a size", async () => {
  const id = await send();
  const small = strategy(100, 50), large = strategy(200, 0);
  const store = await client.vectorStores.create({ name: "Chunks", file_ids: [id], chunking_strategy: small });
  assert.deepEqual((await settle(store.id, id)).chunking_strategy, small);
  const within = { vector_store_id: store.id };
  const cut = await found(store.id);
  assert.ok(cut.length > 20, `${cut.length}`);
  for (const piece of cut) assert.ok(piece.length <= 400, `${piece.length} characters`);
  // Again by another size: another version of the document, of the same bytes.
  const before = await document(store.id);
  await client.vectorStores.files.createAndPoll(store.id, { file_id: id, chunking_strategy: large }, poll);
  assert.deepEqual((await client.vectorStores.files.retrieve(id, within)).chunking_strategy, large);
  const wide = await found(store.id);
  assert.ok(wide.length < cut.length && wide.some((piece) => piece.length > 600) && wide.every((piece) => piece.length <= 800));
  assert.equal((await document(store.id)).version, before.version + 1);
  await client.vectorStores.files.createAndPoll(store.id, { file_id: id, chunking_strategy: { type: "auto" } }, poll);
  assert.deepEqual((await client.vectorStores.files.retrieve(id, within)).chunking_strategy, other);
  const second = await send("second.txt"), third = await send("third.txt");
  await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [id, second], chunking_strategy: large }, poll);
  await client.vectorStores.fileBatches.createAndPoll(store.id, { files: [{ file_id: second, chunking_strategy: small }, { file_id: third }] }, poll);
  const listed = Object.fromEntries((await client.vectorStores.files.list(store.id)).data.map((f) => [f.id, f.chunking_strategy]));
  assert.deepEqual(listed, { [id]: large, [second]: small, [third]: small }, "who says none has the store's");
  const labelled = await client.vectorStores.files.update(second, { vector_store_id: store.id, attributes: { year: 2026 } });
  assert.deepEqual(labelled.chunking_strategy, small, "attributes leave it");
  await weir.restart();
  assert.deepEqual((await client.vectorStores.files.retrieve(second, within)).chunking_strategy, small);
  for (const f of [id, second, third]) await client.files.delete(f);
  await client.vectorStores.delete(store.id);
});

test("what a store says holds for files that come later and say none, also over a restart; auto is said like any other", async () => {
  const wide = strategy(300, 100);
  const store = await client.vectorStores.create({ name: "Empty at first", chunking_strategy: wide });
  await weir.restart();
  await client.vectorStores.update(store.id, { name: "Renamed" });
  const first = await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from(text), "first.txt"), poll);
  assert.deepEqual(first.chunking_strategy, wide);
  const second = await send("second.txt");
  assert.deepEqual((await client.vectorStores.files.createAndPoll(store.id, { file_id: second, chunking_strategy: { type: "auto" } }, poll)).chunking_strategy, other);
  const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files: [await toFile(Buffer.from(text), "third.txt")] }, poll);
  assert.deepEqual((await client.vectorStores.fileBatches.listFiles(batch.id, { vector_store_id: store.id })).data[0].chunking_strategy, wide);
  await client.vectorStores.delete(store.id);
  for await (const f of client.files.list()) await client.files.delete(f.id);
});

test("what chunks repeat is told once in a file's content, and citations stand at their own bytes", async () => {
  const id = await send();
  const store = await client.vectorStores.create({ name: "Overlap", file_ids: [id], chunking_strategy: strategy(120, 60) });
  await settle(store.id, id);
  const parts = [];
  for await (const part of await client.vectorStores.files.content(id, { vector_store_id: store.id })) parts.push(part.text.trim());
  assert.ok(parts.length > 20);
  assert.equal(parts.join(" "), text.trim());
  const pieces = await found(store.id);
  const repeated = Array.from({ length: 120 }, (_, n) => pieces.filter((piece) => piece.includes(sentence(n))).length);
  assert.ok(repeated.some((n) => n === 2), "some sentences stand in two chunks");
  const reply = await (await fetch(`${weir.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${weir.admin}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "weir", messages: [{ role: "user", content: "clause contract cover claims" }], weir: { knowledge: [store.id], search: 50 } }) })).json();
  assert.ok(reply.weir.citations.length > 20);
  for (const c of reply.weir.citations) assert.equal(Buffer.from(text).subarray(...c.bytes).toString().trim(), c.quote.trim());
  await client.files.delete(id);
  await client.vectorStores.delete(store.id);
});

test("what is said wrong of it is refused by name, and nothing is begun", async () => {
  const id = await send("short.txt", "Short.\n");
  const store = await client.vectorStores.create({ name: "Wrong" });
  const wrong = [
    [{ type: "semantic" }, /chunking_strategy.type/], [{}, /chunking_strategy.type/], ["auto", /chunking_strategy.type/], [{ type: "static" }, /chunking_strategy.static/],
    [strategy(99, 0), /max_chunk_size_tokens/], [strategy(4097, 0), /max_chunk_size_tokens/], [strategy(100.5, 0), /max_chunk_size_tokens/], [strategy(100, 51), /chunk_overlap_tokens: .* from 0 to 50/],
    [strategy(4096, 2049), /chunk_overlap_tokens/], [strategy(100, -1), /chunk_overlap_tokens/], [{ ...strategy(100, 0), unit: "words" }, /unit/],
    [{ type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0, unit: 1 } }, /static.unit/], [{ type: "auto", static: {} }, /chunking_strategy.static/]];
  for (const [chunking_strategy, about] of wrong) {
    await assert.rejects(client.vectorStores.create({ name: "No", file_ids: [id], chunking_strategy }), refused(about));
    await assert.rejects(client.vectorStores.files.create(store.id, { file_id: id, chunking_strategy }), refused(about));
    await assert.rejects(client.vectorStores.fileBatches.create(store.id, { file_ids: [id], chunking_strategy }), refused(about));
    await assert.rejects(client.vectorStores.fileBatches.create(store.id, { files: [{ file_id: id, chunking_strategy }] }), refused(about));
  }
  await assert.rejects(client.vectorStores.fileBatches.create(store.id, { files: [{ file_id: id }], chunking_strategy: strategy(100, 0) }), refused(/chunking_strategy: with files/));
  await assert.rejects(client.vectorStores.fileBatches.create(store.id, { files: [{ file_id: id }], attributes: { a: 1 } }), refused(/attributes: with files/));
  assert.equal((await client.vectorStores.files.list(store.id)).data.length, 0);
  assert.equal((await client.vectorStores.list()).data.filter((s) => s.id !== "default").length, 1);
  for (const chunking_strategy of [strategy(100, 0), strategy(100, 50), strategy(4096, 2048)])
    assert.deepEqual((await client.vectorStores.files.createAndPoll(store.id, { file_id: id, chunking_strategy }, poll)).status, "completed");
  await client.files.delete(id);
  await client.vectorStores.delete(store.id);
});
