// Field by field and method by method: what the SDK's types say of files, uploads and vector stores is done, or refused by
// name. The types are read from the package that is installed: a field that a later one has and this table has not fails.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { toFile } from "openai";
import { openHouse } from "./house.mjs";

const types = new URL("node_modules/openai/resources/", import.meta.url);
const source = (file) => fs.readFileSync(new URL(file, types), "utf8").replace(/\/\*[^]*?\*\//g, "");
// The members of an interface at its own level: name -> is it optional?
const members = (file, name) => {
  const text = source(file), begin = new RegExp(`interface ${name}(?: extends \\w+)? {`).exec(text);
  assert.ok(begin, `${file} has no ${name}`);
  const out = {};
  let depth = 1, line = "";
  for (let at = begin.index + begin[0].length; depth > 0; at++) {
    const c = text[at];
    if (c === "{") depth++;
    if (c === "}") depth--;
    if (depth === 1 && c === "\n") line = "";
    else line += c;
    const found = depth === 1 && c === ":" && /^\s*(\w+)(\??):$/.exec(line);
    if (found) out[found[1]] = found[2] === "?";
  }
  return out;
};
const methods = (thing) => Object.getOwnPropertyNames(Object.getPrototypeOf(thing)).filter((name) => name !== "constructor" && typeof thing[name] === "function").sort();

let provider, weir, client, app, store, file, text;
const poll = { pollIntervalMs: 50 };
const send = async (name = "fees.md", body = "# Fees\n\nThe cancellation fee is 12 euros.\n") => client.files.create({ file: await toFile(Buffer.from(body), name), purpose: "assistants" });
const refused = (about, status = 400) => (e) => { assert.equal(e.status, status, String(e)); assert.match(e.message, about); return true; };

before(async () => {
  ({ provider, weir, client, app } = await openHouse());
  store = await client.vectorStores.create({ name: "Fields" });
  file = await send();
  await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id, attributes: { year: 2026 } }, poll);
  text = "The cancellation fee";
});
after(async () => {
  await weir.stop();
  provider.stop();
});

// What Weir says beside what the types have.
const more = { VectorStore: ["description"], Upload: [], FileObject: [], FileDeleted: ["weir"], VectorStoreDeleted: ["weir"], VectorStoreFileDeleted: ["weir"] };

test("every member of every reply is of its type, and every required one is there", async () => {
  const within = { vector_store_id: store.id };
  const batch = await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [file.id] }, poll);
  const upload = await client.uploads.create({ bytes: 1, filename: "a.txt", mime_type: "text/plain", purpose: "assistants" });
  const part = await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from("a"), "part") });
  const whole = await client.uploads.complete(upload.id, { part_ids: [part.id] });
  const spare = await send("spare.txt"), gone = await client.vectorStores.create({ name: "Gone", file_ids: [spare.id] });
  await client.vectorStores.files.poll(gone.id, spare.id, poll);
  const replies = [
    ["vector-stores/vector-stores.d.ts", "VectorStore", await client.vectorStores.retrieve(store.id)],
    ["vector-stores/vector-stores.d.ts", "FileCounts", (await client.vectorStores.retrieve(store.id)).file_counts],
    ["vector-stores/vector-stores.d.ts", "ExpiresAfter", (await client.vectorStores.update(store.id, { expires_after: { anchor: "last_active_at", days: 3 } })).expires_after],
    ["vector-stores/vector-stores.d.ts", "VectorStoreSearchResponse", (await app.vectorStores.search(store.id, { query: text })).data[0]],
    ["vector-stores/files.d.ts", "VectorStoreFile", await client.vectorStores.files.retrieve(file.id, within)],
    ["vector-stores/files.d.ts", "FileContentResponse", (await client.vectorStores.files.content(file.id, within)).data[0]],
    ["vector-stores/files.d.ts", "VectorStoreFileDeleted", await client.vectorStores.files.delete(spare.id, { vector_store_id: gone.id })],
    ["vector-stores/vector-stores.d.ts", "VectorStoreDeleted", await client.vectorStores.delete(gone.id)],
    ["vector-stores/file-batches.d.ts", "VectorStoreFileBatch", batch],
    ["files.d.ts", "FileObject", await client.files.retrieve(file.id)],
    ["files.d.ts", "FileDeleted", await client.files.delete(spare.id)],
    ["uploads/uploads.d.ts", "Upload", whole],
    ["uploads/parts.d.ts", "UploadPart", part],
  ];
  for (const [where, name, reply] of replies) {
    const type = members(where, name);
    assert.ok(Object.keys(type).length > 1, `${name} was read`);
    for (const [member, optional] of Object.entries(type)) assert.ok(optional || member in reply, `${name}.${member} is missing: ${JSON.stringify(reply)}`);
    for (const member of Object.keys(reply)) assert.ok(member in type || more[name]?.includes(member), `${name}.${member} is not known of the type`);
  }
  await client.files.delete(whole.file.id);
  await client.vectorStores.update(store.id, { expires_after: null });
});

