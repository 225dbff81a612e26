// The helper for DHCP: pieces for other servers, what phones ask for, who answers them.
import { get, listen } from '../api.js';
import { action, badge, copy, h, page, table, time } from '../dom.js';
import { text } from '../text.js';

const t = text.dhcp;
const kept = 30; // questions shown
const refreshEvery = 5000;

export async function show(view, { stop }) {
  const { snippets } = await get('/dhcp/snippets');
  const piece = h('pre', { tabindex: '0', role: 'group', 'aria-label': t.server });
  const tried = h('span');
  const choose = h('select', { id: 'server', onchange: () => draw() }, snippets.map((s) => h('option', { value: s.server }, s.title)));
  const draw = () => {
    const s = snippets.find((x) => x.server === choose.value);
    piece.textContent = s.text;
    tried.replaceChildren(badge(s.tried ? 'ok' : 'behind', { ok: t.tried, behind: t.untried }));
  };
  const asked = h('ol', { class: 'timeline narrow' }, h('li', { class: 'quiet' }, h('span', { class: 'hint' }, t.quiet)));
  const others = h('section', { 'aria-labelledby': 'others' });
  view.replaceChildren(page(t.title),
    h('section', {}, h('h2', {}, t.pieces), h('p', { class: 'hint' }, t.hint), snippets.length === 0 ? h('p', { class: 'warned' }, t.none) : [
      h('div', { class: 'buttons spaced' }, h('label', { for: 'server' }, t.server), choose, tried, action(text.common.copy, () => copy(piece.textContent, piece))), piece]),
    others,
    h('section', {}, h('h2', {}, t.answer), h('p', { class: 'hint' }, t.answerHint), asked),
    h('section', {}, h('h2', {}, t.needs), h('p', { class: 'hint' }, t.needsHint), table(t.needs, [{ title: t.maker, cell: (x) => x.maker }, { title: t.options, cell: (x) => x.options }, { title: t.also, cell: (x) => x.also }], t.makers)));
  if (snippets.length > 0) draw();

  async function drawOthers() {
    const { listening, servers } = await get('/dhcp/servers');
    const wrong = servers.filter((s) => s.problem).length;
    others.replaceChildren(h('h2', { id: 'others' }, t.others),
      h('p', { id: 'foreign' }, badge(wrong > 0 ? 'error' : listening ? 'ok' : 'stored', { error: t.wrong(wrong), ok: servers.length > 0 ? t.heard(servers.length) : t.notHeard, stored: t.off })),
      h('p', { class: 'hint' }, t.othersHint),
      ...(servers.length > 0 ? [table(t.others, [{ title: t.address, class: 'mono', cell: (s) => s.address }, { title: t.interface, class: 'mono', cell: (s) => s.interface }, { title: t.first, cell: (s) => time(s.firstSeen) }, { title: t.last, cell: (s) => time(s.lastSeen) },
        { title: t.replies, class: 'num', cell: (s) => s.replies }, { title: t.tells, cell: (s) => Object.entries(s.options || {}).map(([code, v]) => h('div', { class: 'mono' }, `${code}: ${v}`)) },
        { title: t.verdict, cell: (s) => (s.problem ? h('span', { class: 'bad' }, s.problem) : t.fine) }], servers)] : []));
  }
  await drawOthers();
  const timer = setInterval(() => drawOthers().catch(() => {}), refreshEvery);
  stop(() => clearInterval(timer));
  stop(listen((e) => {
    if (e.kind === 'network') drawOthers().catch(() => {});
    if (e.kind !== 'dhcp' && e.kind !== 'pnp') return;
    asked.querySelector('.quiet')?.remove();
    asked.prepend(h('li', {}, time(e.at), h('span', {}, text.phone.kind[e.kind]), h('span', {}, [e.macAddress, e.outcome, e.detail].filter(Boolean).join(' · '))));
    while (asked.children.length > kept) asked.lastChild.remove();
  }));
}
