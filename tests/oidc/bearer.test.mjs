// Services with tokens of a real OpenID provider: verified, mapped to tenant and role, refused when bent;
// keys that rotate and a provider that is away.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import Provider from "oidc-provider";

const program = path.resolve(process.env.WEIR ?? new URL("../../build/weir", import.meta.url).pathname);

const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

const makeKey = (kid) => {
  const { privateKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { key: privateKey, jwk: { ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" } };
};

// What a client of that name is said to be.
const claims = {
  asker: { tenant: "acme", roles: ["other", "weir-app"] },
  boss: { tenant: "acme", roles: ["weir-app", "weir-admin"] },
  stranger: { tenant: "nobody", roles: ["weir-app"] },
  useless: { tenant: "acme", roles: ["admin"] },
};

let issuer, port, server, weir, dir, url;
let current = makeKey("first");

async function startProvider() {
  const provider = new Provider(issuer, {
    clients: Object.keys(claims).map((id) => ({ client_id: id, client_secret: "secret-" + id, grant_types: ["client_credentials"], redirect_uris: [], response_types: [] })),
    jwks: { keys: [current.jwk] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "urn:weir",
        getResourceServerInfo: () => ({ scope: "api", audience: "weir", accessTokenTTL: 300, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } }),
      },
    },
    extraTokenClaims: (_, token) => claims[token.clientId],
  });
  server = http.createServer(provider.callback());
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
}

const stopProvider = () => new Promise((done) => { server.closeAllConnections(); server.close(done); });

async function tokenOf(client) {
  const reply = await fetch(issuer + "/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", authorization: "Basic " + Buffer.from(`${client}:secret-${client}`).toString("base64") },
    body: "grant_type=client_credentials&resource=urn:weir&scope=api",
  });
  const body = await reply.json();
  assert.ok(body.access_token, JSON.stringify(body));
  return body.access_token;
}

// A token of our own making, by the provider's key or by another.
function sign(claims, { header = {}, key = current.key, digest = "sha256" } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = part({ alg: "RS256", kid: current.jwk.kid, typ: "at+jwt", ...header }) + "." + part(claims);
  return text + "." + crypto.sign(digest, Buffer.from(text), key).toString("base64url");
}
const now = () => Math.floor(Date.now() / 1000);
const good = (more) => ({ iss: issuer, aud: "weir", sub: "made", exp: now() + 300, iat: now(), tenant: "acme", roles: ["weir-app"], ...more });