test("every field of every request is done, or refused by name", async () => {
  const chunking_strategy = { type: "static", static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 20 } }, expires_after = { anchor: "last_active_at", days: 7 };
  const hour = { anchor: "created_at", seconds: 3600 }, within = { vector_store_id: store.id };
  const made = [];
  const keep = (s) => (made.push(s.id), s);
  const first = (page) => page.data[0];
  const fresh = async (body) => { const f = await send(`n${made.length}.md`); const got = await client.vectorStores.files.createAndPoll(store.id, { file_id: f.id, ...body }, poll); await client.files.delete(f.id); return got; };
  const uploaded = async (body) => { const u = await client.uploads.create({ bytes: 1, filename: "a.txt", mime_type: "text/plain", purpose: "assistants", ...body }); await client.uploads.cancel(u.id); return u; };
  const batch = async (body) => client.vectorStores.fileBatches.createAndPoll(store.id, body, poll);
  const of = (batch) => client.vectorStores.fileBatches.listFiles(batch.id, within);
  const table = {
    "vector-stores/vector-stores.d.ts": {
      VectorStoreCreateParams: {
        name: async () => assert.equal(keep(await client.vectorStores.create({ name: "Called" })).name, "Called"),
        description: async () => assert.equal((await client.vectorStores.retrieve(keep(await client.vectorStores.create({ description: "What \"for\"\nand why" })).id)).description, "What \"for\"\nand why"),
        metadata: async () => assert.deepEqual(keep(await client.vectorStores.create({ metadata: { a: "b" } })).metadata, { a: "b" }),
        expires_after: async () => assert.deepEqual(keep(await client.vectorStores.create({ expires_after })).expires_after, expires_after),
        file_ids: async () => assert.equal(keep(await client.vectorStores.create({ file_ids: [file.id] })).file_counts.total, 1),
        chunking_strategy: async () => assert.deepEqual(first(await client.vectorStores.files.list(keep(await client.vectorStores.create({ file_ids: [file.id], chunking_strategy })).id)).chunking_strategy, chunking_strategy),
      },
      VectorStoreUpdateParams: {
        name: async () => { assert.equal((await client.vectorStores.update(store.id, { name: "Anew" })).name, "Anew"); assert.equal((await client.vectorStores.update(store.id, { name: null })).name, store.id); },
        metadata: async () => { assert.deepEqual((await client.vectorStores.update(store.id, { metadata: { c: "d" } })).metadata, { c: "d" }); assert.deepEqual((await client.vectorStores.update(store.id, { metadata: null })).metadata, {}); },
        expires_after: async () => { assert.deepEqual((await client.vectorStores.update(store.id, { expires_after })).expires_after, expires_after); await client.vectorStores.update(store.id, { expires_after: null }); },
      },
      VectorStoreListParams: {
        order: async () => assert.notEqual(first(await client.vectorStores.list({ order: "asc" })).id, first(await client.vectorStores.list({ order: "desc" })).id),
        before: async () => assert.ok(!(await client.vectorStores.list({ before: store.id, order: "asc" })).data.some((s) => s.id === store.id)),
      },
      VectorStoreSearchParams: {
        query: async () => assert.ok((await app.vectorStores.search(store.id, { query: [text, "fee"] })).data.length > 0),
        filters: async () => assert.equal((await app.vectorStores.search(store.id, { query: text, filters: { type: "eq", key: "year", value: 1 } })).data.length, 0),
        max_num_results: async () => assert.equal((await app.vectorStores.search(store.id, { query: text, max_num_results: 1 })).data.length, 1),
        ranking_options: async () => assert.equal((await app.vectorStores.search(store.id, { query: text, ranking_options: { ranker: "auto", score_threshold: 1 } })).data.length, 0),
        rewrite_query: async () => { await app.vectorStores.search(store.id, { query: text, rewrite_query: false }); await assert.rejects(app.vectorStores.search(store.id, { query: text, rewrite_query: true }), refused(/rewrite_query/)); },
      },
      RankingOptions: { ranker: async () => {}, score_threshold: async () => {} }, // scores.test.mjs
    },
    "vector-stores/files.d.ts": {
      FileCreateParams: {
        file_id: async () => assert.equal((await fresh({})).status, "completed"),
        attributes: async () => assert.deepEqual((await fresh({ attributes: { s: "t", n: 1.5, b: true } })).attributes, { s: "t", n: 1.5, b: true }),
        chunking_strategy: async () => assert.deepEqual((await fresh({ chunking_strategy })).chunking_strategy, chunking_strategy),
      },
      FileUpdateParams: {
        vector_store_id: async () => {},
        attributes: async () => { assert.deepEqual((await client.vectorStores.files.update(file.id, { ...within, attributes: { year: 7 } })).attributes, { year: 7 }); assert.deepEqual((await client.vectorStores.files.update(file.id, { ...within, attributes: null })).attributes, {}); },
      },
      FileListParams: {
        filter: async () => assert.equal((await client.vectorStores.files.list(store.id, { filter: "failed" })).data.length, 0),
        order: async () => assert.equal((await client.vectorStores.files.list(store.id, { order: "asc" })).data.length, 1),
        before: async () => assert.equal((await client.vectorStores.files.list(store.id, { order: "asc", before: file.id })).data.length, 0),
      },
    },
    "vector-stores/file-batches.d.ts": {
      FileBatchCreateParams: {
        file_ids: async () => assert.equal((await batch({ file_ids: [file.id] })).file_counts.completed, 1),
        files: async () => assert.deepEqual(first(await of(await batch({ files: [{ file_id: file.id, attributes: { f: 1 }, chunking_strategy }] }))).attributes, { f: 1 }),
        attributes: async () => assert.deepEqual(first(await of(await batch({ file_ids: [file.id], attributes: { g: 2 } }))).attributes, { g: 2 }),
        chunking_strategy: async () => assert.deepEqual(first(await of(await batch({ file_ids: [file.id], chunking_strategy }))).chunking_strategy, chunking_strategy),
      },
      File: { file_id: async () => {}, attributes: async () => {}, chunking_strategy: async () => {} }, // above
      FileBatchListFilesParams: {
        vector_store_id: async () => {},
        filter: async () => assert.equal((await client.vectorStores.fileBatches.listFiles((await batch({ file_ids: [file.id] })).id, { ...within, filter: "cancelled" })).data.length, 0),
        order: async () => {}, before: async () => {}, // as of files
      },
    },
    "files.d.ts": {
      FileCreateParams: {
        file: async () => assert.equal((await client.files.retrieve(file.id)).filename, "fees.md"),
        purpose: async () => { for (const purpose of ["batch", "fine-tune", "vision", "evals"]) await assert.rejects(client.files.create({ file: await toFile(Buffer.from("x"), "x.txt"), purpose }), refused(/purpose/)); },
        expires_after: async () => { const f = await client.files.create({ file: await toFile(Buffer.from("x"), "x.txt"), purpose: "user_data", expires_after: hour }); assert.equal(f.expires_at, f.created_at + 3600); await client.files.delete(f.id); },
      },
      FileListParams: {
        order: async () => assert.equal(first(await client.files.list({ order: "asc" })).id, file.id),
        purpose: async () => assert.equal((await client.files.list({ purpose: "user_data" })).data.length, 0),
      },
    },
    "uploads/uploads.d.ts": {
      UploadCreateParams: {
        bytes: async () => assert.equal((await uploaded({ bytes: 9 })).bytes, 9), filename: async () => assert.equal((await uploaded({ filename: "b.txt" })).filename, "b.txt"),
        mime_type: async () => assert.equal((await uploaded({ mime_type: "application/pdf" })).status, "pending"), // the name and the bytes say the type
        purpose: async () => assert.equal((await uploaded({ purpose: "user_data" })).purpose, "user_data"), expires_after: async () => assert.ok(await uploaded({ expires_after: hour })),
      },
      UploadCompleteParams: { part_ids: async () => {}, md5: async () => {} }, // uploads.test.mjs
    },
  };
  for (const [where, interfaces] of Object.entries(table))
    for (const [name, fields] of Object.entries(interfaces)) {
      assert.deepEqual(Object.keys(fields).sort(), Object.keys(members(where, name)).sort(), `${where}: ${name}`);
      for (const [field, check] of Object.entries(fields)) await check().catch((e) => { throw new Error(`${name}.${field}: ${e.message}`, { cause: e }); });
    }
  for (const id of made) await client.vectorStores.delete(id);
});

