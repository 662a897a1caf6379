// A collector for OTLP/HTTP that takes nothing on trust: the protobuf is decoded by hand, after
// opentelemetry/proto; an unknown field, a wrong wire type or a span that makes no sense is an error.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import os from "node:os";
import path from "node:path";

const V = 0, F64 = 1, LEN = 2, F32 = 5;
const text = (b) => new TextDecoder("utf-8", { fatal: true }).decode(b);
const hex = (b) => Buffer.from(b).toString("hex");
const repeated = (decode) => ({ wire: LEN, decode, repeated: true });

const arrayValue = { 1: { name: "values", ...repeated((b) => message(b, anyValue)) } };
const anyValue = { 1: { name: "string", wire: LEN, decode: text }, 2: { name: "bool", wire: V, decode: (n) => n === 1n }, 3: { name: "int", wire: V, decode: (n) => Number(BigInt.asIntN(64, n)) },
  4: { name: "double", wire: F64, decode: (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(n); return b.readDoubleLE(); } },
  5: { name: "array", wire: LEN, decode: (b) => (message(b, arrayValue).values ?? []).map((v) => Object.values(v)[0]) } };
const keyValue = { 1: { name: "key", wire: LEN, decode: text }, 2: { name: "value", wire: LEN, decode: (b) => message(b, anyValue) } };
const attributes = repeated((b) => message(b, keyValue));
const event = { 1: { name: "time", wire: F64 }, 2: { name: "name", wire: LEN, decode: text }, 3: { name: "attributes", ...attributes } };
const status = { 2: { name: "message", wire: LEN, decode: text }, 3: { name: "code", wire: V, decode: Number } };
const span = {
  1: { name: "traceId", wire: LEN, decode: hex }, 2: { name: "spanId", wire: LEN, decode: hex }, 3: { name: "traceState", wire: LEN, decode: text }, 4: { name: "parentSpanId", wire: LEN, decode: hex },
  5: { name: "name", wire: LEN, decode: text }, 6: { name: "kind", wire: V, decode: Number }, 7: { name: "start", wire: F64 }, 8: { name: "end", wire: F64 },
  9: { name: "attributes", ...attributes }, 11: { name: "events", ...repeated((b) => message(b, event)) }, 12: { name: "eventsDropped", wire: V, decode: Number }, 15: { name: "status", wire: LEN, decode: (b) => message(b, status) },
  16: { name: "flags", wire: F32, decode: Number },
};
const scope = { 1: { name: "name", wire: LEN, decode: text }, 2: { name: "version", wire: LEN, decode: text } };
const scopeSpans = { 1: { name: "scope", wire: LEN, decode: (b) => message(b, scope) }, 2: { name: "spans", ...repeated((b) => message(b, span)) } };
const resource = { 1: { name: "attributes", ...attributes } };
const resourceSpans = { 1: { name: "resource", wire: LEN, decode: (b) => message(b, resource) }, 2: { name: "scopeSpans", ...repeated((b) => message(b, scopeSpans)) } };
const request = { 1: { name: "resourceSpans", ...repeated((b) => message(b, resourceSpans)) } };

function message(bytes, fields) {
  const out = {};
  let at = 0;
  const varint = () => {
    let n = 0n, shift = 0n;
    for (let i = 0; i < 10; i++) {
      if (at >= bytes.length) throw new Error("varint cut");
      const byte = bytes[at++];
      n |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (i > 0 && byte === 0) throw new Error("varint longer than it must be");
        return n;
      }
      shift += 7n;
    }
    throw new Error("varint too long");
  };
  const take = (n) => {
    if (at + n > bytes.length) throw new Error("field cut");
    at += n;
    return bytes.subarray(at - n, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint()), number = tag >> 3, wire = tag & 7, field = fields[number];
    if (!field) throw new Error(`unknown field ${number}`);
    if (field.wire !== wire) throw new Error(`${field.name}: wire type ${wire}`);
    const raw = wire === V ? varint() : wire === F64 ? Buffer.from(take(8)).readBigUInt64LE() : wire === F32 ? BigInt(Buffer.from(take(4)).readUInt32LE()) : take(Number(varint()));
    const value = field.decode ? field.decode(raw) : raw;
    if (field.repeated) (out[field.name] ??= []).push(value);
    else if (field.name in out) throw new Error(`${field.name} twice`);
    else out[field.name] = value;
  }
  return out;
}

