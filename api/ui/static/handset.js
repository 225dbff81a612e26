// A phone as it stands on the desk: its keys beside the screen, with what is on each
// and whether it is alive; expansion modules are pages of their own.
import { fill, h } from './dom.js';
import { text } from './text.js';

const t = text.handset;
const perPage = 16; // keys drawn at once, half of them on either side

/** keysOf reads what the settings put on keys: by module (0 is the phone) and number. */
function keysOf(settings) {
  const modules = new Map();
  for (const [name, { value }] of Object.entries(settings)) {
    const m = name.match(/^(?:modules\.(\d+)\.)?keys\.(\d+)\.(type|value|label|line)$/);
    if (!m) continue;
    const module = Number(m[1] || 0);
    if (!modules.has(module)) modules.set(module, new Map());
    const keys = modules.get(module);
    keys.set(Number(m[2]), { ...keys.get(Number(m[2])), [m[3]]: value });
  }
  return modules;
}

/** onKey is what a key does, as it is drawn: a line, something else, or nothing. */
function onKey(n, set, lines) {
  const type = set?.type || (set?.value ? 'speeddial' : '');
  if (type === 'none' || (type && type !== 'line')) {
    return type === 'none' ? null : { type, label: set.label || set.value || '', value: set.value };
  }
  const line = lines.get(Number(set?.line) || n);
  return line ? { type: 'line', label: set?.label || (line.label && line.label !== line.extensionNumber ? `${line.extensionNumber} ${line.label}` : line.extensionNumber), on: line.registered } : null;
}

/** handset returns { element, draw(phone, settings) }. edit, if given, is called with
 * module, number and what is set when a key is pressed. */
export function handset(edit) {
  const element = h('div', { class: 'handset' });
  let shown = 0; // page
  let last = [];
  const draw = (phone, settings) => {
    last = [phone, settings];
    const markOf = (b) => b.dataset.key || b.textContent;
    const focus = element.contains(document.activeElement) ? markOf(document.activeElement) : '';
    const pages = pagesOf(phone, keysOf(settings));
    shown = Math.min(shown, pages.length - 1);
    fill(element, tabs(pages), face(pages[shown], phone), legend(phone));
    if (focus) [...element.querySelectorAll('button')].find((b) => markOf(b) === focus)?.focus();
  };

  const tabs = (pages) => pages.length > 1 && h('div', { class: 'buttons pages', role: 'group', 'aria-label': t.pages }, pages.map((p, i) => h('button', {
    type: 'button', class: 'small', 'aria-pressed': i === shown ? 'true' : 'false', onclick: () => { shown = i; draw(...last); } }, p.title)));

  function key(page, n, phone) {
    const lines = new Map((phone.lines || []).map((l) => [l.line, l]));
    const set = page.keys.get(n);
    const is = page.module === 0 ? onKey(n, set, lines) : onKey(-1, set, lines);
    const state = is?.type === 'line' ? text.state[is.on ? 'registered' : 'unregistered'] : '';
    const kind = is ? t.types[is.type] || is.type : t.free;
    const unseen = (words) => h('span', { class: 'unseen' }, words);
    const parts = [unseen(t.before), h('span', { class: 'n' }, n), h('span', { class: 'label' }, is?.label || ''), is && is.type !== 'line' ? h('span', { class: 'kind' }, kind) : unseen(kind),
      is?.type === 'line' && [h('span', { class: is.on ? 'lamp on' : 'lamp' }), unseen(state)]];
    const props = { class: `key${is ? ` set ${is.type}` : ''}`, title: [kind, is?.label, is?.value !== is?.label && is?.value, state].filter(Boolean).join(' · ') };
    const over = page.known >= 0 && n > page.known; // the model has no such key
    return h('li', {}, edit && !over
      ? h('button', { type: 'button', ...props, 'data-key': `${page.module}.${n}`, onclick: () => edit(page.module, n, set || {}) }, parts)
      : h('div', { ...props, 'data-over': over || undefined }, parts));
  }

  function face(page, phone) {
    const half = Math.ceil((page.to - page.from + 1) / 2);
    const side = (from, to) => h('ol', { start: from }, Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => key(page, from + i, phone)));
    const live = (phone.lines || []).filter((l) => l.registered).length;
    if (page.to < page.from) return h('p', { class: 'hint' }, page.module ? t.unknownModule : t.noKeys);
    return h('div', { class: page.module ? 'face module' : 'face' }, side(page.from, page.from + half - 1),
      !page.module && h('div', { class: 'screen' }, h('strong', {}, phone.model || phone.manufacturer || ''), h('span', {}, phone.extensionName || phone.extensionNumber || ''),
        phone.lines?.length > 0 && h('span', { class: 'hint' }, t.lines(live, phone.lines.length))), side(page.from + half, page.to));
  }
  const legend = (phone) => phone.keys?.unverified && h('p', { class: 'hint' }, t.unverified);
  return { element, draw };
}

/** pagesOf cuts the keys into pages; known is how many there are, -1 when nobody knows. */
function pagesOf(phone, sets) {
  const own = sets.get(0) || new Map();
  const most = (m) => Math.max(0, ...m.keys());
  const known = phone.keys?.lineKeys ?? -1;
  const count = known >= 0 ? Math.max(known, ...(phone.lines || []).map((l) => l.line)) : Math.max(2, most(own), ...(phone.lines || []).map((l) => l.line));
  const pages = [];
  for (let from = 1; from === 1 || from <= count; from += perPage) {
    const to = Math.min(from + perPage - 1, count);
    pages.push({ module: 0, from, to, keys: own, known, title: t.range(from, to) });
  }
  const modules = Math.max(phone.keys?.modules || 0, ...[...sets.keys()]);
  for (let module = 1; module <= modules; module++) {
    const keys = sets.get(module) || new Map();
    const has = phone.keys?.moduleKeys || 0;
    pages.push({ module, from: 1, to: has || most(keys), keys, known: has || -1, title: t.module(module) });
  }
  return pages;
}
