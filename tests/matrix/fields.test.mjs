// Every field that the official SDKs' request types declare, asked of Weir for every kind of provider: what the field
// says reaches the provider, or its name stands in the reply or in the refusal. A request with the field is compared
// with one without it (or with another value); what makes no difference anywhere has to stand in `means_nothing`.
import assert from "node:assert";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { Type } from "./types.mjs";

const program = path.resolve(process.env.WEIR ?? new URL("../../build/weir", import.meta.url).pathname);
const sdk = (file) => new URL(`node_modules/${file}`, import.meta.url).pathname;

/* ---- providers that take everything and remember it ---- */

const usage = { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 };
const answers = {
  openai: { id: "c1", object: "chat.completion", created: 1, model: "r", choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }], usage },
  anthropic: { id: "msg_1", type: "message", role: "assistant", model: "r", content: [{ type: "text", text: "hi" }], stop_reason: "end_turn", usage: { input_tokens: 5, output_tokens: 1 } },
  gemini: { candidates: [{ content: { role: "model", parts: [{ text: "hi" }] }, finishReason: "STOP", index: 0 }], usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 1 } },
  bedrock: { output: { message: { role: "assistant", content: [{ text: "hi" }] } }, stopReason: "end_turn", usage: { inputTokens: 5, outputTokens: 1, totalTokens: 6 } },
  responses: { id: "resp_1", object: "response", created_at: 1, status: "completed", model: "r", output: [{ type: "message", id: "m", role: "assistant", content: [{ type: "output_text", text: "hi", annotations: [] }] }], usage: { input_tokens: 5, output_tokens: 1 } },
};
const remote = { openai: "gpt-5", anthropic: "claude-opus-4-6", gemini: "gemini-3-pro", bedrock: "anthropic.claude-opus-4-6", responses: "gpt-5" };
const kinds = Object.keys(answers);
const sent = {};
const servers = {};

