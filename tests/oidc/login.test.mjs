// People who log in at a real OpenID provider, what their session may do, how it ends; and all that is no login.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import Provider from "oidc-provider";
import { Browser, Weir, freePort, setCookies, until } from "./weir.mjs";

const people = {
  alice: { name: "Alice <b>", tenant: "acme", roles: ["other", "weir-admin"] },
  bob: { name: "Bob", tenant: "acme", roles: ["weir-developer"] },
  olga: { name: "Olga", tenant: "default", roles: ["weir-admin"] },
  audrey: { name: "Audrey", tenant: "acme", roles: ["weir-auditor"] },
  lost: { name: "Lost", tenant: "nobody", roles: ["weir-admin"] },
  plain: { name: "Plain", tenant: "acme", roles: [] },
  wanda: { name: "Wanda", tenant: "default", roles: ["weir-developer"] },
  plain2: { name: "Fay", tenant: "acme", roles: ["weir-developer"] },
};
const secret = "a-secret:%&more+";

let issuer, server, weir;

// ---- an issuer that says whatever a test wants ----
const fakeKey = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
const fake = { claims: null, status: 200, reply: null, key: fakeKey.privateKey, header: {}, asked: [] };
const now = () => Math.floor(Date.now() / 1000);
function sign(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = part({ alg: "RS256", kid: "fake", ...fake.header }) + "." + part(claims);
  return text + "." + crypto.sign("sha256", Buffer.from(text), fake.key).toString("base64url");
}
function startFake(port) {
  fake.url = `http://127.0.0.1:${port}`;
  fake.server = http.createServer(async (req, res) => {
    const say = (status, body) => res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (req.url === "/.well-known/openid-configuration") return say(200, { issuer: fake.url, jwks_uri: fake.url + "/jwks", authorization_endpoint: fake.url + "/authorize?tenant=1", token_endpoint: fake.url + "/token?tenant=1", token_endpoint_auth_methods_supported: ["client_secret_post"] });
    if (req.url === "/jwks") return say(200, { keys: [{ ...fakeKey.publicKey.export({ format: "jwk" }), kid: "fake", use: "sig", alg: "RS256" }] });
    let body = "";
    for await (const piece of req) body += piece;
    fake.asked.push({ url: req.url, headers: req.headers, form: new URLSearchParams(body) });
    return say(fake.status, fake.reply ?? { access_token: "x", token_type: "Bearer", id_token: sign(fake.claims) });
  });
  return new Promise((done) => fake.server.listen(port, "127.0.0.1", done));
}

