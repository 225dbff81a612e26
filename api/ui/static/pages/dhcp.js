// The helper for DHCP: pieces for other servers, what phones ask for, who answers them.
import { get, listen } from '../api.js';
import { action, badge, h, page, table, time, toast } from '../dom.js';
import { text } from '../text.js';

const t = text.dhcp;
const kept = 30; // questions shown

/** foreign counts the replies of other servers that were overheard; null: nobody listens. */
async function foreign() {
  const answer = await fetch('/metrics', { cache: 'no-store' });
  if (!answer.ok) return null;
  const lines = (await answer.text()).split('\n').filter((l) => l.startsWith('dialtone_dhcp_foreign_total'));
  return lines.length === 0 ? null : lines.reduce((sum, l) => sum + Number(l.slice(l.lastIndexOf(' ') + 1)), 0);
}

export async function show(view, { stop }) {
  const { snippets } = await get('/dhcp/snippets');
  const heard = await foreign().catch(() => null);
  const piece = h('pre', { tabindex: '0', role: 'group', 'aria-label': t.server });
  const tried = h('span');
  const choose = h('select', { id: 'server', onchange: () => draw() }, snippets.map((s) => h('option', { value: s.server }, s.title)));
  const draw = () => {
    const s = snippets.find((x) => x.server === choose.value);
    piece.textContent = s.text;
    tried.replaceChildren(badge(s.tried ? 'ok' : 'behind', { ok: t.tried, behind: t.untried }));
  };
  const asked = h('ol', { class: 'timeline' }, h('li', { class: 'quiet' }, h('span', { class: 'hint' }, t.quiet)));
  view.replaceChildren(page(t.title),
    h('section', {}, h('p', { class: 'hint' }, t.hint), snippets.length === 0 ? h('p', { class: 'warned' }, t.none) : [
      h('div', { class: 'buttons' }, h('label', { for: 'server' }, t.server), choose, tried, action(text.common.copy, async () => { await navigator.clipboard.writeText(piece.textContent); toast(text.common.copied); })), piece]),
    h('section', {}, h('h2', {}, t.needs), h('p', { class: 'hint' }, t.needsHint), table(t.needs, [{ title: t.maker, cell: (x) => x.maker }, { title: t.options, cell: (x) => x.options }, { title: t.also, cell: (x) => x.also }], t.makers)),
    h('div', { class: 'grid' }, h('section', {}, h('h2', {}, t.answer), h('p', { class: 'hint' }, t.answerHint), asked),
      h('section', {}, h('h2', {}, t.others), h('p', { id: 'foreign' }, badge(heard > 0 ? 'error' : heard === 0 ? 'ok' : 'stored', { error: t.heard(heard), ok: t.notHeard, stored: t.off })), h('p', { class: 'hint' }, t.othersHint))));
  if (snippets.length > 0) draw();
  stop(listen((e) => {
    if (e.kind !== 'dhcp' && e.kind !== 'pnp') return;
    asked.querySelector('.quiet')?.remove();
    asked.prepend(h('li', {}, time(e.at), h('span', {}, text.phone.kind[e.kind]), h('span', {}, [e.macAddress, e.outcome, e.detail].filter(Boolean).join(' · '))));
    while (asked.children.length > kept) asked.lastChild.remove();
  }));
}
