import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { after, before, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Api } from "./schema.mjs";
import { Provider } from "../sdk/provider.mjs";
import { Weir } from "../sdk/weir.mjs";

const program = path.resolve(process.env.WEIR ?? new URL("../../build/weir", import.meta.url).pathname);
let provider, weir, api;

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

// Asks the model "fake" something; gives the reply, whose body was read.
const ask = async (key, content, headers = {}) => {
  const reply = await call("POST", "/v1/chat/completions", { key, headers, body: { model: "fake", messages: [{ role: "user", content }] } });
  assert.equal(reply.status, 200, reply.text);
  return reply;
};

// What `fn` gives as soon as it gives anything: books are kept behind the reply.
const until = async (fn) => {
  for (let i = 0; i < 500; i++) {
    const found = await fn();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.fail(`it never came to be: ${fn}`);
};

const recordOf = (reply) => until(async () => (await good("GET", `/api/v1/audit/records?request=${reply.headers.get("x-request-id")}`)).items[0]);

before(async () => {
  provider = await new Provider().start();
  Object.assign(process.env, { MASTER: "0123456789abcdef0123456789abcdef", WEIR_AUDIT_BODIES: "sealed", WEIR_AUDIT_MASTER_KEY: "env:MASTER", WEIR_CACHE_MODE: "on" });
  weir = await new Weir().start({ provider });
  for (const name of ["MASTER", "WEIR_AUDIT_BODIES", "WEIR_AUDIT_MASTER_KEY", "WEIR_CACHE_MODE"]) delete process.env[name];
  api = new Api(JSON.parse((await call("GET", "/api/v1/openapi.json")).text));
});
after(async () => {
  await weir.stop();
  provider.stop();
});

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
  assert.deepEqual(models.items.map((m) => m.name), ["dear", "fake", "omni-moderation-latest", "unreachable", "weir"]);
  assert.equal(models.next_cursor, null);
  await good("GET", "/api/v1/openapi.json");
});

test("sessions: none here, but they can be asked for", async () => {
  assert.deepEqual((await good("GET", "/api/v1/sessions?tenant=default")).items, []);
  await bad("GET", "/api/v1/sessions?who=me", 400, "wrong_parameters");
  await bad("DELETE", "/api/v1/sessions/s_0000000000000000", 404, "not_found");
  await bad("DELETE", "/api/v1/sessions/u_0000000000000000", 404, "not_found");
  const key = (await good("GET", "/api/v1/keys")).items[0].id;
  await bad("DELETE", `/api/v1/sessions/${key}`, 404, "not_found"); // a key is no person
});