async function startProvider(port, weirUrl) {
  const common = { redirect_uris: [weirUrl + "/auth/callback"], post_logout_redirect_uris: [weirUrl + "/auth/me"], grant_types: ["authorization_code"], response_types: ["code"] };
  const provider = new Provider(issuer, {
    clients: [
      { ...common, client_id: "weir basic/1", client_secret: secret },
      { ...common, client_id: "weir-post", client_secret: secret, token_endpoint_auth_method: "client_secret_post" },
      { ...common, client_id: "weir-public", token_endpoint_auth_method: "none" },
    ],
    claims: { openid: ["sub", "tenant", "roles"], profile: ["name"] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    pkce: { required: () => true, methods: ["S256"] },
    cookies: { keys: ["test"] },
  });
  server = http.createServer(provider.callback());
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
}

const more = "tenant_claim: tenant, role_claim: roles, role_prefix: \"weir-\", refresh: 1s";
const settings = (login = "") => (url) => `knowledge: {through: none, examples: none}
login: {url: "${url}"${login}}
issuers:
  - {name: basic, url: "${issuer}", audience: weir, client_id: "weir basic/1", client_secret: "env:WEIR_TEST_SECRET", ${more}}
  - {name: post, url: "${issuer}", audience: weir, client_id: weir-post, client_secret: "env:WEIR_TEST_SECRET", client_auth: post, ${more}}
  - {name: public, url: "${issuer}", audience: weir, client_id: weir-public, ${more}}
  - {name: fake, url: "${fake.url}", audience: weir, client_id: me, client_secret: "env:WEIR_TEST_SECRET", ${more}}
`;

const ready = (w, name) => until(async () => (await new Browser().go(`${w.url}/auth/login?issuer=${name}`)).status, 303);
const one = "?issuer=basic";

before(async () => {
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  await startFake(await freePort());
  // The provider has to know Weir's address, and Weir the provider's.
  weir = await new Weir().start(settings(", per_minute: 100000, per_address: 100000"));
  await startProvider(port, weir.url);
  weir.cli("tenant", "create", "acme");
  await ready(weir, "basic");
  await ready(weir, "public");
  await ready(weir, "post");
  await ready(weir, "fake");
});
after(async () => {
  await weir.stop();
  server.closeAllConnections();
  server.close();
  fake.server.closeAllConnections();
  fake.server.close();
});

const cookie = (browser, name = "weir_session", w = weir) => browser.cookies(w.url).get(name);
const records = (w = weir) => w.list("audit", "query");

for (const how of ["basic", "post", "public"])
  test(`login with a client that is ${how}`, async () => {
    const browser = new Browser();
    const came = await browser.login(weir, "alice", "?issuer=" + how);
    assert.equal(came.to, weir.url + "/auth/me");
    const me = await browser.me(weir);
    assert.equal(me.name, "Alice <b>");
    assert.equal(me.role, "admin");
    assert.equal(me.tenant, "acme");
    assert.equal(me.issuer, how);
    assert.match(me.person, /^u_/);
    assert.match(me.csrf, /^[\w-]{43}$/);
    const left = Date.parse(me.expires) - Date.now();
    assert.ok(left > 11.9 * 3600e3 && left <= 12 * 3600e3, me.expires);
  });

test("the address that the browser is sent to has state, nonce, PKCE and the exact redirect_uri", async () => {
  const went = await new Browser().go(weir.url + "/auth/login" + one);
  const query = new URL(went.to).searchParams;
  assert.ok(went.to.startsWith(issuer + "/auth?"), went.to);
  assert.equal(query.get("response_type"), "code");
  assert.equal(query.get("client_id"), "weir basic/1");
  assert.equal(query.get("redirect_uri"), weir.url + "/auth/callback");
  assert.equal(query.get("scope"), "openid profile email");
  assert.equal(query.get("code_challenge_method"), "S256");
  for (const name of ["nonce", "code_challenge"]) assert.match(query.get(name), /^[\w-]{43}$/);
  const again = new URL((await new Browser().go(weir.url + "/auth/login" + one)).to).searchParams;
  for (const name of ["state", "nonce", "code_challenge"]) assert.notEqual(query.get(name), again.get(name));
  const set = setCookies(went).join("\n");
  assert.match(set, /^weir_login_[0-9a-f]=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/);
  assert.equal(went.headers.get("cache-control"), "no-store");
});

test("over https the cookies are of this host alone, and secure", async () => {
  const other = await new Weir().start((url) => settings()(url).replace(`login: {url: "${url}"`, `login: {url: "https://weir.example.com"`));
  await ready(other, "fake");
  const browser = new Browser();
  const went = await browser.go(other.url + "/auth/login?issuer=fake");
  assert.match(setCookies(went)[0], /^__Host-weir_login_[0-9a-f]=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600; Secure$/);
  const query = new URL(went.to).searchParams;
  assert.equal(query.get("redirect_uri"), "https://weir.example.com/auth/callback");
  fake.claims = { iss: fake.url, aud: "me", sub: "x", exp: now() + 60, iat: now(), nonce: query.get("nonce"), tenant: "default", roles: ["weir-app"] };
  const came = await browser.go(`${other.url}/auth/callback?code=c&state=${encodeURIComponent(query.get("state"))}`);
  assert.equal(came.status, 303, came.text);
  assert.match(setCookies(came)[0], /^__Host-weir_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=43200; Secure$/);
  await other.stop();
});

test("http is for this machine only: anything else does not start", async () => {
  for (const [url, why] of [["http://weir.example.com", /has to be https/], ["https://weir.example.com/weir", /without a path/]])
    await assert.rejects(new Weir().start((own) => settings()(own).replace(`login: {url: "${own}"`, `login: {url: "${url}"`)), why);
});

test("several issuers: the browser is asked where", async () => {
  const asked = await new Browser().go(weir.url + "/auth/login?next=/auth/me%3Fa%3D1%26b", { page: true });
  assert.equal(asked.status, 200);
  for (const name of ["basic", "post", "public", "fake"]) assert.ok(asked.text.includes(`href="/auth/login?issuer=${name}&amp;next=%2Fauth%2Fme%3Fa%3D1%26b"`), asked.text);
  assert.equal((await new Browser().go(weir.url + "/auth/login?issuer=nobody")).status, 404);
});

test("a session administers with the role that the claims gave", async () => {
  const alice = new Browser(), bob = new Browser(), audrey = new Browser();
  await alice.login(weir, "alice", one);
  await bob.login(weir, "bob", one);
  await audrey.login(weir, "audrey", one);
  assert.equal((await alice.go(weir.url + "/api/v1/keys")).status, 200);
  assert.equal((await bob.go(weir.url + "/api/v1/teams?tenant=default")).status, 403);
  assert.equal((await bob.go(weir.url + "/api/v1/audit/records")).status, 403);
  assert.equal((await audrey.go(weir.url + "/api/v1/audit/records")).status, 200);
  const post = async (browser) => (await browser.go(weir.url + "/api/v1/teams", { method: "POST", headers: { origin: weir.url, "x-weir-csrf": (await browser.me(weir)).csrf, "content-type": "application/json" }, body: JSON.stringify({ id: "acme/made" }) })).status;
  assert.equal(await post(bob), 403);
  assert.equal(await post(audrey), 403);
  assert.equal(await post(alice), 201);
  assert.equal((await alice.go(weir.url + "/v1/models")).status, 401, "models are asked with keys");
});

test("another site changes nothing", async () => {
  const alice = new Browser();
  await alice.login(weir, "alice", one);
  const { csrf } = await alice.me(weir);
  const other = new Browser();
  await other.login(weir, "alice", one);
  const foreign = (await other.me(weir)).csrf;
  const post = async (headers) => (await alice.go(weir.url + "/api/v1/teams", { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify({ id: "acme/t" + crypto.randomUUID().slice(0, 8) }) })).status;
  const cases = {
    "nothing shown": {},
    "no token": { origin: weir.url },
    "no origin": { "x-weir-csrf": csrf },
    "origin of another site": { origin: "https://evil.example", "x-weir-csrf": csrf },
    "origin that begins alike": { origin: weir.url + ".evil.example", "x-weir-csrf": csrf },
    "origin null": { origin: "null", "x-weir-csrf": csrf },
    "token of another session": { origin: weir.url, "x-weir-csrf": foreign },
    "token with more": { origin: weir.url, "x-weir-csrf": csrf + "A" },
  };
  for (const [name, headers] of Object.entries(cases)) assert.equal(await post(headers), 403, name);
  assert.equal(await post({ origin: weir.url, "x-weir-csrf": csrf }), 201, "the same from here");
  const out = await alice.go(weir.url + "/auth/logout", { method: "POST", headers: { origin: "https://evil.example" }, body: "csrf=" + csrf });
  assert.equal(out.status, 403);
  assert.equal((await alice.me(weir)).role, "admin", "nobody was logged out");
  assert.equal((await alice.go(weir.url + "/auth/logout")).status, 405);
});

test("a cookie that is bent, made up or there twice is none", async () => {
  const alice = new Browser();
  await alice.login(weir, "alice", one);
  const good = cookie(alice);
  const status = async (text) => (await fetch(weir.url + "/auth/me", { headers: { cookie: text } })).status;
  assert.equal(await status(`a=b; weir_session=${good}`), 200);
  for (let i = 0; i < good.length; i += 7) {
    const bent = good.slice(0, i) + (good[i] === "A" ? "B" : "A") + good.slice(i + 1);
    assert.equal(await status("weir_session=" + bent), 401, `character ${i}`);
  }
  for (const text of ["weir_session=", "weir_session=" + good + "A", "weir_session=" + "A".repeat(43), `weir_session=${good}; weir_session=${good}`, "weir_session=" + "x".repeat(5000), "Weir_session=" + good])
    assert.equal(await status(text), 401, text.slice(0, 60));
});

test("a callback counts once, and only in the browser that began", async () => {
  const alice = new Browser();
  const came = await alice.asFarAsCallback(weir, "alice", one);
  const url = new URL(came);
  const state = url.searchParams.get("state");
  const kept = new Map(alice.cookies(weir.url));
  const refused = async (browser, where, why) => {
    const reply = await browser.go(where);
    assert.equal(reply.status, 403, reply.text);
    assert.match(JSON.parse(reply.text).detail, why);
    assert.equal(cookie(browser), undefined);
  };
  await refused(new Browser(), came, /not begun in this browser/);
  const bent = (text) => {
    const to = new URL(came);
    to.searchParams.set("state", text);
    return to.href;
  };
  const [head, mac] = state.split(".");
  const [slot, expires, name, next] = Buffer.from(head, "base64url").toString().split(" ");
  const made = (...parts) => Buffer.from(parts.join(" ")).toString("base64url") + "." + mac;
  await refused(alice, bent(made(slot, expires, name, "//evil.example")), /not begun/);
  await refused(alice, bent(made(slot, "9" + expires, name, next)), /not begun/);
  await refused(alice, bent(made(slot, expires, "fake", next)), /not begun/);
  await refused(alice, bent(head + "." + mac.slice(0, -2) + "AA"), /not begun/);
  await refused(alice, bent(head), /not begun/);
  await refused(alice, bent("x".repeat(3000)), /not begun/);
  // A mix-up: the answer of another issuer.
  const mixed = new URL(came);
  mixed.searchParams.set("iss", "https://evil.example");
  await refused(alice, mixed.href, /another issuer/);
  // Another login's code: its challenge is of another verifier.
  const other = new Browser();
  const second = new URL(await other.asFarAsCallback(weir, "bob", one));
  const injected = new URL(came);
  injected.searchParams.set("code", second.searchParams.get("code"));
  await refused(alice, injected.href, /does not take this login's code/);
  assert.equal((await alice.go(came)).status, 303);
  // Again, with all that the browser had: the code is used up.
  const replay = new Browser();
  for (const [n, v] of kept) replay.cookies(weir.url).set(n, v);
  await refused(replay, came, /does not take this login's code/);
  const none = await alice.go(weir.url + "/auth/callback");
  assert.equal(none.status, 400);
  const page = await new Browser().go(came, { page: true });
  assert.match(page.text, /<h1>Forbidden<\/h1><p>this login was not begun in this browser/);
});

test("several logins at once in one browser each come to their end", async () => {
  const browser = new Browser();
  await browser.login(weir, "alice", one); // logged in at the provider from here on
  for (let round = 0; round < 3; round++) {
    const first = await browser.asFarAsCallback(weir, "alice", "?issuer=basic&next=/auth/me?first");
    const second = await browser.asFarAsCallback(weir, "alice", "?issuer=basic&next=/auth/me?second");
    if (new URL(first).searchParams.get("state").slice(0, 2) === new URL(second).searchParams.get("state").slice(0, 2)) continue; // the same of 16 slots
    assert.equal((await browser.go(first)).to, weir.url + "/auth/me?first");
    assert.equal((await browser.go(second)).to, weir.url + "/auth/me?second");
    return;
  }
  assert.fail("three times the same slot");
});

test("the issuer refuses: the browser is told, in words that cannot become markup", async () => {
  const browser = new Browser();
  const went = new URL((await browser.go(weir.url + "/auth/login" + one)).to);
  const reply = await browser.go(`${weir.url}/auth/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state=${encodeURIComponent(went.searchParams.get("state"))}`, { page: true });
  assert.equal(reply.status, 403);
  assert.match(reply.text, /the issuer refused the login: access_denied, &lt;script&gt;/);
  assert.ok(!reply.text.includes("<script"));
  assert.match(reply.headers.get("content-security-policy"), /default-src 'none'/);
});

test("whom the claims give no tenant or role of ours stays out", async () => {
  const lost = await new Browser();
  const why = async (who) => {
    const browser = new Browser();
    const reply = await browser.go(await browser.asFarAsCallback(weir, who, one));
    assert.equal(reply.status, 403, reply.text);
    assert.equal(cookie(browser), undefined);
    return JSON.parse(reply.text).detail;
  };
  assert.match(await why("lost"), /nobody/);
  assert.match(await why("plain"), /names no role/);
});

test("where to go on is a path here, or the login does not begin", async () => {
  for (const next of ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)", "evil", "", "/a b", "/\r\nset-cookie: a=b", "/" + "x".repeat(600), "/ü"]) {
    const reply = await new Browser().go(weir.url + "/auth/login?issuer=basic&next=" + encodeURIComponent(next));
    assert.equal(reply.status, 400, JSON.stringify(next));
    assert.equal(reply.to, null);
  }
  const browser = new Browser();
  assert.equal((await browser.login(weir, "alice", "?issuer=basic&next=" + encodeURIComponent("/api/v1/keys?limit=1"))).to, weir.url + "/api/v1/keys?limit=1");
});

test("who follows a citation logs in and comes back to the passage", async () => {
  const folder = path.join(weir.dir, "docs");
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "gifts.md"), "# Gifts\n\nGifts to partners may be worth at most 35 euros. Ask first.\n");
  weir.cli("ingest", folder);
  const { items } = JSON.parse(weir.cli("document", "list", "--json"));
  const link = `${weir.url}/documents/default/${items[0].id}?v=1&b=9-58`;
  const browser = new Browser();
  const sent = await browser.go(link, { page: true });
  assert.equal(sent.status, 303);
  assert.ok(sent.to.startsWith(weir.url + "/auth/login?next="), sent.to);
  const next = new URL(sent.to).searchParams.get("next");
  const came = await browser.login(weir, "alice", "?issuer=basic&next=" + encodeURIComponent(next));
  assert.equal(came.to, link + "#p");
  const shown = await browser.go(came.to, { page: true });
  assert.equal(shown.status, 200);
  assert.match(shown.text, /<mark id="p">Gifts to partners may be worth at most 35 euros/);
  // Programs are not sent anywhere, and an address that is too long to come back to begins a login all the same.
  assert.equal((await new Browser().go(link)).status, 401);
  assert.equal((await new Browser().go(link + "x".repeat(600), { page: true })).to, weir.url + "/auth/login");
  // Whose session may not read it is told so, as a page.
  const lost = await browser.go(`${weir.url}/documents/default/d_0000000000000000`, { page: true });
  assert.equal(lost.status, 404);
  assert.match(lost.text, /<h1>Not Found<\/h1>/);
});

