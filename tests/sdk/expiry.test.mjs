// What expires: vector stores that nobody used, files that were sent for so long. Time passes by what is written down of
// it while Weir is stopped.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import OpenAI, { toFile } from "openai";
import { openHouse, stranger } from "./house.mjs";

let provider, weir, client, app, foreign;
const poll = { pollIntervalMs: 50 }, day = 24 * 3600;
const word = "quillwortberry", text = `# Fees\n\nThe ${word} fee is 12 euros.\n`;
const now = () => Math.floor(Date.now() / 1000);
const refused = (about, status = 400) => (e) => { assert.equal(e.status, status, String(e)); assert.match(e.message, about); return true; };
const until = async (look) => { for (let i = 0; i < 1200; i++) { if (await look()) return; await new Promise((done) => setTimeout(done, 50)); } assert.fail("it did not come to that"); };
const life = (data, id) => path.join(data, "knowledge", "bases", id, "life.json");
const edit = (file, change) => { const facts = JSON.parse(fs.readFileSync(file, "utf8")); change(facts); fs.writeFileSync(file, JSON.stringify(facts)); };
const notes = () => weir.records().filter((r) => r.route === "expire").map((r) => r.note);
const standsAnywhere = () => { try { execFileSync("grep", ["-rlia", word, path.join(weir.dir, "data")]); return true; } catch { return false; } };
const metric = async (kind) => Number(new RegExp(`weir_expired_total\\{kind="${kind}"\\} (\\d+)`).exec(await (await fetch(`${weir.url}/metrics`)).text())?.[1] ?? 0);

before(async () => {
  ({ provider, weir, client, app } = await openHouse());
  foreign = stranger(weir);
});
after(async () => {
  await weir.stop();
  provider.stop();
});

test("expires_after of a store is kept, shown, changed and taken away", async () => {
  const expires_after = { anchor: "last_active_at", days: 7 };
  const store = await client.vectorStores.create({ name: "Short", expires_after });
  assert.deepEqual(store.expires_after, expires_after);
  assert.ok(Math.abs(store.last_active_at - now()) < 60);
  assert.equal(store.expires_at, store.last_active_at + 7 * day);
  assert.deepEqual((await client.vectorStores.update(store.id, { name: "Still short" })).expires_after, expires_after, "what is not said stays");
  const longer = await client.vectorStores.update(store.id, { expires_after: { anchor: "last_active_at", days: 30 } });
  assert.equal(longer.expires_at, longer.last_active_at + 30 * day);
  const never = await client.vectorStores.update(store.id, { expires_after: null });
  assert.deepEqual([never.expires_after, never.expires_at, never.status], [null, null, "completed"]);
  for (const [wrong, about] of [
    [{ anchor: "created_at", days: 7 }, /expires_after.anchor/], [{ anchor: "last_active_at", days: 0 }, /expires_after.days/],
    [{ anchor: "last_active_at", days: 366 }, /expires_after.days/], [{ anchor: "last_active_at", days: 1.5 }, /expires_after.days/],
    [{ anchor: "last_active_at" }, /expires_after.days/], [{ days: 3 }, /expires_after.anchor/], [7, /expires_after/],
    [{ anchor: "last_active_at", days: 7, hours: 3 }, /expires_after.hours/]]) {
    await assert.rejects(client.vectorStores.create({ expires_after: wrong }), refused(about));
    await assert.rejects(client.vectorStores.update(store.id, { expires_after: wrong }), refused(about));
  }
  await client.vectorStores.delete(store.id);
});

test("asking a store is use of it, looking at it is not; what was noted survives a restart", async () => {
  const store = await client.vectorStores.create({ name: "Used", expires_after: { anchor: "last_active_at", days: 2 } });
  const aged = async (days) => weir.restart((data) => edit(life(data, store.id), (f) => { f.last_used = Date.now() - days * day * 1000; }));
  await aged(1);
  const old = await client.vectorStores.retrieve(store.id);
  assert.ok(Math.abs(old.last_active_at - (now() - day)) < 60);
  await client.vectorStores.list();
  assert.equal((await client.vectorStores.retrieve(store.id)).last_active_at, old.last_active_at);
  await app.vectorStores.search(store.id, { query: "anything" });
  const used = await client.vectorStores.retrieve(store.id);
  assert.ok(Math.abs(used.last_active_at - now()) < 60);
  assert.equal(used.expires_at, used.last_active_at + 2 * day);
  await weir.restart();
  assert.equal((await client.vectorStores.retrieve(store.id)).last_active_at, used.last_active_at);
  for (const use of [
    () => client.vectorStores.update(store.id, { metadata: { a: "b" } }),
    () => app.responses.create({ model: "weir", input: "anything?", tools: [{ type: "file_search", vector_store_ids: [store.id] }] }),
  ]) {
    await aged(1);
    await use();
    assert.ok(Math.abs((await client.vectorStores.retrieve(store.id)).last_active_at - now()) < 60);
  }
  await client.vectorStores.delete(store.id);
});