async function startProvider(kind) {
  const server = http.createServer(async (req, res) => {
    const pieces = [];
    for await (const piece of req) pieces.push(piece);
    sent[kind] = req.url + Buffer.concat(pieces);
    res.writeHead(200, { "content-type": "application/json" });
    res.end(JSON.stringify(answers[kind]));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  servers[kind] = server;
}

let weir;
let url;
let key;
let dir;

before(async () => {
  for (const kind of kinds) await startProvider(kind);
  dir = fs.mkdtempSync(path.join(os.tmpdir(), "weir-fields-"));
  const port = await new Promise((done) => {
    const s = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
  const bases = { gemini: "/v1beta", bedrock: "" };
  const rows = kinds.map((kind) => {
    const how = kind === "responses" ? "kind: openai, dialect: responses" : `kind: ${kind}`;
    const aws = kind === "bedrock" ? ', region: eu-central-1, aws_secret_key: "env:K"' : "";
    return `  - {name: ${kind}, ${how}, url: "http://127.0.0.1:${servers[kind].address().port}${bases[kind] ?? "/v1"}", api_key: "env:K"${aws}}`;
  });
  const abilities = "stream, tools, parallel_tools, json, schema, images, audio, files, reasoning, logprobs, seed, choices, continue";
  const models = kinds.map((kind) => `  - {name: ${kind}, provider: ${kind}, remote_name: ${remote[kind]}, abilities: "${abilities}"}`);
  fs.writeFileSync(path.join(dir, "weir.yaml"), `log: {requests: false}\nknowledge: {through: none, examples: none}\nproviders:\n${rows.join("\n")}\nmodels:\n${models.join("\n")}\n`);
  weir = spawn(program, ["serve", "--config", path.join(dir, "weir.yaml"), "--data-dir", path.join(dir, "data"), "--listen", `127.0.0.1:${port}`], { env: { ...process.env, K: "k" }, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  weir.stdout.on("data", (piece) => (said += piece));
  for (let i = 0; i < 500 && !/app key\s+wr_/.test(said); i++) await new Promise((done) => setTimeout(done, 20));
  key = /app key\s+(wr_\S+)/.exec(said)[1];
  url = `http://127.0.0.1:${port}`;
});

after(async () => {
  if (weir?.exitCode === null && weir.kill()) await new Promise((done) => weir.on("exit", done));
  for (const server of Object.values(servers)) {
    server.closeAllConnections();
    server.close();
  }
  fs.rmSync(dir, { recursive: true, force: true });
});

/* ---- values of types ---- */

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const texts = {
  url: ["https://x.test/a.png", "https://x.test/b.png"], image_url: ["https://x.test/a.png", "https://x.test/b.png"], file_url: ["https://x.test/a.pdf", "https://x.test/b.pdf"],
  data: [png, png.replace("iVBOR", "iVBOS")], bytes: [png, png.replace("iVBOR", "iVBOS")], file_data: [`data:application/pdf;base64,${png}`, `data:application/pdf;base64,${png.replace("iVBOR", "iVBOS")}`],
  arguments: ['{"a":1}', '{"a":2}'], media_type: ["image/png", "image/jpeg"], name: ["f1", "f2"], encrypted_content: ["abc", "abd"], signature: ["c2ln", "c2lo"],
  id: ["call_1", "call_2"], tool_call_id: ["call_1", "call_2"], call_id: ["call_1", "call_2"], tool_use_id: ["call_1", "call_2"], toolUseId: ["call_1", "call_2"],
};
const numbers = {
  temperature: [0.5, 0.25], top_p: [0.5, 0.25], topP: [0.5, 0.25], n: [1, 2], presence_penalty: [0.5, 0.25], frequency_penalty: [0.5, 0.25], top_logprobs: [2, 3],
  logprobs: [2, 3], max_tokens: [9000, 9001], budget_tokens: [2000, 6000], dimensions: [2, 3],
};
const last = (at) => at.split(".").pop();
let serial = 0;

// The least that the type admits.
function least(type, at, depth = 0) {
  const t = type.plain();
  if (depth > 12) return undefined;
  switch (t.kind) {
    case "text": return (texts[last(at)] ?? ["word"])[0];
    case "number": return (numbers[last(at)] ?? [10])[0];
    case "flag": return false;
    case "literal": return t.value;
    case "null": return null;
    case "any": return { a: 1 };
    case "list": {
      const one = least(t.of, at, depth + 1);
      return one === undefined ? [] : [one];
    }
    case "object": {
      const o = {};
      for (const f of t.fields) if (!f.optional) o[f.name] = least(f.type, `${at}.${f.name}`, depth + 1);
      if (t.rest && !t.fields.length) o.key1 = least(t.rest, `${at}.key1`, depth + 1);
      return o;
    }
    case "union":
      for (const one of t.of) {
        const value = ["null", "none"].includes(one.plain().kind) ? undefined : least(one, at, depth + 1);
        if (value !== undefined) return value;
      }
  }
  return undefined;
}

// {at, without, within}: two values of the type that differ in the one thing that `at` says.
function* pairs(type, at, seen) {
  const t = type.plain();
  switch (t.kind) {
    case "text": {
      const [one, other] = texts[last(at)] ?? ["word", `word-${++serial}`];
      return void (yield { at, without: one, within: other });
    }
    case "number": {
      const [one, other] = numbers[last(at)] ?? [10, 20];
      return void (yield { at, without: one, within: other });
    }
    case "flag": return void (yield { at, without: false, within: true });
    case "any": return void (yield { at, without: { a: 1 }, within: { a: 2 } });
    case "list":
      for (const p of pairs(t.of, at, seen)) yield { ...p, without: [p.without], within: [p.within] };
      return;
    case "object": return void (yield* pairsOfObject(t, type, at, seen));
    case "union": {
      const words = t.of.map((one) => one.plain()).filter((one) => one.kind === "literal");
      for (const word of words.slice(1, 4)) yield { at: `${at}=${word.value}`, without: words[0].value, within: word.value };
      for (const one of t.of) {
        const p = one.plain();
        if (["literal", "null", "none"].includes(p.kind) || (p.kind === "text" && words.length)) continue;
        const tag = p.kind === "object" && p.fields.find((f) => ["type", "role"].includes(f.name));
        const named = tag ? least(tag.type, "") : undefined;
        yield* pairs(one, typeof named === "string" ? `${at}<${named}>` : at, seen);
      }
    }
  }
}

// A type is looked into once in a tool's result and once elsewhere.
function* pairsOfObject(t, type, at, seen) {
  const mark = t.name && `${t.name} ${/result|output/i.test(at)}`;
  if (mark && seen.has(mark)) return;
  if (mark) seen.add(mark);
  const base = least(type, at);
  if (t.rest && !t.fields.length) {
    for (const p of pairs(t.rest, `${at}.key1`, seen)) yield { ...p, without: { key1: p.without }, within: { key1: p.within } };
    return;
  }
  for (const f of t.fields) {
    const p = f.type.plain();
    if (p.kind === "none" || f.name === "$unknown" || (p.kind === "union" && !p.of.length)) continue;
    const value = p.kind === "flag" ? true : least(f.type, `${at}.${f.name}`);
    const without = { ...base };
    delete without[f.name];
    if (f.optional && value !== undefined) yield { at: `${at}.${f.name}`, without, within: { ...base, [f.name]: value } };
    for (const one of pairs(f.type, `${at}.${f.name}`, seen)) yield { ...one, without: { ...base, [f.name]: one.without }, within: { ...base, [f.name]: one.within } };
  }
}

/* ---- clients ---- */

const schema = { type: "object", properties: { a: { type: "integer" } } };
const put = (body, field, value) => (body[field] = value);
const clients = {
  chat: {
    type: ["openai/resources/chat/completions/completions.d.ts", "ChatCompletionCreateParamsBase"], path: () => "/v1/chat/completions",
    base: () => ({ messages: [{ role: "user", content: "hello" }], tools: [{ type: "function", function: { name: "f1", parameters: schema } }], logprobs: true }),
    put(body, field, value) {
      const [one] = Array.isArray(value) ? value : [];
      if (field === "functions" || field === "function_call") {
        delete body.tools;
        body.functions = [{ name: "f1", parameters: schema }, { name: "f2", parameters: schema }];
      }
      if (field === "tool_choice" && value.function) body.tools.push({ type: "function", function: { name: "f2", parameters: schema } });
      if (field === "tool_choice" && value.allowed_tools) value.allowed_tools.tools = [{ type: "function", function: { name: "f1" } }];
      body[field] = value;
      if (field !== "messages") return;
      const call = (id) => ({ role: "assistant", tool_calls: [{ id, type: "function", function: { name: "f1", arguments: "{}" } }] });
      const before = one.role === "tool" ? [call(one.tool_call_id)] : one.role === "function" ? [{ role: "assistant", content: null, function_call: { name: one.name, arguments: "{}" } }] : [];
      if (one.role === "assistant" && !one.tool_calls && !one.function_call) one.content ??= "a";
      const behind = one.tool_calls?.[0]?.id ? [{ role: "tool", tool_call_id: one.tool_calls[0].id, content: "r" }] : [];
      body.messages = [{ role: "user", content: "hello" }, ...before, one, ...behind, { role: "user", content: "go on" }];
    },
  },
  completions: { type: ["openai/resources/completions.d.ts", "CompletionCreateParamsBase"], path: () => "/v1/completions", base: () => ({ prompt: "hello" }), put },
  responses: {
    type: ["openai/resources/responses/responses.d.ts", "ResponseCreateParamsBase"], path: () => "/v1/responses",
    base: () => ({ input: "hello", store: false, tools: [{ type: "function", name: "f1", parameters: schema, strict: false }] }),
    put(body, field, value) {
      body[field] = value;
      if (field !== "input" || !Array.isArray(value)) return;
      const [one] = value;
      const call = one.type === "function_call_output" ? [{ type: "function_call", call_id: one.call_id, name: "f1", arguments: "{}" }] : [];
      body.input = [{ role: "user", content: "hello" }, ...call, one, { role: "user", content: "go on" }];
    },
  },
  anthropic: {
    type: ["@anthropic-ai/sdk/resources/messages/messages.d.ts", "MessageCreateParamsBase"], path: () => "/v1/messages",
    base: () => ({ max_tokens: 9000, messages: [{ role: "user", content: "hello" }], tools: [{ name: "f1", input_schema: schema }] }),
    put(body, field, value) {
      body[field] = value;
      if (field !== "messages") return;
      const [message] = value;
      const block = message.content?.[0] ?? {};
      const call = { role: "assistant", content: [{ type: "tool_use", id: block.tool_use_id, name: "f1", input: {} }] };
      const theirs = ["tool_use", "server_tool_use", "thinking", "redacted_thinking"].includes(block.type) || /_tool_result$/.test(block.type);
      const back = block.type === "tool_use" ? [{ type: "tool_result", tool_use_id: block.id, content: "r" }] : "go on";
      if (theirs) body.messages = [{ role: "user", content: "hello" }, { ...message, role: "assistant" }, { role: "user", content: back }];
      else body.messages = [...(block.type === "tool_result" ? [{ role: "user", content: "hello" }, call] : []), { ...message, role: "user" }];
    },
  },
  bedrock: {
    type: ["@aws-sdk/client-bedrock-runtime/dist-types/models/models_0.d.ts", "ConverseRequest"], path: (model) => `/model/${model}/converse`,
    base: () => ({ messages: [{ role: "user", content: [{ text: "hello" }] }], toolConfig: { tools: [{ toolSpec: { name: "f1", inputSchema: { json: schema } } }] } }),
    put(body, field, value) {
      if (field === "toolConfig") return void (body.toolConfig = { ...body.toolConfig, ...(value.tools?.[0] && !value.tools[0].cachePoint ? value : { toolChoice: value.toolChoice }) });
      body[field] = value;
      if (field !== "messages") return;
      const [message] = value;
      const block = message.content?.[0] ?? {};
      const hello = { role: "user", content: [{ text: "hello" }] };
      const call = { role: "assistant", content: [{ toolUse: { toolUseId: block.toolResult?.toolUseId, name: "f1", input: {} } }] };
      const back = block.toolUse ? [{ toolResult: { toolUseId: block.toolUse.toolUseId, content: [{ text: "r" }] } }] : [{ text: "go on" }];
      if (block.toolUse || block.reasoningContent || block.citationsContent) body.messages = [hello, { ...message, role: "assistant" }, { role: "user", content: back }];
      else body.messages = [...(block.toolResult ? [hello, call] : []), { ...message, role: "user" }];
    },
  },
};

// What makes no difference, and why it need not.
const means_nothing = {
  "what holds unsaid": /^(modalities|n|parallel_tool_calls|response_format|service_tier|background|store|echo|metadata|output_config|inferenceConfig|system|tool_choice|toolConfig\.toolChoice|toolConfig|reasoning|text|text\.format|truncation=disabled)$|(strict|detail|include_usage|is_error|caller|citations|transformations|disable_parallel_tool_use|enabled|tools<custom>\.type)$/,
  "how a stream is told, where there is none": /^stream_options/,
  "a hint about cost: the provider caches by itself, or up to the end of what it stands in": /cache_control|cachePoint/,
  "a label of the schema": /json_schema\.name$|^text\.format<json_schema>\.name$/,
  "kept here and shown with the answer": /^metadata\.key1$/,
  "there is one kind of summary": /^reasoning\.(generate_)?summary/,
  "what clients send back as they were given it": /^input.*\.(id|status(=\w+)?|type|logprobs|annotations)$|^input<reasoning>/,
  "answered by a knowledge base of the house, which is told by its name": /vector_store_ids/,
  "what the test itself says": /^messages\.role|allowed_tools\.tools\.key1$/,
  "told as an effort, of which both are one": /budget_tokens$/,
  "reasoning is told there whenever there is some": /display(=\w+)?$/,
};

// What a provider's own tools found and printed is told there without being asked for.
const told_anyway = { anthropic: /^include=(web_search_call\.action\.sources|code_interpreter_call\.outputs)$/, gemini: /^include=code_interpreter_call\.outputs$/ };

async function ask(client, kind, field, value) {
  const body = client.base();
  if (value !== undefined) client.put(body, field, structuredClone(value));
  sent[kind] = undefined;
  const reply = await fetch(url + client.path(kind), {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(client.path("").startsWith("/model/") ? body : { model: kind, ...body }),
  });
  return { status: reply.status, text: await reply.text(), dropped: (reply.headers.get("x-weir-dropped") ?? "").split(/, ?/).filter(Boolean), sent: sent[kind] };
}

// Does the reply to the second say what the first's does not?
function is_told(p, one, other, plain) {
  const steps = p.at.replace(/<[^>]*>|=.*/g, "").split(".");
  if (other.status >= 400) return other.text !== one.text || steps.some((step) => other.text.includes(step));
  if (one.status >= 400 || one.sent !== other.sent) return true;
  const names = other.dropped.filter((name) => !plain.dropped.includes(name) || !one.dropped.includes(name));
  return names.some((name) => !one.dropped.includes(name) || name.split(".").some((part) => steps.includes(part)));
}

for (const [name, client] of Object.entries(clients))
  for (const kind of kinds)
    test(`every field of ${name} reaches ${kind} or is named`, async () => {
      const seen = new Set();
      const vanished = [];
      let count = 0;
      for (const field of Type.of(sdk(client.type[0]), client.type[1]).plain().fields) {
        if (["model", "modelId", "stream"].includes(field.name)) continue;
        const plain = await ask(client, kind, field.name, undefined);
        const p = field.type.plain();
        const value = p.kind === "flag" ? true : least(field.type, field.name);
        const all = field.name in client.base() ? [] : [{ at: field.name, without: undefined, within: value }];
        for (const p of [...all, ...pairs(field.type, field.name, seen)]) {
          if (JSON.stringify(p.without) === JSON.stringify(p.within)) continue;
          count++;
          const one = await ask(client, kind, field.name, p.without);
          const other = await ask(client, kind, field.name, p.within);
          if (!is_told(p, one, other, plain) && !told_anyway[kind]?.test(p.at) && !Object.values(means_nothing).some((what) => what.test(p.at))) vanished.push(`${p.at}: ${JSON.stringify(p.within).slice(0, 200)}`);
        }
      }
      assert(count > 3, `${count} fields`);
      assert.deepStrictEqual(vanished, []);
    });