test("an ID token that does not hold ends the login", async () => {
  const attempt = async (change = {}, setup = () => {}) => {
    const browser = new Browser();
    const query = new URL((await browser.go(weir.url + "/auth/login?issuer=fake")).to).searchParams;
    Object.assign(fake, { status: 200, reply: null, key: fakeKey.privateKey, header: {} });
    fake.claims = { iss: fake.url, aud: "me", sub: "someone", exp: now() + 60, iat: now(), nonce: query.get("nonce"), tenant: "acme", roles: ["weir-app"], ...change };
    setup();
    const reply = await browser.go(`${weir.url}/auth/callback?code=c&state=${encodeURIComponent(query.get("state"))}`);
    if (reply.status !== 303) assert.equal(cookie(browser), undefined);
    return [reply.status, reply.text];
  };
  assert.equal((await attempt())[0], 303);
  const shown = fake.asked.at(-1);
  assert.equal(shown.url, "/token?tenant=1");
  assert.equal(shown.form.get("client_secret"), secret, "it names client_secret_post alone");
  assert.equal(shown.headers.authorization, undefined);
  assert.equal(shown.form.get("grant_type"), "authorization_code");
  assert.match(shown.form.get("code_verifier"), /^[\w-]{43}$/);
  assert.equal((await attempt({ aud: ["me", "other"], azp: "me" }))[0], 303);
  const cases = {
    "nonce of another login": { nonce: "x".repeat(43) },
    "no nonce": { nonce: undefined },
    "another audience": { aud: "other" },
    "for several, and not said for whom": { aud: ["me", "other"] },
    "for several, made for another": { aud: ["me", "other"], azp: "other" },
    "made for another": { azp: "other" },
    "another issuer": { iss: issuer },
    expired: { exp: now() - 61 },
    "without an end": { exp: undefined },
    "no subject": { sub: undefined },
  };
  for (const [name, change] of Object.entries(cases)) assert.equal((await attempt(change))[0], 401, name);
  const other = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  assert.equal((await attempt({}, () => (fake.key = other)))[0], 401, "another key");
  assert.equal((await attempt({}, () => (fake.header = { alg: "none" })))[0], 401, "alg none");
  const replies = [
    [{ access_token: "x" }, 200, 503, /no id_token/],
    ["text", 200, 503, /./],
    [{ error: "invalid_client", error_description: secret }, 401, 503, /status 401 invalid_client/],
    [{ error: "server_error" }, 500, 503, /status 500/],
    [{ error: "invalid_grant" }, 400, 403, /begin again/],
    [{ id_token: "x".repeat(100000) }, 200, 503, /./],
  ];
  for (const [reply, status, wanted, why] of replies) {
    const [got, text] = await attempt({}, () => Object.assign(fake, { reply, status }));
    assert.equal(got, wanted, text);
    assert.match(text, why);
    assert.ok(!text.includes(secret));
  }
});