test("a store that expires answers nothing, takes nothing, and holds nothing; once, with a receipt, and it stays so", async () => {
  const store = await client.vectorStores.create({ name: "Gone soon", description: "Of a project", expires_after: { anchor: "last_active_at", days: 1 } });
  const other = await client.vectorStores.create({ name: "Stays" });
  const file = await client.files.create({ file: await toFile(Buffer.from(text), "fees.md"), purpose: "assistants" });
  for (const id of [store.id, other.id]) await client.vectorStores.files.createAndPoll(id, { file_id: file.id }, poll);
  assert.equal((await app.vectorStores.search(store.id, { query: `${word} fee` })).data.length, 1);
  await weir.restart((data) => edit(life(data, store.id), (f) => { f.last_used = Date.now() - 2 * day * 1000; }));
  await assert.rejects(app.vectorStores.search(store.id, { query: word }), refused(/has expired/), "from the first moment on");
  await until(async () => (await metric("vector_store")) === 1);
  const shown = await client.vectorStores.retrieve(store.id);
  assert.deepEqual([shown.status, shown.file_counts.total, shown.usage_bytes, shown.name, shown.description, shown.expires_after.days], ["expired", 0, 0, "Gone soon", "Of a project", 1]);
  assert.ok(shown.expires_at <= now());
  assert.deepEqual((await app.vectorStores.retrieve(store.id)).status, "expired");
  for (const call of [
    () => app.vectorStores.search(store.id, { query: word }),
    () => app.responses.create({ model: "weir", input: `${word}?`, tools: [{ type: "file_search", vector_store_ids: [store.id] }] }),
    () => app.chat.completions.create({ model: "weir", messages: [{ role: "user", content: `${word}?` }], weir: { knowledge: [store.id] } }),
    () => client.vectorStores.files.create(store.id, { file_id: file.id }),
    () => client.vectorStores.fileBatches.create(store.id, { file_ids: [file.id] }),
    () => client.vectorStores.update(store.id, { expires_after: null }),
    () => client.vectorStores.update(store.id, { name: "Back" }),
  ]) await assert.rejects(call(), refused(/has expired/));
  const upload = await fetch(`${weir.url}/api/v1/knowledge/${store.id}/documents?name=a.txt`, { method: "POST", headers: { authorization: `Bearer ${weir.admin}`, "content-type": "text/plain" }, body: "text" });
  assert.equal(upload.status, 400);
  await assert.rejects(foreign.vectorStores.retrieve(store.id), OpenAI.NotFoundError);
  // The file and the other store have it still.
  assert.equal(await (await client.files.content(file.id)).text(), text);
  assert.equal((await app.vectorStores.search(other.id, { query: `${word} fee` })).data.length, 1);
  assert.equal(notes().length, 1);
  assert.match(notes()[0], new RegExp(`what was in vector store ${store.id}, which expired, 1 document, .*receipt [0-9a-f]{64}`));
  const receipts = fs.readdirSync(path.join(weir.dir, "data", "forgotten")).map((name) => JSON.parse(fs.readFileSync(path.join(weir.dir, "data", "forgotten", name), "utf8")));
  assert.equal(receipts.filter((r) => r.emptied === store.id && r.removed.documents === 1).length, 1);
  assert.ok(standsAnywhere(), "or the next would prove nothing");
  await client.vectorStores.delete(other.id);
  await client.files.delete(file.id);
  assert.ok(!standsAnywhere());
  await weir.restart();
  await new Promise((done) => setTimeout(done, 1500)); // the loop looks each second
  assert.equal((await client.vectorStores.retrieve(store.id)).status, "expired");
  assert.equal(notes().length, 1, "it is emptied once");
  assert.equal((await client.vectorStores.delete(store.id)).deleted, true);
});

