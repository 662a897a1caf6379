import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Api } from "./schema.mjs";
import { Weir } from "../sdk/weir.mjs";

let weir, api;

const call = async (method, where, { body, key = weir.admin, headers = {} } = {}) => {
  const reply = await fetch(weir.url + where, {
    method,
    headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await reply.text();
  return { status: reply.status, headers: reply.headers, text, type: reply.headers.get("content-type") };
};

// A call whose reply must be as the document says; gives the body.
const good = async (method, where, options, status = 200) => {
  const reply = await call(method, where, options);
  assert.equal(reply.status, status, `${method} ${where}: ${reply.text}`);
  return api.check(method, where, reply.status, reply.type, reply.text);
};

// A call that must fail with that status and code, as problem+json.
const bad = async (method, where, status, code, options) => {
  const reply = await call(method, where, options);
  assert.equal(reply.status, status, `${method} ${where}: ${reply.text}`);
  assert.equal(reply.type, "application/problem+json");
  const problem = JSON.parse(reply.text);
  assert.ok(api.ajv.validate("weir#/components/schemas/Problem", problem), reply.text);
  assert.equal(problem.code, code);
  assert.equal(problem.status, status);
  assert.equal(problem.type, `/api/v1/problems/${code}`);
  if (api.operation(method, where)) api.check(method, where, reply.status, reply.type, reply.text);
  return { problem, headers: reply.headers };
};

before(async () => {
  weir = await new Weir().start({ provider: { url: "http://127.0.0.1:1/v1" } });
  api = new Api(JSON.parse((await call("GET", "/api/v1/openapi.json")).text));
});
after(() => weir.stop());

test("the document is OpenAPI 3.1", async () => {
  const result = await new Validator().validate(structuredClone(api.document));
  assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
  assert.equal(api.document.openapi, "3.1.0");
  const ids = Object.values(api.document.paths).flatMap((item) => Object.values(item).map((operation) => operation.operationId));
  assert.equal(new Set(ids).size, ids.length, "operation ids are unique");
});

test("every schema of the document compiles", () => {
  for (const name of Object.keys(api.document.components.schemas)) assert.ok(api.ajv.getSchema(`weir#/components/schemas/${name}`), name);
});

test("the document is the one checked in, and the one of the command line", () => {
  const checked = JSON.parse(fs.readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"));
  assert.deepEqual(api.document, checked, "run: make docs");
  assert.deepEqual(JSON.parse(weir.cli("api", "schema")), api.document);
});

test("status, models and the document itself", async () => {
  const status = await good("GET", "/api/v1/status");
  assert.ok(Date.parse(status.started) <= Date.now());
  const models = await good("GET", "/api/v1/models");
  assert.deepEqual(models.items.map((m) => m.name), ["dear", "fake", "unreachable", "weir"]);
  assert.equal(models.next_cursor, null);
  await good("GET", "/api/v1/openapi.json");
});

test("models: added, changed, retired, removed", async () => {
  const made = await good("POST", "/api/v1/models", { body: { name: "fresh/one", provider: "fake", price_input_usd: 2.5, abilities: ["chat", "tools"], zone: "local" } }, 201);
  assert.equal(made.origin, "store");
  assert.equal(made.remote_name, "fresh/one");
  assert.equal(made.abilities, "tools, chat");
  assert.deepEqual(await good("GET", "/api/v1/models/fresh%2Fone"), made);
  await bad("POST", "/api/v1/models", 409, "conflict", { body: { name: "fresh/one", provider: "fake" } });
  await bad("POST", "/api/v1/models", 409, "conflict", { body: { name: "fake", provider: "fake" } });
  await bad("POST", "/api/v1/models", 422, "wrong_fields", { body: { name: "other", provider: "nobody" } });
  await bad("POST", "/api/v1/models", 422, "wrong_fields", { body: { name: "other" } });
  const changed = await good("PATCH", "/api/v1/models/fresh%2Fone", { body: { price_output_usd: 10, window: 8000 } });
  assert.equal(changed.price_input_usd, 2.5, "what is not named stays");
  assert.equal(changed.price_output_usd, 10);
  assert.equal(changed.window, 8000);
  await bad("PATCH", "/api/v1/models/fake", 409, "conflict", { body: { window: 1 } });
  await bad("PATCH", "/api/v1/models/nobody", 404, "not_found", { body: { window: 1 } });
  const retired = await good("POST", "/api/v1/models/dear/retire", { body: { successor: "fresh/one" } });
  assert.equal(retired.lifecycle, "retired");
  assert.equal(retired.successor, "fresh/one");
  await bad("DELETE", "/api/v1/models/fresh%2Fone", 409, "conflict");
  await bad("DELETE", "/api/v1/models/dear", 409, "conflict");
  assert.equal((await good("PATCH", "/api/v1/models/dear", { body: { lifecycle: "active", successor: "" } })).lifecycle, "active");
  assert.deepEqual(await good("DELETE", "/api/v1/models/fresh%2Fone"), { name: "fresh/one", removed: true });
});

test("models: tried; what nobody answers is not pinned", async () => {
  const tried = await good("POST", "/api/v1/models/unreachable/test", { body: { only: ["tools", "embeddings"] } });
  assert.deepEqual(tried.trials.map((t) => [t.ability, t.works]), [["tools", "unknown"], ["embeddings", "unknown"]]);
  assert.match(tried.trials[0].detail, /down/);
  assert.equal(tried.pinned, false);
  await bad("POST", "/api/v1/models/unreachable/test", 503, "unavailable", { body: {} });
  await bad("POST", "/api/v1/models/fake/test", 422, "wrong_fields", { body: { only: ["flying"] } });
  await bad("POST", "/api/v1/models/weir/test", 409, "conflict", { body: {} });
});

test("models: many changes at once leave every one of them", async () => {
  const names = Array.from({ length: 12 }, (_, i) => `at-once-${i}`);
  await Promise.all(names.map((name) => good("POST", "/api/v1/models", { body: { name, provider: "fake" } }, 201)));
  const all = (await good("GET", "/api/v1/models?limit=1000")).items.map((m) => m.name);
  assert.deepEqual(names.filter((name) => !all.includes(name)), []);
  await Promise.all(names.map((name) => good("DELETE", `/api/v1/models/${name}`)));
  assert.deepEqual((await good("GET", "/api/v1/models?limit=1000")).items.filter((m) => m.origin === "store"), []);
});

test("keys: made, shown, limited, revoked", async () => {
  const made = await good("POST", "/api/v1/keys", { body: { name: "shop", requests_per_minute: 5, spend_day_usd: 1.25 } }, 201);
  assert.match(made.key, /^wr_/);
  const shown = await good("GET", `/api/v1/keys/${made.id}`);
  assert.equal(shown.spend_day_usd, 1.25);
  assert.equal(shown.key, undefined);
  const changed = await good("PATCH", `/api/v1/keys/${made.id}`, { body: { requests_per_minute: 0 } });
  assert.equal(changed.requests_per_minute, 0);
  assert.equal(changed.spend_day_usd, 1.25, "what is not named stays");
  const revoked = await good("DELETE", `/api/v1/keys/${made.id}`);
  assert.deepEqual(revoked, { id: made.id, revoked: true });
});

test("documents: ingested, listed, forgotten", async () => {
  const folder = path.join(weir.dir, "to ingest");
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "a.md"), "# Leave\n\nEmployees get thirty days of leave.\n");
  fs.writeFileSync(path.join(folder, "b.bin"), "\0\0");
  const report = await good("POST", "/api/v1/documents", { body: { path: folder } });
  assert.equal(report.added, 1);
  const all = await good("GET", "/api/v1/documents?limit=1000");
  const mine = all.items.find((d) => d.path.endsWith("to ingest/a.md"));
  assert.deepEqual(await good("DELETE", `/api/v1/documents/${mine.id}`), { forgotten: 1 });
});

test("lists come in pages that neither lose nor repeat, also while the list grows", async () => {
  for (let i = 0; i < 7; i++) await good("POST", "/api/v1/keys", { body: { name: `page ${i}` } }, 201);
  const before = (await good("GET", "/api/v1/keys?limit=1000")).items.map((k) => k.id);
  const seen = [];
  let cursor = "";
  do {
    const page = await good("GET", `/api/v1/keys?limit=3${cursor && `&cursor=${cursor}`}`);
    assert.ok(page.items.length <= 3);
    seen.push(...page.items.map((k) => k.id));
    if (!cursor) await good("POST", "/api/v1/keys", { body: { name: "between" } }, 201);
    cursor = page.next_cursor;
  } while (cursor);
  assert.equal(new Set(seen).size, seen.length);
  assert.deepEqual(before.filter((id) => !seen.includes(id)), []);
  const exactly = await good("GET", `/api/v1/keys?limit=${seen.length}`);
  assert.equal(exactly.next_cursor, null, "the last page knows that it is the last");
});

test("what can go wrong has a stable code, and each code is explained", async () => {
  await bad("POST", "/api/v1/keys", 400, "not_json", { body: "{" });
  await bad("POST", "/api/v1/keys", 422, "wrong_fields", { body: "[]" });
  await bad("GET", "/api/v1/keys?limit=0", 400, "wrong_parameters");
  await bad("GET", "/api/v1/keys?limit=1001", 400, "wrong_parameters");
  await bad("GET", "/api/v1/keys?limit=1&limi=2", 400, "wrong_parameters");
  await bad("GET", "/api/v1/status?limit=1", 400, "wrong_parameters");
  await bad("GET", "/api/v1/keys?cursor=mine", 400, "bad_cursor");
  const { headers } = await bad("GET", "/api/v1/status", 401, "unauthenticated", { key: null });
  assert.equal(headers.get("www-authenticate"), "Bearer");
  await bad("GET", "/api/v1/status", 401, "unauthenticated", { key: "wr_wrong" });
  await bad("GET", "/api/v1/status", 403, "denied", { key: weir.key });
  await bad("GET", "/api/v1/keys/k_nobody", 404, "not_found");
  await bad("GET", "/api/v1/nothing", 404, "not_found");
  await bad("DELETE", "/api/v1/documents/nothing", 404, "not_found");
  const wrong = await bad("PUT", "/api/v1/keys", 405, "method_not_allowed");
  assert.equal(wrong.headers.get("allow"), "GET, HEAD, POST");
  await bad("POST", "/api/v1/keys", 413, "too_large", { body: { name: "x".repeat(1100000) } });
  await bad("POST", "/api/v1/keys", 415, "unsupported_media_type", { body: "name=x", headers: { "content-type": "application/x-www-form-urlencoded" } });
  await bad("POST", "/api/v1/keys", 415, "unsupported_media_type", { body: { name: "x" }, headers: { "content-encoding": "gzip" } });
  for (const code of ["invalid", "not_json", "wrong_parameters", "bad_cursor", "unauthenticated", "denied", "not_found", "method_not_allowed", "timeout",
    "conflict", "too_large", "unsupported_media_type", "wrong_fields", "exhausted", "internal", "unavailable", "too_late"])
    assert.equal((await good("GET", `/api/v1/problems/${code}`)).code, code);
  await bad("GET", "/api/v1/problems/none", 404, "not_found");
});

test("every wrong field is named", async () => {
  const { problem } = await bad("POST", "/api/v1/keys", 422, "wrong_fields", {
    body: { role: "king", requests_per_minute: -1, spend_day_usd: 0.0000001, spend_mouth_usd: 3 },
  });
  assert.deepEqual(problem.errors.map((e) => e.field).sort(), ["name", "requests_per_minute", "role", "spend_day_usd", "spend_mouth_usd"]);
  assert.deepEqual((await bad("POST", "/api/v1/keys", 422, "wrong_fields", { body: { name: "a\nb" } })).problem.errors.map((e) => e.field), ["name"]);
  assert.deepEqual((await bad("POST", "/api/v1/documents", 422, "wrong_fields", { body: { path: "relative" } })).problem.errors.map((e) => e.field), ["path"]);
});

test("the command line is a client of it", async () => {
  const key = weir.cli("key", "create", "from the shell", "--rpm", "7", "--month=2.5").trim();
  assert.match(key, /^wr_\S+$/);
  const list = JSON.parse(weir.cli("key", "list", "--json")).items;
  const mine = list.find((k) => k.name === "from the shell");
  assert.equal(mine.requests_per_minute, 7);
  assert.equal(mine.spend_month_usd, 2.5);
  assert.match(weir.cli("key", "limit", mine.id, "--rpm", "8"), /changed/);
  assert.match(weir.cli("key", "revoke", mine.id), /revoked/);
  assert.match(weir.cli("status"), /^version +\d/m);
});

test("administration is counted", async () => {
  const text = (await call("GET", "/metrics")).text;
  assert.match(text, /^weir_admin_requests_total\{method="POST",route="\/api\/v1\/keys",status="422"\} [1-9]/m);
  assert.match(text, /^weir_admin_request_duration_seconds_count\{method="GET",route="\/api\/v1\/keys\/\{id\}"\} [1-9]/m);
});

test("every operation of the document was exercised", () => {
  const own = api.operations.filter((operation) => operation.includes("/api/v1/"));
  assert.deepEqual(own.filter((operation) => !api.exercised.has(operation)), []);
});
