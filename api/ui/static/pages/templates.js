// The templates: those built in and those in their place.
import { all, get, post } from '../api.js';
import { badge, dialog, field, h, page, table, time } from '../dom.js';
import { download, uploadPack } from '../pack.js';
import { text } from '../text.js';

const t = text.templates;
export const vendors = Object.entries(text.makers);
export const vendorName = (v) => text.makers[v] || v;
const at = (name) => `#/templates/${encodeURIComponent(name)}`;

/** badges say how a template stands. */
export const badges = (x) => [badge(x.active ? 'active' : 'stored', { active: t.active, stored: t.stored }), ' ',
  x.behind && h('span', { class: 'badge behind', title: t.behindHint }, t.behind), ' ', x.fault && h('span', { class: 'badge error', title: x.fault }, `${t.fault}: ${x.fault}`)];

export async function show(view, { can }) {
  const write = can('pbx:templates:write');
  const list = await all('/templates', 'templates');
  view.replaceChildren(page(t.title,
    write && h('button', { type: 'button', class: 'main', onclick: () => add(list) }, t.add),
    write && h('button', { type: 'button', onclick: () => uploadFile() }, t.upload),
    write && h('button', { type: 'button', onclick: () => uploadPack(() => show(view, { can })) }, text.pack.upload), download()),
  h('p', { class: 'hint' }, t.changes),
  table(t.title, [
    { title: t.name, cell: (x) => h('a', { href: at(x.name) }, x.name) }, { title: t.vendor, cell: (x) => vendorName(x.vendor) }, { title: t.file, class: 'mono', cell: (x) => x.file },
    { title: t.revision, cell: (x) => (x.builtin ? t.builtin : `${x.revision}${x.latestRevision > x.revision ? ` / ${x.latestRevision}` : ''}`) }, { title: t.state, cell: badges },
    { title: t.models, cell: (x) => (x.models || []).join(', ') || t.allModels }, { title: t.updated, cell: (x) => (x.updatedAt ? [time(x.updatedAt), x.createdBy ? ` ${x.createdBy}` : ''] : '') },
  ], list));
}

const fresh = () => [field('name', t.name, { required: true, spellcheck: 'false', pattern: '[a-z0-9\\-]{1,64}' }, t.nameHint), field('vendor', t.vendor, { options: vendors }), field('models', t.models, {}, text.template.modelsHint)];
const split = (s) => (s || '').split(',').map((x) => x.trim()).filter(Boolean);

// A new template begins with the text of the built-in one and is not active.
function add(list) {
  dialog(t.add, fresh(), async (v) => {
    const base = list.find((x) => x.builtin && x.vendor === v.vendor && x.file === 'phone') || list.find((x) => x.vendor === v.vendor && x.file === 'phone');
    const { content } = await get(`/templates/${encodeURIComponent(base.name)}`);
    const made = await post('/templates', { name: v.name, vendor: v.vendor, file: 'phone', models: split(v.models), content, activate: false });
    location.hash = at(made.name);
  }, text.common.save);
}

// An uploaded file opens in the editor, where its faults are marked; nothing is stored.
function uploadFile() {
  const file = h('input', { type: 'file', required: true, 'aria-label': t.choose });
  dialog(t.upload, [file, ...fresh()], async (v) => {
    const content = await file.files[0].text();
    draft.set(v.name, { content, vendor: v.vendor, models: split(v.models) });
    location.hash = at(v.name);
  }, text.templates.upload);
}

/** draft holds texts that the editor opens with although they are not stored. */
export const draft = new Map();