test("an end of the process in the middle of emptying a store is finished by the next start", async () => {
  const store = await client.vectorStores.create({ name: "Cut", expires_after: { anchor: "last_active_at", days: 1 } });
  const file = await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from(text), "fees.md"), poll);
  const before = notes().length;
  await weir.restart((data) => edit(life(data, store.id), (f) => { f.last_used = 1; f.expired = Date.now() - 1000; }));
  await until(async () => notes().length === before + 1);
  await until(async () => (await client.vectorStores.retrieve(store.id)).file_counts.total === 0);
  await until(() => JSON.parse(fs.readFileSync(life(path.join(weir.dir, "data"), store.id), "utf8")).emptied);
  await client.files.delete(file.id);
  assert.ok(!standsAnywhere());
  await client.vectorStores.delete(store.id);
});

test("a life.json that cannot be read takes nothing away, and is told", async () => {
  const store = await client.vectorStores.create({ name: "Odd", expires_after: { anchor: "last_active_at", days: 1 } });
  await weir.restart((data) => fs.writeFileSync(life(data, store.id), "{\"expires_days\": -1"));
  const shown = await client.vectorStores.retrieve(store.id);
  assert.deepEqual([shown.status, shown.expires_after, shown.name], ["completed", null, "Odd"]);
  assert.match(fs.readFileSync(path.join(weir.dir, "log"), "utf8"), new RegExp(`knowledge base ${store.id} stays, whatever was said of when it expires`));
  await weir.restart((data) => fs.rmSync(life(data, store.id))); // as one from before there were any
  assert.equal((await client.vectorStores.retrieve(store.id)).status, "completed");
  await client.vectorStores.delete(store.id);
});

test("a file with expires_after goes when its time is over, out of every store and with what was made from it", async () => {
  const expires_after = { anchor: "created_at", seconds: 3600 };
  for (const [wrong, about] of [[{ anchor: "last_active_at", seconds: 3600 }, /expires_after.anchor/], [{ anchor: "created_at", seconds: 3599 }, /expires_after.seconds/],
    [{ anchor: "created_at", seconds: 2592001 }, /expires_after.seconds/], [{ anchor: "created_at", seconds: "soon" }, /expires_after.seconds/], [{ anchor: "created_at", seconds: 3600, days: 1 }, /expires_after\[days\]/]])
    await assert.rejects(client.files.create({ file: await toFile(Buffer.from(text), "fees.md"), purpose: "assistants", expires_after: wrong }), refused(about));
  const file = await client.files.create({ file: await toFile(Buffer.from(text), "fees.md"), purpose: "assistants", expires_after });
  const stays = await client.files.create({ file: await toFile(Buffer.from("It stays."), "stays.txt"), purpose: "assistants" });
  assert.equal(file.expires_at, file.created_at + 3600);
  assert.equal(stays.expires_at, undefined);
  assert.deepEqual(await client.files.retrieve(file.id), file);
  const store = await client.vectorStores.create({ name: "Holds it" });
  for (const id of [file.id, stays.id]) await client.vectorStores.files.createAndPoll(store.id, { file_id: id }, poll);
  const before = notes().length;
  await weir.restart((data) => edit(path.join(data, "files", `${file.id}.json`), (f) => { f.expires = Date.now() - 1; }));
  await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);
  await until(async () => (await metric("file")) === 1);
  assert.deepEqual((await client.files.list()).data.map((f) => f.id), [stays.id]);
  for (const call of [() => client.files.content(file.id), () => client.vectorStores.files.retrieve(file.id, { vector_store_id: store.id }), () => client.vectorStores.files.create(store.id, { file_id: file.id })])
    await assert.rejects(call(), OpenAI.NotFoundError);
  assert.equal((await app.vectorStores.search(store.id, { query: `${word} fee` })).data.filter((hit) => hit.file_id === file.id).length, 0);
  assert.equal((await client.vectorStores.retrieve(store.id)).file_counts.total, 1);
  await until(() => notes().length === before + 2);
  assert.match(notes().at(-1), new RegExp(`file ${file.id} expired: forgot .*receipt [0-9a-f]{64}`));
  assert.ok(!standsAnywhere());
  await client.vectorStores.delete(store.id);
  await client.files.delete(stays.id);
});