test("models: whatever the settings say of one, an added one can be told", async () => {
  const settings = JSON.parse(weir.cli("config", "schema"));
  const schemas = api.document.components.schemas;
  const names = { in_flight: "in_flight_max", model: null };
  const said = (section) => Object.keys(settings.properties[section].items.properties)
    .map((name) => (name in names ? names[name] : name.startsWith("price_") ? `${name}_usd` : name)).filter(Boolean);
  assert.ok(said("models").includes("price_reasoning_usd") && said("prices").includes("hours"));
  for (const name of said("models")) assert.ok(schemas.ModelNew.properties[name], `ModelNew has ${name}`);
  for (const name of said("prices")) assert.ok(schemas.PriceRow.properties[name], `PriceRow has ${name}`);
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
  const prices = [{ hours: "22:00-06:00", tenants: ["acme", "other"], price_input_usd: 0.5 }, { prompt_tokens: "200000-", price_reasoning_usd: 60 }];
  const tiered = await good("PATCH", "/api/v1/models/fresh%2Fone", { body: { prices, cache: "on" } });
  assert.deepEqual(tiered.prices, prices);
  assert.equal(tiered.cache, "on");
  assert.equal((await good("GET", "/api/v1/models?limit=1000")).items.find((m) => m.name === "fresh/one").price_rows, 2);
  for (const [row, field] of [[{ hours: "25-26" }, "prices[0].hours"], [{ prompt_tokens: "9-8" }, "prices[0].prompt_tokens"], [{ tenants: [] }, "prices[0].tenants"],
    [{ price_input_usd: -1 }, "prices[0].price_input_usd"], [{ hour: "8-9" }, "prices[0].hour"], [{ tenants: ["a,b"] }, "prices[0].tenants"]]) {
    const { problem } = await bad("PATCH", "/api/v1/models/fresh%2Fone", 422, "wrong_fields", { body: { prices: [row] } });
    assert.equal(problem.errors[0].field, field, JSON.stringify(problem));
  }
  await bad("PATCH", "/api/v1/models/fresh%2Fone", 422, "wrong_fields", { body: { prices: Array(101).fill({}) } });
  assert.deepEqual((await good("GET", "/api/v1/models/fresh%2Fone")).prices, prices);
  assert.deepEqual((await good("PATCH", "/api/v1/models/fresh%2Fone", { body: { prices: [] } })).prices, []);
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

test("keys: rotated, and the old secret works as long as was said", async () => {
  const made = await good("POST", "/api/v1/keys", { body: { name: "turning" } }, 201);
  const next = await good("POST", `/api/v1/keys/${made.id}/rotate`, { body: { overlap_seconds: 3600 } });
  assert.equal(next.id, made.id);
  assert.match(next.key, /^wr_/);
  assert.notEqual(next.key, made.key);
  assert.ok(Date.parse(next.old_key_until) > Date.now());
  for (const key of [made.key, next.key]) await ask(key, "which key?");
  const last = await good("POST", `/api/v1/keys/${made.id}/rotate`, { body: { overlap_seconds: 0 } });
  assert.ok(Date.parse(last.old_key_until) <= Date.now(), last.old_key_until);
  await ask(last.key, "which key?");
  for (const key of [made.key, next.key]) assert.equal((await call("GET", "/v1/models", { key })).status, 401);
  await bad("POST", "/api/v1/keys/k_nobody/rotate", 404, "not_found", { body: {} });
  await bad("POST", `/api/v1/keys/${made.id}/rotate`, 422, "wrong_fields", { body: { overlap_seconds: -1 } });
});

test("tenants and teams: made, shown, limited, removed with their keys", async () => {
  const tenant = await good("POST", "/api/v1/tenants", { body: { id: "acme", name: "ACME", spend_month_usd: 100 } }, 201);
  assert.equal(tenant.spend_month_usd, 100);
  await bad("POST", "/api/v1/tenants", 409, "conflict", { body: { id: "acme" } });
  await bad("POST", "/api/v1/tenants", 422, "wrong_fields", { body: { id: "acme/shop" } });
  await bad("POST", "/api/v1/teams", 422, "wrong_fields", { body: { id: "acme" } });
  await bad("POST", "/api/v1/teams", 404, "not_found", { body: { id: "nobody/shop" } });
  const team = await good("POST", "/api/v1/teams", { body: { id: "acme/shop", requests_per_minute: 9, models: ["fake"] } }, 201);
  assert.deepEqual(team.models, ["fake"]);
  assert.ok((await good("GET", "/api/v1/tenants?limit=1000")).items.some((t) => t.id === "acme"));
  assert.deepEqual((await good("GET", "/api/v1/teams?tenant=acme")).items.map((t) => t.id), ["acme/shop"]);
  assert.deepEqual((await good("GET", "/api/v1/teams")).items.filter((t) => t.id === "acme/shop"), []);

  const changed = await good("PATCH", "/api/v1/tenants/acme", { body: { tokens_per_minute: 5000 } });
  assert.equal(changed.tokens_per_minute, 5000);
  assert.equal(changed.spend_month_usd, 100, "what is not named stays");
  assert.equal((await good("GET", "/api/v1/tenants/acme")).tokens_per_minute, 5000);
  assert.deepEqual((await good("PATCH", "/api/v1/teams/acme/shop", { body: { name: "The shop" } })).models, ["fake"]);
  assert.equal((await good("GET", "/api/v1/teams/acme/shop")).name, "The shop");
  await bad("PATCH", "/api/v1/teams/acme/nobody", 404, "not_found", { body: { name: "x" } });
  await bad("PATCH", "/api/v1/tenants/nobody", 404, "not_found", { body: { name: "x" } });

  const key = await good("POST", "/api/v1/keys", { body: { name: "till", team: "acme/shop" } }, 201);
  await ask(key.key, "what a team may ask");
  assert.equal((await call("POST", "/v1/chat/completions", { key: key.key, body: { model: "dear", messages: [{ role: "user", content: "hi" }] } })).status, 403, "the team's models");
  assert.deepEqual((await good("GET", "/api/v1/keys?tenant=acme&team=acme/shop")).items.map((k) => k.id), [key.id]);
  const boss = await good("POST", "/api/v1/keys", { body: { name: "boss", tenant: "acme", role: "admin" } }, 201);
  assert.deepEqual((await good("GET", "/api/v1/tenants", { key: boss.key })).items.map((t) => t.id), ["acme"], "who is no operator sees their own");
  await bad("GET", "/api/v1/teams?tenant=default", 403, "denied", { key: boss.key });
  await bad("DELETE", "/api/v1/tenants/acme", 403, "denied", { key: boss.key });

  const shut = await good("DELETE", "/api/v1/teams/acme/shop");
  assert.deepEqual([shut.id, shut.keys_removed], ["acme/shop", 1]);
  assert.equal((await call("GET", "/v1/models", { key: key.key })).status, 401);
  assert.equal((await good("DELETE", "/api/v1/tenants/acme")).keys_removed, 1);
  await bad("GET", "/api/v1/tenants/acme", 404, "not_found");
  await bad("GET", "/api/v1/teams/acme/shop", 404, "not_found");
});

test("usage: counted and priced, grouped as asked", async () => {
  const key = await good("POST", "/api/v1/keys", { body: { name: "counted", tags: ["till"] } }, 201);
  for (const question of ["one", "two", "three"]) await ask(key.key, question);
  const rows = await until(async () => {
    const { items } = await good("GET", `/api/v1/usage?group_by=model,provider&key=${key.id}`);
    return items[0]?.requests === 3 && items;
  });
  assert.equal(rows.length, 1);
  const { model, provider: who, tokens_in, tokens_out, tokens_cached, failed, cost_usd } = rows[0];
  assert.deepEqual([model, who, tokens_in, tokens_out, tokens_cached, failed], ["fake", "fake", 75, 105, 15, 0]);
  assert.equal(cost_usd, 0.000285, "25 tokens at 1 and 35 at 2 US dollars a million, thrice");
  assert.deepEqual((await good("GET", `/api/v1/usage?group_by=tag&key=${key.id}&tag=till`)).items.map((r) => [r.tag, r.requests]), [["till", 3]]);
  assert.deepEqual((await good("GET", `/api/v1/usage?key=${key.id}&to=2020-01-01`)).items, []);
  await bad("GET", "/api/v1/usage?group_by=weather", 400, "invalid");
});

test("the cache: what it did, and throwing answers out", async () => {
  const first = await ask(weir.key, "keep this");
  assert.equal(first.headers.get("x-weir-cache"), "stored");
  assert.equal((await ask(weir.key, "keep this")).headers.get("x-weir-cache"), "hit");
  const stats = await good("GET", "/api/v1/cache");
  assert.ok(stats.hits_memory >= 1 && stats.stored >= 1 && stats.memory_bytes > 0);
  await bad("POST", "/api/v1/cache/purge", 422, "wrong_fields", { body: {} });
  await bad("POST", "/api/v1/cache/purge", 422, "wrong_fields", { body: { key: "abc" } });
  assert.ok((await good("POST", "/api/v1/cache/purge", { body: { key: first.headers.get("x-weir-cache-key") } })).purged >= 1);
  assert.equal((await ask(weir.key, "keep this")).headers.get("x-weir-cache"), "stored");
  await good("POST", "/api/v1/cache/purge", { body: { all: true } });
  assert.equal((await good("GET", "/api/v1/cache")).memory_entries, 0);
});

test("instances: the one that answers is alive, and is not retired", async () => {
  const [self] = (await good("GET", "/api/v1/instances")).items;
  assert.ok(self.self && self.alive && self.stopped === null && self.version.length > 0);
  await bad("POST", `/api/v1/instances/${self.id}/retire`, 409, "conflict");
  await bad("POST", "/api/v1/instances/0000000000000000/retire", 404, "not_found");
  assert.match(weir.cli("instance", "list"), new RegExp(self.id));
});

test("audit: records are found, shown, proved and exported", async () => {
  const reply = await ask(weir.key, "for the record"), id = reply.headers.get("x-request-id");
  const record = await recordOf(reply);
  assert.equal(record.outcome, "complete");
  assert.equal(record.cost, 0.000095);
  assert.deepEqual(await good("GET", `/api/v1/audit/records/${id}`), record);
  assert.deepEqual(await good("GET", `/api/v1/audit/records/${record.seq}`), record);
  const page = await good("GET", "/api/v1/audit/records?oldest_first=true&limit=2");
  assert.deepEqual(page.items.map((r) => r.seq), [1, 2]);
  assert.deepEqual((await good("GET", `/api/v1/audit/records?oldest_first=true&limit=2&cursor=${page.next_cursor}`)).items.map((r) => r.seq), [3, 4]);
  await bad("GET", "/api/v1/audit/records/999999", 404, "not_found");

  await until(async () => (await call("GET", `/api/v1/audit/records/${record.seq}/proof`)).status !== 404); // a checkpoint signs it soon
  const proof = await good("GET", `/api/v1/audit/records/${record.seq}/proof`);
  const checkpoint = await good("GET", "/api/v1/audit/checkpoint");
  const keys = await good("GET", "/api/v1/audit/keys");
  fs.writeFileSync(path.join(weir.dir, "proof"), proof);
  fs.writeFileSync(path.join(weir.dir, "keys"), keys);
  assert.match(weir.cli("audit", "verify", "--bundle", path.join(weir.dir, "proof"), "--public-key", path.join(weir.dir, "keys")), /\b1\b/);
  assert.ok(checkpoint.split("\n").length > 3, checkpoint);
  const rotated = await good("POST", "/api/v1/audit/keys", undefined, 201);
  assert.equal((await good("GET", "/api/v1/audit/keys")).split("\n")[0], rotated.key);
  assert.ok((await good("GET", "/api/v1/audit/keys")).includes(keys.split("\n")[0]), "the one before is still published");

  const lines = (await good("GET", `/api/v1/audit/export?request=${id}`)).trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).seq), [record.seq]);
  const table = await good("GET", `/api/v1/audit/export?request=${id}&format=csv`);
  assert.equal(table.trim().split(/\r?\n/).length, 2);
});

