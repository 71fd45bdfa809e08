"use strict";
/* Where data come from: scripts in data/ that call report.receive, as a page opened from a folder may fetch
   nothing. What is shown first comes with the page; the rest is loaded when it is opened. */

const report = (() => {
  const KEPT = 12;
  const NAMES = /^(texts|trajectories\/\d{4,})$/;
  const received = new Map();
  const loading = new Map();
  const policy = window.trustedTypes?.createPolicy("report", { createScriptURL: (url) => url });

  /** A file of the report that is not there, or is not whole. */
  class Missing extends Error {
    constructor(path) {
      super(
        `${path} is missing or damaged, and what it holds cannot be shown. ` +
          "Copy the report's whole folder again, or write it anew.",
      );
      this.name = "Missing";
    }
  }

  function receive(name, data) {
    received.set(name, data);
  }

  /** What was received under a name with the page itself; undefined where its file is missing. */
  function given(name) {
    return received.get(name);
  }

  /** What a name stands for, loaded if it has to be. Rejects with Missing. */
  function load(name) {
    if (received.has(name)) {
      const data = received.get(name);
      received.delete(name);
      received.set(name, data);
      return Promise.resolve(data);
    }
    if (!loading.has(name)) loading.set(name, loaded(name).finally(() => loading.delete(name)));
    return loading.get(name);
  }

  function loaded(name) {
    const path = `data/${name}.js`;
    if (!NAMES.test(name)) return Promise.reject(new Missing(path));
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = policy ? policy.createScriptURL(path) : path;
      script.onload = () => {
        script.remove();
        if (!received.has(name)) return reject(new Missing(path));
        forgetOldest();
        return resolve(received.get(name));
      };
      script.onerror = () => {
        script.remove();
        reject(new Missing(path));
      };
      document.head.append(script);
    });
  }

  function forgetOldest() {
    const chunks = [...received.keys()].filter((name) => name.startsWith("trajectories/"));
    for (const name of chunks.slice(0, -KEPT)) received.delete(name);
  }

  return { receive, given, load, Missing };
})();
