// Jobs: resyncs, restarts and rollouts, live.
import { get, post } from '../api.js';
import { action, badge, dialog, fail, h, page, table, time } from '../dom.js';
import { progress } from '../job.js';
import { text } from '../text.js';

const t = text.jobs;

export async function show(view, { can, stop }) {
  const list = h('div');
  let shown = '';
  const load = async () => {
    const { jobs } = await get('/jobs?limit=100');
    if (JSON.stringify(jobs) === shown) return; // who reads a table does not like it redrawn
    shown = JSON.stringify(jobs);
    const focus = document.activeElement?.getAttribute('aria-label') || '';
    list.replaceChildren(table(t.title, [
      { title: t.kind, cell: (j) => h('button', { type: 'button', class: 'small', 'aria-label': t.open(text.job.kinds[j.kind] || j.kind, j.id), onclick: () => phones(j).catch(fail) }, text.job.kinds[j.kind] || j.kind) },
      { title: t.state, cell: (j) => [badge(j.state, text.phone.steps), j.reason ? ` ${j.reason}` : ''] },
      { title: t.phones, cell: (j) => progress(j) },
      { title: t.wave, class: 'num', cell: (j) => (j.counts.total > 1 ? j.wave : '') },
      { title: t.started, cell: (j) => time(j.createdAt) },
      ...(can('pbx:phones:write') ? [{ title: '', cell: (j) => !j.endedAt && h('div', { class: 'buttons' }, [['pause', ['running']], ['resume', ['paused', 'halted']], ['abort', ['running', 'paused', 'halted']]].filter(([, states]) => states.includes(j.state))
        .map(([order]) => action(t.orders[order], async () => { await post(`/jobs/${j.id}/${order}`); await load(); }, { class: 'small' }))) }] : []),
    ], jobs, t.none));
    if (focus) list.querySelector(`[aria-label="${CSS.escape(focus)}"]`)?.focus();
  };
  view.replaceChildren(page(t.title), list);
  await load();
  const timer = setInterval(() => load().catch(() => {}), 2000);
  stop(() => clearInterval(timer));
}

async function phones(job) {
  const [{ phones: rows }, { phones: known }] = await Promise.all([get(`/jobs/${job.id}/phones?limit=500`), get('/phones?limit=500')]);
  const names = new Map(known.map((p) => [p.id, [p.extensionNumber, p.extensionName, p.macAddress].filter(Boolean).join(' ')]));
  dialog(text.job.kinds[job.kind] || job.kind, table(t.phones, [
    { title: text.phones.phone, cell: (p) => h('a', { href: `#/phones/${encodeURIComponent(p.phoneId)}` }, names.get(p.phoneId) || p.phoneId) }, { title: t.wave, class: 'num', cell: (p) => p.wave }, { title: t.state, cell: (p) => badge(p.outcome || p.state, text.phone.steps) },
    { title: t.reason, cell: (p) => p.reason || '' }], rows)).classList.add('large');
}
