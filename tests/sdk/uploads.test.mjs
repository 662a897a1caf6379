// /v1/uploads: files that come in parts.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { toFile } from "openai";
import { openHouse, stranger } from "./house.mjs";

let provider, weir, client, app, foreign;
const text = "The cancellation fee is 12 euros.\n".repeat(3000);
const pieces = [text.slice(0, 40000), text.slice(40000, 80000), text.slice(80000)];
const wish = (more = {}) => ({ bytes: text.length, filename: "fees.txt", mime_type: "text/plain", purpose: "assistants", ...more });
const part = async (id, body) => client.uploads.parts.create(id, { data: await toFile(Buffer.from(body), "part") });
const refused = (about, status = 400) => (e) => { assert.equal(e.status, status, String(e)); assert.match(e.message, about); return true; };
const left = () => { const dir = path.join(weir.dir, "data", "pieces"); return fs.existsSync(dir) ? fs.readdirSync(dir) : []; };
const temporary = () => fs.readdirSync(path.join(weir.dir, "data", "uploads"));
const until = async (look) => { for (let i = 0; i < 1200; i++) { if (await look()) return; await new Promise((done) => setTimeout(done, 50)); } assert.fail("it did not come to that"); };

before(async () => {
  ({ provider, weir, client, app } = await openHouse());
  foreign = stranger(weir);
});
after(async () => {
  await weir.stop();
  provider.stop();
});

test("parts in any order, also over a restart, put together in the order that is said", async () => {
  const upload = await client.uploads.create(wish({ expires_after: { anchor: "created_at", seconds: 7200 } }));
  assert.match(upload.id, /^upload_[0-9a-f]{24}$/);
  assert.deepEqual([upload.object, upload.status, upload.bytes, upload.filename, upload.purpose, upload.file, upload.expires_at - upload.created_at],
    ["upload", "pending", text.length, "fees.txt", "assistants", null, 3600]);
  const [third, first] = [await part(upload.id, pieces[2]), await part(upload.id, pieces[0])];
  assert.deepEqual([first.object, first.upload_id], ["upload.part", upload.id]);
  assert.match(first.id, /^part_[0-9a-f]{24}$/);
  await weir.restart();
  const second = await part(upload.id, pieces[1]);
  assert.equal((await client.files.list()).data.length, 0, "nobody sees any of it before");
  const md5 = crypto.createHash("md5").update(text).digest("hex");
  for (const [body, about] of [
    [{ part_ids: [first.id, second.id] }, /part_ids: .* 80000 bytes/], [{ part_ids: [first.id, third.id, second.id], md5 }, /md5/], [{ part_ids: [first.id, second.id, third.id], md5: "x" }, /md5/],
    [{ part_ids: [first.id, second.id, third.id, first.id] }, /part_ids: .* more than/], [{ part_ids: ["part_none"] }, /part_none/], [{ part_ids: [`part_${"0".repeat(24)}`] }, /part_ids: no part/], [{ part_ids: [] }, /part_ids/]])
    await assert.rejects(client.uploads.complete(upload.id, body), refused(about));
  const done = await client.uploads.complete(upload.id, { part_ids: [first.id, second.id, third.id], md5 });
  assert.deepEqual([done.id, done.status, done.file.object, done.file.filename, done.file.bytes, done.file.expires_at - done.file.created_at], [upload.id, "completed", "file", "fees.txt", text.length, 7200]);
  assert.equal(await (await client.files.content(done.file.id)).text(), text);
  assert.deepEqual([left(), temporary()], [[], []]);
  for (const call of [() => client.uploads.complete(upload.id, { part_ids: [first.id] }), () => part(upload.id, "x"), () => client.uploads.cancel(upload.id)]) await assert.rejects(call(), refused(/no upload/, 404));
  const store = await client.vectorStores.create({ name: "Uploaded" });
  assert.equal((await client.vectorStores.files.createAndPoll(store.id, { file_id: done.file.id }, { pollIntervalMs: 50 })).status, "completed");
  await client.vectorStores.delete(store.id);
  await client.files.delete(done.file.id);
});

