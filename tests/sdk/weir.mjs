// A real Weir in a directory of its own, with the provider given behind it.
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const program = path.resolve(process.env.WEIR ?? new URL("../../build/weir", import.meta.url).pathname);

const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

export class Weir {
  async start({ provider, through = "none" } = {}) {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "weir-sdk-"));
    this.port = await freePort();
    const models = ["fake", "dear"].map((name) => `  - {name: ${name}, provider: fake, remote_name: fake-remote, price_input: 1, price_output: 2}`).join("\n");
    const down = `  - {name: down, url: "http://127.0.0.1:1/v1"}`;
    fs.writeFileSync(path.join(this.dir, "weir.yaml"), `log: {requests: false}
knowledge: {through: ${through}}
sources:
  - {name: handed, location: ${this.dir}/handed, every: 0s}
providers:
  - {name: fake, url: "${provider.url}", api_key: "env:FAKE_KEY"}
${down}
models:
${models}
  - {name: unreachable, provider: down}
  - {name: omni-moderation-latest, provider: fake, remote_name: omni-remote, abilities: moderation}
`);
    this.log = fs.openSync(path.join(this.dir, "log"), "a");
    await this.run();
    return this;
  }

  async run() {
    this.process = spawn(program, ["serve", "--config", path.join(this.dir, "weir.yaml"), "--data-dir", path.join(this.dir, "data"), "--listen", `127.0.0.1:${this.port}`],
      { env: { ...process.env, FAKE_KEY: "sk-fake" }, stdio: ["ignore", "pipe", this.log] });
    this.url = `http://127.0.0.1:${this.port}`;
    let said = "";
    this.process.stdout.on("data", (piece) => (said += piece));
    for (let i = 0; i < 300 && !/app key\s+wr_/.test(said) && !(this.admin && await this.isReady()); i++) {
      if (this.process.exitCode !== null) throw new Error(`weir ended: ${fs.readFileSync(path.join(this.dir, "log"), "utf8")}`);
      await new Promise((done) => setTimeout(done, 20));
    }
    if (this.admin) return;
    this.admin = /admin key\s+(wr_\S+)/.exec(said)[1];
    this.key = /app key\s+(wr_\S+)/.exec(said)[1];
    this.said = said;
  }

  async isReady() {
    try { return (await fetch(`${this.url}/readyz`)).ok; } catch { return false; }
  }

  // Stopped, `between` done with the data directory as it lies there, and started again.
  async restart(between = () => {}) {
    await this.end();
    between(path.join(this.dir, "data"));
    await this.run();
  }

  cli(...words) {
    return execFileSync(program, [...words, "--data-dir", path.join(this.dir, "data")], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  }

  records() {
    return this.cli("audit", "tail", "--lines", "1000").trim().split("\n").map((line) => JSON.parse(line));
  }

  async end() {
    this.process.kill("SIGTERM");
    await new Promise((done) => (this.process.exitCode !== null ? done() : this.process.on("exit", done)));
  }

  async stop() {
    await this.end();
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}
