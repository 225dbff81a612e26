// Extensions, their live contacts and their passwords.
import { del, get, listen, patch, post, tagged } from '../api.js';
import { conflict, differing, isConflict } from '../conflict.js';
import { confirm, dialog, facts, fail, field, h, page, secret, table, time, toast } from '../dom.js';
import { importCSV } from '../importing.js';
import { text } from '../text.js';

const t = text.extensions;
const perPage = 100;
const at = (number) => `/extensions/${encodeURIComponent(number)}`;

export async function show(view, { query, can, stop }) {
  const write = can('pbx:extensions:write');
  const list = h('div');
  const search = field('q', text.common.search, { type: 'search', value: query.get('q') || '' }, t.searchHint);
  const input = search.querySelector('input');
  const more = h('button', { type: 'button', hidden: true, onclick: () => load(false).catch(fail) }, text.common.more);
  let rows = [], next = '', round = 0;

  function draw() {
    const button = (e, label, fn) => h('button', { type: 'button', class: 'small', 'aria-label': `${label} ${e.number}`, onclick: () => Promise.resolve(fn(e)).catch(fail) }, label);
    list.replaceChildren(table(t.title, [
      { title: t.number, cell: (e) => h('strong', {}, e.number) }, { title: t.name, cell: (e) => e.name || '' }, { title: t.user, class: 'mono', cell: (e) => e.sipUsername },
      { title: t.contacts, cell: (e) => button(e, t.show, contacts) },
      ...(write ? [{ title: '', cell: (e) => h('div', { class: 'buttons' }, button(e, text.phone.edit, rename), button(e, t.rotate, rotate), button(e, text.common.remove, remove)) }] : []),
    ], rows, input.value.trim() ? t.none : h('div', {}, h('p', {}, t.empty), write && h('button', { type: 'button', onclick: () => add() }, t.add))));
    more.hidden = !next;
  }
  async function load(anew = true) {
    const mine = ++round;
    const q = input.value.trim();
    const part = await get(`/extensions?limit=${perPage}${q && `&q=${encodeURIComponent(q)}`}${!anew && next ? `&cursor=${encodeURIComponent(next)}` : ''}`);
    if (mine !== round) return;
    rows = anew ? part.extensions : [...rows, ...part.extensions];
    next = part.next || '';
    history.replaceState(null, '', `#/extensions${q ? `?q=${encodeURIComponent(q)}` : ''}`);
    draw();
  }
  let typing = 0;
  input.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => load().catch(fail), 200); });
  stop(() => { clearTimeout(typing); round++; });
  view.replaceChildren(page(t.title, write && h('button', { type: 'button', class: 'main', onclick: () => add() }, t.add),
    write && h('button', { type: 'button', onclick: () => importCSV({ title: t.importCSV, path: '/extensions/import', hint: t.importHint, example: t.importExample, done: load }) }, t.importCSV)),
  h('form', { class: 'filters', role: 'search', onsubmit: (e) => e.preventDefault() }, search), list, more);
  await load();

  const shown = (title, e) => dialog(title, [facts([[t.number, e.number], [t.user, h('code', {}, e.sipUsername)]]), secret(t.password, e.sipPassword)]);
  function add() {
    dialog(t.add, [field('number', t.number, { required: true, inputmode: 'tel' }), field('name', t.name)], async (v) => {
      shown(text.common.created, await post('/extensions', v));
      await load();
    });
  }
  async function rename({ number }) {
    const { value: e, tag } = await tagged(at(number));
    const box = dialog(`${text.phone.edit} ${number}`, field('name', t.name, { value: e.name || '' }), (_, form) => save(tag, form.elements.name.value.trim(), form));
    async function save(known, name, form) {
      try {
        await patch(at(number), { name }, { tag: known });
      } catch (error) {
        if (!isConflict(error)) throw error;
        const now = await tagged(at(number));
        conflict(form, differing({ name: now.value.name || '' }, { name }), {
          reload: () => { box.close(); return rename({ number }); }, overwrite: async () => { if (await save(now.tag, name, form)) box.close(); } });
        return false;
      }
      toast(text.common.saved);
      await load();
      return true;
    }
  }
  function rotate(e) {
    confirm(t.rotate, `${e.number}: ${t.rotateHint}`, async () => { shown(t.rotate, await post(`${at(e.number)}/credentials`)); }, t.rotate);
  }
  function remove(e) {
    confirm(text.common.remove, `${e.number}: ${t.removeHint}`, async () => { await del(at(e.number)); toast(text.common.deleted); await load(); });
  }
}

/** contacts shows what a call rings, as it changes. */
async function contacts({ number }) {
  const list = h('div');
  const draw = async () => {
    const { contacts: live } = await get(`${at(number)}/contacts`);
    list.replaceChildren(table(t.rings, [
      { title: t.uri, class: 'mono', cell: (c) => c.uri }, { title: t.transport, cell: (c) => c.transport || '' }, { title: text.phone.agent, cell: (c) => c.userAgent || '' },
      { title: text.keys.expires, cell: (c) => time(c.expiresAt) }, { title: text.phones.phone, cell: (c) => (c.phoneId ? h('a', { href: `#/phones/${encodeURIComponent(c.phoneId)}` }, t.toPhone) : '') },
    ], live, t.silent));
  };
  await draw();
  const box = dialog(`${number}: ${t.rings}`, list);
  box.classList.add('large');
  let due = 0;
  const stop = listen(() => { due ||= setTimeout(() => { due = 0; draw().catch(() => {}); }, 500); });
  box.addEventListener('close', () => { stop(); clearTimeout(due); });
}
