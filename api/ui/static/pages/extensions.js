// Extensions, their live contacts and their passwords.
import { all, del, get, patch, post } from '../api.js';
import { confirm, dialog, facts, field, h, page, secret, table, time, toast } from '../dom.js';
import { text } from '../text.js';

const t = text.extensions;

export async function show(view, { can }) {
  const write = can('pbx:extensions:write');
  const list = h('div');
  const search = field('q', text.common.search, { type: 'search' });
  let rows = [];
  const draw = () => {
    const q = search.querySelector('input').value.trim().toLowerCase();
    list.replaceChildren(table(t.title, [
      { title: t.number, cell: (e) => h('strong', {}, e.number) }, { title: t.name, cell: (e) => e.name || '' }, { title: t.user, class: 'mono', cell: (e) => e.sipUsername },
      { title: t.contacts, cell: (e) => h('button', { type: 'button', class: 'small', onclick: () => contacts(e.number) }, t.contacts) },
      ...(write ? [{ title: '', cell: (e) => h('div', { class: 'buttons' },
        h('button', { type: 'button', class: 'small', onclick: () => rename(e) }, text.phone.edit),
        h('button', { type: 'button', class: 'small', onclick: () => rotate(e) }, t.rotate),
        h('button', { type: 'button', class: 'small', onclick: () => confirm(text.common.remove, `${e.number}: ${text.common.sure}`, async () => { await del(`/extensions/${encodeURIComponent(e.number)}`); await load(); }) }, text.common.remove)) }] : []),
    ], rows.filter((e) => !q || `${e.number} ${e.name || ''}`.toLowerCase().includes(q))));
  };
  const load = async () => { rows = await all('/extensions', 'extensions', 5000); draw(); };
  search.addEventListener('input', draw);
  view.replaceChildren(page(t.title, write && h('button', { type: 'button', class: 'main', onclick: () => add() }, t.add)), search, list);
  await load();

  const shown = (title, e) => dialog(title, [facts([[t.number, e.number], [t.user, e.sipUsername]]), secret(t.password, e.sipPassword)]);
  function add() {
    dialog(t.add, [field('number', t.number, { required: true, inputmode: 'tel' }), field('name', t.name)], async (v) => {
      shown(text.common.created, await post('/extensions', v));
      await load();
    });
  }
  function rename(e) {
    dialog(`${text.phone.edit} ${e.number}`, field('name', t.name, { value: e.name || '' }), async (_, form) => {
      await patch(`/extensions/${encodeURIComponent(e.number)}`, { name: form.elements.name.value });
      toast(text.common.saved);
      await load();
    });
  }
  function rotate(e) {
    confirm(t.rotate, `${e.number}: ${t.rotateHint}`, async () => { shown(t.rotate, await post(`/extensions/${encodeURIComponent(e.number)}/credentials`)); }, t.rotate);
  }
}

async function contacts(number) {
  const { contacts: live } = await get(`/extensions/${encodeURIComponent(number)}/contacts`);
  dialog(`${number}: ${t.rings}`, table(t.rings, [
    { title: 'URI', class: 'mono', cell: (c) => c.uri }, { title: 'Transport', cell: (c) => c.transport || '' }, { title: 'User-Agent', cell: (c) => c.userAgent || '' },
    { title: text.keys.expires, cell: (c) => time(c.expiresAt) }, { title: text.phones.phone, cell: (c) => (c.phoneId ? h('a', { href: `#/phones/${encodeURIComponent(c.phoneId)}` }, c.phoneId) : '') },
  ], live, t.silent)).classList.add('large');
}

