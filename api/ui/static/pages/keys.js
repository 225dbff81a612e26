// Keys of the API.
import { all, del, get, post } from '../api.js';
import { confirm, dialog, field, h, page, secret, table, time } from '../dom.js';
import { text } from '../text.js';

const t = text.keys;

export async function show(view) {
  const list = h('div');
  const own = await get('/session');
  const load = async () => list.replaceChildren(table(t.title, [
    { title: t.name, cell: (k) => k.name || k.id }, { title: t.scopes, cell: (k) => k.scopes.join(', ') }, { title: t.created, cell: (k) => time(k.createdAt) },
    { title: t.expires, cell: (k) => time(k.expiresAt) }, { title: t.used, cell: (k) => time(k.lastUsed) },
    { title: '', cell: (k) => h('button', { type: 'button', class: 'small', onclick: () => confirm(t.revoke, `${k.name || k.id}: ${text.common.sure}`, async () => { await del(`/keys/${k.id}`); await load(); }, t.revoke) }, t.revoke) },
  ], await all('/keys', 'keys')));
  view.replaceChildren(page(t.title, h('button', { type: 'button', class: 'main', onclick: () => dialog(t.add, [
    field('name', t.name, { required: true }),
    h('fieldset', {}, h('legend', {}, t.scopes), own.scopes.map((s) => field(s, s, { type: 'checkbox', checked: true }))),
    field('expiresAt', t.expires, { type: 'date' }),
  ], async (v) => {
    const made = await post('/keys', { name: v.name, scopes: own.scopes.filter((s) => v[s]), ...(v.expiresAt && { expiresAt: `${v.expiresAt}T00:00:00Z` }) });
    dialog(t.add, secret(t.shown, made.key));
    await load();
  }) }, t.add)), list);
  await load();
}
