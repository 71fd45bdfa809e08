"use strict";
/* Addresses, keys and the frame around the views. */

const router = (() => {
  /** Change the address without another entry in the history. */
  function replace(hash) {
    try {
      history.replaceState(null, "", hash);
    } catch {
      return; // a browser that lets no page from a disk do so keeps the old one
    }
  }

  /** {view, rest: the decoded parts of the path, parameters} of an address. */
  function parse(hash) {
    const [path, query = ""] = hash.replace(/^#?\/?/, "").split(/\?(.*)/s);
    const [view = "", ...rest] = path.split("/").map(decoded);
    return { view, rest, parameters: new URLSearchParams(query) };
  }

  function decoded(part) {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }

  return { replace, parse };
})();

const dialogs = (() => {
  const { h } = dom;
  const dialog = document.getElementById("dialog");
  const KEYS = [
    ["/", "search"],
    ["j k, ↓ ↑", "next and previous row"],
    ["Enter", "open the row"],
    ["n p, → ←", "next and previous step"],
    ["] [", "next and previous trajectory"],
    ["Esc", "back"],
    ["g then o, t, l", "overview, trajectories, lineage"],
    ["?", "these keys"],
  ];

  function open(...content) {
    const close = h(
      "button",
      { type: "button", class: "close", "aria-label": "Close", on: { click: () => dialog.close() } },
      "✕",
    );
    dialog.replaceChildren(close, ...content);
    dialog.showModal();
  }

  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  return {
    picture: (source, name) => open(h("img", { src: source, alt: name }), h("p.soft", name)),
    keys: () =>
      open(
        h("h2", "Keys"),
        h("dl.keys", KEYS.map(([key, what]) => [h("dt", h("kbd", key)), h("dd", what)])),
      ),
    isOpen: () => dialog.open,
  };
})();

(() => {
  const { h } = dom;
  const main = document.getElementById("main");
  const scrolls = new Map();
  let here = null;
  let leaving = () => {};

  function render(event) {
    if (event?.oldURL) scrolls.set(new URL(event.oldURL).hash || "#/", scrolled);
    const from = here;
    const hash = window.location.hash || "#/";
    const { view, rest, parameters } = router.parse(hash);
    leaving();
    leaving = () => {};
    here = { view, at: view === "trajectory" ? model.find(rest.slice(0, 3).join("/")) : undefined };
    const under = view === "trajectory" ? "trajectories" : view;
    for (const link of document.querySelectorAll("#views a")) {
      if (router.parse(link.getAttribute("href")).view === under) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = [titleOf(view, rest), model.summary.title].filter(Boolean).join(" – ");
    main.replaceChildren(viewOf(view, rest, parameters));
    window.scrollTo(0, scrolls.get(hash) ?? 0);
    if (view === "trajectories") {
      list.redraw();
      if (from?.at !== undefined) list.select(from.at);
    }
  }

  /** Where the page was scrolled to, as remembered before another view takes its place. */
  let scrolled = 0;
  window.addEventListener("scroll", () => (scrolled = window.scrollY), { passive: true });

  function viewOf(view, rest, parameters) {
    if (view === "") return overview.show();
    if (view === "trajectories") {
      leaving = list.leave;
      return list.show(parameters);
    }
    if (view === "lineage") return lineage.show(rest[0]);
    if (view === "trajectory") {
      const id = rest.slice(0, 3).join("/");
      const at = model.find(id);
      if (at === undefined) return nothing(`There is no trajectory ${id} in this report's list.`);
      leaving = trajectory.leave;
      return trajectory.show(at, Number(rest[3]) || 0);
    }
    return nothing("There is no such page in this report.");
  }

  const nothing = (what) =>
    h(
      "div.nothing",
      h("p.trouble", { role: "alert" }, what),
      h("p", h("a", { href: "#/" }, "To the overview")),
    );

  function titleOf(view, rest) {
    if (view === "trajectory") return rest.slice(0, 3).join("/");
    return view ? view[0].toUpperCase() + view.slice(1) : "";
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || dialogs.isOpen()) return;
    const typing = event.target.matches?.("input:not([type=checkbox]), select, textarea");
    if (typing) {
      if (event.key === "Escape" || (event.key === "ArrowDown" && event.target.id === "search")) {
        event.target.blur();
        if (event.key === "ArrowDown") act(event, () => list.move(1));
      } else if (event.key === "Enter" && event.target.id === "search") act(event, () => list.move(1));
      return;
    }
    const keys = { "/": findSomething, "?": dialogs.keys, Escape: goBack, ...KEYS[here.view] };
    const done = after === "g" ? GOING[event.key] : keys[event.key];
    after = event.key === "g" && after !== "g" ? "g" : "";
    if (done) act(event, done);
  }

  let after = "";
  const GOING = { o: () => visit("#/"), t: () => visit("#/trajectories"), l: () => visit("#/lineage") };
  const KEYS = {
    trajectories: {
      j: () => list.move(1),
      k: () => list.move(-1),
      ArrowDown: () => list.move(1),
      ArrowUp: () => list.move(-1),
    },
    trajectory: {
      n: () => trajectory.step(1),
      p: () => trajectory.step(-1),
      ArrowRight: () => trajectory.step(1),
      ArrowLeft: () => trajectory.step(-1),
      "]": () => trajectory.beside(1),
      "[": () => trajectory.beside(-1),
    },
  };

  function act(event, what) {
    event.preventDefault();
    what();
  }

  function visit(hash) {
    window.location.hash = hash;
  }

  function findSomething() {
    if (here.view !== "trajectories") {
      visit(list.address());
      window.addEventListener("hashchange", () => list.focus(), { once: true });
    } else list.focus();
  }

  function goBack() {
    if (here.view === "trajectory") visit(list.address());
    else if (here.view) visit("#/");
  }

  const THEMES = ["dark", "light"];

  function theme(chosen) {
    document.documentElement.dataset.theme = chosen;
    try {
      localStorage.setItem("theme", chosen);
    } catch {
      return; // a browser that keeps nothing for pages from a disk
    }
  }

  function remembered() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  }

  function start() {
    const chosen = remembered();
    if (THEMES.includes(chosen)) document.documentElement.dataset.theme = chosen;
    document.getElementById("theme").addEventListener("click", () => {
      const now = document.documentElement.dataset.theme;
      const dark = now ? now === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      theme(dark ? "light" : "dark");
    });
    document.getElementById("keys").addEventListener("click", dialogs.keys);
    if (!model) {
      const gone = ["summary", "index"].filter((name) => !report.given(name)).map((name) =>
        `data/${name}.js`,
      );
      main.replaceChildren(h("p.trouble", { role: "alert" }, new report.Missing(gone.join(" and ")).message));
      return;
    }
    document.getElementById("brand").textContent = model.summary.title;
    document.querySelector(".skip").addEventListener("click", (event) => act(event, () => main.focus()));
    history.scrollRestoration = "manual";
    window.addEventListener("hashchange", render);
    window.addEventListener("keydown", pressed);
    render();
  }

  start();
})();
