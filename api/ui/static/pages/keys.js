// Keys of the API.
import { all, del, get, post } from '../api.js';
import { badge, confirm, dialog, field, h, page, secret, table, time, toast } from '../dom.js';
import { text } from '../text.js';

const t = text.keys;

/** scopes are shown as what may be read and what may be written. */
const scopes = (list) => (list.length > 4 ? h('details', {}, h('summary', {}, t.count(list.length)), h('ul', { class: 'plain' }, list.map((s) => h('li', {}, h('code', {}, s))))) : list.map((s) => h('div', {}, h('code', {}, s))));

export async function show(view) {
  const list = h('div');
  const own = await get('/session');
  const load = async () => list.replaceChildren(table(t.title, [
    { title: t.name, cell: (k) => [k.name || k.id, k.id === own.keyId && [' ', badge('ok', { ok: t.own })]] }, { title: t.scopes, cell: (k) => scopes(k.scopes) }, { title: t.created, cell: (k) => time(k.createdAt) },
    { title: t.expires, cell: (k) => (k.expiresAt ? [time(k.expiresAt), Date.parse(k.expiresAt) < Date.now() && [' ', badge('error', { error: t.expired })]] : text.common.never) }, { title: t.used, cell: (k) => time(k.lastUsed) },
    { title: '', cell: (k) => h('button', { type: 'button', class: 'small', 'aria-label': `${t.revoke} ${k.name || k.id}`, onclick: () => confirm(t.revoke, `${k.name || k.id}: ${k.id === own.keyId ? t.revokeOwn : t.revokeHint}`, async () => { await del(`/keys/${k.id}`); toast(t.revoked); await load(); }, t.revoke) }, t.revoke) },
  ], await all('/keys', 'keys')));
  view.replaceChildren(page(t.title, h('button', { type: 'button', class: 'main', onclick: () => dialog(t.add, [
    field('name', t.name, { required: true }),
    h('fieldset', {}, h('legend', {}, t.scopes), h('div', { class: 'filters' }, own.scopes.map((s) => field(s, s, { type: 'checkbox', checked: s.endsWith(':read') })))),
    field('expiresAt', t.expires, { type: 'date', min: new Date(Date.now() + 864e5).toISOString().slice(0, 10) }, t.expiresHint),
  ], async (v) => {
    const made = await post('/keys', { name: v.name, scopes: own.scopes.filter((s) => v[s]), ...(v.expiresAt && { expiresAt: `${v.expiresAt}T00:00:00Z` }) });
    dialog(t.add, secret(t.shown, made.key));
    await load();
  }) }, t.add)), list);
  await load();
}