test("audit: sealed bodies are read, held, and shut when their subject is erased", async () => {
  const reply = await ask(weir.key, "my secret plan", { "x-weir-subject": "ann" });
  const record = await recordOf(reply);
  const body = await good("GET", `/api/v1/audit/records/${record.seq}/body`);
  assert.equal(JSON.parse(body.question).messages[0].content, "my secret plan");
  assert.equal(body.answer, reply.text);
  assert.equal(body.truncated, false);

  const hold = await good("POST", "/api/v1/audit/holds", { body: { reason: "a lawsuit", subject: record.subject } }, 201);
  assert.deepEqual((await good("GET", "/api/v1/audit/holds")).items, [hold]);
  await bad("POST", "/api/v1/audit/holds", 422, "wrong_fields", { body: {} });
  await bad("POST", "/api/v1/audit/erasures", 403, "denied", { body: { subject: record.subject } });
  assert.deepEqual(await good("DELETE", `/api/v1/audit/holds/${hold.id}`), { id: hold.id, released: true });
  await bad("DELETE", `/api/v1/audit/holds/${hold.id}`, 404, "not_found");
  assert.deepEqual(await good("POST", "/api/v1/audit/erasures", { body: { subject: "ann" } }, 201), { subject: record.subject, had_bodies: true });
  const gone = await call("GET", `/api/v1/audit/records/${record.seq}/body`);
  assert.ok(gone.status >= 400 && !gone.text.includes("my secret plan"), gone.text);
  await bad("GET", "/api/v1/audit/records", 403, "denied", { key: weir.key });
});

