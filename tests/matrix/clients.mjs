// Official SDKs as one kind of client: ask(turns, options) gives {text, thinking, calls, finish, in, out} whatever the SDK.
// turns: {user, image?} | {assistant, calls?} | {results: [{id, name, text}]}; system is an option.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import { ChatAnthropic } from "@langchain/anthropic";
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, jsonSchema, streamText, tool as aiTool } from "ai";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import OpenAI from "openai";

const parameters = {
  weather: { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } }, required: ["city"] },
  time: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] },
};
const names = Object.keys(parameters);
const tinyPng = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const finishes = { stop: "stop", tool_calls: "tools", length: "length", end_turn: "stop", tool_use: "tools", max_tokens: "length", STOP: "stop", MAX_TOKENS: "length", "tool-calls": "tools" };
const collect = async (stream, each) => {
  for await (const chunk of stream) each(chunk);
};

class OpenAIChat {
  constructor({ url, key }) {
    this.sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  }
  messages(turns, system) {
    const out = system ? [{ role: "system", content: system }] : [];
    for (const t of turns) {
      if (t.user !== undefined) out.push({ role: "user", content: t.image ? [{ type: "text", text: t.user }, { type: "image_url", image_url: { url: `data:image/png;base64,${tinyPng}` } }] : t.user });
      else if (t.results) for (const r of t.results) out.push({ role: "tool", tool_call_id: r.id, content: r.text });
      else out.push({ role: "assistant", content: t.assistant || null, ...(t.calls ? { tool_calls: t.calls.map((c) => ({ id: c.id, type: "function", function: { name: c.name, arguments: JSON.stringify(c.args) } })) } : {}) });
    }
    return out;
  }
  async ask(turns, { model, stream, tools, system, extra = {} }) {
    const body = { model, messages: this.messages(turns, system), ...(tools ? { tools: names.map((name) => ({ type: "function", function: { name, description: `The ${name}`, parameters: parameters[name] } })) } : {}), ...extra };
    let reply;
    if (stream) {
      const runner = this.sdk.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
      reply = await runner.finalChatCompletion();
      reply.usage = await runner.totalUsage();
    } else {
      reply = await this.sdk.chat.completions.create(body);
    }
    const { message, finish_reason } = reply.choices[0];
    return { text: message.content ?? "", thinking: message.reasoning_content ?? "", calls: (message.tool_calls ?? []).map((c) => ({ id: c.id, name: c.function.name, args: JSON.parse(c.function.arguments) })), finish: finishes[finish_reason], in: reply.usage.prompt_tokens, out: reply.usage.completion_tokens };
  }
}

class OpenAIResponses extends OpenAIChat {
  input(turns) {
    const out = [];
    for (const t of turns) {
      if (t.user !== undefined) out.push({ role: "user", content: t.image ? [{ type: "input_text", text: t.user }, { type: "input_image", image_url: `data:image/png;base64,${tinyPng}`, detail: "auto" }] : t.user });
      else if (t.results) for (const r of t.results) out.push({ type: "function_call_output", call_id: r.id, output: r.text });
      else {
        if (t.assistant) out.push({ role: "assistant", content: t.assistant });
        for (const c of t.calls ?? []) out.push({ type: "function_call", call_id: c.id, name: c.name, arguments: JSON.stringify(c.args) });
      }
    }
    return out;
  }
  async ask(turns, { model, stream, tools, system, extra = {} }) {
    const body = { model, input: this.input(turns), store: false, ...(system ? { instructions: system } : {}), ...(tools ? { tools: names.map((name) => ({ type: "function", name, description: `The ${name}`, parameters: parameters[name], strict: false })) } : {}), ...extra };
    const reply = stream ? await this.sdk.responses.stream(body).finalResponse() : await this.sdk.responses.create(body);
    const calls = reply.output.filter((o) => o.type === "function_call").map((c) => ({ id: c.call_id, name: c.name, args: JSON.parse(c.arguments) }));
    const text = reply.output.filter((o) => o.type === "message").flatMap((o) => o.content).map((c) => c.text).join("");
    const finish = reply.status === "incomplete" ? "length" : calls.length ? "tools" : "stop";
    return { text, calls, finish, in: reply.usage.input_tokens, out: reply.usage.output_tokens };
  }
}

