// Scores of searches and of file_search: numbers from 0 to 1 that never rise, and a threshold that is kept.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { toFile } from "openai";
import { openHouse } from "./house.mjs";

let provider, weir, client, app, store;
const poll = { pollIntervalMs: 50 };
const texts = {
  "fees.md": "# Fees\n\nThe cancellation fee of the standard plan is 12 euros.\n",
  "plans.md": "# Plans\n\nThe standard plan has no monthly fee. The premium plan costs 30 euros a month.\n",
  "ferry.md": "# Ferry\n\nThe ferry to the island sails on Mondays and Fridays.\n",
  "lunch.md": "# Lunch\n\nLunch is served from noon to two in the canteen.\n",
  "zh.md": "# 规定\n\n取消费为十二欧元。员工每年有二十五天年假。\n",
};
const ids = {};
const search = async (body) => (await app.vectorStores.search(store.id, body)).data;
const refused = (about) => (e) => { assert.equal(e.status, 400, String(e)); assert.match(e.message, about); return true; };

before(async () => {
  ({ provider, weir, client, app } = await openHouse());
  store = await client.vectorStores.create({ name: "Scored" });
  for (const [name, text] of Object.entries(texts))
    ids[name] = (await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from(text), name), poll)).id;
});
after(async () => {
  await weir.stop();
  provider.stop();
});

const questions = ["How much is the cancellation fee?", "standard plan fee", "When does the ferry sail?", "lunch", "plan fee ferry euros month", "取消费是多少？", "What is the capital of France?"];

test("scores are numbers from 0 to 1 that never rise, the same for any number of results", async () => {
  for (const query of questions)
    for (const ranker of ["auto", "default-2024-11-15", "none"]) {
      const hits = await search({ query, max_num_results: 50, ranking_options: { ranker } });
      for (const [i, hit] of hits.entries()) {
        assert.ok(typeof hit.score === "number" && hit.score >= 0 && hit.score <= 1, `${query}: ${hit.score}`);
        assert.ok(i === 0 || hit.score <= hits[i - 1].score, `${query}, ${ranker}: ${hits.map((h) => h.score)}`);
      }
    }
  const [answers] = await search({ query: questions[0] }), [answered] = await search({ query: questions[0], max_num_results: 1 });
  assert.equal(answers.filename, "fees.md");
  assert.equal(answered.score, answers.score);
});

test("what answers scores high, what only has a word of it low, in both languages", async () => {
  for (const [query, name] of [[questions[0], "fees.md"], [questions[2], "ferry.md"], [questions[5], "zh.md"]]) {
    const [best] = await search({ query });
    assert.equal(best.filename, name);
    assert.ok(best.score > 0.4, `${query}: ${best.score}`);
  }
  for (const hit of await search({ query: "Who built the plan of the island's lighthouse?" })) assert.ok(hit.score < 0.3, `${hit.filename}: ${hit.score}`);
});

test("nothing below the threshold comes, and all that is not below does", async () => {
  for (const query of questions) {
    const all = await search({ query, max_num_results: 50 });
    for (const score_threshold of [0, 0.01, 0.05, 0.2, 0.5, 0.8, 1, ...all.map((hit) => hit.score)]) {
      const kept = await search({ query, max_num_results: 50, ranking_options: { score_threshold } });
      // A score is told with four decimals: one that is told as the threshold itself may stand on either side of it.
      const least = all.filter((hit) => hit.score > score_threshold), most = all.filter((hit) => hit.score >= score_threshold);
      assert.ok(kept.length >= least.length && kept.length <= most.length, `${query}, ${score_threshold}: ${kept.length} of ${all.map((h) => h.score)}`);
      assert.deepEqual(kept.map((hit) => hit.file_id), all.slice(0, kept.length).map((hit) => hit.file_id));
    }
  }
  assert.equal((await search({ query: questions[6], ranking_options: { score_threshold: 0.5 } })).length, 0);
});

test("several queries: scores do not rise along the list, and each query keeps to the threshold", async () => {
  const query = [questions[0], questions[2], questions[6]];
  const hits = await search({ query, max_num_results: 50 });
  assert.deepEqual(hits.slice(0, 2).map((hit) => hit.filename), ["fees.md", "ferry.md"]);
  assert.ok(hits.every((hit, i) => i === 0 || hit.score <= hits[i - 1].score));
  assert.deepEqual((await search({ query, ranking_options: { score_threshold: 0.4 } })).map((hit) => hit.filename).sort(), ["fees.md", "ferry.md"]);
});

test("what is said wrong of the ranking is refused by name", async () => {
  for (const [ranking_options, about] of [
    [{ score_threshold: -0.1 }, /score_threshold/], [{ score_threshold: 1.1 }, /score_threshold/], [{ score_threshold: "0.5" }, /score_threshold/],
    [{ ranker: "best" }, /ranker/], [{ hybrid_search: { embedding_weight: 1, text_weight: 1 } }, /hybrid_search/], [{ colour: 1 }, /colour/], [7, /ranking_options/]]) {
    await assert.rejects(search({ query: "x", ranking_options }), refused(about));
    await assert.rejects(app.responses.create({ model: "weir", input: "x", tools: [{ type: "file_search", vector_store_ids: [store.id], ranking_options }] }), refused(about));
  }
  for (const filters of [{ type: "eq", key: "a", value: 1, also: 2 }, { type: "eq", key: "a" }, { type: "or", filters: [] }, { key: "a", value: 1 }])
    await assert.rejects(search({ query: "x", filters }), refused(/filters/));
  for (const max_num_results of [0, 51, 1.5]) await assert.rejects(search({ query: "x", max_num_results }), refused(/max_num_results/));
});

test("file_search keeps to the threshold, with and without a model", async () => {
  const ask = (model, score_threshold, input = questions[0]) => app.responses.create({
    model, input, include: ["file_search_call.results"], tools: [{ type: "file_search", vector_store_ids: [store.id], ranking_options: { score_threshold, ranker: "auto" } }] });
  const results = (response) => response.output[0].results;
  for (const model of ["weir", "fake"]) {
    const all = results(await ask(model, 0));
    assert.ok(all.length > 0 && all.every((hit) => hit.score >= 0 && hit.score <= 1), `${model}: ${JSON.stringify(all)}`);
    const best = all.find((hit) => hit.filename === "fees.md");
    assert.ok(best.score > 0.5);
    if (model === "fake") assert.ok(all.every((hit, i) => i === 0 || hit.score <= all[i - 1].score), "passages in the order in which the model has them");
    const some = results(await ask(model, 0.5));
    assert.deepEqual(some.map((hit) => hit.filename), ["fees.md"]);
    const before = provider.requests.length;
    assert.deepEqual(results(await ask(model, 0.9999)), []);
    assert.ok(!JSON.stringify(provider.requests.slice(before).map((r) => r.body)).includes("12 euros"), "what is left out is not sent either");
  }
  const parts = results(await ask("weir", 0.2, "How much is the cancellation fee, and when does the ferry sail?"));
  assert.deepEqual([...new Set(parts.map((hit) => hit.filename))].sort(), ["fees.md", "ferry.md"]);
  assert.ok(parts.every((hit) => hit.score >= 0.2));
});
