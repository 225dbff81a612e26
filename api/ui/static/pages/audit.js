// Who did what, the newest first.
import { all, get } from '../api.js';
import { action, badge, facts, fail, field, h, page, table, time } from '../dom.js';
import { text } from '../text.js';

const t = text.audit;
const perPage = 100;

const plain = (v) => (typeof v === 'string' ? v : JSON.stringify(v));

/** change is what of a thing was before and is now. */
const change = (changed) => h('ul', { class: 'plain' }, Object.entries(changed).map(([name, v]) => h('li', {}, h('strong', {}, name), ': ',
  Array.isArray(v) && v.length === 2 && name !== 'settings' ? [h('del', {}, plain(v[0]) || '–'), ' → ', h('ins', {}, plain(v[1]) || '–')] : plain(v))));

export async function show(view, { query, stop }) {
  const keys = await all('/keys', 'keys');
  const form = h('form', { class: 'filters', role: 'search' }, field('subject', t.subject, { type: 'search', value: query.get('subject') || '' }, t.subjectHint),
    field('keyId', t.who, { value: query.get('keyId') || '', options: [['', text.common.all], ...keys.map((k) => [k.id, k.name || k.id])] }),
    field('action', t.what, { value: query.get('action') || '', options: [['', text.common.all], ...Object.entries(t.actions)] }),
    field('from', t.from, { type: 'date', value: query.get('from') || '' }), field('to', t.to, { type: 'date', value: query.get('to') || '' }));
  const list = h('div');
  let rows = [], next = '', round = 0;
  const more = action(text.common.more, () => load(false), { hidden: true });
  view.replaceChildren(page(t.title), h('p', { class: 'hint' }, t.hint), form, list, more);

  const moment = (day, plus) => { const d = new Date(`${day}T00:00:00`); d.setDate(d.getDate() + plus); return d.toISOString(); };
  async function load(anew) {
    const mine = ++round;
    const f = Object.fromEntries(['subject', 'keyId', 'action', 'from', 'to'].map((name) => [name, form.elements[name].value.trim()]).filter(([, v]) => v));
    const shown = new URLSearchParams(f);
    history.replaceState(null, '', `#/audit${shown.size ? `?${shown}` : ''}`);
    const q = new URLSearchParams({ limit: perPage, ...f, ...(f.from && { from: moment(f.from, 0) }), ...(f.to && { to: moment(f.to, 1) }), ...(!anew && next && { cursor: next }) });
    const part = await get(`/audit?${q}`);
    if (mine !== round) return;
    rows = anew ? part.audit : [...rows, ...part.audit];
    next = part.next || '';
    more.hidden = !next;
    list.replaceChildren(table(t.title, [
      { title: t.at, cell: (a) => time(a.at) }, { title: t.who, cell: (a) => a.keyName || a.keyId || '' }, { title: t.source, class: 'mono', cell: (a) => a.source || '' }, { title: t.what, class: 'mono', cell: (a) => a.action },
      { title: t.about, class: 'mono', cell: (a) => (a.subject?.startsWith('phone_') ? h('a', { href: `#/phones/${encodeURIComponent(a.subject)}` }, a.subject) : a.subject || '') }, { title: t.status, cell: (a) => badge(a.status < 400 ? 'ok' : 'error', { ok: a.status, error: a.status }) },
      { title: t.detail, cell: (a) => a.detail && h('details', {}, h('summary', {}, t.before), a.detail.changed && change(a.detail.changed), facts([...Object.entries(a.detail).filter(([k]) => k !== 'changed').map(([k, v]) => [t.names[k] || k, plain(v)]), [t.request, a.requestId]])) }], rows, shown.size ? t.noneFits : t.none));
  }
  form.addEventListener('submit', (e) => e.preventDefault());
  let typing = 0;
  form.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => load(true).catch(fail), 250); });
  stop(() => { clearTimeout(typing); round++; });
  await load(true);
}
