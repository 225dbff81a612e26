// What a form shows when somebody else was quicker (412): what differs, and both ways on.
import { Problem } from './api.js';
import { h, table } from './dom.js';
import { text } from './text.js';

const t = text.conflict;
const shown = (v) => (v === undefined || v === null || v === '' ? h('span', { class: 'hint' }, t.empty) : typeof v === 'string' ? v : JSON.stringify(v));

/** isConflict says whether an error is that the thing has changed since it was read. */
export const isConflict = (error) => error instanceof Problem && error.status === 412;

/** differing are rows [name, theirs, mine] of what differs between two objects. */
export function differing(theirs, mine) {
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])];
  return names.map((name) => [name, theirs[name], mine[name]]).filter(([, a, b]) => JSON.stringify(a ?? '') !== JSON.stringify(b ?? ''));
}

/** conflict puts the notice on top of place. detail is a table of differing, or an
 * element; reload takes what is stored, overwrite stores what is here. */
export function conflict(place, detail, { reload, overwrite }) {
  const end = (fn) => async () => { notice.remove(); await fn(); };
  const body = Array.isArray(detail)
    ? table(t.difference, [{ title: t.what, class: 'mono', cell: ([name]) => name }, { title: t.theirs, cell: ([, theirs]) => shown(theirs) }, { title: t.mine, cell: ([, , mine]) => shown(mine) }], detail, t.same)
    : detail;
  const notice = h('div', { class: 'conflict', role: 'alert', tabindex: '-1' }, h('strong', {}, t.title), h('p', {}, t.hint), h('details', {}, h('summary', {}, t.difference), body),
    h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: end(reload) }, t.reload), h('button', { type: 'button', class: 'danger', onclick: end(overwrite) }, t.overwrite)));
  place.querySelector('.conflict')?.remove();
  place.prepend(notice);
  notice.focus();
  return notice;
}
