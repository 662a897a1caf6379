// Exemplars: from a bucket of a histogram to the trace of a request in it. /metrics is read by the reference parser of
// OpenMetrics (prometheus_client) and, in the older format, by promtool.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { Collector } from "./collector.mjs";
import { Provider } from "../sdk/provider.mjs";
import { Weir } from "../sdk/weir.mjs";

const parse = (module, text) => JSON.parse(execFileSync("/usr/bin/python3", ["-c", `
import json, sys
from prometheus_client.${module} import text_string_to_metric_families as parse
out = []
for family in parse(sys.stdin.read()):
    for s in family.samples:
        e = getattr(s, "exemplar", None)
        out.append({"family": family.name, "type": family.type, "name": s.name, "labels": s.labels, "value": s.value, "exemplar": e and {"labels": e.labels, "value": e.value, "time": float(e.timestamp)}})
json.dump(out, sys.stdout)`], { input: text, encoding: "utf8", maxBuffer: 64 << 20 }));

let provider, collector, weir;
const ask = async (trace, flags) => {
  const headers = { authorization: `Bearer ${weir.key}`, "content-type": "application/json" };
  if (trace) headers.traceparent = `00-${trace}-b7ad6b7169203331-${flags}`;
  const reply = await fetch(`${weir.url}/v1/chat/completions`, { method: "POST", headers, body: JSON.stringify({ model: "fake", stream: true, messages: [{ role: "user", content: "hi" }] }) });
  await reply.text();
  return reply;
};
const metrics = async (accept) => {
  const reply = await fetch(`${weir.url}/metrics`, { headers: accept ? { accept } : {} });
  return { type: reply.headers.get("content-type"), text: await reply.text() };
};
const prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

before(async () => {
  provider = await new Provider().start();
  collector = await new Collector().start();
  const env = { WEIR_TELEMETRY_ENDPOINT: collector.url, WEIR_TELEMETRY_SAMPLE_PERCENT: "0", WEIR_TELEMETRY_INTERVAL: "100ms" };
  Object.assign(process.env, env);
  weir = await new Weir().start({ provider });
  for (const name of Object.keys(env)) delete process.env[name];
});
after(async () => {
  await weir.stop();
  collector.stop();
  provider.stop();
});

test("without a sampled request there is none", async () => {
  await ask();
  await ask("1".repeat(32), "00");
  const { text } = await metrics(prometheus);
  assert.ok(!text.includes("trace_id"));
  assert.ok(parse("openmetrics.parser", text).length > 100);
});

test("a sampled request is the example of its buckets, and its trace is with the collector", async () => {
  const trace = "0af7651916cd43dd8448eb211c80319c", began = Date.now() / 1000 - 1;
  await ask(trace, "01");
  await collector.span((s) => s.traceId === trace && s.kind === 2);
  const { type, text } = await metrics(prometheus);
  assert.match(type, /^application\/openmetrics-text; version=1.0.0/);
  const with_ = parse("openmetrics.parser", text).filter((s) => s.exemplar);
  assert.deepEqual([...new Set(with_.map((s) => s.family))].sort(), ["weir_request_duration_seconds", "weir_stream_gap_max_seconds", "weir_time_to_first_byte_seconds", "weir_time_to_first_token_seconds"]);
  for (const { name, labels, value, exemplar } of with_) {
    assert.match(name, /_bucket$/);
    assert.deepEqual(exemplar.labels, { trace_id: trace });
    assert.ok(value >= 1 && exemplar.value <= Number(labels.le === "+Inf" ? Infinity : labels.le), `${name} ${labels.le} ${exemplar.value}`);
    assert.ok(exemplar.time >= began && exemplar.time <= Date.now() / 1000 + 1);
  }
  const buckets = (family) => with_.filter((s) => s.family === family);
  for (const family of new Set(with_.map((s) => s.family))) assert.equal(buckets(family).length, 1, "one request is in one bucket");
});

test("who asks for the older format gets it, without examples", async () => {
  for (const accept of ["text/plain", "text/plain;version=0.0.4;q=0.9,*/*;q=0.1"]) {
    const { type, text } = await metrics(accept);
    assert.match(type, /^text\/plain; version=0.0.4/);
    assert.ok(!text.includes("trace_id") && !text.includes("# EOF") && !text.includes("# UNIT"));
    const samples = parse("parser", text), counter = samples.find((s) => s.name === "weir_requests_total");
    assert.equal(counter.type, "counter");
    assert.ok(samples.some((s) => s.name === "weir_request_duration_seconds_bucket" && s.type === "histogram"));
    execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  }
  assert.match((await metrics()).type, /openmetrics/);
});
