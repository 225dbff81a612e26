// A job as it goes on, and the question how it is to be done to many phones.
import { get } from './api.js';
import { badge, dialog, field, h } from './dom.js';
import { text } from './text.js';

const t = text.job;
const every = 1000; // looks at the server, milliseconds

/** progress is what a job has done, as a bar and in words. */
export function progress(j) {
  const c = j.counts;
  const ended = c.succeeded + c.failed + c.skipped;
  return h('div', { class: 'progress' }, h('progress', { max: Math.max(c.total, 1), value: ended, 'aria-label': t.progress }),
    h('span', {}, t.counts(c)));
}

/** watchJob draws a job into place until it has ended, and calls done then. place should
 * be a live region. */
export async function watchJob(place, job, done) {
  let j = job;
  const draw = () => place.replaceChildren(h('p', {}, h('a', { href: '#/jobs' }, `${t.job}: ${t.kinds[j.kind] || j.kind}`), ' ', badge(j.state, text.phone.steps), j.reason ? ` ${j.reason}` : ''), ...(j.counts.total > 1 ? [progress(j)] : []));
  for (draw(); !j.endedAt && place.isConnected; draw()) {
    await new Promise((r) => setTimeout(r, every));
    j = await get(`/jobs/${encodeURIComponent(j.id)}`);
  }
  if (place.isConnected) await done?.(j);
}

/** askWaves asks how something is done to many phones, Infinity for all that are found;
 * start gets the waves. */
export function askWaves(title, many, start) {
  dialog(title, [h('p', {}, t.many(many)), h('div', { class: 'filters' },
    field('canary', t.canary, { type: 'number', min: 0, max: many < Infinity ? many : undefined, value: many > 20 ? 5 : 0 }, t.canaryHint),
    field('soakSeconds', t.soak, { type: 'number', min: 0, value: many > 20 ? 60 : 0 }),
    field('haltPercent', t.halt, { type: 'number', min: 0, max: 100, value: 20 }),
    field('jitterSeconds', t.jitter, { type: 'number', min: 0, value: many > 20 ? 30 : 0 }, t.jitterHint))],
  (v) => start(Object.fromEntries(['canary', 'soakSeconds', 'haltPercent', 'jitterSeconds'].map((k) => [k, Number(v[k] || 0)]))), title);
}
