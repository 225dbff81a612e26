// Settings that phones share, by layer, as a form made of the schema.
import { del, get, tagged } from '../api.js';
import { conflict, differing, isConflict } from '../conflict.js';
import { confirm, field, h, page, table, time, toast, wrong } from '../dom.js';
import { text } from '../text.js';

const t = text.settings;
const mask = '********'; // stands for the secret that is stored
const scopes = Object.entries(t.scopes);
const secretName = /pass(?:word|wd)?|pwd|secret|\.pin$/i;

// The headings, each with the keys that begin so; what fits none is behaviour.
const groups = [
  [t.groups.time, /^(timezone|ntp|time\.|language)/], [t.groups.network, /^(vlan\.|lldp|cdp|dhcp\.|qos\.)/],
  [t.groups.access, /^(adminPassword|userPassword|web\.|syslog\.)/], [t.groups.provisioning, /^(provisioning\.|firmware\.|phonebook)/], [t.groups.behaviour, /./]];

const groupOf = (s) => (s.perLine ? t.groups.account : groups.find(([, of]) => of.test(s.key))[0]);

/** one makes the field of a setting; empty is: not set in this layer. */
function one(s, value, readOnly) {
  const props = { value: value ?? '', 'data-key': s.key, disabled: readOnly };
  const hint = [s.description, s.unit, s.noEffect && t.noEffect(s.noEffect.join(', '))].filter(Boolean).join(' ');
  const label = s.key;
  if (s.type === 'boolean') return field(s.key, label, { ...props, options: [['', t.inherit], ['true', text.common.yes], ['false', text.common.no]] }, hint);
  if (s.type === 'choice') return field(s.key, label, { ...props, options: [['', t.inherit], ...s.choices] }, hint);
  if (s.type === 'secret') return field(s.key, label, { ...props, value: '', type: 'password', autocomplete: 'new-password', placeholder: value === undefined ? '' : mask }, value === undefined ? hint : `${t.secret} ${hint}`);
  if (s.type === 'number') return field(s.key, label, { ...props, type: 'number', min: s.min ?? 0, max: s.max, placeholder: t.example(s.example) }, hint);
  return field(s.key, label, { ...props, placeholder: t.example(s.example), spellcheck: 'false' }, hint);
}

const linesOf = (entries) => entries.map(([k, v]) => `${k} = ${v !== '' && secretName.test(k) ? mask : v}`).join('\n');

export async function show(view, { args, can, query }) {
  const [scope = 'global', name = ''] = args;
  const write = can('pbx:phones:write');
  const path = scope === 'global' ? '/settings/global' : `/settings/${scope}/${encodeURIComponent(name)}`;
  const [schema, { layers }] = await Promise.all([get('/settings/schema'), get('/settings?secrets=false')]);
  const read404 = (e) => { if (e.status !== 404) throw e; return { value: { scope, name, settings: {}, revision: 0 } }; };
  let { value: layer, tag } = await tagged(`${path}?secrets=false`).catch(read404);
  const single = schema.settings.filter((s) => !s.key.includes('#') && s.key !== 'group');
  const known = new Set(single.map((s) => s.key));
  const other = Object.entries(layer.settings).filter(([k]) => !known.has(k)).sort(([a], [b]) => a.localeCompare(b));

  const sets = new Map();
  for (const s of single) sets.set(groupOf(s), [...(sets.get(groupOf(s)) || []), s]);
  const warnings = h('div', { role: 'status' });
  const form = h('form', { class: 'settings' }, warnings,
    [...sets].map(([title, list]) => h('fieldset', {}, h('legend', {}, title), h('div', { class: 'filters' }, list.map((s) => one(s, layer.settings[s.key], !write))))),
    h('fieldset', {}, h('legend', {}, t.raw), field('raw', t.raw, { rows: 6, value: linesOf(other), disabled: !write }, t.rawHint)),
    write ? h('div', { class: 'buttons tools' }, h('button', { type: 'submit', class: 'main' }, text.common.save), h('span', { class: 'hint' }, t.order)) : h('p', { class: 'hint' }, t.readonly));

  view.replaceChildren(page(`${t.title}: ${t.scopes[scope]}${name && ` ${name}`}`,
    write && layer.revision > 0 && h('button', { type: 'button', onclick: () => confirm(t.remove, `${t.scopes[scope]} ${name}: ${text.common.sure}`, async () => { await del(path); toast(t.removed); await show(view, { args, can, query }); }) }, t.remove)),
  h('div', { class: 'grid' }, pick(scope, name), others(layers)), h('section', {}, finder(form), form));
  if (write && query.get('set')) begin(form.elements.raw, query.get('set'));

  async function save() {
    const settings = read(form, single, layer);
    try {
      ({ value: layer, tag } = await tagged(path, 'PUT', { settings }, { tag }));
    } catch (error) {
      if (!isConflict(error)) throw error;
      const now = await tagged(`${path}?secrets=false`).catch(read404);
      conflict(form, differing(hidden(now.value.settings), hidden(settings)), { reload: () => show(view, { args, can, query }), overwrite: async () => { ({ tag } = now); await save(); } });
      return;
    }
    wrong(form, { message: '' });
    form.querySelector('.summary')?.remove();
    warnings.replaceChildren(...(layer.warnings || []).map((w) => h('p', { class: 'warned' }, w)));
    toast(t.saved(layer.revision));
  }
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const button = form.querySelector('button.main');
    button.disabled = true;
    try {
      await save();
    } catch (error) { (error.errors || []).forEach((x) => { x.field = x.field.replace(/^settings\./, ''); }); wrong(form, error); } finally { button.disabled = false; }
  });
}