test("traces: recent requests, step by step", async () => {
  const id = (await ask(weir.key, "step by step")).headers.get("x-request-id");
  const row = await until(async () => (await good("GET", "/api/v1/traces?limit=100")).items.find((t) => t.id === id));
  assert.equal(row.status, 200);
  const trace = await good("GET", `/api/v1/traces/${id}`);
  assert.ok(trace.steps.some((s) => s.kind === "call"));
  await bad("GET", "/api/v1/traces/req_0000000000000000", 404, "not_found");
});

test("knowledge bases: made, shown, filled, asked, deleted", async () => {
  const folder = fs.mkdtempSync(path.join(weir.dir, "deals-"));
  fs.writeFileSync(path.join(folder, "merger.md"), "# Merger\n\nThe merger with Beta closes in spring.\n");
  const made = await good("POST", "/api/v1/knowledge", { body: { name: "deals", title: "Deals" } }, 201);
  assert.match(made.id, /^vs_[0-9a-f]{24}$/);
  assert.deepEqual([made.name, made.title, made.tenant, made.documents], ["deals", "Deals", "default", 0]);
  await bad("POST", "/api/v1/knowledge", 409, "conflict", { body: { name: "deals" } });
  await bad("POST", "/api/v1/knowledge", 422, "wrong_fields", { body: { name: "vs_mine" } });
  assert.equal((await good("PATCH", "/api/v1/knowledge/deals", { body: { title: "All deals" } })).title, "All deals");
  assert.equal((await good("GET", `/api/v1/knowledge/${made.id}`)).title, "All deals");
  assert.equal((await good("POST", "/api/v1/documents", { body: { path: folder, knowledge: "deals" } })).added, 1);
  const [document] = (await good("GET", "/api/v1/knowledge/deals/documents")).items;
  assert.deepEqual(await good("PATCH", `/api/v1/knowledge/deals/documents/${document.id}`, { body: { metadata: { year: 2026 } } }), { changed: 1 });
  assert.equal((await good("POST", "/api/v1/knowledge/deals/search", { body: { query: "merger" } })).passages[0].knowledge, "deals");
  assert.equal((await good("POST", "/api/v1/knowledge/deals/answer", { body: { question: "When does the merger with Beta close?" } })).answered, true);
  assert.deepEqual(await good("GET", "/api/v1/knowledge/deals/vectors"), { embedder: "none", passages: 1, vectors: 0, graphed: 0, refused: 0 });
  assert.deepEqual(await good("DELETE", `/api/v1/knowledge/deals/documents/${document.id}`), { forgotten: 1 });
  assert.ok((await good("GET", "/api/v1/knowledge")).items.find((b) => b.id === made.id));
  const gone = await good("DELETE", "/api/v1/knowledge/deals");
  assert.equal(gone.base, made.id);
  assert.ok(gone.removed.files > 0 && gone.removed.documents === 0);
  assert.deepEqual(gone.searched.found, []);
  assert.ok(!fs.readdirSync(path.join(weir.dir, "data", "knowledge", "bases")).some((name) => name.startsWith(made.id)));
  await bad("GET", "/api/v1/knowledge/deals", 404, "not_found");
  await bad("DELETE", "/api/v1/knowledge/default", 409, "conflict");
});