const cli = (...words) => execFileSync(program, [...words, "--data-dir", path.join(dir, "data")], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const get = (where, token) => fetch(url + where, { headers: { authorization: "Bearer " + token } });
const status = async (where, token) => {
  const reply = await get(where, token);
  return [reply.status, await reply.text()];
};

async function until(what, wanted) {
  for (let i = 0; i < 300; i++) {
    const got = await what().catch((error) => [error.message]); // a connection kept from before
    if (got[0] === wanted) return got;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`never ${wanted}: ${JSON.stringify(await what())}`);
}

before(async () => {
  port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  await startProvider();
  dir = fs.mkdtempSync(path.join(os.tmpdir(), "weir-oidc-"));
  const own = await freePort();
  url = `http://127.0.0.1:${own}`;
  fs.writeFileSync(path.join(dir, "weir.yaml"), `knowledge: {through: none, examples: none}
issuers:
  - {name: real, url: "${issuer}", audience: weir, tenant_claim: tenant, role_claim: roles, role_prefix: "weir-", refresh: 1s}
  - {name: second, url: "${issuer}", audience: weir-batch, tenant: acme, default_role: app, refresh: 1s}
`);
  const log = fs.openSync(path.join(dir, "log"), "a");
  weir = spawn(program, ["serve", "--config", path.join(dir, "weir.yaml"), "--data-dir", path.join(dir, "data"), "--listen", `127.0.0.1:${own}`], { stdio: ["ignore", "ignore", log] });
  for (let i = 0; i < 300; i++) {
    const reply = await fetch(url + "/readyz").catch(() => null);
    if (reply?.status === 200) break;
    assert.equal(weir.exitCode, null, fs.readFileSync(path.join(dir, "log"), "utf8"));
    await new Promise((done) => setTimeout(done, 20));
  }
  cli("tenant", "create", "acme");
  await until(async () => status("/v1/models", await tokenOf("asker")), 200);
});

after(async () => {
  weir.kill("SIGTERM");
  await new Promise((done) => (weir.exitCode !== null ? done() : weir.on("exit", done)));
  await stopProvider().catch(() => {});
  fs.rmSync(dir, { recursive: true, force: true });
});

test("a provider's token asks models, and is known by its tenant and role", async () => {
  const token = await tokenOf("asker");
  assert.equal((await get("/v1/models", token)).status, 200);
  assert.equal((await get("/v1/models", token)).status, 200); // known by its print
  assert.equal((await get("/api/v1/keys", token)).status, 403);
  const keys = JSON.parse(cli("key", "list", "--json"));
  const mine = (keys.items ?? keys).find((k) => k.kind === "identity" && k.name === "asker");
  assert.equal(mine.tenant, "acme");
  assert.equal(mine.role, "app");
});

test("the strongest role that the claim names counts, within its tenant", async () => {
  const boss = await tokenOf("boss");
  const made = await fetch(url + "/api/v1/keys", { method: "POST", headers: { authorization: "Bearer " + boss, "content-type": "application/json" }, body: JSON.stringify({ name: "made by boss" }) });
  assert.equal(made.status, 201);
  assert.equal((await made.json()).tenant, "acme");
  assert.equal((await get("/api/v1/tenants/default", boss)).status, 404);
  const keys = await (await get("/api/v1/keys", boss)).json();
  assert.ok(keys.items.every((k) => k.tenant === "acme"));
});

test("no tenant of ours, no role of ours: refused and told why", async () => {
  const [stranger, why] = await status("/v1/models", await tokenOf("stranger"));
  assert.equal(stranger, 403);
  assert.match(why, /nobody/);
  const [useless, reason] = await status("/v1/models", await tokenOf("useless"));
  assert.equal(useless, 403);
  assert.match(reason, /names no role/);
});

test("tokens that are bent are refused", async () => {
  const real = await tokenOf("asker");
  const [head, body, signature] = real.split(".");
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  const other = makeKey(current.jwk.kid);
  const pem = crypto.createPublicKey(current.key).export({ type: "spki", format: "pem" });
  const hmacText = Buffer.from(JSON.stringify({ alg: "HS256", kid: current.jwk.kid })).toString("base64url") + "." + body;
  const bent = {
    "signature of other bytes": `${head}.${body}.${signature.slice(0, -4)}AAAA`,
    "claims of another": `${head}.${Buffer.from(JSON.stringify(good({ roles: ["weir-owner"] }))).toString("base64url")}.${signature}`,
    "alg none": `${none}.${body}.`,
    "alg none with a signature": `${none}.${body}.${signature}`,
    "HS256 with the public key": `${hmacText}.${crypto.createHmac("sha256", pem).update(hmacText).digest("base64url")}`,
    "another key of the same name": sign(good(), { key: other.key }),
    "a key brought along": sign(good(), { key: other.key, header: { jwk: { ...other.jwk, d: undefined } } }),
    "expired": sign(good({ exp: now() - 61 })),
    "not yet": sign(good({ nbf: now() + 120 })),
    "another audience": sign(good({ aud: "other" })),
    "another issuer": sign(good({ iss: issuer + "/" })),
    "crit": sign(good(), { header: { crit: ["exp"] } }),
    "RS512 said, RS256 done": sign(good(), { header: { alg: "RS512" } }),
  };
  for (const [name, token] of Object.entries(bent)) assert.equal((await get("/v1/models", token)).status, 401, name);
  assert.equal((await get("/v1/models", sign(good()))).status, 200, "the same, straight");
});

test("an issuer that stands twice is believed for either audience", async () => {
  assert.equal((await get("/v1/models", sign(good({ sub: "batch", aud: "weir-batch", roles: [] })))).status, 200);
  assert.equal((await get("/v1/models", sign(good({ sub: "both", aud: ["weir-batch", "x"], roles: [] })))).status, 200);
  const [late, why] = await status("/v1/models", sign(good({ aud: "weir-batch", exp: now() - 100 })));
  assert.equal(late, 401);
  assert.match(why, /has expired/);
});

test("a revoked identity is out at once, its token or not", async () => {
  const token = sign(good({ sub: "leaver", name: "Leaver" }));
  assert.equal((await get("/v1/models", token)).status, 200);
  const keys = JSON.parse(cli("key", "list", "--json"));
  cli("key", "revoke", (keys.items ?? keys).find((k) => k.name === "Leaver").id);
  assert.equal((await get("/v1/models", token)).status, 401);
});

test("keys rotate: the new one is fetched, the old one ends", async () => {
  const old = sign(good({ sub: "old" }));
  await stopProvider();
  current = makeKey("second");
  await startProvider();
  await until(async () => status("/v1/models", await tokenOf("asker")), 200);
  assert.equal((await get("/v1/models", old)).status, 401);
});

test("while the provider is away its last keys go on", async () => {
  const known = await tokenOf("asker");
  await stopProvider();
  await new Promise((done) => setTimeout(done, 2500)); // two fetches fail
  assert.equal((await get("/v1/models", known)).status, 200);
  assert.equal((await get("/v1/models", sign(good({ sub: "new here" })))).status, 200);
  assert.equal((await get("/v1/models", sign(good(), { header: { kid: "third" } }))).status, 401);
  await startProvider();
  await until(async () => status("/v1/models", await tokenOf("asker")), 200);
});