test("logout ends the session here and leads on to that of the issuer", async () => {
  const alice = new Browser();
  await alice.login(weir, "alice", one);
  const before = cookie(alice);
  const out = await alice.go(weir.url + "/auth/logout", { method: "POST", headers: { origin: weir.url, "x-weir-csrf": (await alice.me(weir)).csrf } });
  const said = JSON.parse(out.text);
  assert.equal(said.ended, true);
  assert.equal(cookie(alice), undefined);
  alice.cookies(weir.url).set("weir_session", before);
  assert.equal(await alice.me(weir), 401, "the cookie alone is worth nothing");
  assert.equal((await alice.go(weir.url + "/api/v1/keys")).status, 401);
  const there = await alice.go(said.issuer_logout);
  assert.equal(there.status, 200, there.text);
  assert.match(there.text, /session\/end\/confirm/);
  // By the page's own form.
  const form = new Browser();
  await form.login(weir, "bob", one);
  const page = await form.go(weir.url + "/auth/me", { page: true });
  const csrf = /name="csrf" value="([\w-]+)"/.exec(page.text)[1];
  const gone = await form.go(weir.url + "/auth/logout", { method: "POST", page: true, headers: { origin: weir.url, "content-type": "application/x-www-form-urlencoded" }, body: "csrf=" + csrf });
  assert.equal(gone.status, 303);
  assert.ok(gone.to.startsWith(issuer + "/session/end?client_id=weir%20basic%2F1&post_logout_redirect_uri="), gone.to);
  // An issuer without such a place.
  const other = new Browser();
  const query = new URL((await other.go(weir.url + "/auth/login?issuer=fake")).to).searchParams;
  Object.assign(fake, { status: 200, reply: null, key: fakeKey.privateKey, header: {}, claims: { iss: fake.url, aud: "me", sub: "s", exp: now() + 60, nonce: query.get("nonce"), tenant: "acme", roles: ["weir-app"] } });
  assert.equal((await other.go(`${weir.url}/auth/callback?code=c&state=${encodeURIComponent(query.get("state"))}`)).status, 303);
  const end = await other.go(weir.url + "/auth/logout", { method: "POST", headers: { origin: weir.url, "x-weir-csrf": (await other.me(weir)).csrf } });
  assert.deepEqual(JSON.parse(end.text), { ended: true, issuer_logout: null });
});

