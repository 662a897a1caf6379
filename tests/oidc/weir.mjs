// A Weir in a directory of its own, and a browser small enough to see through.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

/** The cookies that a reply sets, a line each: getSetCookie() is newer than the Node of Debian 12, which joins them. */
export function setCookies(reply) {
  return reply.headers.getSetCookie?.() ?? (reply.headers.get("set-cookie") ?? "").split(/, (?=[^;,=]+=)/).filter(Boolean);
}

const program = path.resolve(process.env.WEIR ?? new URL("../../build/weir", import.meta.url).pathname);

export const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

export async function until(what, wanted) {
  let got;
  for (let i = 0; i < 300; i++) {
    got = await what().catch((error) => error.message); // a connection kept from before
    if (got === wanted) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`never ${wanted}: ${got}`);
}

export class Weir {
  // settings(url): what stands in weir.yaml.
  async start(settings) {
    const port = await freePort();
    this.url = `http://127.0.0.1:${port}`;
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "weir-oidc-"));
    fs.writeFileSync(path.join(this.dir, "weir.yaml"), settings(this.url));
    this.log = path.join(this.dir, "log");
    const log = fs.openSync(this.log, "a");
    this.process = spawn(program, ["serve", "--config", path.join(this.dir, "weir.yaml"), "--data-dir", path.join(this.dir, "data"), "--listen", `127.0.0.1:${port}`], { stdio: ["ignore", "ignore", log], env: { ...process.env, WEIR_TEST_SECRET: "a-secret:%&more+" } });
    for (let i = 0; i < 300; i++) {
      const reply = await fetch(this.url + "/readyz").catch(() => null);
      if (reply?.status === 200) return this;
      assert.equal(this.process.exitCode, null, fs.readFileSync(this.log, "utf8"));
      await new Promise((done) => setTimeout(done, 20));
    }
    assert.fail("it never was ready");
  }
  cli(...words) {
    return execFileSync(program, [...words, "--data-dir", path.join(this.dir, "data")], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }
  list(...words) {
    const all = JSON.parse(this.cli(...words, "--json"));
    return all.items ?? all;
  }
  async stop() {
    this.process.kill("SIGTERM");
    await new Promise((done) => (this.process.exitCode !== null ? done() : this.process.on("exit", done)));
    assert.equal(this.process.exitCode, 0);
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

// Keeps cookies by origin, follows nothing unless told to.
export class Browser {
  jar = new Map();
  cookies(url) {
    const origin = new URL(url).origin;
    if (!this.jar.has(origin)) this.jar.set(origin, new Map());
    return this.jar.get(origin);
  }
  async go(url, { method = "GET", headers = {}, body, page = false } = {}) {
    const cookies = this.cookies(url);
    const reply = await fetch(url, { method, body, redirect: "manual", headers: { ...(page ? { accept: "text/html" } : {}), ...(cookies.size ? { cookie: [...cookies].map(([n, v]) => `${n}=${v}`).join("; ") } : {}), ...headers } });
    for (const line of setCookies(reply)) {
      const [pair] = line.split(";");
      const name = pair.slice(0, pair.indexOf("=")), value = pair.slice(pair.indexOf("=") + 1);
      if (value === "" || /max-age=0(;|$)/i.test(line) || /expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    const text = await reply.text();
    const location = reply.headers.get("location");
    return { status: reply.status, headers: reply.headers, text, to: location && new URL(location, url).href };
  }
  // From /auth/login over the provider's pages until the callback, which is not asked but given.
  async asFarAsCallback(weir, who, query = "") {
    let at = await this.go(weir.url + "/auth/login" + query);
    assert.equal(at.status, 303, at.text);
    for (let i = 0; i < 20; i++) {
      if (at.to?.startsWith(weir.url + "/auth/callback")) return at.to;
      if (at.to) {
        at = await this.go((this.last = at.to));
        continue;
      }
      const prompt = /name="prompt" value="(\w+)"/.exec(at.text);
      assert.ok(prompt, `no form at ${this.last}: ${at.status} ${at.text}`);
      const action = /action="([^"]+)"/.exec(at.text)[1];
      at = await this.go(new URL(action, this.last).href, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams(prompt[1] === "login" ? { prompt: "login", login: who, password: "any" } : { prompt: "consent" }) });
    }
    assert.fail("the provider never sent the browser back");
  }
  async login(weir, who, query) {
    const came = await this.go(await this.asFarAsCallback(weir, who, query));
    assert.equal(came.status, 303, came.text);
    return came;
  }
  async me(weir) {
    const reply = await this.go(weir.url + "/auth/me");
    return reply.status === 200 ? JSON.parse(reply.text) : reply.status;
  }
}
