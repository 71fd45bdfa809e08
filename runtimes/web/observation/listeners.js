// Runs in the page's own world before its scripts: remembers which elements listen for the pointer, and
// answers supplement.js, which asks from Playwright's isolated world. The worlds share nothing but the
// document, so they talk by events whose names no page can guess. All that is called was taken before the
// page could replace it, and lists are linked by hand because arrays have prototypes.
(() => {
  const ASK = '__TOKEN__-ask';
  const HERE = '__TOKEN__-here';
  const TYPES = {
    __proto__: null, click: 1, dblclick: 1, contextmenu: 1, mousedown: 1, mouseup: 1, mouseenter: 1,
    mouseover: 1, pointerdown: 1, pointerup: 1, touchstart: 1, touchend: 1, dragstart: 1, drop: 1,
  };
  const HANDLERS = ['onclick', 'ondblclick', 'onmousedown', 'onmouseup', 'onpointerdown', 'ontouchstart'];

  const { apply } = Reflect;
  const { defineProperty, getOwnPropertyDescriptor } = Object;
  const { Event, WeakRef, WeakSet, Proxy } = window;
  const { deref } = WeakRef.prototype;
  const { has, add } = WeakSet.prototype;
  const { addEventListener, dispatchEvent } = EventTarget.prototype;
  const nodeType = getOwnPropertyDescriptor(Node.prototype, 'nodeType').get;

  const known = new WeakSet();
  let first = null;

  const remember = target => {
    if (target === null || target === undefined || target === window || apply(has, known, [target])) return;
    try {
      if (apply(nodeType, target, []) !== 1) return;
    } catch {
      return; // an event target that is no node
    }
    apply(add, known, [target]);
    first = { __proto__: null, element: new WeakRef(target), next: first };
    listen(); // document.open() takes every listener off the window
  };

  const answer = () => {
    let last = null;
    for (let entry = first; entry !== null; entry = entry.next) {
      const element = apply(deref, entry.element, []);
      if (element !== undefined) {
        apply(dispatchEvent, element, [new Event(HERE, { __proto__: null, composed: true })]);
        last = entry;
      } else if (last === null) {
        first = entry.next;
      } else {
        last.next = entry.next;
      }
    }
  };
  const listen = () => apply(addEventListener, window, [ASK, answer, true]);

  // A proxy keeps the native name, length and source text.
  const watched = (native, meanwhile) => new Proxy(native, {
    __proto__: null,
    apply(target, self, values) {
      meanwhile(self, values[0]);
      return apply(target, self, values);
    },
  });

  const descriptor = getOwnPropertyDescriptor(EventTarget.prototype, 'addEventListener');
  descriptor.value = watched(addEventListener, (self, type) => {
    if (typeof type === 'string' && TYPES[type] === 1) remember(self);
  });
  defineProperty(EventTarget.prototype, 'addEventListener', descriptor);

  for (const prototype of [HTMLElement.prototype, SVGElement.prototype]) {
    for (const name of HANDLERS) {
      const handler = getOwnPropertyDescriptor(prototype, name);
      if (handler?.set === undefined) continue;
      handler.set = watched(handler.set, (self, value) => {
        if (typeof value === 'function') remember(self);
      });
      defineProperty(prototype, name, handler);
    }
  }
  listen();
})();
