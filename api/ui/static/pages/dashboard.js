// The overview: how many phones, of what kind, how they fared, and what happens now.
import { get, listen } from '../api.js';
import { bars, curve } from '../chart.js';
import { badge, fail, h, page, time, tone } from '../dom.js';
import { text } from '../text.js';

const t = text.dashboard;
const refreshEvery = 10000;
const kept = 30; // events shown

export async function show(view, { stop }) {
  const figures = h('div', { class: 'grid figures' });
  const over = h('div', {});
  const outcomes = h('section', {});
  const live = h('ol', { class: 'timeline' }, h('li', { class: 'quiet' }, h('span', { class: 'hint' }, t.quiet)));
  const hours = h('select', { id: 'hours', onchange: () => past().catch(fail) }, Object.entries(t.hours).map(([n, label]) => h('option', { value: n }, label)));
  const hoursLabel = h('label', { for: 'hours', class: 'unseen' }, t.span);
  view.replaceChildren(page(t.title), figures,
    h('div', { class: 'grid two' }, h('section', { 'aria-labelledby': 'over' }, h('div', { class: 'head' }, h('h2', { id: 'over' }, t.overTime), h('div', {}, hoursLabel, hours)), over), outcomes),
    h('section', { 'aria-labelledby': 'live' }, h('h2', { id: 'live' }, t.live), h('p', { class: 'hint' }, t.liveHint), live));

  async function refresh() {
    const { stats, details } = await get('/phones/stats?details=1');
    const most = (counts) => Object.entries(counts).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]).slice(0, 8);
    const { pending } = details.byState;
    const card = (title, ...content) => h('section', {}, h('h2', {}, title), content);
    const link = (hash, words) => h('p', {}, h('a', { href: hash }, words));
    figures.replaceChildren(
      card(t.phones, h('p', { class: 'figure', id: 'total' }, stats.totalPhones.toLocaleString()),
        h('p', {}, badge('registered'), ` ${stats.registered.toLocaleString()} `, badge('unregistered'), ` ${stats.unregistered.toLocaleString()}`),
        stats.totalPhones === 0 && h('p', { class: 'hint' }, t.begin, ' ', h('a', { href: '#/dhcp' }, text.nav.dhcp), ' · ', h('a', { href: '#/phones' }, text.phones.add)),
        pending > 0 && link('#/pending', t.pending(pending)), details.drifted > 0 && link('#/phones?drift=true', t.drift(details.drifted))),
      card(t.byType, bars(['hardware', 'softphone', 'webrtc', 'mobile'].map((k) => [t[k], stats.byType[k]]))),
      card(t.byVendor, bars(most(details.byVendor), t.noPhones)),
      card(t.byState, bars(most(details.byState).map(([k, n]) => [text.state[k] || k, n]), t.noPhones)));
  }

  // What was is kept by the server, in memory.
  async function past() {
    const { history } = await get(`/phones/stats/history?hours=${hours.value}`);
    const to = Date.now(), from = to - Number(hours.value) * 3600e3;
    const points = history.points.map((p) => ({ at: Math.max(Date.parse(p.at), from), value: p.registered }));
    const now = history.points.at(-1);
    const values = [...points.map((p) => p.value), now?.registered ?? 0];
    const words = t.curve(values.at(-1), Math.min(...values), Math.max(...values));
    over.replaceChildren(curve({ points, from, to, gap: 2.5 * history.stepSeconds * 1000, label: words }), h('p', { class: 'hint' }, words));
    const sums = new Map();
    for (const p of history.points) for (const [name, n] of Object.entries(p.outcomes || {})) sums.set(name, (sums.get(name) || 0) + n);
    outcomes.replaceChildren(h('h2', {}, t.outcomes), h('p', { class: 'hint' }, t.hours[hours.value]),
      bars([...sums].sort((a, b) => b[1] - a[1]).map(([name, n]) => [t.outcome[name] || name, n, tone(name)]), t.noFiles));
  }

  await Promise.all([refresh(), past()]);
  const timer = setInterval(() => Promise.all([refresh(), past()]).catch(() => {}), refreshEvery);
  let due = 0, drawing = 0;
  stop(() => { clearInterval(timer); clearTimeout(due); clearTimeout(drawing); });
  const row = (e) => h('li', {}, time(e.at), h('span', {}, text.phone.kind[e.kind] || e.kind),
    h('span', { class: tone(e.outcome) },
      e.macAddress && e.phoneId ? h('a', { href: `#/phones/${encodeURIComponent(e.phoneId)}` }, e.macAddress) : e.macAddress || '',
      ` ${[e.path, e.outcome, e.detail].filter(Boolean).join(' · ')}`));
  // Phones that all come back at once send thousands of events: what nobody could read is
  // not drawn.
  let news = [];
  const draw = () => {
    drawing = 0;
    live.querySelector('.quiet')?.remove();
    live.prepend(...news.reverse().map(row));
    news = [];
    while (live.children.length > kept) live.lastChild.remove();
  };
  stop(listen((e) => {
    due ||= setTimeout(() => { due = 0; Promise.all([refresh(), past()]).catch(() => {}); }, 1500);
    if (!e.kind) return;
    news.push(e);
    if (news.length > kept) news.shift();
    drawing ||= setTimeout(draw, 200);
  }));
}
