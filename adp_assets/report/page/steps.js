"use strict";
/* One step: its thought, its call, what came of it, and the page as it was then. */

const steps = (() => {
  const { h, number, count, seconds, money, words } = dom;
  const LINES = 16;
  const CHARACTERS = 1_600;
  const SHORT = 80;

  /** A step as an item of the list of `all`. */
  function item(step, at, all) {
    const spent = [
      seconds(step.seconds),
      step.tokens ? `${number(step.tokens[0])} → ${number(step.tokens[1])} tokens` : "",
      step.cost === undefined ? "" : money(step.cost),
    ];
    return h(
      "li",
      { class: step.ok ? "step" : "step failed", tabindex: "-1", "aria-label": `Step ${at + 1} of ${all}` },
      h(
        "header",
        h("span.at", String(at + 1)),
        h("h2", step.tool || "reply"),
        step.ok ? null : h("span.failure", words(step.error || "failed")),
        h("span.spent", spent.filter(Boolean).map((each) => h("span", each))),
      ),
      h(
        "div",
        { class: step.picture ? "told pictured" : "told" },
        h(
          "div.words",
          step.thought ? text(step.thought, "thought") : null,
          step.call ? h("dl.call", step.call.map(argument)) : null,
          step.web
            ? h("dl.web", step.web.map(([name, value]) => [h("dt", name), h("dd", plain(value))]))
            : null,
          step.observation ? h("div.observation", h("h3", "observed"), text(step.observation)) : null,
          step.message ? h("div.error", text(step.message)) : null,
          step.trims
            ? h("p.soft", `The model saw this shortened from turn ${step.trims.join(", ")} on.`)
            : null,
        ),
        step.picture ? picture(step, at) : null,
      ),
    );
  }

  function argument([name, value]) {
    const short = typeof value === "string" && value.length <= SHORT && !value.includes("\n");
    return h("div", { class: short ? "inline" : "block" }, h("dt", name), h("dd", text(value)));
  }

  function picture(step, at) {
    const gone = h("p.empty", "The screenshot was not kept.");
    if (step.picture_missing) return h("div.picture", gone);
    const source = `screenshots/${step.picture.slice(0, 2)}/${step.picture}.jpg`;
    const name = `The page after step ${at + 1}`;
    const image = h(
      "img",
      { src: source, alt: name, loading: "lazy", decoding: "async", width: "640", height: "400" },
    );
    const frame = h(
      "button",
      {
        type: "button",
        class: "picture",
        title: "Enlarge",
        on: { click: () => dialogs.picture(source, name) },
      },
      image,
    );
    image.addEventListener("error", () =>
      frame.replaceWith(h("div.picture", h("p.empty", `${source} is missing from the report's folder.`))),
    );
    return frame;
  }

  /** A text in one piece, without a way to fold it. */
  const plain = (value) =>
    Array.isArray(value) ? `${value[0]} … (${number(value[1])} characters)` : value;

  /** A text as it was, a long one folded; one that was cut for the page says so. */
  function text(value, kind = "") {
    const [shown, whole] = Array.isArray(value) ? value : [value, null];
    const lines = shown.split("\n").length;
    const long = lines > LINES || shown.length > CHARACTERS;
    const block = h("pre", { class: `${kind} ${long ? "folded" : ""}`.trim(), dir: "auto" }, shown);
    const cut = whole
      ? h(
          "p.cut",
          `Cut here: ${number(shown.length)} of ${number(whole)} characters are in this report. `,
          "The command adp show --full has the whole.",
        )
      : null;
    if (!long) return [block, cut];
    const more = `Show all ${lines > LINES ? count(lines, "line") : `${number(shown.length)} characters`}`;
    const button = h(
      "button",
      {
        type: "button",
        class: "link",
        "aria-expanded": "false",
        on: {
          click: () => {
            const folded = block.classList.toggle("folded");
            button.textContent = folded ? more : "Show less";
            button.setAttribute("aria-expanded", String(!folded));
          },
        },
      },
      more,
    );
    return [block, button, cut];
  }

  return { item, text, plain };
})();
