// Files and vector stores as the official OpenAI SDK uses them, nothing but its base URL changed.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import OpenAI, { toFile } from "openai";
import { openHouse, stranger } from "./house.mjs";

let provider, weir, client, app, foreign;
const fees = "# Fees\n\nThe cancellation fee is 12 euros.\n";
const kept = (...words) => { const dir = path.join(weir.dir, "data", ...words); return fs.existsSync(dir) ? fs.readdirSync(dir) : []; };
const poll = { pollIntervalMs: 50 };
// As OpenAI's, and beside it a receipt of what went: nothing of it stands in any file.
const isDeleted = ({ weir: { receipt }, ...rest }, as) => {
  assert.deepEqual(rest, as);
  assert.deepEqual([receipt.weir_receipt, receipt.dry_run, receipt.stays.length > 0], [1, false, true]);
};

before(async () => {
  ({ provider, weir, client, app } = await openHouse());
  foreign = stranger(weir);
});
after(async () => {
  await weir.stop();
  provider.stop();
});

test("files: sent, shown, listed, read, deleted", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from(fees), "fees \"12\".md"), purpose: "assistants" });
  assert.match(file.id, /^file-[0-9a-f]{24}$/);
  assert.deepEqual([file.object, file.filename, file.bytes, file.purpose, file.status], ["file", "fees \"12\".md", fees.length, "assistants", "processed"]);
  assert.deepEqual(await client.files.retrieve(file.id), file);
  assert.equal(await (await client.files.content(file.id)).text(), fees);
  const other = await client.files.create({ file: await toFile(Buffer.from("x"), "x.txt"), purpose: "user_data" });
  const seen = [];
  for await (const f of client.files.list({ limit: 1, order: "asc" })) seen.push(f.id);
  assert.deepEqual(seen, [file.id, other.id]);
  assert.deepEqual((await client.files.list({ purpose: "user_data" })).data.map((f) => f.id), [other.id]);
  for (const call of [() => foreign.files.retrieve(file.id), () => foreign.files.content(file.id), () => foreign.files.delete(file.id)])
    await assert.rejects(call(), (e) => e instanceof OpenAI.NotFoundError);
  assert.equal((await foreign.files.list()).data.length, 0);
  await assert.rejects(app.files.list(), (e) => e.status === 403);
  for (const f of [file, other]) isDeleted(await client.files.delete(f.id), { id: f.id, object: "file", deleted: true });
  assert.deepEqual(kept("files"), []);
  assert.deepEqual(kept("uploads"), []);
});

test("what is not done is refused by name", async () => {
  const text = async () => toFile(Buffer.from("x"), "x.txt");
  for (const [call, about] of [
    [async () => client.files.create({ file: await text(), purpose: "fine-tune" }), /purpose/],
    [async () => client.vectorStores.create({ name: "a", colour: "red" }), /colour/],
    [async () => client.vectorStores.create({ name: "a", file_ids: ["file-none"] }), /file-none/],
    [async () => client.vectorStores.search("default", { query: "x", rewrite_query: true }), /rewrite_query/],
    [async () => client.vectorStores.search("default", { query: "x", filters: { type: "near", key: "a", value: 1 } }), /near/],
  ])
    await assert.rejects(call(), (e) => { assert.ok([400, 404].includes(e.status), String(e)); assert.match(e.message, about); return true; });
  assert.equal((await client.vectorStores.list()).data.filter((s) => s.id !== "default").length, 0);
});

