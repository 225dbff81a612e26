// The overview: how many phones, of what kind, and what happens now.
import { get, listen } from '../api.js';
import { badge, h, page, time } from '../dom.js';
import { text } from '../text.js';

const t = text.dashboard;
const refreshEvery = 10000;
const kept = 30; // events and points of the curve

const bars = (rows) => {
  const most = Math.max(1, ...rows.map(([, n]) => n));
  return h('ul', { class: 'bars' }, rows.map(([name, n]) => h('li', {},
    h('span', {}, name), h('meter', { min: 0, max: most, value: n, 'aria-label': `${name}: ${n}` }), h('span', { class: 'n' }, n))));
};

function curve(points) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const line = document.createElementNS(ns, 'polyline');
  const low = Math.min(...points), high = Math.max(...points, low + 1);
  const known = points.length > 1 ? points : [points[0], points[0]];
  const shape = known.map((n, i) => `${(i / (known.length - 1)) * 100},${38 - ((n - low) / (high - low)) * 36}`);
  line.setAttribute('points', shape.join(' '));
  svg.setAttribute('viewBox', '0 0 100 40');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `${t.overTime}: ${points.at(-1)}`);
  svg.append(line);
  return svg;
}

export async function show(view, { stop }) {
  const figures = h('div', { class: 'grid' });
  const live = h('ol', { class: 'timeline' }, h('li', { class: 'quiet' }, h('span', { class: 'hint' }, t.quiet)));
  const points = [];
  const outcomes = new Map();
  view.replaceChildren(page(t.title), figures,
    h('section', { 'aria-labelledby': 'live' }, h('h2', { id: 'live' }, t.live), h('p', { class: 'hint' }, t.liveHint), live));

  async function refresh() {
    const { stats, details } = await get('/phones/stats?details=1');
    points.push(stats.registered);
    if (points.length > kept * 4) points.shift();
    const most = (counts) => Object.entries(counts).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).slice(0, 8);
    const pending = details.byState.pending;
    const drift = details.drifted;
    const card = (title, ...content) => h('section', {}, h('h2', {}, title), content);
    figures.replaceChildren(...[
      card(t.phones, h('p', { class: 'figure', id: 'total' }, stats.totalPhones),
        h('p', {}, badge('registered'), ` ${stats.registered} · `, badge('unregistered'), ` ${stats.unregistered}`),
        pending > 0 && h('p', {}, h('a', { href: '#/pending' }, `${t.pending}: ${pending}`)),
        drift > 0 && h('p', {}, h('a', { href: '#/phones?drift=true' }, `${t.drift}: ${drift}`))),
      card(t.overTime, curve(points)),
      card(t.byType, bars(['hardware', 'softphone', 'webrtc', 'mobile'].map((k) => [t[k], stats.byType[k]]))),
      card(t.byVendor, bars(most(details.byVendor))),
      card(t.byState, bars(most(details.byState).map(([k, n]) => [text.state[k] || k, n]))),
      outcomes.size > 0 && card(t.outcomes, bars([...outcomes])),
    ].filter(Boolean));
  }

  await refresh();
  const timer = setInterval(() => refresh().catch(() => {}), refreshEvery);
  stop(() => clearInterval(timer));
  stop(listen((e) => {
    if (!e.kind) return;
    if (e.kind === 'file') outcomes.set(e.outcome, (outcomes.get(e.outcome) || 0) + 1);
    if (live.querySelector('.hint')) live.replaceChildren();
    live.prepend(h('li', {}, time(e.at), h('span', {}, text.phone.kind[e.kind] || e.kind),
      h('span', { class: e.outcome && e.outcome !== 'ok' ? 'bad' : '' },
        e.macAddress && e.phoneId ? h('a', { href: `#/phones/${encodeURIComponent(e.phoneId)}` }, e.macAddress) : e.macAddress || '',
        ` ${[e.path, e.outcome, e.detail].filter(Boolean).join(' · ')}`)));
    while (live.children.length > kept) live.lastChild.remove();
  }));
}
