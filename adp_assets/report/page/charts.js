"use strict";
/* Charts that are tables first: every number is there to be read, the bars only help the eye. */

const charts = (() => {
  const { h, svg, number, percent, words } = dom;
  const OUTCOMES = ["solved", "unsolved", "unverified", "infrastructure_error", "cancelled"];

  /** A named part of the overview; `wide` takes its whole width. */
  function section(title, note, content, wide = false) {
    return h(
      "section",
      { class: wide ? "part wide" : "part" },
      h("h2", title),
      note ? h("p.note", note) : null,
      content,
    );
  }

  function table(caption, heads, rows, kind) {
    return h(
      "div.scroll",
      h(
        "table",
        { class: kind },
        h("caption.unseen", caption),
        h("thead", h("tr", heads.map((head) => h("th", { scope: "col" }, head)))),
        h("tbody", rows),
      ),
    );
  }

  function bar(share, className = "") {
    const width = `${(100 * Math.max(share, share > 0 ? 0.004 : 0)).toFixed(2)}%`;
    return h("div.track", h("div", { class: `bar ${className}`, style: { width } }));
  }

  /** Rows of {name, value, href, note}: a bar each, as a share of `whole`. */
  function bars(caption, rows, whole, heads = ["", "", ""]) {
    return table(
      caption,
      ["name", "", ...heads.slice(1)],
      rows.map((row) =>
        h(
          "tr",
          h("th", { scope: "row" }, row.href ? h("a", { href: row.href }, row.name) : row.name),
          h("td.drawn", bar(row.value / (whole || 1), row.kind)),
          h("td.figure", number(row.value)),
          h("td.figure.soft", row.note ?? percent(row.value, whole)),
        ),
      ),
      "bars",
    );
  }

  /** How each kind's trajectories ended: parts of a bar, and the share of the verified that were solved. */
  function outcomes(caption, kinds, hrefOf) {
    const rows = kinds.map((kind) => {
      const verified = kind.solved + kind.unsolved;
      const parts = OUTCOMES.filter((outcome) => kind[outcome]).map((outcome) =>
        h("div", {
          class: `bar ${outcome}`,
          style: { "flex-grow": String(kind[outcome]) },
          title: `${words(outcome)}: ${number(kind[outcome])}`,
          role: "img",
          "aria-label": `${words(outcome)}: ${number(kind[outcome])}`,
        }),
      );
      const name = kind.name ?? "unnamed";
      const href = hrefOf && kind.name ? hrefOf(kind.name) : null;
      return h(
        "tr",
        h("th", { scope: "row" }, href ? h("a", { href }, words(name)) : words(name)),
        h("td.drawn", h("div.track.parts", parts)),
        h("td.figure", percent(kind.solved, verified)),
        h("td.figure.soft", number(kind.rows)),
      );
    });
    return [legend(kinds), table(caption, ["", "", "solved", "of"], rows, "bars")];
  }

  function legend(kinds) {
    const present = OUTCOMES.filter((outcome) => kinds.some((kind) => kind[outcome]));
    return h(
      "ul.legend",
      { "aria-hidden": "true" },
      present.map((outcome) => h("li", h("span", { class: `mark ${outcome}` }), words(outcome))),
    );
  }

  /** Columns of [label, value]: how something is spread. */
  function columns(caption, pairs, axis) {
    const most = Math.max(1, ...pairs.map(([, value]) => value));
    return h(
      "figure.columns",
      { role: "group", "aria-label": caption },
      h(
        "ol",
        { style: { "--columns": String(Math.max(pairs.length, 1)) } },
        pairs.map(([label, value]) =>
          h(
            "li",
            { title: `${label} ${axis}: ${number(value)}` },
            h(
              "span.plot",
              h("span.value", value ? dom.short(value) : ""),
              h("span.column", { style: { "--share": (value / most).toFixed(4) } }),
            ),
            h("span.label", label),
          ),
        ),
      ),
      h("figcaption", axis),
    );
  }

  /** A line over rounds of values from 0 up, or null, with its last one in words. */
  function line(name, rounds, values, format) {
    const [width, height, rim] = [220, 44, 4];
    const known = values.filter((value) => value !== null);
    const top = Math.max(1e-9, ...known);
    const x = (at) => (values.length < 2 ? width / 2 : rim + (at * (width - 2 * rim)) / (values.length - 1));
    const y = (value) => height - rim - (value / top) * (height - 2 * rim);
    const points = values.map((value, at) => (value === null ? null : [x(at), y(value)]));
    const path = points
      .map((point, at) =>
        (point ? `${at && points[at - 1] ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}` : ""),
      )
      .join("");
    const told = values.map((value, at) => `${rounds[at]}: ${value === null ? "–" : format(value)}`).join(
      ", ",
    );
    return h(
      "figure.line",
      h("figcaption", h("span", name), h("b", known.length ? format(known.at(-1)) : "–")),
      svg(
        "svg",
        {
          viewBox: `0 0 ${width} ${height}`,
          role: "img",
          "aria-label": `${name}. ${told}`,
          preserveAspectRatio: "none",
        },
        svg("path", { d: `M0 ${height - 1}H${width}`, class: "axis" }),
        svg("path", { d: path, class: "stroke" }),
        known.length === 1 ? alone(points.find(Boolean)) : null,
      ),
      h("p.told", values.length > 1 ? told : rounds[0] ?? ""),
    );
  }

  /** A dash where a line would have one point only. */
  const alone = ([x, y]) => svg("path", { d: `M${x - 4} ${y}H${x + 4}`, class: "stroke" });

  return { section, table, bars, outcomes, columns, line, OUTCOMES };
})();
