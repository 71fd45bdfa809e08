"use strict";
/* Which rows are asked for: words, facets and an order, as they stand in the address. */

const search = (() => {
  if (!model) return null;
  const { rows, tasks, total } = model;

  /** What can be chosen from; `code` gives a row's value by number, -1 where it has none. */
  const FACETS = [
    ofTask("type", "Type", tasks.type),
    ofRow("outcome", "Outcome", rows.outcome),
    ofRow("split", "In the dataset", rows.split),
    ofRow("dropped", "Left out at", rows.dropped),
    ofRow("error", "Error", rows.error_type),
    ofTask("operator", "Made by", tasks.operator),
    ofRow("round", "Round", rows.round),
    ofRow("teacher", "Teacher / model", rows.teacher),
    ofRow("verifier", "Verifier", rows.verifier),
    ofTask("domain", "Domain", tasks.domain),
  ];

  const ORDERS = {
    "": { name: "In order", of: null },
    newest: { name: "Newest first", of: (at) => -(rows.created[at] ?? 0) },
    "most-steps": { name: "Most steps", of: (at) => -rows.steps[at] },
    "fewest-steps": { name: "Fewest steps", of: (at) => rows.steps[at] },
    tokens: { name: "Most tokens", of: (at) => -rows.tokens[at] },
    cost: { name: "Highest cost", of: (at) => -(rows.cost[at] ?? -1) },
    longest: { name: "Longest", of: (at) => -(rows.seconds[at] ?? -1) },
    hardest: { name: "Hardest task", of: (at) => -(tasks.difficulty[rows.task[at]] ?? -1) },
  };

  function ofRow(key, title, column) {
    return { key, title, values: column.values, code: (at) => column.codes[at] };
  }

  function ofTask(key, title, column) {
    return { key, title, values: column.values, code: (at) => column.codes[rows.task[at]] };
  }

  /** A question from the address: {words, order, chosen: facet's key -> set of values}. */
  function parse(parameters) {
    const order = parameters.get("sort") ?? "";
    const chosen = Object.fromEntries(FACETS.map(({ key }) => [key, new Set(parameters.getAll(key))]));
    return { words: parameters.get("q") ?? "", order: Object.hasOwn(ORDERS, order) ? order : "", chosen };
  }

  function address({ words, order, chosen }) {
    const parameters = new URLSearchParams();
    if (words.trim()) parameters.set("q", words);
    for (const { key } of FACETS) for (const value of chosen[key]) parameters.append(key, value);
    if (order) parameters.set("sort", order);
    const query = parameters.toString();
    return query ? `#/trajectories?${query}` : "#/trajectories";
  }

  let texts = null;
  let hay = null;

  /** Have the whole descriptions and messages searched, too, from now on. */
  async function readTexts() {
    if (texts) return;
    texts = await report.load("texts");
    hay = null;
  }

  function haystacks() {
    if (hay) return hay;
    const ofTasks = tasks.id.map((id, at) => {
      const told = [id, tasks.title[at], texts?.tasks[at] ?? "", model.text(tasks.type, at)];
      told.push(model.text(tasks.operator, at), model.text(tasks.domain, at), String(tasks.root[at]));
      return told.join("\n").toLowerCase();
    });
    const ofRows = rows.task.map((_, at) => {
      const columns = [
        rows.round,
        rows.outcome,
        rows.error_type,
        rows.verifier,
        rows.teacher,
        rows.split,
        rows.dropped,
      ];
      const told = columns.map((column) => model.text(column, at));
      if (texts) told.push(model.text(texts.errors, at));
      return told.join("\n").toLowerCase();
    });
    hay = { ofTasks, ofRows };
    return hay;
  }

  /** The rows that answer, in order, and for each facet how many there would be with each of its values. */
  function run(question) {
    const asked = question.words.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = FACETS.map(({ key, values }) => {
      const codes = [...question.chosen[key]].map((value) => values.indexOf(value));
      return codes.length ? new Set(codes) : null;
    });
    const counts = FACETS.map(({ values }) => new Array(values.length).fill(0));
    const found = [];
    const stacks = asked.length ? haystacks() : null;
    const has = (at, word) =>
      stacks.ofTasks[rows.task[at]].includes(word) || stacks.ofRows[at].includes(word);
    for (let at = 0; at < total; at += 1) {
      if (stacks && !asked.every((word) => has(at, word))) continue;
      let refusing = -1;
      let refusals = 0;
      for (let facet = 0; facet < FACETS.length && refusals < 2; facet += 1) {
        if (wanted[facet] && !wanted[facet].has(FACETS[facet].code(at))) {
          refusing = facet;
          refusals += 1;
        }
      }
      if (refusals > 1) continue;
      for (let facet = 0; facet < FACETS.length; facet += 1) {
        if (refusals && refusing !== facet) continue;
        const code = FACETS[facet].code(at);
        if (code >= 0) counts[facet][code] += 1;
      }
      if (!refusals) found.push(at);
    }
    const by = ORDERS[question.order].of;
    if (by) found.sort((a, b) => by(a) - by(b) || a - b);
    return { found, counts };
  }

  /** The address of the rows with one value. */
  const only = (key, value) => `#/trajectories?${new URLSearchParams([[key, value]])}`;

  return { FACETS, ORDERS, parse, address, run, only, readTexts };
})();
