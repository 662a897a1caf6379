// Every query of deploy/ names metrics and labels that a running Weir has; the rules do what they say.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { Weir } from "../sdk/weir.mjs";

const deploy = new URL("../../deploy/", import.meta.url).pathname;
const rules = parse(fs.readFileSync(`${deploy}prometheus/rules.yml`, "utf8")).groups.flatMap((g) => g.rules);
const boards = fs.readdirSync(`${deploy}grafana`).map((name) => [name, JSON.parse(fs.readFileSync(`${deploy}grafana/${name}`, "utf8"))]);
const queries = [
  ...rules.map((r) => [`rule ${r.record ?? r.alert}`, r.expr]),
  ...boards.flatMap(([name, board]) => board.panels.flatMap((p) => p.targets.map((t) => [`${name}: ${p.title}`, t.expr]))),
];
const recorded = new Set(rules.filter((r) => r.record).map((r) => r.record));
const everywhere = ["le", "instance", "job"];
const words = new Set("by and or unless offset sum rate increase histogram_quantile on ignoring group_left without max min avg count".split(" "));
let weir;
const metrics = new Map(); // name as written -> labels

before(async () => {
  weir = await new Weir().start({ provider: { url: "http://127.0.0.1:1/v1" } });
  const text = await (await fetch(`${weir.url}/metrics`)).text();
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const labels = new Map([...weir.cli("api", "metrics").matchAll(/^\| `(\w+)`[^|]*\| \w+ \| ([^|]*)\|/gm)].map(([, name, list]) => [name, [...list.matchAll(/`(\w+)`/g)].map((m) => m[1])]));
  assert.deepEqual([...types.keys()].sort(), [...labels.keys()].sort(), "the page of metrics is what /metrics has");
  for (const [name, type] of types)
    for (const suffix of { counter: ["_total"], gauge: [""], histogram: ["_bucket", "_sum", "_count"] }[type]) metrics.set(name + suffix, labels.get(name));
});
after(() => weir.stop());

test("there are queries", () => assert.ok(queries.length > 30 && boards.length === 4));

for (const [where, expr] of queries)
  test(where, () => {
    const known = new Set(everywhere);
    for (const [, name, , selector] of expr.matchAll(/([a-zA-Z_:][\w:]*)(\{([^}]*)\})?/g)) {
      if (!/^(weir[_:]|up$)/.test(name) || name === "up") continue;
      assert.ok(metrics.has(name) || recorded.has(name), `no metric ${name}`);
      const own = metrics.get(name) ?? ["model"];
      own.forEach((label) => known.add(label));
      for (const [, label] of (selector ?? "").matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) assert.ok(own.includes(label) || everywhere.includes(label), `${name} has no label ${label}`);
    }
    for (const [, list] of expr.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g))
      for (const label of list.split(",").map((l) => l.trim())) assert.ok(known.has(label), `no metric of the query has the label ${label}`);
    const bare = expr.replace(/"[^"]*"/g, "").replace(/\{[^}]*\}/g, "").replace(/\[[^\]]*\]/g, "").replace(/\([^()]*\)/g, (m) => m);
    for (const [name] of bare.matchAll(/[a-zA-Z_:][\w:]*/g)) assert.ok(words.has(name) || known.has(name) || metrics.has(name) || recorded.has(name) || name === "up" || /^\d*[smhd]$/.test(name) || /^e\d+$/.test(name), `what is ${name}?`);
  });

test("every dashboard is a dashboard", () => {
  for (const [name, board] of boards) {
    assert.equal(board.uid, `weir-${name.replace(".json", "")}`);
    assert.equal(new Set(board.panels.map((p) => p.id)).size, board.panels.length);
    for (const panel of board.panels) assert.ok(panel.title && panel.targets.length && panel.gridPos.w, `${name}: ${panel.title}`);
  }
});

test("promtool accepts the rules", () => {
  assert.match(execFileSync("promtool", ["check", "rules", `${deploy}prometheus/rules.yml`], { encoding: "utf8" }), /SUCCESS/);
});

test("the rules fire when they should, and not when they should not", () => {
  assert.match(execFileSync("promtool", ["test", "rules", `${deploy}prometheus/rules_test.yml`], { encoding: "utf8" }), /SUCCESS/);
});
