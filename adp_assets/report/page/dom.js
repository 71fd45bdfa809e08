"use strict";
/* Elements and words. Whatever a trajectory holds goes into text nodes and is never parsed as HTML. */

const dom = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  /** An element by its tag and classes, "p.soft"; then attributes, if any, and children.
   *
   * Among the attributes `on` holds listeners and `style` properties. Children are nodes, texts, or arrays of
   * them; null and false are left out, as are attributes that are.
   */
  function h(name, ...rest) {
    return filled(document.createElement(name.split(".")[0]), name, rest);
  }

  /** The same of a drawing. */
  function svg(name, ...rest) {
    return filled(document.createElementNS(SVG, name.split(".")[0]), name, rest);
  }

  function filled(made, name, rest) {
    const attributes = rest[0]?.constructor === Object ? rest.shift() : {};
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(
        event,
        listener,
      );
      else if (key === "style") for (const [each, set] of Object.entries(value)) made.style.setProperty(
        each,
        set,
      );
      else made.setAttribute(key, value === true ? "" : value);
    }
    made.classList.add(...name.split(".").slice(1));
    made.append(...rest.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  }

  const plain = new Intl.NumberFormat("en");
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

  const number = (value) => (value === null || value === undefined ? "–" : plain.format(value));
  const short = (value) => (value < 10_000 ? plain.format(value) : compact.format(value));
  const percent = (part, whole) => {
    if (!whole) return "–";
    const share = (100 * part) / whole;
    const digits = share === 0 || share === 100 ? 0 : share < 1 || share > 99 ? 2 : share < 10 ? 1 : 0;
    return `${share.toFixed(digits)}%`;
  };
  const seconds = (value) => {
    if (value === null || value === undefined) return "–";
    if (value < 1) return `${Math.round(value * 1000)} ms`;
    if (value < 90) return `${value.toFixed(1)} s`;
    return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  };
  const money = (value) => {
    if (value === null || value === undefined) return "–";
    return `$${value >= 1 || value === 0 ? value.toFixed(2) : value.toPrecision(2)}`;
  };
  const moment = (epoch) =>
    epoch ? `${new Date(epoch * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC` : "–";
  const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
  const words = (name) => name.replaceAll("_", " ");

  /** The square that stands for an outcome, with its name for those who do not see it. */
  function mark(outcome) {
    return h("span.mark", { class: outcome, role: "img", "aria-label": words(outcome) });
  }

  return { h, svg, number, short, percent, seconds, money, moment, count, words, mark };
})();
