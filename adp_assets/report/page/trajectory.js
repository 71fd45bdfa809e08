"use strict";
/* One trajectory: the task, the verdict, every step, and where the task came from. */

const trajectory = (() => {
  const { h, number, count, seconds, money, moment, percent, words, mark } = dom;
  const { text, plain } = steps;
  const READING = 140;
  let current = 0;
  let items = [];
  let rail = [];
  let place = null;

  /** The page of a row, its step `step` in sight; steps come as soon as their chunk is read. */
  function show(at, step) {
    place = at;
    current = 0;
    items = [];
    rail = [];
    const row = model.row(at);
    const task = model.task(row.task);
    const body = h("div.body", h("p.loading", "Reading …"));
    const page = h(
      "article.trajectory",
      { "data-id": row.id },
      head(row, task),
      body,
    );
    model.trajectory(at).then(
      (found) => {
        if (place !== at) return;
        fill(body, row, task, found);
        if (step > 0) go(step);
        page.dataset.ready = "true";
      },
      (error) => {
        if (place !== at) return;
        body.replaceChildren(h("p.trouble", { role: "alert" }, error.message), lineageOf(row, task));
        page.dataset.ready = "true";
      },
    );
    return page;
  }

  function head(row, task) {
    const turn = (by, name, key) => {
      const at = list.beside(row.at, by);
      return at === undefined
        ? null
        : h("a", { href: model.link(at), title: `${name} (${key})`, "aria-label": name }, by < 0 ? "↑" : "↓");
    };
    return h(
      "header.head",
      h(
        "p.path",
        h("a", { href: list.address(), class: "back" }, "← Trajectories"),
        h("span.turning", turn(-1, "Previous trajectory", "["), turn(1, "Next trajectory", "]")),
      ),
      h("h1.title", task.title || task.id),
      h(
        "p.about",
        [task.id, `sample ${row.sample}`, task.type, row.round, row.teacher, moment(row.created)]
          .filter((each) => each && each !== "–")
          .map((each) => h("span", each)),
      ),
    );
  }

  function fill(body, row, task, found) {
    if (found.description) {
      const title = body.parentElement.querySelector("h1");
      title.textContent = plain(found.description);
      title.classList.add("long");
    }
    const shown = found.steps ?? [];
    items = shown.map((step, at) => steps.item(step, at, shown.length));
    rail = shown.map((step, at) => railed(row, step, at));
    const main = h(
      "div.main",
      verdict(row, found),
      prompt(found),
      found.unreadable ? h("p.trouble", { role: "alert" }, found.unreadable) : null,
      items.length || found.unreadable ? null : h("p.empty", "The episode has no step."),
      h("ol.steps", items),
      answer(found),
      lineageOf(row, task),
      details(found),
    );
    const way = h("nav.rail", { "aria-label": "Steps" }, h("h2", count(items.length, "step")), rail);
    body.replaceChildren(items.length ? way : h("div"), main, items.length ? stepBar() : "");
    if (items.length) follow(1);
  }

  /** A step in the list at the side. */
  function railed(row, step, at) {
    const click = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      go(at + 1);
    };
    return h(
      "a",
      { href: `${model.link(row.at)}/${at + 1}`, class: step.ok ? "" : "failed", on: { click } },
      h("span.at", String(at + 1)),
      h("span.tool", step.tool || "reply"),
    );
  }

  /** The final answer, where the last step did not say it just above. */
  function answer(found) {
    if (found.answer === undefined) return null;
    const said = found.steps?.at(-1)?.call?.some(([, value]) => value === found.answer);
    return said ? null : h("section.answer", h("h2", "Answer"), text(found.answer));
  }

  function verdict(row, found) {
    const fate = row.dropped
      ? ["Left out of the dataset at", row.dropped]
      : row.split
        ? ["In the dataset, split", row.split]
        : null;
    const verified = row.verifier
      ? `${found.judged ? "judged" : "verified"} by ${words(row.verifier)}`
      : "not verified";
    const facts = [
      [count(row.steps, "step"), null],
      [seconds(row.seconds), null],
      [`${number(row.tokens)} tokens`, null],
      row.cost === null ? null : [money(row.cost), null],
    ].filter(Boolean);
    return h(
      "section",
      { class: `verdict ${row.outcome}`, "aria-label": "Verdict" },
      h(
        "p.outcome",
        mark(row.outcome),
        h("strong", words(row.outcome)),
        h("span", row.reward === null ? verified : `${verified}, reward ${row.reward}`),
        found.surplus ? h("span", "surplus") : null,
      ),
      found.reason ? text(found.reason, "reason") : null,
      row.error || found.error
        ? h("div.error", h("b", words(row.error || "error")), found.error ? text(found.error) : null)
        : null,
      h(
        "p.facts",
        facts.map(([value]) => h("span", value)),
        fate ? h("span", fate[0], " ", h("b", fate[1])) : null,
      ),
    );
  }

  function prompt(found) {
    if (!found.prompt.length && !found.tools.length) return null;
    const messages = found.prompt.map((message) =>
      h("div.message", h("h3", message.role || "message"), text(message.text)),
    );
    const tools = found.tools.map(([name, about, parameters]) =>
      h(
        "details.tooling",
        h("summary", h("code", name || "tool"), " ", h("span.soft", Array.isArray(about) ? about[0] : about)),
        text(parameters),
      ),
    );
    const offered = tools.length ? `, ${count(tools.length, "tool")}` : "";
    const said = `${count(messages.length, "message")}${offered}`;
    return h(
      "details.prompt",
      h("summary", "What the model was given ", h("span.soft", said)),
      messages,
      tools.length ? h("div.message", h("h3", "tools"), tools) : null,
    );
  }

  function details(found) {
    if (!found.facts?.length) return null;
    return h(
      "details.prompt",
      h("summary", "How it was made"),
      h("dl.web", found.facts.map(([name, value]) => [h("dt", name), h("dd", value)])),
    );
  }

  function lineageOf(row, task) {
    const others = model.rowsOf(row.task).filter((at) => at !== row.at);
    return h(
      "section.origin",
      h("h2", "Lineage"),
      lineage.chain(row.task),
      others.length
        ? h(
            "p",
            `${count(others.length, "other try", "other tries")} of this task: `,
            others.slice(0, 50).map((at) => lineage.square(at)),
          )
        : null,
      task.verified
        ? h(
            "p.soft",
            `Solved in ${number(task.solved)} of ${number(task.verified)} verified tries over all rounds`,
            ` (${percent(task.solved, task.verified)}), difficulty ${task.difficulty}.`,
          )
        : null,
    );
  }

  function stepBar() {
    return h(
      "nav.stepbar",
      { "aria-label": "Step by step" },
      h(
        "button",
        { type: "button", "aria-label": "Previous step", on: { click: () => go(current - 1) } },
        "‹",
      ),
      h("span.where"),
      h("button", { type: "button", "aria-label": "Next step", on: { click: () => go(current + 1) } }, "›"),
    );
  }

  /** Have a step, from 1, in sight and in the address. */
  function go(step) {
    if (!items.length) return;
    const wanted = Math.min(Math.max(step, 1), items.length);
    follow(wanted);
    items[wanted - 1].scrollIntoView({ block: "start", behavior: "instant" });
    held = true;
    items[wanted - 1].focus({ preventScroll: true });
    router.replace(`${model.link(place)}/${wanted}`);
  }

  function follow(step) {
    current = step;
    rail.forEach((each, at) => {
      each.classList.toggle("current", at === step - 1);
      if (at === step - 1) each.setAttribute("aria-current", "step");
      else each.removeAttribute("aria-current");
    });
    const shown = rail[step - 1];
    const way = shown?.parentElement;
    if (way && way.scrollHeight > way.clientHeight) way.scrollTop = shown.offsetTop - way.clientHeight / 2;
    const where = document.querySelector(".stepbar .where");
    if (where) where.textContent = `Step ${step} of ${items.length}`;
  }

  /** Whether the step gone to stays the current one until somebody scrolls. */
  let held = false;

  function release() {
    held = false;
  }

  /** Mark the step that is being read: the last one that begins above a line below the page's head. */
  function watch() {
    if (place === null || held || !items.length) return;
    let [low, high] = [0, items.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (items[middle].getBoundingClientRect().top <= READING) low = middle;
      else high = middle - 1;
    }
    if (low + 1 !== current) follow(low + 1);
  }

  window.addEventListener("scroll", watch, { passive: true });
  for (const scrolling of ["wheel", "touchmove", "mousedown", "keydown"])
    window.addEventListener(scrolling, release, { passive: true });

  function leave() {
    place = null;
  }

  const beside = (by) => {
    const at = list.beside(place, by);
    if (at !== undefined) window.location.hash = model.link(at);
  };

  return { show, leave, beside, step: (by) => go(current + by) };
})();