test("a vector store: made, filled, searched, changed, deleted", async () => {
  const store = await client.vectorStores.create({ name: "Claims", metadata: { owner: "claims" } });
  assert.deepEqual([store.object, store.name, store.status, store.metadata], ["vector_store", "Claims", "completed", { owner: "claims" }]);
  const file = await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from(fees), "fees.md"), poll);
  assert.deepEqual([file.object, file.status, file.last_error, file.vector_store_id], ["vector_store.file", "completed", null, store.id]);
  const shown = await client.vectorStores.retrieve(store.id);
  assert.deepEqual([shown.file_counts.completed, shown.file_counts.total, shown.usage_bytes], [1, 1, fees.length]);
  const found = await app.vectorStores.search(store.id, { query: "cancellation fee", max_num_results: 3 });
  assert.equal(found.data[0].file_id, file.id);
  assert.equal(found.data[0].filename, "fees.md");
  assert.match(found.data[0].content[0].text, /12 euros/);
  const changed = await client.vectorStores.update(store.id, { name: "All claims" });
  assert.deepEqual([changed.name, changed.metadata], ["All claims", { owner: "claims" }]);
  const text = [];
  for await (const part of await client.vectorStores.files.content(file.id, { vector_store_id: store.id })) text.push(part.text);
  assert.match(text.join("\n"), /12 euros/);
  for (const call of [() => foreign.vectorStores.retrieve(store.id), () => foreign.vectorStores.search(store.id, { query: "fee" }), () => foreign.vectorStores.delete(store.id), () => foreign.vectorStores.files.list(store.id)])
    await assert.rejects(call(), (e) => e instanceof OpenAI.NotFoundError);
  assert.ok(!(await foreign.vectorStores.list()).data.some((s) => s.id === store.id));
  await assert.rejects(app.vectorStores.delete(store.id), (e) => e.status === 403);
  isDeleted(await client.vectorStores.files.delete(file.id, { vector_store_id: store.id }), { id: file.id, object: "vector_store.file.deleted", deleted: true });
  assert.equal((await app.vectorStores.search(store.id, { query: "cancellation fee" })).data.length, 0);
  assert.equal((await client.files.retrieve(file.id)).id, file.id, "the file itself stays");
  await client.files.delete(file.id);
  isDeleted(await client.vectorStores.delete(store.id), { id: store.id, object: "vector_store.deleted", deleted: true });
  await assert.rejects(client.vectorStores.retrieve(store.id), OpenAI.NotFoundError);
  assert.ok(!kept("knowledge", "bases").some((name) => name.startsWith(store.id)));
});

test("attributes filter what is found", async () => {
  const store = await client.vectorStores.create({ name: "Years" });
  const ids = {};
  for (const year of [2024, 2025, 2026]) {
    const file = await client.files.create({ file: await toFile(Buffer.from(`The fee of ${year} is ${year - 2000} euros.\n`), `fees-${year}.txt`), purpose: "assistants" });
    ids[year] = file.id;
    await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id, attributes: { year, topic: year === 2026 ? "new" : "old" } }, poll);
  }
  const years = async (filters) => (await app.vectorStores.search(store.id, { query: "fee euros", filters })).data.map((hit) => hit.attributes.year).sort();
  assert.deepEqual(await years(undefined), [2024, 2025, 2026]);
  for (const [filter, want] of [
    [{ type: "eq", key: "year", value: 2025 }, [2025]],
    [{ type: "ne", key: "year", value: 2025 }, [2024, 2026]],
    [{ type: "gt", key: "year", value: 2024 }, [2025, 2026]],
    [{ type: "gte", key: "year", value: 2025 }, [2025, 2026]],
    [{ type: "lt", key: "year", value: 2025 }, [2024]],
    [{ type: "lte", key: "year", value: 2025 }, [2024, 2025]],
    [{ type: "in", key: "year", value: [2024, 2026] }, [2024, 2026]],
    [{ type: "nin", key: "year", value: [2024, 2026] }, [2025]],
    [{ type: "and", filters: [{ type: "eq", key: "topic", value: "old" }, { type: "gt", key: "year", value: 2024 }] }, [2025]],
    [{ type: "or", filters: [{ type: "eq", key: "topic", value: "new" }, { type: "and", filters: [{ type: "eq", key: "year", value: 2024 }] }] }, [2024, 2026]],
  ])
    assert.deepEqual(await years(filter), want, JSON.stringify(filter));
  const set = await client.vectorStores.files.update(ids[2024], { vector_store_id: store.id, attributes: { year: 1999 } });
  assert.deepEqual(set.attributes, { year: 1999 });
  assert.deepEqual(await years({ type: "lt", key: "year", value: 2000 }), [1999]);
  await client.files.delete(ids[2025]); // out of every store too
  assert.deepEqual(await years(undefined), [1999, 2026]);
  await assert.rejects(client.vectorStores.files.retrieve(ids[2025], { vector_store_id: store.id }), OpenAI.NotFoundError);
  await client.vectorStores.delete(store.id);
  for (const year of [2024, 2026]) await client.files.delete(ids[year]);
});