class AnthropicMessages {
  constructor({ url, key }) {
    this.sdk = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
  }
  messages(turns) {
    return turns.map((t) => {
      if (t.user !== undefined) return { role: "user", content: t.image ? [{ type: "text", text: t.user }, { type: "image", source: { type: "base64", media_type: "image/png", data: tinyPng } }] : t.user };
      if (t.results) return { role: "user", content: t.results.map((r) => ({ type: "tool_result", tool_use_id: r.id, content: r.text })) };
      return { role: "assistant", content: [...(t.assistant ? [{ type: "text", text: t.assistant }] : []), ...(t.calls ?? []).map((c) => ({ type: "tool_use", id: c.id, name: c.name, input: c.args }))] };
    });
  }
  async ask(turns, { model, stream, tools, system, extra = {} }) {
    const body = { model, max_tokens: 2048, messages: this.messages(turns), ...(system ? { system } : {}), ...(tools ? { tools: names.map((name) => ({ name, description: `The ${name}`, input_schema: parameters[name] })) } : {}), ...extra };
    const reply = stream ? await this.sdk.messages.stream(body).finalMessage() : await this.sdk.messages.create(body);
    const of = (type, field) => reply.content.filter((b) => b.type === type).map((b) => b[field]).join("");
    const u = reply.usage;
    return { text: of("text", "text"), thinking: of("thinking", "thinking"), calls: reply.content.filter((b) => b.type === "tool_use").map((b) => ({ id: b.id, name: b.name, args: b.input })), finish: finishes[reply.stop_reason], in: u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0), out: u.output_tokens };
  }
}

class Gemini {
  constructor({ url, key }) {
    this.sdk = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
  }
  contents(turns) {
    return turns.map((t) => {
      if (t.user !== undefined) return { role: "user", parts: [{ text: t.user }, ...(t.image ? [{ inlineData: { mimeType: "image/png", data: tinyPng } }] : [])] };
      if (t.results) return { role: "user", parts: t.results.map((r) => ({ functionResponse: { name: r.name, response: { result: r.text } } })) };
      return { role: "model", parts: [...(t.assistant ? [{ text: t.assistant }] : []), ...(t.calls ?? []).map((c) => ({ functionCall: { name: c.name, args: c.args } }))] };
    });
  }
  async ask(turns, { model, stream, tools, system, extra = {} }) {
    const request = { model, contents: this.contents(turns), config: { ...(system ? { systemInstruction: system } : {}), ...(tools ? { tools: [{ functionDeclarations: names.map((name) => ({ name, description: `The ${name}`, parameters: parameters[name] })) }] } : {}), ...extra } };
    const parts = [];
    let last;
    const each = (reply) => {
      parts.push(...(reply.candidates?.[0]?.content?.parts ?? []));
      last = { ...reply, finish: reply.candidates?.[0]?.finishReason ?? last?.finish, usageMetadata: reply.usageMetadata ?? last?.usageMetadata };
    };
    if (stream) await collect(await this.sdk.models.generateContentStream(request), each);
    else each(await this.sdk.models.generateContent(request));
    const calls = parts.filter((p) => p.functionCall).map((p) => ({ name: p.functionCall.name, args: p.functionCall.args }));
    const u = last.usageMetadata;
    return { text: parts.filter((p) => p.text !== undefined && !p.thought).map((p) => p.text).join(""), thinking: parts.filter((p) => p.thought).map((p) => p.text).join(""), calls, finish: calls.length && last.finish === "STOP" ? "tools" : finishes[last.finish], in: u.promptTokenCount, out: (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0) };
  }
}

