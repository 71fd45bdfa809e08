"use strict";
/* The list: what is asked for on the left, the rows that answer on the right, only those in sight drawn. */

const list = (() => {
  const { h, number, count, words, mark } = dom;
  const SPARE = 8;
  const VALUES = 40;
  let question = null;
  let answer = { found: [], counts: [] };
  let selected = -1;
  let parts = null;
  let drawn = [0, 0];

  /** One row as a link; also what the overview shows a few of. */
  function entry(at, height) {
    const row = model.row(at);
    const task = model.task(row.task);
    const fate = row.dropped ? `left out: ${row.dropped}` : row.split;
    const about = [
      ["id", task.id],
      ["kind", task.type],
      ["made", task.operator === "seed" ? "seed" : words(task.operator)],
      ["round", row.round],
      ["try", model.rowsOf(row.task).length > 1 ? `sample ${row.sample}` : ""],
      ["steps", count(row.steps, "step")],
      ["tokens", `${dom.short(row.tokens)} tokens`],
      ["fault", row.outcome === "solved" ? "" : words(row.error || row.outcome)],
      [row.dropped ? "fate out" : "fate", fate],
    ];
    return h(
      "a.entry",
      { href: model.link(at), "data-at": String(at), style: height ? { height: `${height}px` } : {} },
      mark(row.outcome),
      h("span.title", task.title || task.id),
      h(
        "span.about",
        about.filter(([, value]) => value).map(([kind, value]) => h("span", { class: kind }, value)),
      ),
    );
  }

  function show(parameters) {
    question = search.parse(parameters);
    selected = -1;
    const box = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search tasks, errors, models …",
      "aria-label": "Search trajectories",
      autocomplete: "off",
      spellcheck: "false",
      value: question.words,
      on: { input: typed, focus: readTexts },
    });
    const order = h(
      "select",
      { id: "order", "aria-label": "Order", on: { change: reordered } },
      Object.entries(search.ORDERS).map(([key, { name }]) =>
        h("option", { value: key, selected: key === question.order }, name),
      ),
    );
    parts = {
      box,
      told: h("p.told", { role: "status" }),
      trouble: h("p.trouble", { hidden: true }),
      facets: h("div.facets"),
      rows: h("ol.rows", { "aria-label": "Trajectories" }),
    };
    const filters = h("details.filters", h("summary", "Filters"), parts.facets);
    filters.open = matchMedia("(min-width: 900px)").matches;
    if (question.words) readTexts();
    const page = h(
      "div.list",
      h("h1.unseen", "Trajectories"),
      filters,
      h(
        "div.results",
        h("div.asking", h("div.searching", box, h("kbd", "/")), order),
        h("div.answering", parts.told, parts.trouble),
        parts.rows,
      ),
    );
    ask();
    return page;
  }

  function ask() {
    answer = search.run(question);
    drawn = [0, 0];
    selected = Math.min(selected, answer.found.length - 1);
    const { listed, totals } = model.summary;
    const sample = listed < totals.rows
      ? ` (listed: a sample of ${number(listed)} of ${number(totals.rows)})`
      : "";
    parts.told.replaceChildren(
      `${count(answer.found.length, "trajectory", "trajectories")}${sample}`,
      asked() ? h("button", { type: "button", class: "link", on: { click: clear } }, "Clear all") : "",
    );
    drawFacets();
    draw();
  }

  const asked = () => question.words || Object.values(question.chosen).some((values) => values.size);

  function changed() {
    selected = -1;
    router.replace(search.address(question));
    window.scrollTo(0, 0);
    ask();
  }

  function typed(event) {
    question.words = event.target.value;
    changed();
  }

  function reordered(event) {
    question.order = event.target.value;
    changed();
  }

  function clear() {
    question = search.parse(new URLSearchParams(question.order ? { sort: question.order } : {}));
    parts.box.value = "";
    changed();
  }

  async function readTexts() {
    const mine = parts;
    try {
      await search.readTexts();
    } catch (error) {
      mine?.trouble.replaceChildren(error.message);
      mine?.trouble.removeAttribute("hidden");
    }
    if (parts && parts === mine && question.words) ask();
  }

  function drawFacets() {
    const focused = document.activeElement?.closest?.(".facets") ? document.activeElement.dataset : null;
    const groups = search.FACETS.map((facet, place) => {
      const counts = answer.counts[place];
      const chosen = question.chosen[facet.key];
      if (facet.values.length < 2 && !chosen.size) return null;
      const values = facet.values
        .map((value, code) => ({ value, rows: counts[code] }))
        .sort((a, b) =>
          chosen.has(b.value) - chosen.has(a.value) || b.rows - a.rows || (a.value < b.value ? -1 : 1),
        );
      return h(
        "fieldset",
        h("legend", facet.title),
        values.slice(0, VALUES).map(({ value, rows }) =>
          h(
            "label",
            { class: rows || chosen.has(value) ? null : "none" },
            h("input", {
              type: "checkbox",
              checked: chosen.has(value),
              "data-key": facet.key,
              "data-value": value,
              on: { change: (event) => choose(facet.key, value, event.target.checked) },
            }),
            facet.key === "outcome" ? mark(value) : null,
            h("span", words(value)),
            h("b", number(rows)),
          ),
        ),
        values.length > VALUES
          ? h("p.soft", `and ${number(values.length - VALUES)} more: search for them`)
          : null,
      );
    });
    parts.facets.replaceChildren(...groups.filter(Boolean));
    if (focused) {
      const again = [...parts.facets.querySelectorAll("input")];
      again.find((box) => box.dataset.key === focused.key && box.dataset.value === focused.value)?.focus();
    }
  }

  function choose(key, value, on) {
    question.chosen[key][on ? "add" : "delete"](value);
    changed();
  }

  const rowHeight = () => (matchMedia("(max-width: 640px)").matches ? 92 : 66);

  /** Draw the rows in sight, and a few more to either side. */
  function draw(force = true) {
    if (!parts) return;
    const height = rowHeight();
    const { found } = answer;
    parts.rows.style.height = `${found.length * height}px`;
    const above = Math.max(0, -parts.rows.getBoundingClientRect().top);
    const first = Math.max(0, Math.floor(above / height) - SPARE);
    const last = Math.min(found.length, Math.ceil((above + window.innerHeight) / height) + SPARE);
    if (!force && first === drawn[0] && last === drawn[1]) return;
    drawn = [first, last];
    const focused = document.activeElement?.dataset?.at;
    parts.rows.replaceChildren(
      ...found.slice(first, last).map((at, offset) => {
        const place = first + offset;
        const link = entry(at, height);
        if (place === selected) link.classList.add("selected");
        return h(
          "li",
          {
            "aria-posinset": String(place + 1),
            "aria-setsize": String(found.length),
            style: { transform: `translateY(${place * height}px)` },
          },
          link,
        );
      }),
    );
    if (focused !== undefined) parts.rows.querySelector(`[data-at="${focused}"]`)?.focus(
      { preventScroll: true },
    );
  }

  /** Move the selection by so many rows, and have it in sight. */
  function move(by) {
    if (!answer.found.length) return;
    selected = Math.min(Math.max(selected + by, 0), answer.found.length - 1);
    const height = rowHeight();
    const top = parts.rows.getBoundingClientRect().top + window.scrollY + selected * height;
    const rim = 140;
    if (top < window.scrollY + rim) window.scrollTo(0, top - rim);
    if (top + height > window.scrollY + window.innerHeight) window.scrollTo(
      0,
      top + height - window.innerHeight + 16,
    );
    draw();
    parts.rows.querySelector(`[data-at="${answer.found[selected]}"]`)?.focus({ preventScroll: true });
  }

  /** The row before or after one in what was asked for last, or else in all; undefined at the ends. */
  function beside(at, by) {
    const place = answer.found.indexOf(at);
    if (place >= 0) return answer.found[place + by];
    return at + by >= 0 && at + by < model.total ? at + by : undefined;
  }

  /** Select a row, as when coming back from it. */
  function select(at) {
    selected = answer.found.indexOf(at);
    draw();
    parts.rows.querySelector(`[data-at="${at}"]`)?.focus({ preventScroll: true });
  }

  function leave() {
    parts = null;
  }

  window.addEventListener("scroll", () => draw(false), { passive: true });
  window.addEventListener("resize", () => draw());

  return {
    show,
    leave,
    entry,
    move,
    beside,
    select,
    redraw: draw,
    address: () => (question ? search.address(question) : "#/trajectories"),
    focus: () => parts?.box.focus(),
  };
})();