test("a login in the same browser takes the place of the one before", async () => {
  const browser = new Browser();
  await browser.login(weir, "bob", one);
  const first = cookie(browser);
  await browser.login(weir, "bob", one);
  assert.notEqual(cookie(browser), first);
  assert.equal((await fetch(weir.url + "/auth/me", { headers: { cookie: "weir_session=" + first } })).status, 401);
});

test("administrators see who is logged in and end it, within their tenant", async () => {
  const alice = new Browser(), bob = new Browser(), olga = new Browser();
  await alice.login(weir, "alice", one);
  await bob.login(weir, "bob", one);
  await olga.login(weir, "olga", one);
  const his = await bob.me(weir), hers = await olga.me(weir);
  const { csrf } = await alice.me(weir);
  const end = (id) => alice.go(`${weir.url}/api/v1/sessions/${id}`, { method: "DELETE", headers: { origin: weir.url, "x-weir-csrf": csrf } });
  const seen = JSON.parse((await alice.go(weir.url + "/api/v1/sessions")).text).items;
  assert.ok(seen.some((s) => s.id === his.session && s.person === his.person && s.role === "developer" && s.issuer === "basic"));
  assert.ok(seen.every((s) => s.tenant === "acme"));
  assert.equal((await end(hers.session)).status, 404);
  assert.equal((await end(hers.person)).status, 404);
  assert.equal((await bob.go(weir.url + "/api/v1/sessions")).status, 403);
  assert.equal((await end(his.session)).status, 200);
  assert.equal(await bob.me(weir), 401);
  assert.equal((await end(his.session)).status, 404);
  await bob.login(weir, "bob", one);
  assert.ok(weir.list("session", "list").some((s) => s.person === his.person));
  assert.match(weir.cli("session", "end", his.person), /sessions of u_\w+ ended/);
  assert.equal(await bob.me(weir), 401);
  assert.equal((await olga.me(weir)).tenant, "default");
});