const langchainMessages = (turns, system) => {
  const out = system ? [new SystemMessage(system)] : [];
  for (const t of turns) {
    if (t.user !== undefined) out.push(new HumanMessage(t.image ? { content: [{ type: "text", text: t.user }, { type: "image_url", image_url: { url: `data:image/png;base64,${tinyPng}` } }] } : t.user));
    else if (t.results) for (const r of t.results) out.push(new ToolMessage({ content: r.text, tool_call_id: r.id, name: r.name }));
    else out.push(new AIMessage({ content: t.assistant ?? "", tool_calls: (t.calls ?? []).map((c) => ({ ...c, type: "tool_call" })) }));
  }
  return out;
};

class LangChain {
  async ask(turns, { model, stream, tools, system, extra = {} }) {
    let chat = this.chat(model, extra);
    if (tools) chat = chat.bindTools(names.map((name) => ({ name, description: `The ${name}`, schema: parameters[name] })));
    const messages = langchainMessages(turns, system);
    let reply;
    if (stream) await collect(await chat.stream(messages), (chunk) => (reply = reply ? reply.concat(chunk) : chunk));
    else reply = await chat.invoke(messages);
    const calls = (reply.tool_calls ?? []).map((c) => ({ id: c.id, name: c.name, args: c.args }));
    const meta = reply.response_metadata;
    return { text: typeof reply.content === "string" ? reply.content : reply.content.filter((p) => p.type === "text").map((p) => p.text).join(""), calls, finish: finishes[meta.finish_reason ?? meta.stop_reason ?? reply.additional_kwargs?.stop_reason], in: reply.usage_metadata?.input_tokens, out: reply.usage_metadata?.output_tokens };
  }
}
class LangChainOpenAI extends LangChain {
  constructor(to) {
    super();
    this.chat = (model, extra) => new ChatOpenAI({ model, apiKey: to.key, maxRetries: 0, configuration: { baseURL: `${to.url}/v1` }, ...extra });
  }
}
class LangChainAnthropic extends LangChain {
  constructor(to) {
    super();
    this.chat = (model, extra) => new ChatAnthropic({ model, anthropicApiKey: to.key, anthropicApiUrl: to.url, maxRetries: 0, maxTokens: 2048, ...extra });
  }
}

class VercelAI {
  messages(turns) {
    return turns.map((t) => {
      if (t.user !== undefined) return { role: "user", content: [{ type: "text", text: t.user }, ...(t.image ? [{ type: "image", image: tinyPng, mediaType: "image/png" }] : [])] };
      if (t.results) return { role: "tool", content: t.results.map((r) => ({ type: "tool-result", toolCallId: r.id, toolName: r.name, output: { type: "text", value: r.text } })) };
      return { role: "assistant", content: [...(t.assistant ? [{ type: "text", text: t.assistant }] : []), ...(t.calls ?? []).map((c) => ({ type: "tool-call", toolCallId: c.id, toolName: c.name, input: c.args }))] };
    });
  }
  async ask(turns, { model, stream, tools, system, extra = {} }) {
    const options = { model: this.model(model), system, messages: this.messages(turns), maxRetries: 0, ...(tools ? { tools: Object.fromEntries(names.map((name) => [name, aiTool({ description: `The ${name}`, inputSchema: jsonSchema(parameters[name]) })])) } : {}), ...extra };
    let failure;
    const reply = stream ? streamText({ ...options, onError: ({ error }) => (failure = error) }) : await generateText(options);
    if (stream) await reply.consumeStream();
    if (failure) throw failure;
    const [text, toolCalls, finishReason, usage] = await Promise.all([reply.text, reply.toolCalls, reply.finishReason, reply.usage]);
    return { text, calls: toolCalls.map((c) => ({ id: c.toolCallId, name: c.toolName, args: c.input })), finish: finishes[finishReason], in: usage.inputTokens, out: usage.outputTokens };
  }
}
class VercelOpenAI extends VercelAI {
  constructor(to) {
    super();
    this.model = createOpenAI({ baseURL: `${to.url}/v1`, apiKey: to.key }).chat;
  }
}
class VercelAnthropic extends VercelAI {
  constructor(to) {
    super();
    this.model = createAnthropic({ baseURL: `${to.url}/v1`, apiKey: to.key });
  }
}

