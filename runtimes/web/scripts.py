"""The pieces of JavaScript that run in a page."""

UNTIL_QUIET = """() => new Promise(done => {
  const end = () => { observer.disconnect(); clearTimeout(quiet); clearTimeout(limit); done(); };
  const observer = new MutationObserver(() => { clearTimeout(quiet); quiet = setTimeout(end, 20); });
  let quiet = setTimeout(end, 20);
  const limit = setTimeout(end, 1000);
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
})"""
"""Resolves once the document has not changed for 20 ms, at the latest after 1 s."""

OPTIONS = """element => element instanceof HTMLSelectElement
  ? [...element.options].map(o => ({label: o.label.trim().replace(/\\s+/g, ' '), value: o.value}))
  : null"""
"""The options of a select element, or null for anything else."""

SCROLL = """direction => {
  let target = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
  const scrolls = e =>
    e.scrollHeight > e.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(e).overflowY);
  while (target && !scrolls(target)) target = target.parentElement;
  target ??= document.scrollingElement ?? document.documentElement;
  const page = target.clientHeight * 0.85;
  const now = target.scrollTop;
  const goal = {up: now - page, down: now + page, top: 0, bottom: target.scrollHeight};
  target.scrollTo({top: goal[direction], behavior: 'instant'});
}"""
"""Scrolls the box in the middle of the viewport, or the document."""

TEXT = """element => {
  const cell = e => e.innerText.trim().replace(/\\s+/g, ' ');
  const row = e => [...e.cells].map(cell).join('\\t');
  if (element instanceof HTMLTableElement) return [...element.rows].map(row).join('\\n');
  if (element instanceof HTMLTableRowElement) return row(element);
  if ('value' in element && !(element instanceof HTMLButtonElement) && !(element instanceof HTMLLIElement))
    return String(element.value);
  return element.innerText ?? element.textContent ?? '';
}"""
"""What a person reads in an element. `innerText` already writes a table inside it with tabs."""
