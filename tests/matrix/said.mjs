// What the model behind every strict provider says, whatever the dialect: chosen by the last words of the user.
export const hello = ["Hel", "lo, We", "ir! 你", "好 🌍", " and good", "bye."];
export const calls = [
  { id: "call_A1", name: "weather", args: { city: "Zürich", days: 3 }, pieces: ['{"ci', 'ty":"Zü', 'rich","da', 'ys":3}'] },
  { id: "call_B2", name: "time", args: { zone: "CET" }, pieces: ['{"zo', 'ne":"C', 'ET"}'] },
];
export const usage = { in: 25, cached: 5, out: 35, reasoning: 7 };

// turns: [{role: "user" | "assistant", text, images: [mediaType], calls: [{id, name, args}], results: [{id, name, text}]}]
export function answer(turns) {
  const last = turns.at(-1);
  const asked = last.text.trim();
  const status = /error (\d+)$/.exec(asked);
  if (status) return { status: Number(status[1]) };
  if (last.results.length) return { text: [last.results.map((r) => `${r.name} said ${r.text}`).join("; "), "."], calls: [], finish: "stop" };
  if (asked.endsWith("tools")) return { text: ["Let me ", "look."], calls, finish: "tools" };
  if (asked.endsWith("one tool")) return { text: [], calls: calls.slice(0, 1), finish: "tools" };
  if (asked.endsWith("what colour")) return { text: [last.images.length ? `A picture of type ${last.images.join(" and ")}` : "I see nothing"], calls: [], finish: "stop" };
  if (asked.endsWith("schema")) return { text: ['{"city":', '"Zürich","celsius":21}'], calls: [], finish: "stop" };
  if (asked.endsWith("think")) return { thinking: ["Let me ", "think. "], text: ["Forty", "-two"], calls: [], finish: "stop" };
  if (asked.endsWith("too long")) return { text: ["It goes on and"], calls: [], finish: "length" };
  return { text: hello, calls: [], finish: "stop" };
}

export class Refusal extends Error {
  constructor(message, status = 400) {
    super(message);
    this.status = status;
  }
}
export const must = (truth, message) => {
  if (!truth) throw new Refusal(message);
};
export const only = (object, names, where) => {
  for (const name of Object.keys(object)) must(names.includes(name), `${where}: unknown field "${name}"`);
};