/** begin puts the cursor behind the name of a setting, in a line of its own unless there
 * is one. The focus waits: who follows a link comes to the top of a page first. */
function begin(raw, key) {
  const rows = raw.value.split('\n').filter((row) => row.trim());
  if (!rows.some((row) => row.split('=')[0].trim() === key)) rows.push(`${key} = `);
  raw.value = rows.join('\n');
  const at = rows.findIndex((row) => row.split('=')[0].trim() === key);
  const end = rows.slice(0, at + 1).join('\n').length;
  setTimeout(() => { raw.focus(); raw.setSelectionRange(end, end); });
}

/** hidden masks what must not be shown in a comparison. */
const hidden = (settings) => Object.fromEntries(Object.entries(settings).map(([k, v]) => [k, v && secretName.test(k) ? mask : v]));

/** read makes the layer of the form; a secret that was not typed stays as it is. */
function read(form, single, layer) {
  const out = {};
  for (const s of single) {
    const v = form.elements[s.key].value.trim();
    if (v !== '') out[s.key] = v;
    else if (s.type === 'secret' && layer.settings[s.key] !== undefined) out[s.key] = mask;
  }
  for (const row of form.elements.raw.value.split('\n')) {
    const i = row.indexOf('=');
    const k = (i < 0 ? row : row.slice(0, i)).trim();
    if (k) out[k] = i < 0 ? '' : row.slice(i + 1).trim();
  }
  return out;
}

/** pick chooses the layer that is shown. */
function pick(scope, name) {
  const form = h('form', { class: 'card' }, h('h2', {}, t.layer), field('scope', t.scope, { options: scopes, value: scope }), field('name', t.name, { value: name, spellcheck: 'false' }), h('button', { type: 'submit' }, t.open));
  const f = form.elements;
  const fit = () => { f.name.closest('.field').hidden = f.scope.value === 'global'; f.name.required = f.scope.value !== 'global'; };
  fit();
  form.addEventListener('change', fit);
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    location.hash = f.scope.value === 'global' ? '#/settings/global' : `#/settings/${f.scope.value}/${encodeURIComponent(f.name.value.trim())}`;
  });
  return form;
}

const others = (layers) => h('section', {}, h('h2', {}, t.layers), table(t.layers, [
  { title: t.layer, cell: (l) => h('a', { href: l.scope === 'global' ? '#/settings/global' : `#/settings/${l.scope}/${encodeURIComponent(l.name)}` }, `${t.scopes[l.scope]} ${l.name || ''}`) },
  { title: t.count, cell: (l) => Object.keys(l.settings).length }, { title: t.changed, cell: (l) => time(l.updatedAt) }], layers));

/** finder hides the settings that do not fit what is typed, or are not set. */
function finder(form) {
  const q = field('find', t.filter, { type: 'search' }), only = field('only', t.only, { type: 'checkbox' });
  const [word, box] = [q.querySelector('input'), only.querySelector('input')];
  const fit = () => {
    for (const e of form.querySelectorAll('[data-key]')) {
      const place = e.closest('.field');
      const set = e.value !== '' || e.placeholder === mask;
      place.hidden = !place.textContent.toLowerCase().includes(word.value.trim().toLowerCase()) || (box.checked && !set);
    }
    for (const set of form.querySelectorAll('fieldset')) if (set.querySelector('[data-key]')) set.hidden = !set.querySelector('.field:not([hidden])');
  };
  word.addEventListener('input', fit);
  box.addEventListener('change', fit);
  return h('div', { class: 'filters' }, q, only);
}

/** effective is what the layers make of a phone: parts to show, and the settings. */
export async function effective(path) {
  const { settings, modelKnown, warnings } = await get(`${path}/settings`);
  const rows = Object.entries(settings).sort(([a], [b]) => a.localeCompare(b));
  const parts = [!modelKnown && h('p', { class: 'warned' }, t.unknownModel), warnings.map((w) => h('p', { class: 'warned' }, w)),
    table(t.effective, [{ title: t.setting, class: 'mono', cell: ([k]) => k }, { title: t.value, class: 'mono', cell: ([k, s]) => (s.value !== '' && secretName.test(k) ? mask : s.value) },
      { title: t.from, cell: ([, s]) => layerLink(s.layer) }], rows)];
  return { parts, settings };
}
function layerLink(layer) {
  const [scope, ...name] = layer.split('/');
  if (!(scope in t.scopes)) return layer;
  return h('a', { href: `#/settings/${scope}${name.length ? `/${encodeURIComponent(name.join('/'))}` : ''}` }, layer);
}
