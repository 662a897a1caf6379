// Providers that refuse what their originals refuse, and say so; a test that ends with a refusal it did not ask for
// has found a wrong translation. One server a dialect; what each was sent is kept.
import crypto from "node:crypto";
import http from "node:http";
import { answer, must, only, Refusal, usage } from "./said.mjs";

const turn = (role) => ({ role, text: "", images: [], calls: [], results: [] });
const parse = (text) => (text === "" ? {} : JSON.parse(text));

class Strict {
  requests = [];
  refusals = [];

  async start() {
    this.server = http.createServer((req, res) => this.handle(req, res));
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  async handle(req, res) {
    const pieces = [];
    for await (const piece of req) pieces.push(piece);
    const text = Buffer.concat(pieces).toString("utf8");
    try {
      const body = JSON.parse(text);
      this.requests.push({ url: req.url, headers: req.headers, body, text });
      this.admit(req, text);
      const { turns, stream, thinks } = this.read(body, req);
      const said = answer(turns);
      if (said.status) throw new Refusal("as you asked", said.status);
      if (!thinks) said.thinking = undefined;
      const wire = stream ? this.stream(said, body) : [this.whole(said, body)];
      await this.send(res, stream, wire);
    } catch (e) {
      const status = e instanceof Refusal ? e.status : 500;
      if (e.message !== "as you asked") this.refusals.push(e.stack);
      res.writeHead(status, { "content-type": "application/json", ...(status === 429 ? { "retry-after": "0" } : {}), ...this.errorHeaders(status) });
      res.end(JSON.stringify(this.error(status, e.message)));
    }
  }

  errorHeaders() {
    return {};
  }

  // `splits`: the bytes of a stream leave in two writes, cut there; `cut`: they end there with the connection.
  async send(res, stream, wire) {
    res.writeHead(200, { "content-type": stream ? this.streamType : "application/json" });
    if (!stream) return void res.end(wire[0]);
    const all = Buffer.concat(wire.map((w) => Buffer.from(w)));
    this.length = all.length;
    res.flushHeaders();
    if (this.cut !== undefined) {
      res.write(all.subarray(0, this.cut), () => setTimeout(() => res.destroy(), 2));
    } else if (this.split !== undefined) {
      res.write(all.subarray(0, this.split), () => setTimeout(() => res.end(all.subarray(this.split)), 2));
    } else {
      for (const w of wire) res.write(w);
      res.end();
    }
  }
}

// ---- OpenAI chat completions ----

const openaiFields = ["model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "stop", "seed",
  "response_format", "user", "metadata", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "reasoning_effort", "store", "service_tier"];

export class StrictOpenAI extends Strict {
  kind = "openai";
  streamType = "text/event-stream; charset=utf-8";
  get url() {
    return `${this.origin}/v1`;
  }
  admit(req) {
    must(req.url === "/v1/chat/completions", `no such path ${req.url}`);
    if (req.headers.authorization !== "Bearer sk-strict") throw new Refusal("bad key", 401);
  }
  error(status, message) {
    return { error: { message, type: status === 429 ? "rate_limit_error" : "invalid_request_error", param: null, code: null } };
  }
  part(p, t, where) {
    if (p.type === "text") return void (t.text += p.text);
    must(p.type === "image_url" && typeof p.image_url.url === "string", `${where}: part of type ${p.type}`);
    t.images.push(/^data:([^;]+);base64,/.exec(p.image_url.url)?.[1] ?? "url");
  }
  content(content, t, where) {
    if (content === null || content === undefined) return;
    if (typeof content === "string") return void (t.text += content);
    must(Array.isArray(content) && content.length > 0, `${where}.content: a string or parts`);
    for (const p of content) this.part(p, t, where);
  }
  read(body) {
    only(body, openaiFields, "request");
    must(body.stream || !body.stream_options, "stream_options without stream");
    must(Array.isArray(body.messages) && body.messages.length > 0, "messages: not empty");
    for (const tool of body.tools ?? []) {
      only(tool, ["type", "function"], "tools");
      only(tool.function, ["name", "description", "parameters", "strict"], "tools.function");
    }
    const turns = [];
    const open = new Map();
    body.messages.forEach((m, i) => {
      const where = `messages[${i}]`;
      must(["system", "developer", "user", "assistant", "tool"].includes(m.role), `${where}.role ${m.role}`);
      must(open.size === 0 || m.role === "tool", `${where}: tool calls ${[...open.keys()]} have no result`);
      only(m, ["role", "content", "name", "tool_calls", "tool_call_id", "refusal"], where);
      if (m.role === "tool") {
        must(open.has(m.tool_call_id), `${where}: no call ${m.tool_call_id}`);
        const t = turn("user");
        this.content(m.content, t, where);
        if (!turns.at(-1).results.length) turns.push(turn("user"));
        turns.at(-1).results.push({ id: m.tool_call_id, name: open.get(m.tool_call_id), text: t.text });
        return void open.delete(m.tool_call_id);
      }
      const t = turn(m.role);
      this.content(m.content, t, where);
      for (const c of m.tool_calls ?? []) {
        must(c.type === "function" && typeof c.function.arguments === "string" && c.id, `${where}: a call`);
        open.set(c.id, c.function.name);
        t.calls.push({ id: c.id, name: c.function.name, args: parse(c.function.arguments) });
      }
      must(m.role !== "assistant" || t.text || t.calls.length, `${where}: says nothing`);
      turns.push(t);
    });
    return { turns, stream: body.stream === true, thinks: body.reasoning_effort !== undefined };
  }
  get base() {
    return { id: "chatcmpl-strict", created: 1700000000, model: "strict-2026" };
  }
  usage() {
    return { prompt_tokens: usage.in, completion_tokens: usage.out, total_tokens: usage.in + usage.out, prompt_tokens_details: { cached_tokens: usage.cached }, completion_tokens_details: { reasoning_tokens: usage.reasoning } };
  }
  finish(said) {
    return { stop: "stop", tools: "tool_calls", length: "length" }[said.finish];
  }
  whole(said) {
    const message = { role: "assistant", content: said.text.join("") || null, refusal: null };
    if (said.thinking) message.reasoning_content = said.thinking.join("");
    if (said.calls.length) message.tool_calls = said.calls.map((c) => ({ id: c.id, type: "function", function: { name: c.name, arguments: c.pieces.join("") } }));
    return JSON.stringify({ ...this.base, object: "chat.completion", choices: [{ index: 0, message, logprobs: null, finish_reason: this.finish(said) }], usage: this.usage() });
  }
  // The pieces of parallel calls come interleaved, as some servers send them.
  stream(said, body) {
    const out = [];
    const event = (e) => out.push(`data: ${JSON.stringify(e)}\n\n`);
    const chunk = (delta, finish_reason = null) => event({ ...this.base, object: "chat.completion.chunk", choices: [{ index: 0, delta, logprobs: null, finish_reason }] });
    chunk({ role: "assistant", content: "" });
    for (const piece of said.thinking ?? []) chunk({ reasoning_content: piece });
    for (const piece of said.text) chunk({ content: piece });
    said.calls.forEach((c, index) => chunk({ tool_calls: [{ index, id: c.id, type: "function", function: { name: c.name, arguments: "" } }] }));
    for (let i = 0; said.calls.some((c) => i < c.pieces.length); i++) {
      said.calls.forEach((c, index) => {
        if (i < c.pieces.length) chunk({ tool_calls: [{ index, function: { arguments: c.pieces[i] } }] });
      });
    }
    chunk({}, this.finish(said));
    if (body.stream_options?.include_usage) event({ ...this.base, object: "chat.completion.chunk", choices: [], usage: this.usage() });
    out.push("data: [DONE]\n\n");
    return out;
  }
}

// ---- Anthropic messages ----

const anthropicFields = ["model", "messages", "max_tokens", "system", "stream", "tools", "tool_choice", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "thinking", "service_tier", "output_config", "output_format"];

export class StrictAnthropic extends Strict {
  kind = "anthropic";
  streamType = "text/event-stream; charset=utf-8";
  get url() {
    return `${this.origin}/v1`;
  }
  admit(req) {
    must(/^\/v1\/messages(\?beta=true)?$/.test(req.url), `no such path ${req.url}`);
    must(req.headers["anthropic-version"] === "2023-06-01", "anthropic-version header");
    if (req.headers["x-api-key"] !== "sk-strict") throw new Refusal("bad key", 401);
  }
  error(status, message) {
    return { type: "error", error: { type: { 400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error", 529: "overloaded_error" }[status] ?? "api_error", message }, request_id: "req_strict" };
  }
  block(b, t, where, open) {
    if (b.type === "text") {
      only(b, ["type", "text", "cache_control", "citations"], where);
      must(b.text.length > 0, `${where}: text blocks must not be empty`);
      return void (t.text += b.text);
    }
    if (b.type === "image") return void (must(["base64", "url"].includes(b.source.type), `${where}.source`), t.images.push(b.source.media_type ?? "url"));
    if (b.type === "tool_use") {
      must(t.role === "assistant" && b.input !== null && typeof b.input === "object" && /^[a-zA-Z0-9_-]+$/.test(b.id), `${where}: a tool_use`);
      open.set(b.id, b.name);
      return void t.calls.push({ id: b.id, name: b.name, args: b.input });
    }
    if (b.type === "thinking") return void must(t.role === "assistant" && typeof b.signature === "string", `${where}: thinking needs its signature`);
    must(b.type === "tool_result" && t.role === "user" && open.has(b.tool_use_id), `${where}: block ${b.type} ${b.tool_use_id ?? ""}`);
    const text = typeof b.content === "string" ? b.content : (b.content ?? []).map((c) => c.text).join("");
    t.results.push({ id: b.tool_use_id, name: open.get(b.tool_use_id), text });
    open.delete(b.tool_use_id);
  }
  read(body) {
    only(body, anthropicFields, "request");
    must(Number.isInteger(body.max_tokens) && body.max_tokens > 0, "max_tokens: required");
    must(body.temperature === undefined || (body.temperature >= 0 && body.temperature <= 1), "temperature: 0 to 1");
    must(body.messages?.[0]?.role === "user", "messages: first must be the user's");
    for (const tool of body.tools ?? []) {
      only(tool, ["type", "name", "description", "input_schema", "cache_control", "strict", "eager_input_streaming"], "tools");
      must(tool.input_schema?.type === "object", "tools.input_schema.type: object");
    }
    if (body.thinking?.type === "enabled") must(body.thinking.budget_tokens >= 1024 && body.thinking.budget_tokens < body.max_tokens, "thinking.budget_tokens: 1024 to below max_tokens");
    if (["enabled", "adaptive"].includes(body.thinking?.type)) {
      must((body.temperature ?? 1) === 1 && body.top_k === undefined && (body.top_p ?? 1) >= 0.95, "temperature, top_k, top_p: not with thinking");
      must(!["any", "tool"].includes(body.tool_choice?.type), "thinking: not where a tool must be called");
    }
    if (body.thinking?.type === "enabled") {
      const last = body.messages.findLast((m) => m.role === "assistant")?.content;
      must(!Array.isArray(last) || last[0].type.endsWith("thinking") || !last.some((b) => b.type === "tool_use"), "a final assistant message must start with a thinking block");
    }
    const turns = [];
    const open = new Map();
    body.messages.forEach((m, i) => {
      only(m, ["role", "content"], `messages[${i}]`);
      must(["user", "assistant"].includes(m.role), `messages[${i}].role ${m.role}`);
      const t = turn(m.role);
      const blocks = typeof m.content === "string" ? [{ type: "text", text: m.content }] : m.content;
      must(blocks.length > 0, `messages[${i}]: empty`);
      must(open.size === 0 || blocks[0].type === "tool_result", `messages[${i}]: tool_use ids without tool_result blocks immediately after: ${[...open.keys()]}`);
      blocks.forEach((b, k) => this.block(b, t, `messages[${i}].content[${k}]`, open));
      must(m.role === "assistant" || open.size === 0, `messages[${i}]: tool_use without a result: ${[...open.keys()]}`);
      turns.push(t);
    });
    return { turns, stream: body.stream === true, thinks: body.thinking?.type === "enabled" || body.thinking?.type === "adaptive" };
  }
  usage(out) {
    return { input_tokens: usage.in - usage.cached, cache_read_input_tokens: usage.cached, cache_creation_input_tokens: 0, output_tokens: out };
  }
  blocks(said) {
    return [
      ...(said.thinking ? [{ block: { type: "thinking", thinking: "", signature: "" }, deltas: [...said.thinking.map((thinking) => ({ type: "thinking_delta", thinking })), { type: "signature_delta", signature: "c2lnbmVk" }] }] : []),
      ...(said.text.length ? [{ block: { type: "text", text: "" }, deltas: said.text.map((text) => ({ type: "text_delta", text })) }] : []),
      ...said.calls.map((c) => ({ block: { type: "tool_use", id: `toolu_${c.id}`, name: c.name, input: {} }, deltas: ["", ...c.pieces].map((partial_json) => ({ type: "input_json_delta", partial_json })), args: c.args })),
    ];
  }
  reason(said) {
    return { stop: "end_turn", tools: "tool_use", length: "max_tokens" }[said.finish];
  }
  whole(said) {
    const content = this.blocks(said).map(({ block, args }) => (block.type === "text" ? { type: "text", text: said.text.join("") } : block.type === "thinking" ? { type: "thinking", thinking: said.thinking.join(""), signature: "c2lnbmVk" } : { ...block, input: args }));
    return JSON.stringify({ id: "msg_strict", type: "message", role: "assistant", model: "strict-2026", content, stop_reason: this.reason(said), stop_sequence: null, usage: this.usage(usage.out) });
  }
  stream(said) {
    const out = [];
    const event = (e) => out.push(`event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`);
    event({ type: "message_start", message: { id: "msg_strict", type: "message", role: "assistant", model: "strict-2026", content: [], stop_reason: null, stop_sequence: null, usage: this.usage(1) } });
    event({ type: "ping" });
    this.blocks(said).forEach(({ block, deltas }, index) => {
      event({ type: "content_block_start", index, content_block: block });
      for (const delta of deltas) event({ type: "content_block_delta", index, delta });
      event({ type: "content_block_stop", index });
    });
    event({ type: "message_delta", delta: { stop_reason: this.reason(said), stop_sequence: null }, usage: { output_tokens: usage.out } });
    event({ type: "message_stop" });
    return out;
  }
}

// ---- Gemini ----

const geminiFields = ["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent", "labels"];
const geminiConfig = ["temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "candidateCount", "seed", "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig", "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs"];

export class StrictGemini extends Strict {
  kind = "gemini";
  streamType = "text/event-stream";
  get url() {
    return `${this.origin}/v1beta`;
  }
  admit(req) {
    must(/^\/v1beta\/models\/strict-remote:(generateContent|streamGenerateContent\?alt=sse)$/.test(req.url), `no such path ${req.url}`);
    if (req.headers["x-goog-api-key"] !== "sk-strict") throw new Refusal("bad key", 401);
  }
  error(status, message) {
    return { error: { code: status, message, status: { 400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE" }[status] ?? "INTERNAL" } };
  }
  part(p, t, where, open) {
    only(p, ["text", "inlineData", "fileData", "functionCall", "functionResponse", "thought", "thoughtSignature"], where);
    if (p.text !== undefined) return void (p.thought || (t.text += p.text));
    if (p.inlineData) return void t.images.push(p.inlineData.mimeType);
    if (p.fileData) return void t.images.push("url");
    if (p.functionCall) {
      must(t.role === "model", `${where}: a call by the user`);
      only(p.functionCall, ["name", "args", "id"], where);
      open.push(p.functionCall.name);
      return void t.calls.push({ name: p.functionCall.name, args: p.functionCall.args });
    }
    must(p.functionResponse && t.role === "user", `${where}: ${Object.keys(p)}`);
    const { name, response } = p.functionResponse;
    must(open.includes(name), `${where}: function response for "${name}" that was not called`);
    must(response !== null && typeof response === "object" && !Array.isArray(response), `${where}: response must be an object`);
    open.splice(open.indexOf(name), 1);
    t.results.push({ name, text: response.result ?? response.output ?? response.content ?? JSON.stringify(response) });
  }
  read(body, req) {
    only(body, geminiFields, "request");
    only(body.generationConfig ?? {}, geminiConfig, "generationConfig");
    must(body.contents?.length > 0, "contents: not empty");
    for (const tool of body.tools ?? []) {
      only(tool, ["functionDeclarations"], "tools");
      for (const f of tool.functionDeclarations) {
        only(f, ["name", "description", "parameters", "parametersJsonSchema"], "functionDeclarations");
        must(!("additionalProperties" in (f.parameters ?? {})) && !("$schema" in (f.parameters ?? {})), "parameters: unknown name additionalProperties or $schema");
      }
    }
    const turns = [];
    const open = [];
    body.contents.forEach((c, i) => {
      must(["user", "model"].includes(c.role), `contents[${i}].role ${c.role}`);
      must(c.parts?.length > 0, `contents[${i}]: no parts`);
      const t = turn(c.role);
      must(open.length === 0 || c.parts.every((p) => p.functionResponse), `contents[${i}]: the number of function response parts must equal the calls'`);
      c.parts.forEach((p, k) => this.part(p, t, `contents[${i}].parts[${k}]`, open));
      turns.push(t);
    });
    return { turns, stream: req.url.includes("stream"), thinks: body.generationConfig?.thinkingConfig?.includeThoughts === true };
  }
  parts(said) {
    return [
      ...(said.thinking ?? []).map((text) => ({ text, thought: true })),
      ...said.text.map((text) => ({ text })),
      ...said.calls.map((c) => ({ functionCall: { name: c.name, args: c.args } })),
    ];
  }
  frame(parts, said) {
    const end = said && { finishReason: said.finish === "length" ? "MAX_TOKENS" : "STOP" };
    return {
      candidates: [{ content: { role: "model", parts }, ...end, index: 0 }],
      usageMetadata: { promptTokenCount: usage.in, ...(said ? { candidatesTokenCount: usage.out - usage.reasoning, thoughtsTokenCount: usage.reasoning, cachedContentTokenCount: usage.cached } : {}), totalTokenCount: said ? usage.in + usage.out : usage.in },
      modelVersion: "strict-2026",
      responseId: "strict",
    };
  }
  whole(said) {
    const joined = { ...said, text: said.text.length ? [said.text.join("")] : [] };
    return JSON.stringify(this.frame(this.parts(joined), said));
  }
  stream(said) {
    const parts = this.parts(said);
    return parts.map((p, i) => `data: ${JSON.stringify(this.frame([p], i === parts.length - 1 ? said : undefined))}\r\n\r\n`);
  }
}

// ---- Bedrock Converse ----

const crcTable = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});
const crc32 = (bytes) => {
  let c = 0xffffffff;
  for (const b of bytes) c = (c >>> 8) ^ crcTable[(c ^ b) & 255];
  return (c ^ 0xffffffff) >>> 0;
};

export function awsFrame(headers, payload) {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => {
    const [n, v] = [Buffer.from(name), Buffer.from(value)];
    const len = Buffer.alloc(2);
    len.writeUInt16BE(v.length);
    return Buffer.concat([Buffer.from([n.length]), n, Buffer.from([7]), len, v]);
  }));
  const body = Buffer.from(payload);
  const frame = Buffer.alloc(12 + head.length + body.length + 4);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(head.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  head.copy(frame, 12);
  body.copy(frame, 12 + head.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - 4)), frame.length - 4);
  return frame;
}

export const aws = { key: "AKIDSTRICT", secret: "strict/secret+key", region: "eu-central-1" };
const bedrockFields = ["messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "requestMetadata", "outputConfig", "serviceTier", "performanceConfig"];

export class StrictBedrock extends Strict {
  kind = "bedrock";
  streamType = "application/vnd.amazon.eventstream";
  get url() {
    return this.origin;
  }
  // Signature Version 4 over what came: another byte signed, another signature.
  admit(req, text) {
    must(/^\/model\/strict-remote\/converse(-stream)?$/.test(req.url), `no such path ${req.url}`);
    const m = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/bedrock\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(req.headers.authorization ?? "");
    if (!m) throw new Refusal(`no signature in "${req.headers.authorization}"`, 403);
    const [, key, day, region, names, signature] = m;
    const signed = names.split(";");
    for (const name of ["host", "x-amz-date"]) must(signed.includes(name), `${name} is not signed`);
    must([...signed].sort().join(";") === names, "signed headers in order");
    const hmac = (k, s) => crypto.createHmac("sha256", k).update(s).digest();
    const hash = (s) => crypto.createHash("sha256").update(s).digest("hex");
    const canonical = ["POST", req.url, "", ...signed.map((n) => `${n}:${String(req.headers[n]).trim().replace(/ +/g, " ")}`), "", names, hash(text)].join("\n");
    const date = req.headers["x-amz-date"];
    must(Math.abs(Date.now() - Date.parse(date.replace(/(....)(..)(..)T(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6Z"))) < 300000 && date.startsWith(day), "x-amz-date: now");
    const toSign = ["AWS4-HMAC-SHA256", date, `${day}/${region}/bedrock/aws4_request`, hash(canonical)].join("\n");
    const k = ["bedrock", "aws4_request"].reduce(hmac, hmac(hmac(`AWS4${aws.secret}`, day), region));
    if (key !== aws.key || region !== aws.region || hmac(k, toSign).toString("hex") !== signature) throw new Refusal("the signature does not match", 403);
  }
  error(status, message) {
    return { message };
  }
  errorHeaders(status) {
    return { "x-amzn-errortype": { 400: "ValidationException", 403: "AccessDeniedException", 429: "ThrottlingException" }[status] ?? "InternalServerException" };
  }
  block(b, t, where, open) {
    must(Object.keys(b).length === 1, `${where}: a union has one member, not ${Object.keys(b)}`);
    if (b.text !== undefined) return void (must(b.text.length > 0, `${where}: text is blank`), (t.text += b.text));
    if (b.image) return void (must(b.image.source.bytes, `${where}: bytes`), t.images.push(`image/${b.image.format}`));
    if (b.cachePoint) return;
    if (b.toolUse) {
      must(/^[a-zA-Z0-9_-]{1,64}$/.test(b.toolUse.toolUseId) && typeof b.toolUse.input === "object", `${where}.toolUse`);
      open.set(b.toolUse.toolUseId, b.toolUse.name);
      return void t.calls.push({ id: b.toolUse.toolUseId, name: b.toolUse.name, args: b.toolUse.input });
    }
    if (b.reasoningContent) return void must(t.role === "assistant", `${where}: reasoning`);
    must(b.toolResult && open.has(b.toolResult.toolUseId), `${where}: ${Object.keys(b)}`);
    const text = b.toolResult.content.map((c) => c.text ?? JSON.stringify(c.json)).join("");
    t.results.push({ id: b.toolResult.toolUseId, name: open.get(b.toolResult.toolUseId), text });
    open.delete(b.toolResult.toolUseId);
  }
  read(body, req) {
    only(body, bedrockFields, "request");
    only(body.inferenceConfig ?? {}, ["maxTokens", "temperature", "topP", "stopSequences"], "inferenceConfig");
    for (const tool of body.toolConfig?.tools ?? []) if (!tool.cachePoint) must(tool.toolSpec?.inputSchema?.json?.type === "object", "toolSpec.inputSchema.json");
    const turns = [];
    const open = new Map();
    body.messages.forEach((m, i) => {
      must(m.role === (i % 2 ? "assistant" : "user"), `messages[${i}]: roles must alternate between user and assistant`);
      must(m.content.length > 0, `messages[${i}]: empty`);
      const t = turn(m.role);
      m.content.forEach((b, k) => this.block(b, t, `messages[${i}].content[${k}]`, open));
      must(m.role === "assistant" || open.size === 0, `messages[${i}]: expected toolResult blocks for ${[...open.keys()]}`);
      must(!t.calls.length || body.toolConfig, "toolConfig must be defined when using toolUse");
      turns.push(t);
    });
    return { turns, stream: req.url.endsWith("-stream"), thinks: body.additionalModelRequestFields !== undefined };
  }
  usage() {
    return { inputTokens: usage.in - usage.cached, cacheReadInputTokens: usage.cached, cacheWriteInputTokens: 0, outputTokens: usage.out, totalTokens: usage.in + usage.out };
  }
  reason(said) {
    return { stop: "end_turn", tools: "tool_use", length: "max_tokens" }[said.finish];
  }
  whole(said) {
    const content = [
      ...(said.thinking ? [{ reasoningContent: { reasoningText: { text: said.thinking.join(""), signature: "c2lnbmVk" } } }] : []),
      ...(said.text.length ? [{ text: said.text.join("") }] : []),
      ...said.calls.map((c) => ({ toolUse: { toolUseId: `tooluse_${c.id}`, name: c.name, input: c.args } })),
    ];
    return JSON.stringify({ output: { message: { role: "assistant", content } }, stopReason: this.reason(said), usage: this.usage(), metrics: { latencyMs: 5 } });
  }
  stream(said) {
    const out = [];
    const event = (type, payload) => out.push(awsFrame({ ":event-type": type, ":content-type": "application/json", ":message-type": "event" }, JSON.stringify({ ...payload, p: "abcdefgh" })));
    event("messageStart", { role: "assistant" });
    let contentBlockIndex = 0;
    if (said.thinking) {
      for (const text of said.thinking) event("contentBlockDelta", { contentBlockIndex, delta: { reasoningContent: { text } } });
      event("contentBlockDelta", { contentBlockIndex, delta: { reasoningContent: { signature: "c2lnbmVk" } } });
      event("contentBlockStop", { contentBlockIndex: contentBlockIndex++ });
    }
    if (said.text.length) {
      for (const text of said.text) event("contentBlockDelta", { contentBlockIndex, delta: { text } });
      event("contentBlockStop", { contentBlockIndex: contentBlockIndex++ });
    }
    for (const c of said.calls) {
      event("contentBlockStart", { contentBlockIndex, start: { toolUse: { toolUseId: `tooluse_${c.id}`, name: c.name } } });
      for (const input of c.pieces) event("contentBlockDelta", { contentBlockIndex, delta: { toolUse: { input } } });
      event("contentBlockStop", { contentBlockIndex: contentBlockIndex++ });
    }
    event("messageStop", { stopReason: this.reason(said) });
    event("metadata", { usage: this.usage(), metrics: { latencyMs: 5 } });
    return out;
  }
}

export const providers = { openai: StrictOpenAI, anthropic: StrictAnthropic, gemini: StrictGemini, bedrock: StrictBedrock };
