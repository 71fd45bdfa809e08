"use strict";
/* The list of trajectories and of tasks, as it was written: a value a row in every column. */

const model = (() => {
  const index = report.given("index");
  const summary = report.given("summary");
  if (!index || !summary) return null;
  const { rows, tasks, chunks } = index;
  const total = rows.task.length;

  const text = (column, at) => (column.codes[at] < 0 ? "" : column.values[column.codes[at]]);

  /** What the list shows of a row. */
  const row = (at) => ({
    at,
    task: rows.task[at],
    id: idOf(at),
    round: text(rows.round, at),
    outcome: text(rows.outcome, at) || "unverified",
    error: text(rows.error_type, at),
    verifier: text(rows.verifier, at),
    teacher: text(rows.teacher, at),
    split: text(rows.split, at),
    dropped: text(rows.dropped, at),
    sample: rows.sample[at],
    reward: rows.reward[at],
    steps: rows.steps[at],
    tokens: rows.tokens[at],
    cost: rows.cost[at],
    seconds: rows.seconds[at],
    created: rows.created[at],
  });

  const task = (at) => ({
    at,
    id: tasks.id[at],
    title: tasks.title[at],
    type: text(tasks.type, at),
    operator: text(tasks.operator, at),
    domain: text(tasks.domain, at),
    generation: tasks.generation[at],
    root: tasks.root[at],
    parents: tasks.parents[at],
    tried: tasks.tried[at],
    verified: tasks.verified[at],
    solved: tasks.solved[at],
    difficulty: tasks.difficulty[at],
  });

  const idOf = (at) => `${text(rows.round, at)}/${tasks.id[rows.task[at]]}/${rows.sample[at]}`;

  const lazily = (make) => {
    let made;
    return () => (made ??= make());
  };

  const byId = lazily(() => new Map(rows.task.map((_, at) => [idOf(at), at])));
  const taskById = lazily(() => new Map(tasks.id.map((id, at) => [id, at])));
  const byTask = lazily(() => grouped(rows.task));
  const children = lazily(() => {
    const found = new Map();
    tasks.parents.forEach((parents, at) => {
      for (const parent of parents) {
        if (typeof parent !== "number" || parent === at) continue;
        if (!found.has(parent)) found.set(parent, []);
        found.get(parent).push(at);
      }
    });
    return found;
  });

  function grouped(keys) {
    const found = new Map();
    keys.forEach((key, at) => (found.has(key) ? found.get(key).push(at) : found.set(key, [at])));
    return found;
  }

  /** The trajectory of a row, from its chunk. Rejects with report.Missing. */
  async function trajectory(at) {
    let [low, high] = [0, chunks.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (chunks[middle] <= at) low = middle;
      else high = middle - 1;
    }
    const name = `trajectories/${String(low).padStart(4, "0")}`;
    const chunk = await report.load(name);
    const found = chunk.rows?.[at - chunks[low]];
    if (!found) throw new report.Missing(`data/${name}.js`);
    const [own, { prompt, tools: offered }] = found;
    return {
      ...own,
      prompt: prompt.map((place) => chunk.shared[place]),
      tools: offered.map((place) => chunk.shared[place]),
    };
  }

  /** The ancestors of a task from its oldest to its parent, along first parents. */
  function ancestors(at) {
    const found = [];
    const seen = new Set([at]);
    for (let parent = tasks.parents[at][0]; parent !== undefined; parent = tasks.parents[parent][0]) {
      if (seen.has(parent)) break;
      seen.add(parent);
      found.unshift(parent);
      if (typeof parent !== "number") break;
    }
    return found;
  }

  return {
    summary,
    rows,
    tasks,
    total,
    row,
    task,
    text,
    trajectory,
    ancestors,
    find: (id) => byId().get(id),
    findTask: (id) => taskById().get(id),
    rowsOf: (at) => byTask().get(at) ?? [],
    childrenOf: (at) => children().get(at) ?? [],
    link: (at) => {
      const parts = [text(rows.round, at), tasks.id[rows.task[at]], String(rows.sample[at])];
      return `#/trajectory/${parts.map(encodeURIComponent).join("/")}`;
    },
  };
})();
