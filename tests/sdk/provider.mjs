// A provider that speaks the OpenAI dialect, strictly where it can be: it keeps what it was sent, so that a test can look
// at it. What it answers is chosen by the last user message ("tools", "cut", "error 429", ...).
import http from "node:http";

const usage = { prompt_tokens: 25, completion_tokens: 35, total_tokens: 60, prompt_tokens_details: { cached_tokens: 5 } };
const base = { id: "chatcmpl-fake", created: 1700000000, model: "fake-remote-2026", system_fingerprint: "fp_fake" };

export class Provider {
  requests = [];
  closed = 0; // streams whose client left before the end

  async start() {
    this.server = http.createServer((req, res) => this.handle(req, res));
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}/v1`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  async handle(req, res) {
    let text = "";
    for await (const piece of req) text += piece;
    const body = JSON.parse(text);
    this.requests.push({ url: req.url, headers: req.headers, body, text });
    if (req.url === "/v1/moderations") return this.moderate(res, body);
    const last = body.messages.at(-1);
    const asked = typeof last.content === "string" ? last.content : last.content?.find((p) => p.type === "text")?.text ?? "";
    const status = /^error (\d+)$/.exec(asked);
    if (status) return this.refuse(res, Number(status[1]));
    return body.stream ? this.stream(req, res, body, asked) : this.whole(res, body, asked);
  }

  refuse(res, status) {
    const headers = { "content-type": "application/json", "x-request-id": "provider-7" };
    if (status === 429) headers["retry-after"] = "0";
    res.writeHead(status, headers);
    res.end(JSON.stringify({ error: { message: `fake ${status}`, type: "fake_error", param: "messages", code: "fake_code" } }));
  }

  moderate(res, body) {
    const texts = Array.isArray(body.input) && typeof body.input[0] === "string" ? body.input : [body.input];
    const results = texts.map((text) => {
      const violence = JSON.stringify(text).includes("kill");
      return { flagged: violence, categories: { violence }, category_scores: { violence: violence ? 0.97 : 0.0001 }, category_applied_input_types: { violence: ["text"] } };
    });
    res.writeHead(200, { "content-type": "application/json" });
    res.end(JSON.stringify({ id: "modr-1", model: body.model, results }));
  }

  whole(res, body, asked) {
    const choices = Array.from({ length: body.n ?? 1 }, (_, index) => ({
      index,
      message: { role: "assistant", content: this.text(body, asked), refusal: null },
      logprobs: body.logprobs ? { content: [{ token: "Hello", logprob: -0.1, bytes: null, top_logprobs: [] }], refusal: null } : null,
      finish_reason: "stop",
    }));
    if (body.tools && asked === "tools") {
      choices[0].message = { role: "assistant", content: null, refusal: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Zürich"}' } }] };
      choices[0].finish_reason = "tool_calls";
    }
    res.writeHead(200, { "content-type": "application/json", "x-request-id": "provider-7" });
    res.end(JSON.stringify({ ...base, object: "chat.completion", choices, usage, service_tier: "default", vendor_extra: { kept: true } }));
  }

  text(body, asked) {
    if (this.says) return this.says;
    if (body.response_format) return '{"city":"Zürich","celsius":21}';
    if (asked === "what colour") return "The picture is red.";
    if (asked === "halves") return "🌍🌍🌍";
    return "Hello from the fake provider: 你好, 🌍!";
  }

  async stream(req, res, body, asked) {
    let over = false;
    res.on("close", () => { if (!over) this.closed++; });
    res.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "provider-7" });
    const send = (value) => res.write(`data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`);
    const chunk = (delta, finish_reason = null, index = 0) => send({ ...base, object: "chat.completion.chunk", choices: [{ index, delta, logprobs: null, finish_reason }] });
    chunk({ role: "assistant", content: "" });
    if (body.tools && asked === "tools") {
      for (const [index, name, args] of [[0, "weather", ['{"ci', 'ty":"Zü', 'rich"}']], [1, "time", ['{"zone"', ':"CET"}']]]) {
        chunk({ tool_calls: [{ index, id: `call_${index}`, type: "function", function: { name, arguments: "" } }] });
        for (const piece of args) chunk({ tool_calls: [{ index, function: { arguments: piece } }] });
      }
      chunk({}, "tool_calls");
    } else {
      const text = asked === "long" ? "word ".repeat(400) : this.text(body, asked);
      // Cut by UTF-16 units, as careless providers do: a pair of surrogates may fall into two pieces.
      for (let at = 0, sent = 0; at < text.length && !res.destroyed; at += 5) {
        chunk({ content: text.slice(at, at + 5) });
        if (asked === "cut" && ++sent === 3) { over = true; return void setTimeout(() => res.destroy(), 50); }
        if (asked === "fail" && ++sent === 3) { over = true; send({ error: { message: "fake failure", type: "server_error", code: null } }); return void res.end(); }
        if (asked === "long") await new Promise((done) => setTimeout(done, 5));
      }
      chunk({}, "stop");
    }
    if (body.stream_options?.include_usage) send({ ...base, object: "chat.completion.chunk", choices: [], usage });
    send("[DONE]");
    over = true;
    res.end();
  }
}
