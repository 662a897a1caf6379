// The wire itself, for what SDKs hide: a tool call streamed to a client, read strictly. A stream must end as its dialect
// ends, or with an error that its dialect knows; anything else is a clean end that lies.
const events = (text) => text.split(/\r?\n\r?\n/).filter((e) => e.trim()).map((e) => ({ type: /^event: (.*)$/m.exec(e)?.[1], data: /^data: ?(.*)$/m.exec(e)?.[1] })).filter((e) => e.data !== undefined); // a comment is no event
const json = (e) => JSON.parse(e.data);
const tools = [{ name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } }, { name: "time", parameters: { type: "object", properties: { zone: { type: "string" } } } }];

// Each: path, body, and read(text) -> {calls: [{name, args: JSON text}], ended, failed}
export const wires = {
  openai: {
    path: () => "/v1/chat/completions",
    body: (model) => ({ model, stream: true, messages: [{ role: "user", content: "tools" }], tools: tools.map((f) => ({ type: "function", function: f })) }),
    read(text) {
      const out = { calls: [], ended: false, failed: false };
      for (const e of events(text)) {
        if (e.data === "[DONE]") { out.ended = true; continue; }
        const chunk = json(e);
        if (chunk.error) { out.failed = true; continue; }
        for (const c of chunk.choices[0]?.delta?.tool_calls ?? []) {
          if (c.id) out.calls[c.index] = { name: c.function.name, args: "" };
          out.calls[c.index].args += c.function.arguments ?? "";
        }
      }
      return out;
    },
  },
  responses: {
    path: () => "/v1/responses",
    body: (model) => ({ model, stream: true, store: false, input: "tools", tools: tools.map((f) => ({ type: "function", ...f })) }),
    read(text) {
      const out = { calls: [], ended: false, failed: false };
      let sequence = -1;
      for (const e of events(text)) {
        const event = json(e);
        if (event.sequence_number !== undefined) {
          if (event.sequence_number !== sequence + 1) throw new Error(`sequence ${event.sequence_number} after ${sequence}`);
          sequence = event.sequence_number;
        }
        if (event.type === "response.output_item.added" && event.item.type === "function_call") out.calls.push({ name: event.item.name, args: "", at: event.output_index });
        if (event.type === "response.function_call_arguments.delta") out.calls.find((c) => c.at === event.output_index).args += event.delta;
        if (event.type === "response.completed") out.ended = true;
        if (event.type === "response.failed" || event.type === "error") out.failed = true;
      }
      return out;
    },
  },
  anthropic: {
    path: () => "/v1/messages",
    body: (model) => ({ model, stream: true, max_tokens: 100, messages: [{ role: "user", content: "tools" }], tools: tools.map((f) => ({ name: f.name, input_schema: f.parameters })) }),
    read(text) {
      const out = { calls: [], ended: false, failed: false };
      let open;
      for (const e of events(text)) {
        const event = json(e);
        if (e.type !== event.type) throw new Error(`event ${e.type} says ${event.type}`);
        if (event.type === "content_block_start") {
          if (open !== undefined) throw new Error(`block ${event.index} starts inside ${open}`);
          open = event.index;
          if (event.content_block.type === "tool_use") out.calls.push({ name: event.content_block.name, args: "" });
        }
        if (event.type === "content_block_delta" && event.delta.type === "input_json_delta") out.calls.at(-1).args += event.delta.partial_json;
        if (event.type === "content_block_stop") open = undefined;
        if (event.type === "message_stop") out.ended = true;
        if (event.type === "error") out.failed = true;
      }
      return out;
    },
  },
  gemini: {
    path: (model) => `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
    body: () => ({ contents: [{ role: "user", parts: [{ text: "tools" }] }], tools: [{ functionDeclarations: tools }] }),
    read(text) {
      const out = { calls: [], ended: false, failed: false };
      for (const e of events(text)) {
        const event = json(e);
        if (event.error) { out.failed = true; continue; }
        for (const p of event.candidates?.[0]?.content?.parts ?? []) if (p.functionCall) out.calls.push({ name: p.functionCall.name, args: JSON.stringify(p.functionCall.args) });
        if (event.candidates?.[0]?.finishReason) out.ended = true;
      }
      return out;
    },
  },
};