test("a field that nobody knows is refused by its name, in bodies and in lists", async () => {
  const odd = { colour: "red" };
  for (const call of [
    () => client.vectorStores.create(odd), () => client.vectorStores.update(store.id, odd), () => client.vectorStores.search(store.id, { query: "x", ...odd }), () => client.vectorStores.list(odd),
    () => client.vectorStores.files.create(store.id, { file_id: file.id, ...odd }), () => client.vectorStores.files.update(file.id, { vector_store_id: store.id, attributes: {}, ...odd }), () => client.vectorStores.files.list(store.id, odd),
    () => client.vectorStores.fileBatches.create(store.id, { file_ids: [file.id], ...odd }), () => client.vectorStores.fileBatches.create(store.id, { files: [{ file_id: file.id, ...odd }] }),
    async () => client.files.create({ file: await toFile(Buffer.from("x"), "x.txt"), purpose: "assistants", ...odd }), () => client.files.list(odd),
    () => client.uploads.create({ bytes: 1, filename: "a", mime_type: "a/b", purpose: "assistants", ...odd })]) await assert.rejects(call(), refused(/colour/));
  // Parameters of other lists are not passed over either.
  await assert.rejects(client.vectorStores.list({ filter: "failed" }), refused(/filter/));
  await assert.rejects(client.vectorStores.files.list(store.id, { purpose: "assistants" }), refused(/purpose/));
  await assert.rejects(client.files.list({ filter: "failed" }), refused(/filter/));
});

