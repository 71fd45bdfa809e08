// A Playwright selector engine, in the isolated world of each frame where pages cannot reach it.
//   supplement=page        a detached element whose text tells of the frame, as JSON: supplement.FrameReport
//   supplement=viewport    the same, with the aria refs that are in the frame's viewport
//   supplement=x3          the element that the last report called x3
//   supplement=about       a detached element whose text tells of the chosen one: supplement.Whereabouts, or null
//   E >> supplement=chosen, C >> supplement=candidate
//                          nothing; they say to a later part of their selector what E and each C is
// Aria snapshots leave the ref they give an element on the element itself (`_ariaRef`), in this world.
(() => {
  const ASK = '__TOKEN__-ask';
  const HERE = '__TOKEN__-here';
  const MOST = 500;
  const NAME_LENGTH = 80;
  const HANDLERS = ['click', 'dblclick', 'mousedown', 'mouseup', 'pointerdown', 'touchstart', 'mouseover'];
  const MARKED = [
    ...HANDLERS.map(type => `[on${type}]`),
    '[tabindex]', '[contenteditable]', '[draggable=true]', 'summary', 'label', 'input[type=file]',
  ].join();
  const ACTIVE = 'a[href],button,input,select,textarea,summary,[role=button],[role=link],[contenteditable]';
  const ACTIVE_ROLES = new Set([
    'button', 'checkbox', 'combobox', 'gridcell', 'iframe', 'link', 'listbox', 'menuitem', 'menuitemcheckbox',
    'menuitemradio', 'option', 'radio', 'searchbox', 'slider', 'spinbutton', 'switch', 'tab', 'textbox',
    'treeitem',
  ]);
  const UNSEEN = new Set(['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD', 'META', 'LINK', 'TITLE']);

  // An image or form called "title" or "body" would stand for that property of the document.
  const page = new Proxy(Document.prototype, {
    get(prototype, name) {
      const value = Reflect.get(prototype, name, document);
      return typeof value === 'function' ? value.bind(document) : value;
    },
  });

  const documentId = Math.random().toString(36).slice(2);
  const ids = new WeakMap();
  const listed = new Map();
  let lastId = 0;

  const idOf = element => {
    if (!ids.has(element)) ids.set(element, `x${++lastId}`);
    return ids.get(element);
  };

  const listeningElements = () => {
    const elements = new Set();
    const hear = event => {
      elements.add(event.composedPath()[0]);
      event.stopImmediatePropagation();
    };
    addEventListener(HERE, hear, true);
    dispatchEvent(new Event(ASK));
    removeEventListener(HERE, hear, true);
    return elements;
  };

  const oneLine = text =>
    text.slice(0, 2000).trim().replace(/\s+/g, ' ').slice(0, NAME_LENGTH).toWellFormed();

  const nameOf = element => {
    for (const name of ['aria-label', 'title', 'alt', 'placeholder']) {
      const value = element.getAttribute(name)?.trim();
      if (value) return oneLine(value);
    }
    const all = element.textContent; // also of what is hidden, but without a layout of much text
    return oneLine(all.length < 2000 ? element.innerText ?? all : all);
  };

  const tagOf = element => {
    const plain = word => /^[\w-]{1,40}$/.test(word);
    const id = element.getAttribute('id') ?? '';
    const classes = [...element.classList].filter(plain).slice(0, 2);
    return element.localName + (plain(id) ? `#${id}` : '') + classes.map(c => `.${c}`).join('');
  };

  const parentOf = element => element.parentElement ?? element.getRootNode().host ?? null;

  const inViewport = element => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
  };

  const boxOf = element => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return [x, y, width, height];
  };

  // A styled checkbox is drawn by its label, with the real one out of sight.
  const standsIn = label => {
    const control = label.control;
    if (!control || control.type === 'hidden') return false;
    const { right, bottom, width, height } = control.getBoundingClientRect();
    return width <= 1 || height <= 1 || right <= 0 || bottom + scrollY <= 0
      || !control.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  };

  // What a page does on its widest element is meant for what lies inside.
  const delegates = element => {
    const { width, height } = element.getBoundingClientRect();
    return width * height > innerWidth * innerHeight / 2 && element.querySelector(ACTIVE) !== null;
  };

  const kindOf = (element, listening) => {
    if (element.matches(MARKED)) {
      if (element.isContentEditable) return element.parentElement?.isContentEditable ? '' : 'editable';
      if (element.localName === 'label' && !listening.has(element)) return standsIn(element) ? 'clickable' : '';
      if (element.localName === 'input' && element.type === 'file') return 'file';
      if (element.draggable && !listening.has(element)) return 'draggable';
      if (!element.hasAttribute('tabindex') || element.tabIndex >= 0) return delegates(element) ? '' : 'clickable';
    }
    if (listening.has(element)) return delegates(element) ? '' : 'clickable';
    if (element._ariaRef !== undefined) return ''; // the snapshot tells of its cursor
    const pointed = e => e !== null && getComputedStyle(e).cursor === 'pointer';
    return pointed(element) && !pointed(parentOf(element)) ? 'clickable' : '';
  };

  const canBeHit = element => {
    const { width, height } = element.getBoundingClientRect();
    return width >= 1 && height >= 1 && element.checkVisibility({ visibilityProperty: true })
      && getComputedStyle(element).pointerEvents !== 'none';
  };

  const onlyChild = element => {
    if (element.childElementCount !== 1) return null;
    for (const node of element.childNodes) if (node.nodeType === 3 && node.data.trim()) return null;
    return element.firstElementChild;
  };

  // The refs with which the snapshot may offer the same place: the element's own, then those of what it
  // consists of, or of what consists of it and has its middle in it.
  const equivalentRefs = element => {
    const refs = [];
    const note = e => e._ariaRef !== undefined && refs.push(e._ariaRef.ref);
    note(element);
    const box = element.getBoundingClientRect();
    const covers = (outer, inner) => {
      const x = inner.x + inner.width / 2, y = inner.y + inner.height / 2;
      return outer.left < x && x < outer.right && outer.top < y && y < outer.bottom;
    };
    for (let child = onlyChild(element); child !== null; child = onlyChild(child)) note(child);
    for (let inner = element; inner.parentElement !== null; inner = inner.parentElement) {
      const outer = inner.parentElement;
      if (onlyChild(outer) !== inner || !covers(box, outer.getBoundingClientRect())) break;
      note(outer);
    }
    return refs;
  };

  const refsAround = element => {
    const refs = [];
    for (let e = parentOf(element); e && refs.length < 4; e = parentOf(e)) {
      if (e._ariaRef !== undefined) refs.push(e._ariaRef.ref);
    }
    return refs;
  };

  const entry = (element, kind) => {
    const id = idOf(element);
    listed.set(id, element);
    const control = element.localName === 'label' ? element.control : element;
    const shape = element instanceof SVGGeometryElement;
    return {
      id, kind, refs: equivalentRefs(element), around: refsAround(element),
      tag: tagOf(element), name: nameOf(element), box: boxOf(element).map(Math.round), visible: inViewport(element),
      checked: control?.checked === true, fill: shape ? getComputedStyle(element).fill : '',
    };
  };

  const walk = function* (root) {
    const walker = page.createTreeWalker(root, NodeFilter.SHOW_ELEMENT, e =>
      UNSEEN.has(e.nodeName) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    for (let element = walker.currentNode; element !== null; element = walker.nextNode()) {
      if (element.nodeType === 1) yield element;
      if (element.shadowRoot) yield* walk(element.shadowRoot);
    }
  };

  const elements = viewport => {
    const listening = listeningElements();
    const found = [];
    const visible = [];
    let omitted = 0;
    let prefix = null;
    listed.clear();
    const root = page.body ?? page.documentElement;
    for (const element of root ? walk(root) : []) {
      const ref = element._ariaRef;
      if (ref !== undefined) {
        prefix ??= ref.ref.match(/^f\d+|/)[0];
        if (viewport && inViewport(element)) visible.push(ref.ref);
        if (ACTIVE_ROLES.has(ref.role)) continue;
      }
      try {
        const kind = kindOf(element, listening);
        if (kind === '' || (element === root && kind !== 'editable')) continue;
        if (kind !== 'file' && !canBeHit(element)) continue;
        if (found.length < MOST || inViewport(element)) found.push(entry(element, kind));
        else omitted++;
      } catch {
        continue; // a form, whose fields may be called what its methods are
      }
    }
    return { prefix: prefix ?? '', visible, omitted, clickables: found };
  };

  const focused = () => {
    let element = page.hasFocus() ? page.activeElement : null;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    if (!element || element === page.body || element === page.documentElement) return '';
    if (element.localName === 'iframe' || element.localName === 'frame') return '';
    const id = ids.get(element);
    return element._ariaRef?.ref ?? (listed.has(id) ? id : element.localName);
  };

  // The box that scrolling in the middle of the viewport would scroll.
  const scrolled = () => {
    let target = page.elementFromPoint(innerWidth / 2, innerHeight / 2);
    const scrolls = e => e.scrollHeight > e.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(e).overflowY);
    while (target && !scrolls(target)) target = target.parentElement;
    target ??= page.scrollingElement ?? page.documentElement;
    const { scrollTop, clientHeight, scrollHeight } = target ?? {};
    // No numbers where the box is a form with fields of these names.
    return [scrollTop, clientHeight, scrollHeight].map(length => Math.round(length) || 0);
  };

  const report = viewport => {
    const frame = {
      document: documentId,
      title: page.title.slice(0, 1000).toWellFormed(),
      seen: innerWidth > 0 && innerHeight > 0,
      text: page.body ? null : (page.documentElement?.textContent ?? '').slice(0, 100_000).toWellFormed(),
      scroll: scrolled(),
      ...elements(viewport),
    };
    return { ...frame, focus: focused() };
  };

  // Child by child from the nearest ancestor with an id of its own; ">" leads into shadow roots here.
  const pathOf = element => {
    const steps = [];
    for (let e = element; e !== null; e = parentOf(e)) {
      const id = e.getAttribute('id');
      if (id && e.getRootNode().querySelectorAll(`#${CSS.escape(id)}`).length === 1) {
        return [`#${CSS.escape(id)}`, ...steps].join(' > ');
      }
      let place = 1;
      for (let before = e.previousElementSibling; before !== null; before = before.previousElementSibling) {
        if (before.localName === e.localName) place++;
      }
      steps.unshift(`${CSS.escape(e.localName)}:nth-of-type(${place})`);
    }
    return steps.join(' > ');
  };

  let chosen = null;
  let candidates = new Set();

  // A frame's place in the page is for the browser to say.
  const whereabouts = () => {
    const element = chosen, others = candidates;
    chosen = null;
    candidates = new Set();
    return element && {
      path: pathOf(element),
      box: window === top && element.getClientRects().length > 0 ? boxOf(element) : null,
      alone: others.size === 1 && others.has(element),
    };
  };

  const blank = page.implementation.createHTMLDocument('');
  const told = text => {
    const element = blank.createElement('p');
    element.textContent = text;
    return [element];
  };

  return {
    queryAll(root, body) {
      if (body === 'page' || body === 'viewport') return told(JSON.stringify(report(body === 'viewport')));
      if (body === 'about') return told(JSON.stringify(whereabouts()));
      if (body === 'chosen') {
        chosen = root;
        return [];
      }
      if (body === 'candidate') {
        candidates.add(root);
        return [];
      }
      const element = listed.get(body);
      return element?.isConnected ? [element] : [];
    },
  };
})()
