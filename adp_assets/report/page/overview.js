"use strict";
/* The first page: what there is in numbers, and the first of the trajectories. */

const overview = (() => {
  const { h, number, short, percent, money, count, words } = dom;
  const { section, table, bars, outcomes, columns, line } = charts;
  const FIRST_ROWS = 6;
  const FIRST_FOUND = 10;

  function show() {
    const { summary } = model;
    return h(
      "div.overview",
      head(summary),
      builtin(summary),
      sampled(summary),
      h("dl.hero", hero(summary).map(([name, value, note]) => figure(name, value, note))),
      h(
        "div.parts",
        summary.funnel.length
          ? section(
              "From trajectories to dataset",
              "How many were left after each stage.",
              funnel(summary),
              true,
            )
          : null,
        section(
          "Outcome by type",
          "Share of the verified that were solved.",
          outcomes("Outcomes by type of task", summary.types, (name) => search.only("type", name)),
        ),
        section("What went wrong", "Episodes that ended with an error, by its type.", errors(summary)),
        section(
          "Difficulty of the tasks",
          "Failures expected of the next try, (failures + 1) / (tries + 2), over all rounds.",
          difficulty(),
        ),
        section(
          "Length",
          "Trajectories by their number of steps.",
          columns("Trajectories by steps", stepLabels(summary.steps), "steps"),
        ),
        section("Tokens and cost", null, spending(summary), true),
        section(
          "How the tasks were made",
          "Trajectories by the operator that made their task.",
          outcomes("Outcomes by operator", summary.operators, (name) => search.only("operator", name)),
        ),
        section(
          "Tokens a trajectory",
          "Prompt and completion together; each bar twice the one before.",
          columns(
            "Trajectories by tokens",
            summary.tokens.map(([least, , rows]) => [short(least), rows]),
            "tokens and more",
          ),
        ),
        diversity(summary),
        summary.rounds.length > 1
          ? section(
              "Rounds",
              "Share of the verified that were solved.",
              outcomes("Outcomes by round", byName(summary.rounds), (name) => search.only("round", name)),
              true,
            )
          : null,
        summary.tables.map((each) => section(each.title, each.note, found(each), true)),
        section("Trajectories", null, first(), true),
      ),
    );
  }

  function head(summary) {
    const about = summary.about.map(([name, value]) =>
      h("div", h("dt", name), h("dd", value)),
    );
    return h(
      "header.head",
      h("h1", summary.title),
      about.length ? h("dl.about", about) : null,
    );
  }

  function builtin({ teachers }) {
    const theirs = teachers.filter(({ name }) => name?.split(" / ")[0] === "builtin");
    const rows = theirs.reduce((sum, each) => sum + each.rows, 0);
    if (!rows) return null;
    return h(
      "p.notice",
      `${count(rows, "trajectory", "trajectories")} by the built-in teacher: a script that proves that `,
      "the pipeline works, not a language model.",
    );
  }

  function sampled({ listed, totals }) {
    if (listed === totals.rows) return null;
    return h(
      "p.notice",
      `The figures are of all ${number(totals.rows)} trajectories; ${number(listed)} of them, a sample, `,
      "can be opened.",
    );
  }

  function hero({ totals, funnel }) {
    const verified = totals.solved + totals.unsolved;
    const left = funnel.length ? funnel.at(-1)[1] : totals.kept;
    const kept = funnel.length || left ? [["in the dataset", number(left), percent(left, totals.rows)]] : [];
    const priced = totals.priced
      ? [["cost", money(totals.cost_usd), `of ${number(totals.priced)} priced`]]
      : [];
    return [
      [
        "solved",
        percent(totals.solved, verified),
        `${number(totals.solved)} of ${number(verified)} verified`,
      ],
      ["trajectories", number(totals.rows), `of ${count(totals.tasks, "task")}`],
      ...kept,
      ["steps", totals.rows ? (totals.steps / totals.rows).toFixed(1) : "–", "a trajectory, on average"],
      [
        "tokens",
        short(totals.prompt_tokens + totals.completion_tokens),
        `${short(totals.completion_tokens)} of them written`,
      ],
      ...priced,
    ];
  }

  const figure = (name, value, note) =>
    h("div", h("dt", name), h("dd", value), h("dd.soft", note));

  function funnel({ funnel: stages, dropped }) {
    const [, whole] = stages[0];
    const out = new Map(dropped);
    const rows = stages.map(([stage, left], at) => {
      const lost = at ? stages[at - 1][1] - left : 0;
      const note = lost ? `−${number(lost)}` : "";
      const href = out.has(stage) ? search.only("dropped", stage) : null;
      return h(
        "tr",
        h("th", { scope: "row" }, stage),
        h(
          "td.drawn",
          h("div.track", h("div.bar.accent", { style: { width: `${(100 * left) / (whole || 1)}%` } })),
        ),
        h("td.figure", number(left)),
        h("td.figure.soft", percent(left, whole)),
        h("td.figure.soft", href ? h("a", { href, title: "Show what was left out here" }, note) : note),
      );
    });
    return table(
      "Trajectories left after each stage",
      ["stage", "", "left", "of all", "left out"],
      rows,
      "bars funnel",
    );
  }

  function errors({ errors: found, totals }) {
    if (!found.length) return h("p.empty", "No episode ended with an error.");
    const rows = found.map(({ name, rows: many, types }) => ({
      name: words(name),
      value: many,
      href: search.only("error", name),
      kind: "bad",
      note: types.map(([type, each]) => `${type} ${number(each)}`).join(", "),
    }));
    return bars("Errors", rows, Math.max(...found.map((each) => each.rows), 1), ["", "episodes", "by type"]);
  }

  function difficulty() {
    const bins = new Array(10).fill(0);
    for (const value of model.tasks.difficulty)
      if (value !== null) bins[Math.min(9, Math.floor(value * 10))] += 1;
    if (!bins.some(Boolean)) return h("p.empty", "No task has a record yet.");
    return columns(
      "Tasks by difficulty",
      bins.map((tasks, at) => [(at / 10).toFixed(1), tasks]),
      "difficulty and more",
    );
  }

  const stepLabels = (steps) =>
    steps.map(([least, most, rows]) =>
      [most === null ? `${least}+` : most > least ? `${least}–${most}` : String(least), rows],
    );

  function spending({ teachers, totals }) {
    const row = (name, each, href) =>
      h(
        "tr",
        h("th", { scope: "row" }, href ? h("a", { href }, name) : name),
        [
          number(each.rows),
          percent(each.solved, each.solved + each.unsolved),
          short(each.prompt_tokens),
          short(each.completion_tokens),
          each.rows ? short(Math.round((each.prompt_tokens + each.completion_tokens) / each.rows)) : "–",
          each.priced ? money(each.cost_usd) : "–",
          each.priced && each.solved ? money(each.cost_usd / each.solved) : "–",
          each.rows ? dom.seconds(each.total_duration / each.rows) : "–",
        ].map((value) => h("td.figure", value)),
      );
    const heads = [
      "teacher / model",
      "trajectories",
      "solved",
      "prompt tokens",
      "written tokens",
      "tokens each",
      "cost",
      "cost a solved",
      "time each",
    ];
    const rows = teachers.map((each) =>
      row(each.name ?? "unnamed", each, each.name ? search.only("teacher", each.name) : null),
    );
    return table(
      "Tokens and cost by teacher",
      heads,
      teachers.length > 1 ? [...rows, row("all", totals)] : rows,
      "numbers",
    );
  }

  const byName = (kinds) => [...kinds].sort((a, b) => ((a.name ?? "") < (b.name ?? "") ? -1 : 1));

  const FORMATS = {
    near_duplicate_rate: (value) => percent(value, 1),
    largest_root: (value) => percent(value, 1),
    lineage_depth: number,
  };

  function diversity({ diversity: rounds }) {
    if (!rounds.length) return null;
    const names = rounds.map(({ round }) => round);
    const lines = rounds[0].figures.map(([name], place) =>
      line(
        words(name),
        names,
        rounds.map((each) => each.figures[place][1]),
        FORMATS[name] ?? ((value) => value.toFixed(2)),
      ),
    );
    const last = rounds.at(-1);
    const spreads = [...last.spreads, ["generations", last.generations]].filter(([, pairs]) => pairs.length);
    const spread = spreads.map(([name, pairs]) =>
      h(
        "div",
        h("h3", name),
        bars(
          `Tasks by ${name}`,
          pairs.slice(0, 8).map(([key, tasks]) => ({ name: words(key), value: tasks })),
          last.tasks,
        ),
        pairs.length > 8 ? h("p.soft", `and ${pairs.length - 8} more`) : null,
      ),
    );
    return section(
      "Diversity of the tasks",
      rounds.length > 1 ? `By round; below, the tasks of ${last.round}.` : `Of ${last.round}.`,
      [h("div.lines", lines), h("div.spreads", spread)],
      true,
    );
  }

  /** A table of what was found: its first rows, and the rest when asked for. */
  function found({ title, columns: heads, rows, total }) {
    const link = heads.indexOf("trajectory");
    const cells = (row) =>
      row.map((value, place) => {
        const at = place === link ? model.find(String(value)) : undefined;
        return h(
          "td",
          at === undefined ? String(value ?? "") : h("a", { href: model.link(at) }, String(value)),
        );
      });
    const drawn = (some) => some.map((row) => h("tr", cells(row)));
    const shown = table(title, heads, drawn(rows.slice(0, FIRST_FOUND)), "plain");
    const told = total > rows.length
      ? `the first ${number(rows.length)} of ${number(total)}`
      : `all ${number(total)}`;
    const more = h("button", { type: "button", class: "more", on: { click: all } }, `Show ${told}`);
    function all() {
      shown.querySelector("tbody").append(...drawn(rows.slice(FIRST_FOUND)));
      more.remove();
    }
    return [shown, rows.length > FIRST_FOUND ? more : null];
  }

  function first() {
    const shown = model.rows.task.slice(0, FIRST_ROWS).map((_, at) => h("li", list.entry(at)));
    if (!shown.length) return h("p.empty", "There is no trajectory.");
    return [
      h("ol.first", shown),
      h(
        "p",
        h("a.more", { href: "#/trajectories" }, `All ${count(model.total, "trajectory", "trajectories")} →`),
      ),
    ];
  }

  return { show };
})();
