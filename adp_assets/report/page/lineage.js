"use strict";
/* Where tasks come from: seeds, what was made of them by which operator, and how that went. */

const lineage = (() => {
  const { h, number, count, percent, words, mark } = dom;
  const ROOTS = 60;
  const SQUARES = 40;

  /** A trajectory as the mark of its outcome. */
  function square(at) {
    const row = model.row(at);
    return h(
      "a.square",
      { href: model.link(at), title: `${words(row.outcome)}, ${row.round}, sample ${row.sample}` },
      mark(row.outcome),
    );
  }

  function squares(task) {
    const rows = model.rowsOf(task);
    if (!rows.length) return h("span.soft", "no trajectory here");
    return h(
      "span.squares",
      rows.slice(0, SQUARES).map(square),
      rows.length > SQUARES ? h("span.soft", `+${rows.length - SQUARES}`) : null,
    );
  }

  const named = (task) =>
    h(
      "span.named",
      h("span.operator", words(task.operator || "task")),
      h("span.title", task.title || task.id),
    );

  const record = (task) =>
    h(
      "span.soft.rate",
      { title: "solved of verified tries, over all rounds" },
      task.verified ? percent(task.solved, task.verified) : "",
    );

  /** The ancestors of a task, itself, and what was made of it. */
  function chain(at) {
    const made = model.childrenOf(at);
    const line = [...model.ancestors(at), at].map((each, depth) =>
      h(
        "li",
        { class: each === at ? "this" : null, style: { "--depth": String(depth) } },
        typeof each === "number" ? link(each) : h("span.named.soft", `${each}, not in this report`),
        typeof each === "number" ? squares(each) : null,
      ),
    );
    const more = model.task(at).parents.slice(1).map((parent) =>
      (typeof parent === "number" ? model.tasks.id[parent] : parent),
    );
    return [
      h("ol.chain", line),
      more.length ? h("p.soft", `Also made from ${more.join(", ")}.`) : null,
      made.length
        ? [
            h("h3", `${count(made.length, "task")} made from it`),
            h("ul.chain.made", made.slice(0, 20).map((each) => h("li", link(each), squares(each)))),
            made.length > 20
              ? h("p.soft", `and ${made.length - 20} more in its `, h("a", { href: address(at) }, "tree"))
              : null,
          ]
        : null,
    ];
  }

  const link = (at) => h("a", { href: address(at), class: "named" }, ...named(model.task(at)).childNodes);
  const address = (at) => `#/lineage/${encodeURIComponent(model.tasks.id[at])}`;

  /** The trees, those with most descendants first; with a task's id the tree that it is in, opened to it. */
  function show(id) {
    const at = id === undefined ? undefined : model.findTask(id);
    const roots = sized();
    const wanted = at === undefined ? roots : roots.filter(({ root }) => root === rootOf(at));
    const many = roots.filter(({ size }) => size > 1).length;
    const tree = h("ul.tree");
    const open = at === undefined ? new Set() : new Set([...model.ancestors(at), at]);
    let shown = 0;
    const button = h("button", { type: "button", class: "more", on: { click: more } });
    function more() {
      const next = wanted.slice(shown, shown + ROOTS);
      shown += next.length;
      tree.append(...next.map(({ root, size }) => node(root, open, at, size)));
      button.textContent = `Show more: ${number(wanted.length - shown)} seeds are left`;
      button.hidden = shown >= wanted.length;
    }
    more();
    const page = h(
      "div.lineage",
      h("h1", "Lineage"),
      h(
        "p.note",
        at === undefined
          ? `${count(roots.length, "seed")}, ${number(many)} of them with tasks made from them. ` +
            "A mark is a trajectory, in the shape and colour of its outcome."
          : ["One tree of ", h("a", { href: "#/lineage" }, `all ${number(roots.length)}`), "."],
      ),
      id !== undefined && at === undefined ? h("p.trouble", `There is no task ${id} in this report.`) : null,
      legend(),
      tree,
      button,
    );
    if (at !== undefined) requestAnimationFrame(() =>
      page.querySelector(".this")?.scrollIntoView({ block: "center" }),
    );
    return page;
  }

  const legend = () =>
    h(
      "ul.legend",
      { "aria-hidden": "true" },
      charts.OUTCOMES.map((outcome) => h("li", h("span", { class: `mark ${outcome}` }), words(outcome))),
    );

  /** A task and, once it is opened, those made from it. */
  function node(at, open, wanted, size) {
    const task = model.task(at);
    const children = model.childrenOf(at).filter((child) => model.tasks.parents[child][0] === at);
    const more = size > 1 ? h("span.soft.size", `${number(size - 1)} made from it`) : null;
    const told = [named(task), more, squares(at), record(task)];
    const kind = at === wanted ? "this" : null;
    if (!children.length) return h("li", { class: kind }, h("div.leaf", told));
    const below = h("ul");
    const details = h("details", { class: kind }, h("summary", told), below);
    const fill = () => below.childElementCount || below.append(
      ...children.map((child) => node(child, open, wanted)),
    );
    details.addEventListener("toggle", fill);
    if (open.has(at) || (size > 1 && size <= 4)) {
      details.open = true;
      fill();
    }
    return h("li", details);
  }

  function rootOf(at) {
    const [oldest] = model.ancestors(at).filter((each) => typeof each === "number");
    return oldest ?? at;
  }

  /** Every task without a parent here, and how many tasks its tree has. */
  function sized() {
    const sizes = new Map();
    model.tasks.id.forEach((_, at) => {
      const root = rootOf(at);
      sizes.set(root, (sizes.get(root) ?? 0) + 1);
    });
    return [...sizes].map(([root, size]) => ({ root, size })).sort((a, b) =>
      b.size - a.size || a.root - b.root,
    );
  }

  return { show, chain, square };
})();