test("given up, and left alone: nothing of it stays", async () => {
  const upload = await client.uploads.create(wish());
  await part(upload.id, pieces[0]);
  const gone = await client.uploads.cancel(upload.id);
  assert.deepEqual([gone.id, gone.status, gone.file], [upload.id, "cancelled", null]);
  assert.deepEqual(left(), []);
  const late = await client.uploads.create(wish()), stays = await client.uploads.create(wish());
  await part(late.id, pieces[0]);
  await weir.restart((data) => {
    const facts = path.join(data, "pieces", late.id, "upload.json"), said = JSON.parse(fs.readFileSync(facts, "utf8"));
    fs.writeFileSync(facts, JSON.stringify({ ...said, created: said.created - 3600 * 1000 }));
    fs.mkdirSync(path.join(data, "pieces", `upload_${"1".repeat(24)}.gone`)); // what a crash left
    fs.renameSync(path.join(data, "pieces", stays.id), path.join(data, "pieces", `${stays.id}.taken`)); // ... in the middle of completing
  });
  await assert.rejects(part(late.id, pieces[1]), refused(/no upload/, 404));
  await until(() => left().length === 1);
  await part(stays.id, pieces[0]);
  assert.match(weir.records().filter((r) => r.route === "expire").at(-1).note, new RegExp(`upload ${late.id} expired`));
  await client.uploads.cancel(stays.id);
  assert.deepEqual([left(), temporary()], [[], []]);
});

test("who else it is, what is too much, what is not known: refused by name", async () => {
  const upload = await client.uploads.create(wish());
  const mine = await part(upload.id, pieces[0]);
  const strange = async () => foreign.uploads.parts.create(upload.id, { data: await toFile(Buffer.from("x"), "part") });
  for (const call of [strange, () => foreign.uploads.complete(upload.id, { part_ids: [mine.id] }), () => foreign.uploads.cancel(upload.id)]) await assert.rejects(call(), refused(/no upload/, 404));
  await assert.rejects(app.uploads.create(wish()), (e) => e.status === 403);
  for (const [more, about, status = 400] of [
    [{ bytes: 0 }, /bytes/], [{ bytes: 1e12 }, /knowledge.file_bytes/, 413], [{ purpose: "batch" }, /purpose/], [{ filename: "" }, /filename/], [{ filename: undefined }, /filename/], [{ mime_type: undefined }, /mime_type/],
    [{ expires_after: { anchor: "created_at", seconds: 60 } }, /expires_after.seconds/], [{ expires_after: { anchor: "now", seconds: 3600 } }, /expires_after.anchor/], [{ colour: "red" }, /colour/]])
    await assert.rejects(client.uploads.create(wish(more)), refused(about, status));
  await part(upload.id, text); // as much as the file once more fits, for parts that come again
  await assert.rejects(part(upload.id, text), refused(/bytes, of a file of/, 413));
  const form = new FormData();
  form.append("file", new Blob(["x"]), "part");
  assert.equal((await fetch(`${weir.url}/v1/uploads/${upload.id}/parts`, { method: "POST", headers: { authorization: `Bearer ${weir.admin}` }, body: form })).status, 400);
  await client.uploads.cancel(upload.id);
  // Two at once: one file.
  const twice = await client.uploads.create(wish({ bytes: 3 }));
  const { id } = await part(twice.id, "abc");
  const done = await Promise.allSettled(Array.from({ length: 4 }, () => client.uploads.complete(twice.id, { part_ids: [id] })));
  assert.deepEqual(done.map((d) => d.status).sort(), ["fulfilled", "rejected", "rejected", "rejected"]);
  assert.equal((await client.files.list()).data.length, 1);
  await client.files.delete((await client.files.list()).data[0].id);
});
