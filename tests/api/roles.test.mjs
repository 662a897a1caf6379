// Every route against everybody: what each may do stands in the table, and a route that is not in it fails the test.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { Provider } from "../sdk/provider.mjs";
import { Weir } from "../sdk/weir.mjs";

// Who asks, in the order of the columns. Those of acme are of another tenant than all that is asked for.
const everybody = ["nobody", "app", "developer", "auditor", "admin", "owner", "revoked", "expired", "admin of acme", "owner of acme"];

// Statuses that many routes share. What is allowed is asked so that it changes nothing for the next one: of things that are
// not there (404), with bodies that are refused once the right has been checked (400, 422), or made anew each time.
const ask = (ok) => `401 ${ok} ${ok} 403 ${ok} ${ok} 401 401 ${ok} ${ok}`;
const look = (ok, foreign = ok) => `401 403 ${ok} ${ok} ${ok} ${ok} 401 401 ${foreign} ${foreign}`;
const audit = (ok, foreign = ok) => `401 403 403 ${ok} ${ok} ${ok} 401 401 ${foreign} ${foreign}`;
const keys = (developer, ok, foreign = ok) => `401 403 ${developer} 403 ${ok} ${ok} 401 401 ${foreign} ${foreign}`;
const accounts = (ok, foreign = ok) => `401 403 403 403 ${ok} ${ok} 401 401 ${foreign} ${foreign}`;
const documents = (ok, foreign = ok) => `401 403 ${ok} 403 ${ok} ${ok} 401 401 ${foreign} ${foreign}`;
const askOwn = (ok) => `401 ${ok} ${ok} 403 ${ok} ${ok} 401 401 404 404`; // of a base of the house's own tenant
const bases = (ok) => `401 403 403 403 ${ok} ${ok} 401 401 403 403`; // of the default one, which is everyone's
const change = (ok) => `401 403 403 403 ${ok} ${ok} 401 401 403 403`; // operators alone
const own = (ok, foreign) => `401 403 403 403 403 ${ok} 401 401 403 ${foreign}`;
const open = (ok) => Array(everybody.length).fill(ok).join(" ");

