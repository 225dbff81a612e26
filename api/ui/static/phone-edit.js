// Changing a phone: its facts and lines, and one key of it. What somebody else has
// changed meanwhile is not lost: the server is told what was read.
import { get, patch, tagged } from './api.js';
import { conflict, differing, isConflict } from './conflict.js';
import { dialog, field, h, toast } from './dom.js';
import { text } from './text.js';

const t = text.phone;

/** save patches a phone that was read with tag; a conflict is shown in form. done(phone)
 * follows; read(phone) is what is stored in the form of doc, to compare. */
async function save(path, doc, tag, form, { read, done, reload }) {
  try {
    const made = await patch(path, doc, { tag });
    (made.warnings || []).forEach((w) => toast(w, 'warn'));
    toast(text.common.saved);
    await done(made);
    return true;
  } catch (error) {
    if (!isConflict(error)) throw error;
    const now = await tagged(path);
    conflict(form, differing(read(now.value), read({ ...now.value, ...doc, settings: { ...now.value.settings, ...doc.settings } })), {
      reload, overwrite: async () => { if (await save(path, doc, now.tag, form, { read, done, reload })) form.closest('dialog')?.close(); },
    });
    return false;
  }
}

/** lineRows edits lines as rows of number, extension and label. */
function lineRows(lines) {
  const rows = h('div', { class: 'rows' });
  const add = (l) => {
    const row = h('div', { class: 'row' },
      h('input', { type: 'number', min: 1, max: 250, required: true, value: l.line, 'aria-label': text.phones.line, 'data-part': 'line' }),
      h('input', { type: 'text', required: true, value: l.extensionNumber || '', 'aria-label': text.phones.extension, inputmode: 'tel', autocomplete: 'off', 'data-part': 'extensionNumber' }),
      h('input', { type: 'text', value: l.label || '', 'aria-label': t.label, placeholder: t.label, autocomplete: 'off', 'data-part': 'label' }),
      h('button', { type: 'button', class: 'small', 'aria-label': t.removeLine(l.line), onclick: () => row.remove() }, '×'));
    rows.append(row);
    return row;
  };
  lines.forEach(add);
  const of = (row, part) => row.querySelector(`[data-part=${part}]`).value.trim();
  const read = () => [...rows.children].map((row) => ({ line: Number(of(row, 'line')), extensionNumber: of(row, 'extensionNumber'), label: of(row, 'label') }));
  const more = h('button', { type: 'button', class: 'small', onclick: () => add({ line: Math.max(0, ...read().map((l) => l.line)) + 1 }).querySelector('[data-part=extensionNumber]').focus() }, t.addLine);
  return { element: h('fieldset', {}, h('legend', {}, t.lines), rows, more, h('p', { class: 'wrong', 'data-for': 'lines' })), read };
}

const plainLines = (lines) => (lines || []).map((l) => ({ line: l.line, extensionNumber: l.extensionNumber, label: l.label === l.extensionNumber ? '' : l.label || '' }));

/** compared is what a person changes about a phone, as flat names. */
const compared = (p) => ({
  name: p.name || '', site: p.site || '', model: p.model || '', lines: plainLines(p.lines).map((l) => `${l.line}=${l.extensionNumber}${l.label ? ` ${l.label}` : ''}`).join(', '),
  ...Object.fromEntries(Object.entries(p.settings || {}).filter(([, v]) => v !== null)),
});

/** settingsOf reads "name = value" lines; what was there and is not any more is null. */
function settingsOf(lines, old) {
  const next = Object.fromEntries(lines.split('\n').map((row) => row.split('=')).filter(([k]) => k.trim()).map(([k, ...rest]) => [k.trim(), rest.join('=').trim()]));
  for (const k of Object.keys(old)) if (!(k in next)) next[k] = null;
  return next;
}

/** edit opens the dialog for all of a phone. */
export async function edit(path, done) {
  const { value: phone, tag } = await tagged(path);
  const old = phone.settings || {};
  const rows = lineRows(plainLines(phone.lines));
  const settings = Object.entries(old).map(([k, v]) => `${k} = ${v}`).join('\n');
  const box = dialog(t.edit, [h('div', { class: 'filters' }, field('name', text.phones.name, { value: phone.name || '' }), field('site', text.phones.site, { value: phone.site || '' }), field('model', text.phones.model, { value: phone.model || '' })),
    rows.element, field('settings', t.settings, { rows: 6, value: settings }, t.settingsHint)],
  (_, form) => {
    const f = form.elements;
    const doc = { name: f.name.value.trim(), site: f.site.value.trim(), model: f.model.value.trim(), lines: rows.read(), settings: settingsOf(f.settings.value, old) };
    return save(path, doc, tag, form, { read: compared, done, reload: () => { box.close(); return edit(path, done); } }).catch((error) => {
      (error.errors || []).forEach((e) => { e.field = e.field.replace(/^lines\[.*/, 'lines').replace(/^settings\..*/, (s) => { e.detail = `${s.slice(9)}: ${e.detail}`; return 'settings'; }); });
      throw error;
    });
  });
}

/** editKey opens the dialog for one key; module 0 is the phone itself. */
export async function editKey(path, module, number, set, done) {
  const [{ value: phone, tag }, { settings: schema }] = await Promise.all([tagged(path), get('/settings/schema')]);
  const types = schema.find((s) => s.key === 'keys.#.type').choices;
  const prefix = `${module ? `modules.${module}.` : ''}keys.${number}.`;
  const own = (part) => phone.settings?.[prefix + part];
  const title = module ? text.handset.moduleKey(module, number) : text.handset.key(number);
  const box = dialog(title, [field('type', text.handset.does, { options: [['', text.handset.byItself], ...types.map((x) => [x, text.handset.types[x] || x])], value: set.type || '' }),
    field('value', text.handset.value, { value: set.value || '', spellcheck: 'false' }, text.handset.valueHint), field('label', t.label, { value: set.label || '' }), field('line', text.phones.line, { type: 'number', min: 1, max: 250, value: set.line || '' })],
  (v, form) => {
    const doc = { settings: {} };
    for (const part of ['type', 'value', 'label', 'line']) {
      if (v[part] !== undefined) doc.settings[prefix + part] = v[part];
      else if (own(part) !== undefined) doc.settings[prefix + part] = null;
      else if (set[part]) doc.settings[prefix + part] = ''; // a layer sets it: the phone says otherwise
    }
    return save(path, doc, tag, form, { read: compared, done, reload: () => { box.close(); return editKey(path, module, number, set, done); } }).catch((error) => {
      (error.errors || []).forEach((e) => { e.field = e.field.replace(`settings.${prefix}`, ''); });
      throw error;
    });
  });
}