test("failures of /v1/files and /v1/vector_stores are in the dialect's shape, as the document says", async () => {
  for (const [method, where, status, options] of [["GET", "/v1/files/none", 404], ["GET", "/v1/files?limit=many", 400], ["POST", "/v1/vector_stores", 400, { body: { name: 3 } }],
    ["GET", "/v1/vector_stores/none/files", 404], ["GET", "/v1/files", 401, { key: null }]]) {
    const reply = await call(method, where, options);
    assert.equal(reply.status, status, reply.text);
    api.check(method, where, reply.status, reply.type, reply.text);
  }
});

test("answers that a model writes are as the document says, with what of them has no support", async () => {
  const other = await new Weir().start({ provider, through: "auto" }), says = provider.says;
  const answer = async (question) => {
    const where = "/api/v1/knowledge/default/answer";
    const reply = await fetch(other.url + where, { method: "POST", headers: { authorization: `Bearer ${other.admin}`, "content-type": "application/json" }, body: JSON.stringify({ question }) });
    assert.equal(reply.status, 200);
    return api.check("POST", where, reply.status, reply.headers.get("content-type"), await reply.text());
  };
  provider.says = "Employees get 28 days of annual leave [1]. Bosses decide on the weather [1].";
  try {
    const told = await answer("How many days of annual leave do employees get?");
    assert.equal(told.through, "fake");
    assert.equal(told.support.unsupported.at(-1).lack, "words");
  } finally {
    provider.says = says;
    await other.stop();
  }
});

test("what needs no key answers as the document says", async () => {
  for (const [method, where, status, headers] of [["GET", "/metrics", 200], ["GET", "/metrics", 200, { accept: "text/plain" }], ["GET", "/healthz", 200], ["GET", "/readyz", 200],
    ["GET", "/auth/login?next=/documents/default/x", 404], ["GET", "/auth/login", 404, { accept: "text/html" }], ["GET", "/auth/callback?state=x&code=y", 404], ["GET", "/auth/me", 401], ["POST", "/auth/logout", 401]]) {
    const reply = await call(method, where, { key: null, headers });
    assert.equal(reply.status, status, reply.text);
    api.check(method, where, reply.status, reply.type, reply.text);
  }
  const named = (where, method) => api.document.paths[where][method].parameters.map((p) => p.name);
  assert.deepEqual(named("/auth/login", "get"), ["issuer", "next"]);
  assert.deepEqual(named("/auth/callback", "get"), ["state", "code", "iss", "error", "error_description"]);
});