test("lists: pages of the SDK, forwards and backwards, also while what was listed is deleted", async () => {
  const files = [];
  for (let n = 0; n < 5; n++) files.push((await client.files.create({ file: await toFile(Buffer.from(`file ${n}`), `page-${n}.txt`), purpose: "assistants" })).id);
  const all = async (list) => { const ids = []; for await (const item of list) ids.push(item.id); return ids; };
  assert.deepEqual(await all(client.files.list({ limit: 2, order: "asc" })), files);
  assert.deepEqual(await all(client.files.list({ limit: 2 })), [...files].reverse());
  const page = await client.files.list({ limit: 2, order: "asc" });
  assert.deepEqual([page.has_more, page.body.first_id, page.body.last_id], [true, files[0], files[1]]);
  const last = await client.files.list({ limit: 2, order: "asc", after: files[3] });
  assert.deepEqual([last.has_more, last.data.map((f) => f.id)], [false, [files[4]]]);
  for (const wrong of [{ limit: 0 }, { limit: 10001 }, { order: "up" }, { after: "file-none" }]) await assert.rejects(client.files.list(wrong), (e) => e.status === 400);
  const stores = [];
  for (let n = 0; n < 5; n++) stores.push((await client.vectorStores.create({ name: `Page ${n}` })).id);
  const own = (ids) => ids.filter((id) => id.startsWith("vs_"));
  assert.deepEqual(own(await all(client.vectorStores.list({ limit: 2, order: "asc" }))), stores);
  assert.deepEqual(own(await all(client.vectorStores.list({ limit: 2, order: "desc" }))), [...stores].reverse());
  const before = await client.vectorStores.list({ limit: 2, order: "asc", before: stores[3] });
  assert.deepEqual(before.data.map((s) => s.id), stores.slice(1, 3));
  // What is deleted as it comes hides nothing of what follows.
  const gone = { files: [], stores: [] };
  for await (const f of client.files.list({ limit: 2, order: "asc" })) gone.files.push((await client.files.delete(f.id)).id);
  assert.deepEqual(gone.files, files);
  for await (const s of client.vectorStores.list({ limit: 2, order: "desc" })) if (s.id !== "default") gone.stores.push((await client.vectorStores.delete(s.id)).id);
  assert.deepEqual(gone.stores, [...stores].reverse());
});

test("a store's files, put in in another order than they came, deleted while they are listed: each is seen once", async () => {
  const sent = [];
  for (let i = 0; i < 7; i++) sent.push((await client.files.create({ file: await toFile(Buffer.from(`The fee of kind ${i} is ${i} euros.\n`), `kind${i}.md`), purpose: "assistants" })).id);
  const order = [4, 0, 6, 2, 1, 5, 3].map((i) => sent[i]);
  const store = await client.vectorStores.create({ name: "mixed" });
  for (const id of order) await client.vectorStores.files.createAndPoll(store.id, { file_id: id }, poll);
  for (const way of ["asc", "desc"]) {
    const seen = [];
    for await (const f of client.vectorStores.files.list(store.id, { limit: 2, order: way })) seen.push(f.id);
    assert.deepEqual(seen, way === "asc" ? order : [...order].reverse());
  }
  const seen = [];
  for await (const f of client.vectorStores.files.list(store.id, { limit: 2, order: "desc" })) {
    seen.push(f.id);
    await client.vectorStores.files.delete(f.id, { vector_store_id: store.id });
  }
  assert.deepEqual(seen, [...order].reverse(), "each once, though the cursor's own file was gone");
  // What was never given out, or before this start, is refused by name: nothing is guessed.
  await client.vectorStores.files.createAndPoll(store.id, { file_id: sent[0] }, poll);
  await assert.rejects(client.vectorStores.files.list(store.id, { after: "file-0123456789abcdef01234567" }), (e) => e.status === 400 && /begin with the first page/.test(e.message));
  await client.vectorStores.delete(store.id);
  for (const id of sent) await client.files.delete(id);
});

test("batches: some read, some not; pages by cursor; cancelled", async () => {
  const store = await client.vectorStores.create({ name: "Many" });
  const texts = await Promise.all([1, 2, 3, 4].map((n) => toFile(Buffer.from(`Clause ${n} of the contract.\n`), `clause-${n}.txt`)));
  const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files: [...texts, await toFile(Buffer.from("PK\x03\x04 broken"), "broken.docx")] }, poll);
  assert.deepEqual([batch.status, batch.file_counts.completed, batch.file_counts.failed, batch.file_counts.total], ["completed", 4, 1, 5]);
  const failed = (await client.vectorStores.fileBatches.listFiles(batch.id, { vector_store_id: store.id, filter: "failed" })).data;
  assert.equal(failed.length, 1);
  assert.ok(["unsupported_file", "invalid_file"].includes(failed[0].last_error.code));
  assert.ok(failed[0].last_error.message.length > 10);
  const pages = [];
  for await (const file of client.vectorStores.files.list(store.id, { limit: 2, order: "asc" })) pages.push(file.id);
  assert.equal(new Set(pages).size, 5);
  const backwards = await client.vectorStores.files.list(store.id, { order: "asc", before: pages[4], limit: 2 });
  assert.deepEqual(backwards.data.map((f) => f.id), pages.slice(2, 4));
  assert.equal((await app.vectorStores.search(store.id, { query: "clause contract" })).data.length, 4);
  const again = await client.vectorStores.fileBatches.create(store.id, { files: pages.slice(0, 2).map((file_id) => ({ file_id, attributes: { again: true } })) });
  const cancelled = await client.vectorStores.fileBatches.cancel(again.id, { vector_store_id: store.id });
  assert.equal(cancelled.status, "cancelled");
  assert.equal((await client.vectorStores.fileBatches.retrieve(again.id, { vector_store_id: store.id })).status, "cancelled");
  await client.vectorStores.delete(store.id);
  for (const id of pages) await client.files.delete(id);
  assert.deepEqual(kept("files"), []);
});

