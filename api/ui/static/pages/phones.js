// The list of phones: search, filters, several at once.
import { call, get, listen, post } from '../api.js';
import { action, badge, dialog, fail, field, h, page, table, time, toast, wrong } from '../dom.js';
import { text } from '../text.js';

const t = text.phones;
const filters = ['q', 'state', 'registered', 'deviceType', 'manufacturer', 'model', 'drift'];

export async function show(view, { query, can, stop }) {
  const chosen = new Set();
  let pages = 1;
  let round = 0;
  let shown = [];
  const any = ['', text.common.all];
  const form = h('form', { class: 'filters', role: 'search' },
    field('q', text.common.search, { type: 'search' }),
    field('state', t.state, { options: [any, ...Object.entries(text.state)] }),
    field('deviceType', t.type, { options: [any, ...['hardware', 'softphone', 'webrtc', 'mobile'].map((k) => [k, text.dashboard[k]])] }),
    field('manufacturer', t.maker, { options: [any, 'Polycom', 'Yealink', 'Grandstream'] }),
    field('model', t.model, {}),
    field('drift', t.drift, { options: [any, ['true', text.common.yes], ['false', text.common.no]] }));
  form.addEventListener('submit', (e) => e.preventDefault());
  for (const name of filters) if (form.elements[name] && query.get(name)) form.elements[name].value = query.get(name);
  const list = h('div');
  const more = h('button', { type: 'button', hidden: true, onclick: () => { pages++; refresh(); } }, text.common.more);
  const picked = h('span');
  const many = (kind, label) => action(label, async () => {
    await post(`/phones/${kind}`, { ids: [...chosen] });
    toast(t.started(chosen.size));
    chosen.clear();
    draw();
  });
  const tools = h('div', { class: 'tools', hidden: true }, picked, many('resync', t.resync), many('reboot', t.reboot));
  view.replaceChildren(page(t.title,
    can('pbx:phones:write') && h('button', { type: 'button', class: 'main', onclick: () => add(refresh) }, t.add),
    can('pbx:phones:write') && h('button', { type: 'button', onclick: () => importCSV(refresh) }, t.importCSV),
    h('a', { class: 'button', href: '/v1/pbx/phones/export', download: 'phones.csv' }, t.exportCSV)),
  form, tools, list, more);

  function columns() {
    const boxes = can('pbx:phones:write') ? [{
      title: t.select, head: h('input', { type: 'checkbox', 'aria-label': t.selectAll, checked: shown.length > 0 && shown.every((p) => chosen.has(p.id)),
        onchange: (e) => { shown.forEach((p) => (e.target.checked ? chosen.add(p.id) : chosen.delete(p.id))); draw(); } }),
      cell: (p) => h('input', { type: 'checkbox', 'aria-label': `${t.select} ${p.macAddress || p.extensionNumber || p.id}`, checked: chosen.has(p.id),
        onchange: (e) => { if (e.target.checked) chosen.add(p.id); else chosen.delete(p.id); head(); } }),
    }] : [];
    return [...boxes,
      { title: t.extension, cell: (p) => h('a', { href: `#/phones/${encodeURIComponent(p.id)}` },
        [p.extensionNumber, p.extensionName].filter(Boolean).join(' ') || p.name || p.macAddress || p.id) },
      { title: t.state, cell: (p) => [badge(p.state || 'unregistered'), (p.drift || []).length > 0 && h('span', { class: 'badge behind', title: p.drift.join(', ') }, t.drift)] },
      { title: t.phone, cell: (p) => [p.manufacturer, p.model].filter(Boolean).join(' ') || p.userAgent || p.deviceType || '' },
      { title: t.mac, class: 'mono', cell: (p) => p.macAddress || '' },
      { title: t.ip, class: 'mono', cell: (p) => p.ipAddress || '' },
      { title: t.seen, cell: (p) => (p.lastRegistered ? time(p.lastRegistered) : '') }];
  }
  function head() {
    tools.hidden = chosen.size === 0;
    picked.textContent = text.common.selected(chosen.size);
  }
  function draw() {
    head();
    const focus = document.activeElement?.getAttribute('aria-label');
    list.replaceChildren(table(t.caption, columns(), shown, t.none));
    if (focus) list.querySelector(`[aria-label="${CSS.escape(focus)}"]`)?.focus();
  }
  async function refresh() {
    const mine = ++round;
    const q = new URLSearchParams();
    for (const name of filters) if (form.elements[name]?.value.trim()) q.set(name, form.elements[name].value.trim());
    history.replaceState(null, '', `#/phones${q.size ? `?${q}` : ''}`);
    const found = [];
    let next = '';
    for (let i = 0; i < pages; i++) {
      const part = await get(`/phones?${q}&limit=100${next && `&cursor=${encodeURIComponent(next)}`}`);
      found.push(...part.phones);
      next = part.next || '';
      if (!next) break;
    }
    if (mine !== round) return;
    shown = found;
    more.hidden = !next;
    draw();
  }
  let typing = 0;
  form.addEventListener('input', () => { pages = 1; clearTimeout(typing); typing = setTimeout(() => refresh().catch(fail), 200); });
  await refresh();
  // What happens brings the list up to date, at most once in a second.
  let due = 0;
  const soon = () => { due ||= setTimeout(() => { due = 0; refresh().catch(() => {}); }, 1000); };
  const timer = setInterval(soon, 5000);
  stop(() => { clearInterval(timer); clearTimeout(due); clearTimeout(typing); round++; });
  stop(listen(soon));
}

function add(done) {
  const line = () => field('extensionNumber', t.extension, { inputmode: 'tel' });
  dialog(t.add, [field('macAddress', t.mac, { required: true, placeholder: '00:15:65:aa:bb:01', spellcheck: 'false' }), field('model', t.model, { placeholder: 'T46S' }),
    line(), field('name', t.name), field('site', t.site)], async (v) => {
    const { extensionNumber, ...phone } = v;
    if (extensionNumber) phone.lines = [{ line: 1, extensionNumber }];
    try {
      await post('/phones', phone);
    } catch (error) {
      (error.errors || []).forEach((e) => { e.field = e.field.replace('lines[0].', ''); });
      throw error;
    }
    toast(t.added);
    done();
  });
}

function importCSV(done) {
  const file = h('input', { type: 'file', accept: '.csv,text/csv', 'aria-label': t.importCSV, required: true });
  const said = h('p', { role: 'status' });
  const box = dialog(t.importCSV, [h('p', { class: 'hint' }, t.importHint), file, said,
    h('button', { type: 'button', onclick: async () => {
      if (!file.files[0]) return;
      try {
        const answer = await call('POST', '/phones/import?dryRun=1', file.files[0], { type: 'text/csv' });
        wrong(box.querySelector('form'), { message: '' });
        said.textContent = t.rowsRight(answer.rows);
      } catch (error) { said.textContent = ''; wrong(box.querySelector('form'), error); }
    } }, t.check)], async () => {
    if (!file.files[0]) throw new Error(text.common.required);
    await call('POST', '/phones/import', file.files[0], { type: 'text/csv' });
    done();
  }, t.doImport);
}