test("documents that are sent: added, changed, unchanged, refused, read back, gone", async () => {
  await good("POST", "/api/v1/knowledge", { body: { name: "sent" } }, 201);
  const where = "/api/v1/knowledge/sent/documents";
  const originals = () => { const dir = fs.readdirSync(path.join(weir.dir, "data", "knowledge", "bases")).map((d) => path.join(weir.dir, "data", "knowledge", "bases", d, "originals")).filter((d) => fs.existsSync(d)); return dir.flatMap((d) => fs.readdirSync(d)); };
  const unfinished = () => (fs.existsSync(path.join(weir.dir, "data", "uploads")) ? fs.readdirSync(path.join(weir.dir, "data", "uploads")) : []);
  // A form, as browsers and SDKs send it.
  const send = async (text, name, fields = {}) => {
    const form = new FormData();
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    form.append("file", new Blob([text]), name);
    const reply = await fetch(weir.url + where, { method: "POST", headers: { authorization: `Bearer ${weir.admin}` }, body: form });
    return { status: reply.status, body: await reply.json(), type: reply.headers.get("content-type") };
  };
  const first = await send("# Fees\n\nThe fee is 12 euros.\n", "fees.md", { readers: "everyone", metadata: '{"year":2026}' });
  assert.equal(first.status, 201, JSON.stringify(first.body));
  api.check("POST", where, 201, first.type, JSON.stringify(first.body));
  assert.equal(first.body.became, "added");
  const { id } = first.body.document;
  assert.deepEqual([first.body.document.path, first.body.document.version, first.body.document.metadata, first.body.document.readers], ["fees.md", 1, { year: 2026 }, ["everyone"]]);
  assert.equal((await send("# Fees\n\nThe fee is 12 euros.\n", "fees.md")).body.became, "unchanged");
  const second = await send("# Fees\n\nThe fee is 13 euros.\n", "fees.md");
  api.check("POST", where, second.status, second.type, JSON.stringify(second.body));
  assert.deepEqual([second.status, second.body.became, second.body.document.version, second.body.document.metadata], [200, "changed", 2, { year: 2026 }]);
  assert.equal(originals().length, 1, "the first version's bytes are gone");
  // The file as the body itself.
  const raw = async (text, query) => (await fetch(`${weir.url}${where}${query}`, { method: "POST", headers: { authorization: `Bearer ${weir.admin}`, "content-type": "text/markdown" }, body: text }));
  const plain = await raw("Cancellation is free for 14 days.\n", "?name=cancel.txt");
  assert.equal(plain.status, 201);
  assert.equal((await good("GET", `${where}/${id}`)).passages, 1);
  const read = await call("GET", `${where}/${id}/content`);
  assert.deepEqual([read.status, read.type, read.text], [200, "text/plain; charset=utf-8", "# Fees\n\nThe fee is 13 euros.\n"]);
  assert.equal(read.headers.get("x-content-type-options"), "nosniff");
  api.check("GET", `${where}/${id}/content`, 200, "application/octet-stream", read.text);
  const [hit] = (await good("POST", "/api/v1/knowledge/sent/search", { body: { query: "fee euros" } })).passages;
  assert.equal(Buffer.from(read.text).subarray(...hit.bytes).toString(), hit.quote, "a citation's bytes are the original's");
  // What cannot be taken leaves nothing behind.
  const refusals = [
    [await send("PK\x03\x04 no archive", "broken.docx"), 422, "unreadable_document"],
    [await send("x", "program.exe"), 422, "unreadable_document"],
    [await send("", "empty.md"), 400, "invalid"],
    [await send("text", "a.md", { colour: "red" }), 422, "wrong_fields"],
    [await send("text", "a.md", { readers: "somebody" }), 422, "wrong_fields"],
    [await send("text", "a.md", { metadata: "{" }), 422, "wrong_fields"],
    [await send("x".repeat(17 * 1024 * 1024), "large.txt"), 413, "too_large"],
  ];
  for (const [reply, status, code] of refusals) assert.deepEqual([reply.status, reply.body.code], [status, code], JSON.stringify(reply.body));
  assert.match(refusals.at(-1)[0].body.detail, /knowledge\.file_bytes/);
  assert.equal((await raw("text", "")).status, 422, "no name");
  // A client that leaves in the middle.
  await new Promise((done) => {
    const socket = net.connect(weir.port, "127.0.0.1", () => {
      socket.write(`POST ${where}?name=cut.txt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${weir.admin}\r\nContent-Length: 100000\r\n\r\nhalf of it`);
      setTimeout(() => socket.destroy(), 100);
    });
    socket.on("close", done);
  });
  await until(async () => unfinished().length === 0);
  assert.equal((await good("GET", where)).items.length, 2);
  assert.equal(originals().length, 2);
  assert.deepEqual(await good("DELETE", `${where}/${id}`), { forgotten: 1 });
  assert.equal(originals().length, 1);
  await bad("GET", `${where}/${id}/content`, 404, "not_found");
  await good("DELETE", "/api/v1/knowledge/sent");
  assert.equal(originals().length, 0);
});

