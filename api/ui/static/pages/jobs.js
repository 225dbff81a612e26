// Jobs: resyncs, restarts and rollouts, live.
import { get, post } from '../api.js';
import { action, badge, dialog, h, page, table, time } from '../dom.js';
import { text } from '../text.js';

const t = text.jobs;

export async function show(view, { can, stop }) {
  const list = h('div');
  const load = async () => {
    const { jobs } = await get('/jobs?limit=100');
    list.replaceChildren(table(t.title, [
      { title: t.kind, cell: (j) => h('button', { type: 'button', class: 'small', onclick: () => phones(j) }, j.kind) },
      { title: t.state, cell: (j) => [badge(j.state, text.phone.steps), j.reason ? ` ${j.reason}` : ''] },
      { title: t.phones, cell: (j) => [h('progress', { max: j.counts.total, value: j.counts.succeeded + j.counts.failed + j.counts.skipped, 'aria-label': t.phones }), ` ${j.counts.succeeded} / ${j.counts.total}${j.counts.failed ? `, ${j.counts.failed} ✕` : ''}`] },
      { title: t.started, cell: (j) => time(j.createdAt) },
      ...(can('pbx:phones:write') ? [{ title: '', cell: (j) => !j.endedAt && h('div', { class: 'buttons' }, [['pause', 'running'], ['resume', 'paused'], ['abort', '']].filter(([, state]) => !state || state === j.state)
        .map(([order]) => action(order, async () => { await post(`/jobs/${j.id}/${order}`); await load(); }, { class: 'small' }))) }] : []),
    ], jobs, t.none));
  };
  view.replaceChildren(page(t.title), list);
  await load();
  const timer = setInterval(() => load().catch(() => {}), 2000);
  stop(() => clearInterval(timer));
}

async function phones(job) {
  const { phones: rows } = await get(`/jobs/${job.id}/phones?limit=500`);
  dialog(job.kind, table(t.phones, [
    { title: text.phones.phone, cell: (p) => h('a', { href: `#/phones/${encodeURIComponent(p.phoneId)}` }, p.phoneId) }, { title: t.state, cell: (p) => badge(p.outcome || p.state, text.phone.steps) },
    { title: '', cell: (p) => p.reason || '' }], rows)).classList.add('large');
}