const chat = { model: "fake", messages: [{ role: "user", content: "hi" }], max_tokens: 5 };
const rows = {
  "POST /v1/chat/completions": [ask(200), { body: chat }],
  "POST /v1/completions": [ask(400), { body: { model: "fake" } }],
  "POST /v1/embeddings": [ask(400), { body: { model: "fake" } }],
  "POST /v1/rerank": [ask(200), { body: { model: "weir", query: "x", documents: ["x", "y"] } }],
  "POST /v2/rerank": [ask(400), { body: { model: "fake", query: "x", documents: ["x"] } }],
  "POST /v1/moderations": [ask(400), { body: { model: "fake", input: "x" } }],
  "POST /v1/messages": [ask(400), { body: { model: "fake" } }],
  "POST /v1/messages/count_tokens": [ask(200), { body: chat }],
  "POST /v1/responses": [ask(400), { body: { model: "fake" } }],
  "GET /v1/responses/{name}": [ask(404)],
  "DELETE /v1/responses/{name}": [ask(404)],
  "POST /v1/responses/{name}": [ask(404), { at: "/v1/responses/resp_none/cancel", body: {} }],
  "POST /v1beta/models/{name}": [ask(400), { at: "/v1beta/models/fake:generateContent", body: {} }],
  "GET /v1beta/models/{name}": [ask(200), { at: "/v1beta/models/fake" }],
  "POST /model/{name}": [ask(400), { at: "/model/fake/converse", body: {} }],
  "GET /v1beta/models": [ask(200)],
  // Files and vector stores: of one's tenant; a store is a knowledge base.
  "POST /v1/files": [documents(400), { body: {} }],
  "GET /v1/files": [documents(200)],
  "GET /v1/files/{id}": [documents(404)],
  "DELETE /v1/files/{id}": [documents(404)],
  "GET /v1/files/{id}/content": [documents(404)],
  "POST /v1/uploads": [documents(400), { body: {} }],
  "POST /v1/uploads/{id}/parts": [documents(404), { body: {} }],
  "POST /v1/uploads/{id}/complete": [documents(400), { body: {} }],
  "POST /v1/uploads/{id}/cancel": [documents(404)],
  "POST /v1/vector_stores": [documents(400), { body: { nothing: 1 } }],
  "GET /v1/vector_stores": [ask(200)],
  "GET /v1/vector_stores/{id}": [askOwn(200), { at: "/v1/vector_stores/own" }],
  "POST /v1/vector_stores/{id}": [documents(200, 404), { at: "/v1/vector_stores/own", body: { name: "own" } }],
  "DELETE /v1/vector_stores/{id}": [documents(404)],
  "POST /v1/vector_stores/{id}/search": [askOwn(200), { at: "/v1/vector_stores/own/search", body: { query: "x" } }],
  "POST /v1/vector_stores/{id}/files": [documents(404), { at: "/v1/vector_stores/own/files", body: { file_id: "file-none" } }],
  "GET /v1/vector_stores/{id}/files": [askOwn(200), { at: "/v1/vector_stores/own/files" }],
  "GET /v1/vector_stores/{id}/files/{file}": [ask(404), { at: "/v1/vector_stores/own/files/none" }],
  "POST /v1/vector_stores/{id}/files/{file}": [documents(404), { at: "/v1/vector_stores/own/files/none", body: { attributes: {} } }],
  "DELETE /v1/vector_stores/{id}/files/{file}": [documents(404), { at: "/v1/vector_stores/own/files/none" }],
  "GET /v1/vector_stores/{id}/files/{file}/content": [ask(404), { at: "/v1/vector_stores/own/files/none/content" }],
  "POST /v1/vector_stores/{id}/file_batches": [documents(400, 404), { at: "/v1/vector_stores/own/file_batches", body: {} }],
  "GET /v1/vector_stores/{id}/file_batches/{batch}": [ask(404), { at: "/v1/vector_stores/own/file_batches/none" }],
  "POST /v1/vector_stores/{id}/file_batches/{batch}/cancel": [documents(404), { at: "/v1/vector_stores/own/file_batches/none/cancel" }],
  "GET /v1/vector_stores/{id}/file_batches/{batch}/files": [ask(404), { at: "/v1/vector_stores/own/file_batches/none/files" }],
  "GET /v1/models": [ask(200)],
  "GET /v1/models/{name}": [ask(200), { at: "/v1/models/fake" }],
  "GET /auth/login": [open(404)], // nobody logs in here
  "GET /auth/callback": [open(404)],
  "GET /auth/me": [open(401)], // keys are no sessions
  "POST /auth/logout": [open(401)],
  "GET /metrics": [open(200)],
  "GET /healthz": [open(200)],
  "GET /readyz": [open(200)],
  "GET /api/v1/status": [look(200)],
  "GET /api/v1/keys": [look(200)],
  "POST /api/v1/keys": [keys(422, 422), { body: {} }],
  "GET /api/v1/keys/{id}": [look(200, 404), { at: () => `/api/v1/keys/${id.key}` }],
  "PATCH /api/v1/keys/{id}": [keys(200, 200, 404), { at: () => `/api/v1/keys/${id.key}`, body: {} }],
  "DELETE /api/v1/keys/{id}": [keys(200, 200, 404), { at: async () => `/api/v1/keys/${(await make("app")).id}` }],
  "POST /api/v1/keys/{id}/rotate": [keys(200, 200, 404), { at: () => `/api/v1/keys/${id.key}/rotate`, body: {} }],
  "GET /api/v1/teams": [look(200, 403), { at: "/api/v1/teams?tenant=default" }],
  "POST /api/v1/teams": [accounts(409, 403), { body: { id: "default/there" } }],
  "GET /api/v1/teams/{tenant}/{team}": [look(200, 404), { at: "/api/v1/teams/default/there" }],
  "PATCH /api/v1/teams/{tenant}/{team}": [accounts(200, 404), { at: "/api/v1/teams/default/there", body: {} }],
  "DELETE /api/v1/teams/{tenant}/{team}": [accounts(404), { at: "/api/v1/teams/default/none" }],
  "GET /api/v1/tenants": [look(200)],
  "POST /api/v1/tenants": [own(409, 403), { body: { id: "acme" } }],
  "GET /api/v1/tenants/{tenant}": [look(200, 404), { at: "/api/v1/tenants/default" }],
  "PATCH /api/v1/tenants/{tenant}": [own(200, 404), { at: "/api/v1/tenants/default", body: {} }],
  "DELETE /api/v1/tenants/{tenant}": [own(404, 404), { at: "/api/v1/tenants/none" }],
  "GET /api/v1/usage": [look(200)],
  "GET /api/v1/models": [look(200)],
  "POST /api/v1/models": [change(422), { body: {} }],
  "GET /api/v1/models/{name}": [look(200), { at: "/api/v1/models/fake" }],
  "PATCH /api/v1/models/{name}": [change(404), { body: {} }],
  "DELETE /api/v1/models/{name}": [change(404)],
  "POST /api/v1/models/{name}/retire": [change(404), { body: {} }],
  "POST /api/v1/models/{name}/test": [change(404), { body: {} }],
  "GET /api/v1/instances": [look(200)],
  "POST /api/v1/instances/{id}/retire": [change(404)],
  "GET /api/v1/cache": [look(200)],
  "POST /api/v1/cache/purge": [change(422), { body: { nothing: 1 } }],
  "GET /api/v1/documents": [look(200)],
  "POST /api/v1/documents": [change(422), { body: {} }],
  "PATCH /api/v1/documents/{id}": [change(404), { body: {} }],
  "DELETE /api/v1/documents/{id}": [change(404)],
  "GET /api/v1/knowledge/{base}/documents": [look(200), { at: "/api/v1/knowledge/default/documents" }],
  "POST /api/v1/knowledge/{base}/documents": [documents(422, 404), { at: "/api/v1/knowledge/own/documents", body: {} }],
  "GET /api/v1/knowledge/{base}/documents/{id}": [look(404), { at: "/api/v1/knowledge/default/documents/none" }],
  "GET /api/v1/knowledge/{base}/documents/{id}/content": [ask(404), { at: "/api/v1/knowledge/default/documents/none/content" }],
  "GET /documents/{base}/{id}": [ask(404), { at: "/documents/default/none" }],
  "PATCH /api/v1/knowledge/{base}/documents/{id}": [bases(404), { at: "/api/v1/knowledge/default/documents/none", body: {} }],
  "DELETE /api/v1/knowledge/{base}/documents/{id}": [bases(404), { at: "/api/v1/knowledge/default/documents/none" }],
  "GET /api/v1/knowledge": [look(200)],
  "POST /api/v1/knowledge": [documents(422), { body: {} }],
  "GET /api/v1/knowledge/{base}": [look(200, 404), { at: "/api/v1/knowledge/own" }],
  "PATCH /api/v1/knowledge/{base}": [documents(200, 404), { at: "/api/v1/knowledge/own", body: { title: "t" } }],
  "DELETE /api/v1/knowledge/{base}": [documents(404)],
  "GET /api/v1/knowledge/{base}/sources": [look(404)],
  "GET /api/v1/knowledge/{base}/sources/{source}": [look(404)],
  "PATCH /api/v1/knowledge/{base}/sources/{source}": [change(422), { body: {} }],
  "POST /api/v1/knowledge/{base}/sources/{source}/run": [change(404), { body: {} }],
  "GET /api/v1/knowledge/{base}/runs": [look(404)],
  "POST /api/v1/knowledge/{base}/runs": [change(422), { body: {} }],
  "GET /api/v1/knowledge/{base}/runs/{run}": [look(404)],
  "DELETE /api/v1/knowledge/{base}/runs/{run}": [change(404)],
  "GET /api/v1/knowledge/{base}/vectors": [documents(404)],
  "POST /api/v1/knowledge/{base}/search": [ask(404), { body: { query: "x" } }],
  "POST /api/v1/knowledge/{base}/answer": [ask(422), { body: {} }],
  "POST /api/v1/forget/document": [documents(422), { body: {} }],
  "POST /api/v1/forget/person": [own(200, 403), { body: { person: "nobody", dry_run: true } }],
  "POST /api/v1/forget/compact": [documents(404), { body: { knowledge: "none" } }],
  "GET /api/v1/audit/records": [audit(200)],
  "GET /api/v1/audit/records/{id}": [audit(200, 404), { at: "/api/v1/audit/records/1" }],
  "GET /api/v1/audit/records/{id}/proof": [audit(200, 404), { at: "/api/v1/audit/records/1/proof" }],
  "GET /api/v1/audit/records/{id}/body": [audit(404), { at: "/api/v1/audit/records/1/body" }],
  "POST /api/v1/audit/erasures": [own(201, 403), { body: { subject: "somebody", tenant: "default" } }],
  "GET /api/v1/audit/export": [audit(200)],
  "GET /api/v1/audit/checkpoint": [audit(200)],
  "GET /api/v1/audit/keys": [audit(200)],
  "POST /api/v1/audit/keys": [own(201, 403)],
  "GET /api/v1/audit/holds": [audit(200, 403)],
  "POST /api/v1/audit/holds": [own(201, 403), { body: { reason: "test", tenant: "default" } }],
  "DELETE /api/v1/audit/holds/{id}": [own(404, 403)],
  "GET /api/v1/traces": [audit(200)],
  "GET /api/v1/traces/{id}": [audit(404), { at: "/api/v1/traces/req_0000000000000001" }],
  "GET /api/v1/problems/{code}": [look(200), { at: "/api/v1/problems/denied" }],
  "GET /api/v1/openapi.json": [look(200)],
  "GET /api/v1/sessions": [accounts(200)],
  "DELETE /api/v1/sessions/{id}": [accounts(404), { at: "/api/v1/sessions/s_0000000000000000" }],
};

