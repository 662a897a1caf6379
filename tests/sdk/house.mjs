// A Weir with a provider behind it, and the official OpenAI SDK as two of its callers: a developer, and an app.
import { File } from "node:buffer";
import OpenAI from "openai";
import { Provider } from "./provider.mjs";
import { Weir } from "./weir.mjs";

globalThis.File ??= File; // the Node of Debian 12 has it in node:buffer alone; the SDK asks for this

export const clientOf = (weir, apiKey) => new OpenAI({ baseURL: `${weir.url}/v1`, maxRetries: 0, apiKey });

// Nothing but the SDK's base URL is changed.
export async function openHouse() {
  const provider = await new Provider().start();
  const weir = await new Weir().start({ provider });
  const client = clientOf(weir, weir.cli("key", "create", "service", "--role", "developer").trim());
  return { provider, weir, client, app: clientOf(weir, weir.key) };
}

// An administrator of another tenant.
export function stranger(weir) {
  weir.cli("tenant", "create", "acme");
  return clientOf(weir, weir.cli("key", "create", "stranger", "--role", "admin", "--tenant", "acme").trim());
}
