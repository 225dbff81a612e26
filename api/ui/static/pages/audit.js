// Who did what, the newest first.
import { get } from '../api.js';
import { action, badge, facts, fail, field, h, page, table, time } from '../dom.js';
import { text } from '../text.js';

const t = text.audit;

const plain = (v) => (typeof v === 'string' ? v : JSON.stringify(v));

export async function show(view, { query, stop }) {
  const form = h('form', { class: 'filters', role: 'search' }, field('subject', t.subject, { type: 'search', value: query.get('subject') || '' }, t.subjectHint));
  const list = h('div');
  let rows = [], next = '';
  const more = action(text.common.more, () => load(false), { hidden: true });
  view.replaceChildren(page(t.title), form, list, more);

  async function load(anew) {
    const subject = form.elements.subject.value.trim();
    const page = await get(`/audit?limit=100${subject && `&subject=${encodeURIComponent(subject)}`}${!anew && next ? `&cursor=${encodeURIComponent(next)}` : ''}`);
    rows = anew ? page.audit : [...rows, ...page.audit];
    next = page.next || '';
    more.hidden = !next;
    list.replaceChildren(table(t.title, [
      { title: t.at, cell: (a) => time(a.at) }, { title: t.who, cell: (a) => a.keyName || a.keyId || '' }, { title: t.source, class: 'mono', cell: (a) => a.source || '' }, { title: t.what, class: 'mono', cell: (a) => a.action },
      { title: t.about, class: 'mono', cell: (a) => (a.subject?.startsWith('phone_') ? h('a', { href: `#/phones/${encodeURIComponent(a.subject)}` }, a.subject) : a.subject || '') }, { title: t.status, cell: (a) => badge(a.status < 400 ? 'ok' : 'error', { ok: a.status, error: a.status }) },
      { title: t.detail, cell: (a) => a.detail && h('details', {}, h('summary', {}, t.before), facts([...Object.entries(a.detail).map(([k, v]) => [k, plain(v)]), [t.request, a.requestId]])) }], rows, t.none));
  }
  form.addEventListener('submit', (e) => e.preventDefault());
  let typing = 0;
  form.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => load(true).catch(fail), 250); });
  stop(() => clearTimeout(typing));
  await load(true);
}
