// A real Weir in a directory of its own, with all strict providers behind it: models strict-openai, strict-anthropic, ...
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { aws, providers } from "./strict.mjs";

const program = path.resolve(process.env.WEIR ?? new URL("../../build/weir", import.meta.url).pathname);
const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

export async function startWeir(more = "") {
  const behind = {};
  for (const [name, Provider] of Object.entries(providers)) behind[name] = await new Provider().start();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "weir-matrix-"));
  const port = await freePort();
  const rows = Object.entries(behind).map(([name, p]) => {
    const secrets = name === "bedrock" ? `region: ${aws.region}, api_key: "env:AWS_KEY", aws_secret_key: "env:AWS_SECRET"` : `api_key: "env:STRICT_KEY"`;
    return `  - {name: ${name}, kind: ${p.kind}, url: "${p.url}", ${secrets}}`;
  });
  const models = Object.keys(behind).map((name) => `  - {name: strict-${name}, provider: ${name}, remote_name: strict-remote, price_input: 1, price_output: 2}`);
  fs.writeFileSync(path.join(dir, "weir.yaml"), `log: {requests: false}\nserver: {supervise: ${process.env.GDB ? "false" : "true"}}\nknowledge: {through: none, examples: none}\nproviders:\n${rows.join("\n")}\nmodels:\n${models.join("\n")}\n${more}`);
  const log = fs.openSync(path.join(dir, "log"), "a");
  const child = spawn(program, ["serve", "--config", path.join(dir, "weir.yaml"), "--data-dir", path.join(dir, "data"), "--listen", `127.0.0.1:${port}`],
    { env: { ...process.env, STRICT_KEY: "sk-strict", AWS_KEY: aws.key, AWS_SECRET: aws.secret }, stdio: ["ignore", "pipe", log] });
  let said = "";
  child.stdout.on("data", (piece) => (said += piece));
  for (let i = 0; i < 500 && !/app key\s+wr_/.test(said); i++) {
    if (child.exitCode !== null) throw new Error(`weir ended: ${fs.readFileSync(path.join(dir, "log"), "utf8")}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  return {
    url: `http://127.0.0.1:${port}`,
    key: /app key\s+(wr_\S+)/.exec(said)[1],
    behind,
    async stop() {
      child.kill("SIGTERM");
      await new Promise((done) => (child.exitCode !== null ? done() : child.on("exit", done)));
      for (const p of Object.values(behind)) p.stop();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}