// What a cache gave and took stands beside inputTokens here.
const usageOf = (u) => ({ in: u.inputTokens + (u.cacheReadInputTokens ?? 0) + (u.cacheWriteInputTokens ?? 0), out: u.outputTokens });

// By a key of Bedrock's own kind (AWS_BEARER_TOKEN_BEDROCK): no signature. This SDK asks by HTTP/2 unless told otherwise.
class BedrockConverse {
  constructor({ url, key }) {
    this.sdk = new BedrockRuntimeClient({ region: "eu-west-1", endpoint: url, token: async () => ({ token: key }), authSchemePreference: ["httpBearerAuth"], requestHandler: new NodeHttpHandler(), maxAttempts: 1 });
  }
  messages(turns) {
    return turns.map((t) => {
      if (t.user !== undefined) return { role: "user", content: [{ text: t.user }, ...(t.image ? [{ image: { format: "png", source: { bytes: Buffer.from(tinyPng, "base64") } } }] : [])] };
      if (t.results) return { role: "user", content: t.results.map((r) => ({ toolResult: { toolUseId: r.id, content: [{ text: r.text }] } })) };
      return { role: "assistant", content: [...(t.assistant ? [{ text: t.assistant }] : []), ...(t.calls ?? []).map((c) => ({ toolUse: { toolUseId: c.id, name: c.name, input: c.args } }))] };
    });
  }
  async ask(turns, { model, stream, tools, system, extra = {} }) {
    const input = { modelId: model, messages: this.messages(turns), inferenceConfig: { maxTokens: 2048, ...extra }, ...(system ? { system: [{ text: system }] } : {}), ...(tools ? { toolConfig: { tools: names.map((name) => ({ toolSpec: { name, description: `The ${name}`, inputSchema: { json: parameters[name] } } })) } } : {}) };
    const out = { text: "", thinking: "", calls: [] };
    const add = (b) => {
      out.text += b.text ?? "";
      out.thinking += b.reasoningContent?.reasoningText?.text ?? b.reasoningContent?.text ?? "";
    };
    if (!stream) {
      const reply = await this.sdk.send(new ConverseCommand(input));
      for (const b of reply.output.message.content) b.toolUse ? out.calls.push({ id: b.toolUse.toolUseId, name: b.toolUse.name, args: b.toolUse.input }) : add(b);
      return { ...out, finish: finishes[reply.stopReason], ...usageOf(reply.usage) };
    }
    const calls = new Map();
    await collect((await this.sdk.send(new ConverseStreamCommand(input))).stream, (e) => {
      const { contentBlockIndex: at, start, delta } = e.contentBlockStart ?? e.contentBlockDelta ?? {};
      if (start?.toolUse) calls.set(at, { id: start.toolUse.toolUseId, name: start.toolUse.name, args: "" });
      if (delta?.toolUse) calls.get(at).args += delta.toolUse.input;
      else if (delta) add(delta);
      if (e.messageStop) out.finish = finishes[e.messageStop.stopReason];
      if (e.metadata) Object.assign(out, usageOf(e.metadata.usage));
    });
    out.calls = [...calls.values()].map((c) => ({ ...c, args: JSON.parse(c.args || "{}") }));
    return out;
  }
}

// dialect: what goes over the wire.
export const clients = {
  "openai chat": { dialect: "openai", make: (to) => new OpenAIChat(to) },
  "openai responses": { dialect: "responses", make: (to) => new OpenAIResponses(to) },
  "anthropic": { dialect: "anthropic", make: (to) => new AnthropicMessages(to) },
  "google genai": { dialect: "gemini", make: (to) => new Gemini(to) },
  "aws bedrock": { dialect: "bedrock", make: (to) => new BedrockConverse(to) },
  "langchain openai": { dialect: "openai", make: (to) => new LangChainOpenAI(to) },
  "langchain anthropic": { dialect: "anthropic", make: (to) => new LangChainAnthropic(to) },
  "ai openai": { dialect: "openai", make: (to) => new VercelOpenAI(to) },
  "ai anthropic": { dialect: "anthropic", make: (to) => new VercelAnthropic(to) },
};