test("a person who is logged in to several tenants is ended in those within reach, whichever came first", async () => {
  const alice = new Browser(), first = new Browser(), second = new Browser(), third = new Browser();
  await alice.login(weir, "alice", one);
  const { csrf } = await alice.me(weir);
  await first.login(weir, "wanda", one);
  people.wanda.tenant = "acme";
  await second.login(weir, "wanda", one);
  const { person } = await first.me(weir);
  assert.equal((await second.me(weir)).person, person);
  const end = () => alice.go(`${weir.url}/api/v1/sessions/${person}`, { method: "DELETE", headers: { origin: weir.url, "x-weir-csrf": csrf } });
  const got = await end();
  assert.equal(got.status, 200, got.text);
  assert.equal(JSON.parse(got.text).ended, 1);
  assert.equal(await second.me(weir), 401);
  assert.equal((await first.me(weir)).tenant, "default");
  assert.equal((await end()).status, 404); // nothing left within her reach
  await third.login(weir, "wanda", one);
  weir.cli("session", "end", person);
  assert.equal(await first.me(weir), 401);
  assert.equal(await third.me(weir), 401);
});

test("a person who is revoked is out at once", async () => {
  const browser = new Browser();
  await browser.login(weir, "audrey", one);
  const me = await browser.me(weir);
  weir.cli("key", "revoke", me.person);
  assert.equal(await browser.me(weir), 401);
  const again = await browser.go(await browser.asFarAsCallback(weir, "audrey", one));
  assert.equal(again.status, 401);
  assert.match(again.text, /is revoked/);
});