test("several queries: what each finds, the best of each first, each passage once", async () => {
  const store = await client.vectorStores.create({ name: "Several" });
  const ids = [];
  for (const [name, text] of [["fees.txt", "The cancellation fee is 12 euros.\n"], ["ships.txt", "The ferry sails on Mondays.\n"], ["both.txt", "A ferry ticket has no cancellation fee on Mondays.\n"]]) {
    const file = await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from(text), name), poll);
    ids.push(file.id);
  }
  const names = async (query, more = {}) => { const page = await app.vectorStores.search(store.id, { query, ...more }); return [page.body?.search_query ?? page.search_query, page.data.map((hit) => hit.filename)]; };
  const [, fee] = await names("cancellation fee"), [, ferry] = await names("ferry sails");
  const [asked, found] = await names(["cancellation fee", "ferry sails"]);
  assert.deepEqual(found.slice(0, 2), [fee[0], ferry[0]]);
  assert.deepEqual([...found].sort(), ["both.txt", "fees.txt", "ships.txt"]);
  if (asked) assert.deepEqual(asked, ["cancellation fee", "ferry sails"]);
  assert.equal((await names(["cancellation fee", "ferry sails"], { max_num_results: 2 }))[1].length, 2);
  for (const query of [[], ["fee", ""], Array(9).fill("fee"), [1]]) await assert.rejects(app.vectorStores.search(store.id, { query }), (e) => e.status === 400 && /query/.test(e.message));
  await client.vectorStores.delete(store.id);
  for (const id of ids) await client.files.delete(id);
});

test("a file whose readers are others is in no number, list or batch, and its bytes are theirs too", async () => {
  const store = await client.vectorStores.create({ name: "Readers" });
  const send = async (name, text) => (await client.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" })).id;
  const [open, secret, broken] = [await send("open.txt", "The fee is 3 euros.\n"), await send("secret.txt", "The merger closes in spring.\n"), await send("broken.pdf", "%PDF-1.7 nothing")];
  const batch = await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [open, secret] }, poll);
  const alone = await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [secret] }, poll);
  const document = (await (await fetch(`${weir.url}/api/v1/knowledge/${store.id}/documents`, { headers: { authorization: `Bearer ${weir.admin}` } })).json())
    .items.find((d) => d.path === "secret.txt");
  const label = async (readers) => assert.equal((await fetch(`${weir.url}/api/v1/knowledge/${store.id}/documents/${document.id}`,
    { method: "PATCH", headers: { authorization: `Bearer ${weir.admin}`, "content-type": "application/json" }, body: JSON.stringify({ readers }) })).status, 200);
  const seen = async (who) => {
    const [one, many] = [await who.vectorStores.retrieve(store.id), await who.vectorStores.fileBatches.retrieve(batch.id, { vector_store_id: store.id })];
    const listed = (await who.vectorStores.fileBatches.listFiles(batch.id, { vector_store_id: store.id })).data.length;
    return [one.file_counts.total, one.usage_bytes, one.status, many.file_counts.total, many.file_counts.cancelled, many.status, listed, (await who.vectorStores.files.list(store.id)).data.length];
  };
  const size = 20, hidden = 29;
  assert.deepEqual(await seen(app), [2, size + hidden, "completed", 2, 0, "completed", 2, 2]);
  await label(["tenant:nobody"]);
  assert.deepEqual(await seen(app), [1, size, "completed", 1, 0, "completed", 1, 1]);
  assert.deepEqual(await seen(client), [2, size + hidden, "completed", 2, 0, "completed", 2, 2]); // who may change it
  const same = async (call, other) => {
    const [mine, none] = await Promise.all([call, other].map((promise) => promise.catch((e) => e)));
    assert.deepEqual([mine.status, mine.message.replaceAll(/(file-|vsfb_)[0-9a-f]+/g, "ID")], [404, none.message.replaceAll(/(file-|vsfb_)[0-9a-f]+/g, "ID")]);
  };
  const within = { vector_store_id: store.id }, [noBatch, noFile] = ["vsfb_" + "0".repeat(24), "file-" + "0".repeat(24)];
  await same(app.vectorStores.fileBatches.retrieve(alone.id, within), app.vectorStores.fileBatches.retrieve(noBatch, within));
  await same(app.vectorStores.fileBatches.listFiles(alone.id, within), app.vectorStores.fileBatches.listFiles(noBatch, within));
  await same(client.files.content(secret), client.files.content(noFile)); // as GET .../documents/{id}/content
  assert.equal(await (await client.files.content(open)).text(), "The fee is 3 euros.\n");
  // On its way again, or failed on it: the readers are those of the document that is there.
  await client.vectorStores.files.create(store.id, { file_id: secret });
  await same(app.vectorStores.files.retrieve(secret, within), app.vectorStores.files.retrieve(noFile, within));
  assert.deepEqual((await seen(app)).slice(0, 3), [1, size, "completed"]);
  await client.vectorStores.files.createAndPoll(store.id, { file_id: broken }, poll);
  assert.equal((await app.vectorStores.retrieve(store.id)).file_counts.failed, 1); // nobody said who may read it
  await label([]);
  assert.equal(await (await client.files.content(secret)).text(), "The merger closes in spring.\n");
  await client.vectorStores.delete(store.id);
  for (const id of [open, secret, broken]) await client.files.delete(id);
});

