// A revision that phones get in waves: how, and how it goes on.
import { get, post } from './api.js';
import { action, badge, fail, field, fill, h, table } from './dom.js';
import { progress } from './job.js';
import { text } from './text.js';

const t = text.trial;
const every = 1000; // looks at the server, milliseconds
const most = 500; // phones whose waves are shown one by one
const numbers = ['canary', 'haltPercent', 'soakSeconds', 'timeoutSeconds'];
const orders = [['pause', ['running']], ['resume', ['paused', 'halted']], ['abort', ['running', 'paused', 'halted']]];

/** how asks whether all phones get a revision at once or in waves. */
export function how() {
  const number = (name, label, value, props, hint) => field(`waves.${name}`, label, { type: 'number', value, ...props }, hint);
  const waves = h('fieldset', { hidden: true, disabled: true }, h('legend', {}, t.waves), h('p', { class: 'hint' }, t.hint), h('div', { class: 'filters' },
    number('canary', text.job.canary, 1, { min: 1, required: true }), field('waves.percents', t.percents, { value: '25, 100', pattern: '[0-9, ]*', spellcheck: 'false' }, t.percentsHint),
    number('haltPercent', text.job.halt, 0, { min: 0, max: 100, required: true }, t.haltHint), number('soakSeconds', text.job.soak, 60, { min: 0, required: true }), number('timeoutSeconds', text.firmware.timeout, 300, { min: 1, max: 3600, required: true }),
    field('onHalt', t.onHalt, { options: Object.entries(t.halts) })));
  const choice = field('waves', t.how, { options: [['', t.atOnce], ['waves', t.inWaves]] });
  choice.addEventListener('change', () => { waves.hidden = waves.disabled = choice.querySelector('select').value === ''; });
  return [choice, waves];
}

/** wavesOf reads what how asked, as the API wants it; undefined: all at once. */
export function wavesOf(v) {
  if (!v.waves) return undefined;
  const percents = (v['waves.percents'] || '').split(/[\s,]+/).filter(Boolean).map(Number);
  return { waves: { ...Object.fromEntries(numbers.map((k) => [k, Number(v[`waves.${k}`])])), ...(percents.length > 0 && { percents }) }, onHalt: v.onHalt };
}

/** running is the job that gives phones a revision of a template now. */
export async function running(name) {
  const { jobs } = await get('/jobs?limit=100');
  return jobs.find((j) => j.kind === 'template' && j.args?.template === name && !j.endedAt);
}

/** watchTrial draws the job into place until it has ended, and then what phones get. before
 * is what they got, read reads the template again, redraw shows it. */
export async function watchTrial(place, job, { may, before, read, redraw }) {
  let j = job, shown = '';
  const path = `/jobs/${encodeURIComponent(j.id)}`;
  const head = h('div', { role: 'status' }), waves = h('div');
  const buttons = new Map(orders.map(([order]) => [order, action(text.jobs.orders[order], async () => { j = await post(`${path}/${order}`); await draw(); }, { class: 'small' })]));
  const bar = h('div', { class: 'buttons' }, [...buttons.values()]);
  place.replaceChildren(head, waves, bar);
  async function draw(now = '') {
    const { phones } = j.counts.total <= most ? await get(`${path}/phones?limit=${most}`) : { phones: [] };
    const next = JSON.stringify([j, phones, now]);
    if (next === shown) return; // who reads it does not like it redrawn
    shown = next;
    fill(head, h('p', {}, h('strong', {}, t.title(j.args.revision)), ' ', badge(j.state, text.phone.steps), j.endedAt ? '' : ` ${t.at(j.wave)}`),
      j.reason && h('p', { class: j.state === 'done' ? '' : 'bad' }, j.reason), progress(j), h('p', {}, now || t.meanwhile(j.args.revision, before)));
    fill(waves, phones.length > 0 && waveTable(phones));
    for (const [order, states] of orders) buttons.get(order).hidden = !may || !states.includes(j.state);
    bar.hidden = Boolean(j.endedAt) || !may;
  }
  for (await draw(); !j.endedAt && place.isConnected; await draw().catch(fail)) {
    await new Promise((r) => setTimeout(r, every));
    j = await get(path).catch(() => j); // the notice on top says that the server is away
  }
  if (!place.isConnected) return;
  let over = false;
  for (let i = 0; i < 60 && place.isConnected && !(over = await settled(j, read)); i++) await new Promise((r) => setTimeout(r, every));
  await redraw();
  await draw(!over ? t.ending : j.state === 'done' ? t.everybody(j.args.revision) : t.back(before));
}

/** settled says whether phones get what the end of a job means, which takes the server a
 * moment: the revision is active, or those that were reached are told by a job of theirs. */
async function settled(j, read) {
  const now = await read();
  if (j.state === 'done') return now.active && now.revision === Number(j.args.revision);
  if (j.counts.succeeded + j.counts.failed === 0) return true;
  const { jobs } = await get('/jobs?limit=100');
  return jobs.some((other) => other.args?.after === j.id);
}

/** waveTable counts the phones of each wave. */
function waveTable(phones) {
  const waves = [];
  for (const p of phones) {
    const w = waves[p.wave - 1] ||= { wave: p.wave, total: 0, waiting: 0, working: 0, succeeded: 0, failed: 0, skipped: 0, why: '' };
    w.total++;
    w[p.state]++;
    if (p.state === 'failed') w.why ||= p.reason || text.phone.steps[p.outcome] || p.outcome;
  }
  return table(t.each, [
    { title: text.jobs.wave, cell: (w) => w.wave }, { title: text.jobs.phones, cell: (w) => w.total }, { title: text.jobs.state, cell: (w) => stateOf(w) },
    { title: t.well, cell: (w) => w.succeeded }, { title: t.failed, cell: (w) => w.failed }, { title: text.jobs.reason, cell: (w) => w.why || '' }], waves.filter(Boolean));
}

function stateOf(w) {
  const state = w.failed > 0 ? 'failed' : w.succeeded === w.total ? 'done' : w.skipped === w.total ? 'skipped' : w.waiting === w.total ? 'waiting' : 'working';
  return badge(state, text.phone.steps);
}