test("documents: ingested, listed, forgotten", async () => {
  const folder = path.join(weir.dir, "to ingest");
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "a.md"), "# Leave\n\nEmployees get 30 days of leave.\n");
  fs.writeFileSync(path.join(folder, "b.bin"), "\0\0");
  const report = await good("POST", "/api/v1/documents", { body: { path: folder } });
  assert.equal(report.added, 1);
  const all = await good("GET", "/api/v1/documents?limit=1000");
  const mine = all.items.find((d) => d.path.endsWith("to ingest/a.md"));
  assert.deepEqual(await good("PATCH", `/api/v1/documents/${mine.id}`, { body: { readers: ["everyone"], metadata: { year: 2026 } } }), { changed: 1 });
  await bad("PATCH", `/api/v1/documents/${mine.id}`, 422, "wrong_fields", { body: { readers: ["somebody"] } });
  const labelled = (await good("GET", "/api/v1/documents?limit=1000")).items.find((d) => d.id === mine.id);
  assert.deepEqual([labelled.readers, labelled.metadata, labelled.version], [["everyone"], { year: 2026 }, 1]);
  const filter = { equals: { key: "year", value: 2026 } };
  const found = await good("POST", "/api/v1/knowledge/weir/search", { body: { query: "days of leave", limit: 3, filter } });
  assert.deepEqual(found.passages.map((p) => p.document), [mine.id]);
  const answer = await good("POST", "/api/v1/knowledge/weir/answer", { body: { question: "How many days of leave do employees get?", filter } });
  assert.ok(answer.answered && answer.citations[0].quote.includes("30 days"), answer.text);
  await bad("POST", "/api/v1/knowledge/nobody/search", 404, "not_found", { body: { query: "leave" } });
  assert.deepEqual(await good("DELETE", `/api/v1/documents/${mine.id}`), { forgotten: 1 });
});

test("forgetting: told first, then done, with a receipt; the index written anew", async () => {
  const folder = path.join(weir.dir, "to forget");
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "a.md"), "# Fees\n\nThe fee for a lost umbrella is 12 euros.\n");
  await good("POST", "/api/v1/documents", { body: { path: folder } });
  const document = path.join(folder, "a.md");
  const told = await good("POST", "/api/v1/forget/document", { body: { document: folder, dry_run: true } });
  assert.equal(told.removed.documents, 1);
  const found = { body: { query: "lost umbrella", limit: 1 } };
  assert.equal((await good("POST", "/api/v1/knowledge/weir/search", found)).passages.length, 1, "nothing went");
  const receipt = await good("POST", "/api/v1/forget/document", { body: { document: folder } });
  assert.deepEqual([receipt.removed.documents, receipt.documents.length], [1, 1], document);
  assert.ok(!(await good("POST", "/api/v1/knowledge/weir/search", found)).passages.some((p) => p.quote.includes("umbrella")));
  await bad("POST", "/api/v1/forget/document", 404, "not_found", { body: { document: folder } });
  assert.equal((await good("POST", "/api/v1/forget/person", { body: { person: "nobody at all" } })).removed.documents, 0);
  await good("POST", "/api/v1/forget/compact", { body: {} });
});