const flat = (list = []) => {
  const out = {};
  for (const { key, value } of list) {
    if (!key || !value || Object.keys(value).length !== 1) throw new Error(`attribute ${key} has no value`);
    if (key in out) throw new Error(`attribute ${key} twice`);
    out[key] = Object.values(value)[0];
  }
  return out;
};

function read(bytes) {
  const spans = [];
  const whole = message(bytes, request);
  if (!whole.resourceSpans?.length) throw new Error("no resource spans");
  for (const r of whole.resourceSpans)
    for (const s of r.scopeSpans) {
      if (s.scope.name !== "weir") throw new Error("scope");
      for (const one of s.spans) {
        if (!/^[0-9a-f]{32}$/.test(one.traceId) || /^0+$/.test(one.traceId)) throw new Error("trace id");
        if (!/^[0-9a-f]{16}$/.test(one.spanId) || /^0+$/.test(one.spanId)) throw new Error("span id");
        if (one.parentSpanId !== undefined && !/^[0-9a-f]{16}$/.test(one.parentSpanId)) throw new Error("parent span id");
        if (![1, 2, 3].includes(one.kind)) throw new Error("kind");
        if (!one.name || !(one.end >= one.start) || one.start < 1_600_000_000_000_000_000n) throw new Error(`times of ${one.name}`);
        if (!(one.flags & 1)) throw new Error("flags say not sampled");
        for (const e of one.events ?? []) if (!e.name || !e.time) throw new Error("event");
        spans.push({ ...one, resource: flat(r.resource.attributes), attributes: flat(one.attributes) });
      }
    }
  return spans;
}

const ids = (spans) => new Set(spans.map((s) => s.spanId));

// An authority made now, and a certificate of it for 127.0.0.1 (or for `name`): {ca: file, tls: {key, cert}}.
export function authority(name = "IP:127.0.0.1") {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "weir-ca-"));
  const openssl = (...words) => execFileSync("openssl", words, { cwd: dir, stdio: "pipe" });
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=authority of a test", "-keyout", "ca.key", "-out", "ca.pem");
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=collector", "-keyout", "server.key", "-out", "server.csr");
  fs.writeFileSync(path.join(dir, "names"), `subjectAltName=${name}\n`);
  openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem");
  return { ca: path.join(dir, "ca.pem"), tls: { key: fs.readFileSync(path.join(dir, "server.key")), cert: fs.readFileSync(path.join(dir, "server.pem")) }, remove: () => fs.rmSync(dir, { recursive: true }) };
}

export class Collector {
  batches = [];
  spans = [];
  wrong = [];
  requests = 0;
  answer = async (res) => res.writeHead(200, { "content-type": "application/x-protobuf" }).end();

  async start({ path = "/v1/traces", tls } = {}) {
    this.server = (tls ? https : http).createServer(tls ?? {}, async (req, res) => {
      const pieces = [];
      for await (const piece of req) pieces.push(piece);
      this.requests++;
      this.headers = req.headers;
      try {
        if (req.method !== "POST" || req.url !== path) throw new Error(`${req.method} ${req.url}`);
        if (req.headers["content-type"] !== "application/x-protobuf") throw new Error("content type");
        const spans = read(Buffer.concat(pieces));
        if (ids(spans).size !== spans.length) throw new Error("a span twice in a batch");
        this.last = spans;
      } catch (error) {
        this.wrong.push(error);
      }
      const before = res.writableEnded;
      await this.answer(res, this);
      if (!before && res.statusCode === 200) this.spans.push(...(this.last ?? [])), this.batches.push(this.last);
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `${tls ? "https" : "http"}://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  // Waits until a span is there for which fits() holds, and gives it.
  async span(fits) {
    for (let i = 0; i < 500; i++) {
      if (this.wrong.length) throw this.wrong[0];
      const found = this.spans.find(fits);
      if (found) return found;
      await new Promise((done) => setTimeout(done, 20));
    }
    throw new Error(`no such span among ${this.spans.map((s) => s.name).join(", ")}`);
  }

  trace(traceId) {
    return this.spans.filter((s) => s.traceId === traceId);
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