let provider, weir, document;
const tokens = {}, id = {};

const call = async (method, where, token, body) => {
  const reply = await fetch(weir.url + where, { method, redirect: "manual", headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { "content-type": "application/json" }) }, body: body === undefined ? undefined : JSON.stringify(body) });
  return { status: reply.status, text: await reply.text() };
};
const make = async (role, more = {}) => {
  const reply = await call("POST", "/api/v1/keys", tokens.owner ?? weir.owner, { name: role, role, ...more });
  assert.equal(reply.status, 201, reply.text);
  return JSON.parse(reply.text);
};

before(async () => {
  provider = await new Provider().start();
  weir = await new Weir().start({ provider });
  weir.owner = weir.cli("key", "create", "owner", "--role", "owner").trim();
  weir.cli("tenant", "create", "acme");
  weir.cli("team", "create", "default/there");
  weir.cli("base", "create", "own", "--tenant", "default");
  document = JSON.parse((await call("GET", "/api/v1/openapi.json", weir.owner)).text);
  for (const role of ["app", "developer", "auditor", "admin", "owner"]) tokens[role] = (await make(role)).key;
  const gone = await make("owner");
  await call("DELETE", `/api/v1/keys/${gone.id}`, weir.owner);
  tokens.revoked = gone.key;
  const over = await make("owner");
  assert.equal((await call("PATCH", `/api/v1/keys/${over.id}`, weir.owner, { expires: "2020-01-01T00:00:00Z" })).status, 200);
  tokens.expired = over.key;
  tokens["admin of acme"] = (await make("admin", { tenant: "acme" })).key;
  tokens["owner of acme"] = (await make("owner", { tenant: "acme" })).key;
  id.key = (await make("app")).id;
  // A proof is there when a checkpoint has signed the record, soon.
  for (let i = 0; i < 100 && (await call("GET", "/api/v1/audit/records/1/proof", weir.owner)).status === 404; i++) await new Promise((done) => setTimeout(done, 50));
});
after(async () => {
  await weir.stop();
  provider.stop();
});