test("a person who is forgotten is out in every browser, with a receipt that counts it; another is not", async () => {
  const browsers = [new Browser(), new Browser()], other = new Browser();
  for (const b of browsers) await b.login(weir, "plain2", one);
  await other.login(weir, "bob", one);
  const me = await browsers[0].me(weir);
  const forget = (...more) => JSON.parse(weir.cli("forget", me.person, "--person", "--tenant", "acme", ...more));
  assert.deepEqual([forget("--dry-run").removed.sessions, (await browsers[1].me(weir)).person], [2, me.person]);
  const receipt = forget();
  assert.deepEqual([receipt.removed.sessions, receipt.searched.found], [2, []]);
  for (const b of browsers) assert.equal(await b.me(weir), 401);
  assert.equal((await other.me(weir)).name, "Bob");
  assert.ok(!weir.list("session", "list").some((s) => s.person === me.person));
  assert.equal(forget().removed.sessions, 0);
  // The person itself stays, as the receipt says, until it is revoked: whoever the issuer vouches for logs in anew.
  assert.ok(receipt.stays.some((s) => /key or person itself/.test(s)));
  await browsers[0].login(weir, "plain2", one);
  assert.equal((await browsers[0].me(weir)).person, me.person);
});

test("a session ends with its time, and an address begins only so many logins a minute", async () => {
  const other = await new Weir().start((url) => settings(", lifetime: 4s, remember: 0s, per_address: 20")(url));
  await ready(other, "fake");
  const browser = new Browser();
  const query = new URL((await browser.go(other.url + "/auth/login?issuer=fake")).to).searchParams;
  Object.assign(fake, { status: 200, reply: null, key: fakeKey.privateKey, header: {}, claims: { iss: fake.url, aud: "me", sub: "s", exp: now() + 60, nonce: query.get("nonce"), tenant: "default", roles: ["weir-app"] } });
  const came = await browser.go(`${other.url}/auth/callback?code=c&state=${encodeURIComponent(query.get("state"))}`);
  assert.match(setCookies(came)[0], /Max-Age=4$/);
  assert.equal((await browser.me(other)).role, "app");
  await until(async () => await browser.me(other), 401);
  // So many attempts of an address in a minute, and no more: of this minute or of the next one.
  let status;
  for (let i = 0; i < 41 && status !== 429; i++) status = (await new Browser().go(other.url + "/auth/login?issuer=fake")).status;
  assert.equal(status, 429);
  await other.stop();
});

