// The log where it is written to: a file on a disk that is full, and then is not.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";

const program = path.resolve(process.env.WEIR ?? new URL("../../build/weir", import.meta.url).pathname);
const until = async (holds) => {
  for (let i = 0; i < 250 && !holds(); i++) await new Promise((done) => setTimeout(done, 20));
  return holds();
};

test("lines for which the disk has no room are written when it has", async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "weir-log-")), log = path.join(dir, "log"), most = 64 << 20;
  fs.writeFileSync(log, "");
  // A file may have 64 MiB here, and the log stands before its end: as a disk does, this refuses writes and not the process.
  const script = `trap "" XFSZ; ulimit -f ${most / 512}; exec "$0" serve --data-dir "$1" --listen "unix:$1.sock" 2>>"$2"`;
  const child = spawn("sh", ["-c", script, program, path.join(dir, "data"), log], { cwd: dir, stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, WEIR_KNOWLEDGE_EXAMPLES: "none" } });
  const ended = new Promise((done) => child.on("exit", done));
  try {
    assert.ok(await until(() => fs.readFileSync(log, "utf8").includes('"msg":"serving on')));
    fs.truncateSync(log, most - 10);
    child.kill("SIGHUP"); // a line that cannot be written: the settings are read again
    await new Promise((done) => setTimeout(done, 500));
    fs.truncateSync(log, 0);
    assert.ok(await until(() => fs.readFileSync(log, "utf8").includes("settings")), `the log has: ${fs.readFileSync(log, "utf8")}`);
  } finally {
    child.kill("SIGTERM");
    await ended;
    fs.rmSync(dir, { recursive: true, force: true });
  }
});