test("every route is in the table, and nothing else is", () => {
  const served = Object.entries(document.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
  assert.deepEqual([...served].sort(), Object.keys(rows).sort());
  // What the document leaves out would be asked by nobody: the code's own tables are counted too.
  const source = new URL("../../src/app/", import.meta.url);
  const routes = fs.readdirSync(source).filter((name) => name.endsWith(".c")).flatMap((name) => fs.readFileSync(new URL(name, source), "utf8").match(/^ {4}\{"(GET|POST|PUT|PATCH|DELETE)",\s+"\/[^"]*"/gm) ?? []);
  assert.equal(routes.length, served.length, "rows of the code's tables");
});

for (const [route, [wanted, { at, body } = {}]] of Object.entries(rows))
  test(`who may ${route}`, async () => {
    const [method, path] = route.split(" ");
    const got = [];
    for (const who of everybody) {
      const where = typeof at === "function" ? await at() : (at ?? path.replace(/\{\w+\}/g, "none"));
      const reply = await call(method, where, tokens[who], body);
      got.push(reply.status);
      if (reply.status === 401 || reply.status === 403) assert.ok(reply.text.length > 0, "it says why");
    }
    assert.deepEqual(Object.fromEntries(everybody.map((who, i) => [who, got[i]])), Object.fromEntries(everybody.map((who, i) => [who, Number(wanted.split(" ")[i])])));
  });

test("an auditor reads the audit log, no secret, and changes nothing", async () => {
  const before = (await call("GET", "/api/v1/audit/records?limit=1000", tokens.auditor)).text;
  assert.ok(JSON.parse(before).items.length > 0);
  for (const [path, item] of Object.entries(document.paths)) {
    if (item.get && !/^\/(auth|metrics|healthz|readyz)/.test(path)) {
      const { text } = await call("GET", path.replace("{id}", id.key).replace(/\{\w+\}/g, "default"), tokens.auditor);
      assert.doesNotMatch(text, /wr_[a-z0-9]{39}/, `${path} shows a key`);
      for (const secret of [...Object.values(tokens), weir.admin, weir.key, "sk-fake"]) assert.ok(!text.includes(secret), path);
    }
    for (const method of Object.keys(item).filter((m) => m !== "get" && path.startsWith("/api/")))
      assert.equal((await call(method.toUpperCase(), path.replace("{id}", id.key).replace(/\{\w+\}/g, "default"), tokens.auditor, {})).status, 403, `${method} ${path}`);
  }
  // What an auditor tried is in the log as refused, and nothing was done.
  const tried = JSON.parse((await call("GET", "/api/v1/audit/records?limit=1000&from=2020-01-01T00:00:00Z", tokens.auditor)).text);
  assert.ok(tried.items.some((r) => r.status === 403 && r.outcome === "refused"));
});
