// The files a phone gets, masked, and where each line comes from.
import { get } from './api.js';
import { fail, h, table } from './dom.js';
import { text } from './text.js';

const t = text.phone;

/** preview fills section, which stays hidden when there are no files; what was chosen in
 * it before stays chosen. */
export async function preview(section, path) {
  let files = [];
  try { files = (await get(`${path}/config`)).files || []; } catch { /* nothing is made for this phone */ }
  section.hidden = files.length === 0;
  if (section.hidden) return;
  const before = [section.querySelector('select')?.value, section.querySelector('#explain')?.checked];
  const out = h('div');
  const explain = h('input', { type: 'checkbox', id: 'explain', checked: before[1] === true });
  const select = h('select', { 'aria-label': t.file }, files.map((f) => h('option', { value: f }, f)));
  const load = async () => {
    try {
      const q = `${path}/config?file=${encodeURIComponent(select.value)}`;
      if (!explain.checked) { out.replaceChildren(h('pre', { tabindex: '0', role: 'group', 'aria-label': select.value }, await get(q))); return; }
      const { lines } = await get(`${q}&explain=1`);
      out.replaceChildren(h('div', { class: 'explained' }, table(select.value, [
        { title: '#', class: 'num', cell: (l) => l.n }, { title: t.content, class: 'text', cell: (l) => l.text },
        { title: t.layer, cell: (l) => l.layer || '' }, { title: t.from, cell: (l) => (l.template ? [l.template, l.revision ? ` r${l.revision}` : '', `:${l.templateLine}`].join('') : '') },
        { title: t.settings, cell: (l) => (l.settings || []).join(', ') }], lines.map((l, n) => ({ n: n + 1, ...l })))));
    } catch (error) { fail(error); }
  };
  section.replaceChildren(h('h2', { id: 'config' }, t.config), h('div', { class: 'buttons spaced' }, select, h('span', { class: 'field check' }, explain, h('label', { for: 'explain' }, t.explain))), out);
  select.addEventListener('change', load);
  explain.addEventListener('change', load);
  if (files.includes(before[0])) select.value = before[0]; else select.selectedIndex = files.length - 1;
  await load();
}