test("file_search: the documents' own sentences, and a model that writes from them", async () => {
  const store = await client.vectorStores.create({ name: "Searched" });
  const file = await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from(fees), "fees.md"), poll);
  const tools = [{ type: "file_search", vector_store_ids: [store.id], max_num_results: 4 }];
  const ask = { input: "How much is the cancellation fee?", tools, include: ["file_search_call.results"] };
  const check = (response) => {
    assert.deepEqual(response.output.map((item) => item.type), ["file_search_call", "message"]);
    const [call, message] = response.output;
    assert.deepEqual([call.status, call.queries], ["completed", [ask.input]]);
    assert.deepEqual([call.results[0].file_id, call.results[0].filename], [file.id, "fees.md"]);
    assert.match(call.results[0].text, /12 euros/);
    const [content] = message.content;
    const cited = content.annotations.find((a) => a.type === "file_citation");
    assert.deepEqual([cited.file_id, cited.filename], [file.id, "fees.md"]);
    assert.equal([...content.text].slice(cited.index, cited.index + 3).join(""), "[1]");
    assert.deepEqual(response.tools, tools);
    return content.text;
  };
  assert.match(check(await app.responses.create({ model: "weir", ...ask })), /12 euros/);
  assert.equal((await app.responses.create({ model: "weir", ...ask, include: [] })).output[0].results, null);

  const names = [];
  let last;
  for await (const event of await app.responses.create({ model: "weir", ...ask, stream: true })) {
    names.push(event.type);
    last = event;
  }
  assert.match(check(last.response), /12 euros/);
  for (const name of ["in_progress", "searching", "completed"]) assert.equal(names.filter((n) => n === `response.file_search_call.${name}`).length, 1);
  assert.ok(names.indexOf("response.file_search_call.completed") < names.indexOf("response.output_text.delta"));
  assert.ok(names.includes("response.output_text.annotation.added"));

  // Through a provider: it gets the passages and no tool; it says "... [1]".
  provider.says = "The fee is 12 euros [1].";
  const written = await app.responses.create({ model: "fake", ...ask });
  provider.says = undefined;
  assert.equal(check(written), "The fee is 12 euros [1].");
  const sent = provider.requests.at(-1).body;
  assert.ok(JSON.stringify(sent).includes("12 euros") && !JSON.stringify(sent).includes("file_search"));

  // A filter that leaves nothing; somebody else's store; what is not known.
  const none = await app.responses.create({ model: "weir", ...ask, tools: [{ ...tools[0], filters: { type: "eq", key: "year", value: 1 } }] });
  assert.deepEqual(none.output[0].results, []);
  await assert.rejects(foreign.responses.create({ model: "weir", ...ask }), OpenAI.NotFoundError);
  await assert.rejects(app.responses.create({ model: "weir", ...ask, tools: [{ ...tools[0], colour: 1 }] }), /colour/);
  await client.vectorStores.delete(store.id);
  await client.files.delete(file.id);
});