test("runs: begun, watched, ended", async () => {
  const folder = path.join(weir.dir, "to run");
  fs.mkdirSync(folder);
  for (const name of ["a", "b"]) fs.writeFileSync(path.join(folder, `${name}.md`), `The fee of ${name} is 7 euros.\n`);
  fs.writeFileSync(path.join(folder, "c.bin"), "\0\0");
  const begun = await good("POST", "/api/v1/knowledge/weir/runs", { body: { path: folder } }, 202);
  assert.equal(begun.what, folder);
  const where = `/api/v1/knowledge/weir/runs/${begun.id}`;
  const ended = await until(async () => { const run = await good("GET", where); return run.ended && run; });
  assert.deepEqual([ended.state, ended.known, ended.finished, ended.left, ended.added, ended.skipped, ended.error], ["done", 2, 2, 0, 2, 1, ""]);
  assert.deepEqual(ended.problems.map((p) => p.path), ["to run/c.bin"]);
  assert.ok((await good("GET", "/api/v1/knowledge/weir/runs?limit=1000")).items.some((run) => run.id === begun.id));
  assert.equal((await good("DELETE", where)).state, "done", "what has ended stays as it was");
  await bad("GET", "/api/v1/knowledge/weir/runs/7", 404, "not_found");
  await bad("GET", "/api/v1/knowledge/nobody/runs", 404, "not_found");
  await bad("POST", "/api/v1/knowledge/weir/runs", 422, "wrong_fields", { body: { path: "relative" } });
  assert.equal((await good("DELETE", `/api/v1/documents/${encodeURIComponent(folder)}`)).forgotten, 2);
});

test("sources: what the settings name", async () => {
  assert.deepEqual((await good("GET", "/api/v1/knowledge/default/sources?limit=1000")).items.map((s) => s.name), ["handed"]);
  const where = "/api/v1/knowledge/default/sources/handed";
  assert.equal((await good("GET", where)).paused, false);
  assert.equal((await good("PATCH", where, { body: { paused: true } })).paused, true);
  assert.equal((await good("PATCH", where, { body: { paused: false } })).paused, false);
  const { id } = await good("POST", `${where}/run`, { body: {} }, 202);
  const run = await until(async () => { const one = await good("GET", `/api/v1/knowledge/default/runs/${id}`); return one.ended && one; });
  assert.deepEqual([run.what, run.source, run.state], ["handed", true, "failed"], "its folder is not there");
  assert.ok((await good("GET", where)).problem.includes("/handed"), "and that is told");
  await bad("GET", "/api/v1/knowledge/default/sources/nothing", 404, "not_found");
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

test("weir ingest watches a run for as long as it takes: what it was told earlier does not stay in memory", async () => {
  const run = (over) => ({ id: 1, what: "/docs", source: false, state: over ? "done" : "working", begun: "2026-11-21T00:00:00Z", ended: over ? "2026-11-21T00:00:01Z" : null, known: 9, finished: 5, left: 4, current: "x".repeat(20 << 20),
    error: "", added: 9, changed: 0, unchanged: 0, removed: 0, held: 0, stopped: false, failed: 0, skipped: 0, passages: 9, bytes: 9, problems: [], notes: [] });
  let looks = 0;
  const far = http.createServer((req, res) => { req.resume(); res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(run(req.method === "GET" && ++looks === 14))); });
  await new Promise((done) => far.listen(0, "127.0.0.1", done));
  const child = spawn(program, ["ingest", "/docs", "--url", `http://127.0.0.1:${far.address().port}`, "--key", "x"], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const from of [child.stdout, child.stderr]) from.on("data", (piece) => (said += piece));
  const status = await new Promise((done) => child.on("exit", done));
  far.closeAllConnections();
  far.close();
  assert.equal(status, 0, said);
  assert.match(said, /9 added/);
});

test("weir audit tail --follow ends when nobody reads it any more", async () => {
  const child = spawn(program, ["audit", "tail", "--follow", "--lines", "1", path.join(weir.dir, "data", "audit")], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (piece) => (said += piece));
  await new Promise((done) => child.stdout.once("data", done));
  child.stdout.destroy();
  const ended = new Promise((done) => child.on("exit", done)), late = setTimeout(() => child.kill("SIGKILL"), 10000);
  await good("POST", "/api/v1/keys", { body: { name: "one more record" } }, 201);
  assert.equal(await ended, 1, "it goes on for ever");
  clearTimeout(late);
  assert.match(said, /could not write to standard output/);
});

test("weir ask leaves when nobody reads its answer, and so does Weir", async () => {
  const closed = provider.closed;
  const child = spawn(program, ["ask", "--model", "fake", "--data-dir", path.join(weir.dir, "data"), "long"], { stdio: ["ignore", "pipe", "pipe"], cwd: weir.dir });
  const ended = new Promise((done) => child.on("exit", done));
  await new Promise((done) => child.stdout.once("data", done));
  child.stdout.destroy();
  assert.equal(await ended, 1);
  await until(() => provider.closed > closed);
});