test("metadata and attributes have the dialect's limits, in characters", async () => {
  const pairs = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, "v"]));
  const good = [{}, pairs(16), { ["k".repeat(64)]: "v".repeat(512) }, { ["字".repeat(64)]: "字".repeat(512) }, { "a\"b\\u00e9": "\n\"\\" },
    Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`${"字".repeat(62)}${i + 10}`, "字".repeat(512)]))];
  const bad = [[pairs(17), /16 pairs/], [{ ["k".repeat(65)]: "v" }, /key of 65/], [{ ["字".repeat(65)]: "v" }, /key of 65/], [{ k: "v".repeat(513) }, /512 characters/], [{ k: "字".repeat(513) }, /512 characters/], [{ "": "v" }, /key of 0/], [{ k: null }, /values/], [{ k: ["v"] }, /values/], [{ k: {} }, /values/], [["v"], /object/]];
  const set = { vector_store_id: store.id };
  for (const value of good) {
    assert.deepEqual((await client.vectorStores.update(store.id, { metadata: value })).metadata, value);
    assert.deepEqual((await client.vectorStores.files.update(file.id, { ...set, attributes: value })).attributes, value);
  }
  for (const [value, about] of bad) {
    await assert.rejects(client.vectorStores.create({ metadata: value }), refused(about));
    await assert.rejects(client.vectorStores.update(store.id, { metadata: value }), refused(about));
    await assert.rejects(client.vectorStores.files.update(file.id, { ...set, attributes: value }), refused(about));
  }
  for (const value of [1, true]) await assert.rejects(client.vectorStores.create({ metadata: { k: value } }), refused(/strings/));
  await assert.rejects(client.vectorStores.create({ description: "d".repeat(2049) }), refused(/description/));
});

test("every method of the SDK's classes has been called here or beside", async () => {
  const called = {
    vectorStores: ["create", "delete", "list", "retrieve", "search", "update"],
    "vectorStores.files": ["content", "create", "createAndPoll", "delete", "list", "poll", "retrieve", "update", "upload", "uploadAndPoll"],
    "vectorStores.fileBatches": ["cancel", "create", "createAndPoll", "listFiles", "poll", "retrieve", "uploadAndPoll"],
    files: ["content", "create", "delete", "list", "retrieve", "waitForProcessing"], uploads: ["cancel", "complete", "create"], "uploads.parts": ["create"],
  };
  for (const [name, list] of Object.entries(called)) assert.deepEqual(methods(name.split(".").reduce((thing, part) => thing[part], client)), list, name);
  // Those that no other test calls by themselves.
  const sent = await send("poll.txt", "Polled.\n");
  assert.equal((await client.files.waitForProcessing(sent.id, { pollInterval: 10 })).status, "processed");
  const uploadedFile = await client.vectorStores.files.upload(store.id, await toFile(Buffer.from("Uploaded and not waited for.\n"), "up.txt"));
  assert.equal((await client.vectorStores.files.poll(store.id, uploadedFile.id, poll)).status, "completed");
  const begun = await client.vectorStores.fileBatches.create(store.id, { file_ids: [sent.id] });
  assert.equal((await client.vectorStores.fileBatches.poll(store.id, begun.id, poll)).status, "completed");
  const mixed = await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files: [await toFile(Buffer.from("A third.\n"), "third.txt")], fileIds: [sent.id] }, poll);
  assert.deepEqual([mixed.file_counts.completed, mixed.file_counts.total], [2, 2]);
  // A store goes while its files stay in another.
  const other = await client.vectorStores.create({ name: "Other", file_ids: [sent.id] });
  await client.vectorStores.files.poll(other.id, sent.id, poll);
  await client.vectorStores.delete(other.id);
  assert.equal((await client.vectorStores.files.retrieve(sent.id, { vector_store_id: store.id })).status, "completed");
  assert.ok((await app.vectorStores.search(store.id, { query: "polled" })).data.some((hit) => hit.file_id === sent.id));
});