test("where nobody can log in that is said", async () => {
  const other = await new Weir().start(() => "knowledge: {through: none, examples: none}\n");
  const reply = await new Browser().go(other.url + "/auth/login");
  assert.equal(reply.status, 404);
  assert.match(reply.text, /no issuer in the settings has a client_id/);
  assert.equal(await new Browser().me(other), 401);
  assert.equal((await new Browser().go(other.url + "/auth/nothing")).status, 404);
  await other.stop();
});

test("logins, logouts and refusals are in the audit log, cookies and codes nowhere", async () => {
  const alice = new Browser();
  await alice.login(weir, "alice", one);
  const me = await alice.me(weir);
  const login = records().find((r) => r.note?.includes(me.session));
  assert.equal(login.key, me.person, JSON.stringify(login));
  assert.match(login.note, /^login at basic as admin, session s_\w+, \d+ older ones ended for it$/);
  const secret_ = cookie(alice);
  await alice.go(weir.url + "/auth/logout", { method: "POST", headers: { origin: weir.url, "x-weir-csrf": me.csrf } });
  const all = records();
  assert.ok(all.some((r) => r.note === `logout, session ${me.session} ended`));
  assert.ok(all.some((r) => r.note?.startsWith("login refused: ") && r.status === 403 && r.outcome === "refused"));
  const files = (dir) => fs.readdirSync(dir, { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? files(path.join(dir, f.name)) : [path.join(dir, f.name)]));
  for (const file of [...files(path.join(weir.dir, "data")), weir.log].filter((f) => fs.statSync(f).isFile())) {
    const text = fs.readFileSync(file).toString("latin1");
    for (const [what, value] of Object.entries({ cookie: secret_, csrf: me.csrf, secret })) assert.ok(!text.includes(value), `${what} stands in ${file}`);
  }
});
