// The list of phones: search, filters, several at once.
import { get, listen, post } from '../api.js';
import { badge, dialog, fail, field, h, page, table, time, toast } from '../dom.js';
import { importCSV } from '../importing.js';
import { askWaves, watchJob } from '../job.js';
import { text } from '../text.js';

const t = text.phones;
const filters = ['q', 'state', 'registered', 'deviceType', 'manufacturer', 'model', 'drift'];
const perPage = 100;

/** fetches says whether a phone gets its files here; others cannot be told to. */
const fetches = (p) => (p.lines || []).some((l) => l.authUser);

export async function show(view, { query, can, stop }) {
  const write = can('pbx:phones:write');
  const chosen = new Set();
  let everything = false; // all that the filters find is chosen
  let wanted = perPage;
  let round = 0;
  let shown = [];
  let next = '';
  const any = ['', text.common.all];
  const form = h('form', { class: 'filters', role: 'search' },
    field('q', text.common.search, { type: 'search', placeholder: t.searchHint }),
    field('state', t.state, { options: [any, ...Object.entries(text.state)] }),
    field('deviceType', t.type, { options: [any, ...['hardware', 'softphone', 'webrtc', 'mobile'].map((k) => [k, text.dashboard[k]])] }),
    field('manufacturer', t.maker, { options: [any, ...Object.entries(text.makers)] }),
    field('model', t.model, {}),
    field('drift', t.drift, { options: [any, ['true', text.common.yes], ['false', text.common.no], ...Object.entries(t.drifts)] }));
  form.addEventListener('submit', (e) => e.preventDefault());
  for (const name of filters) if (form.elements[name] && query.get(name)) form.elements[name].value = query.get(name);
  const list = h('div');
  const job = h('div', { role: 'status', class: 'job' });
  const found = h('span', { class: 'hint', role: 'status' });
  const more = h('button', { type: 'button', hidden: true, onclick: () => { wanted += perPage; refresh().catch(fail); } }, text.common.more);
  const picked = h('span');
  const whole = h('button', { type: 'button', class: 'small', onclick: () => { everything = true; draw(); } }, t.selectFound);
  const clear = h('button', { type: 'button', class: 'small', onclick: () => { everything = false; chosen.clear(); draw(); } }, t.selectNone);
  const many = (kind, label) => h('button', { type: 'button', onclick: () => {
    askWaves(label, everything ? Infinity : chosen.size, async (waves) => {
      const made = await post(`/phones/${kind}`, everything ? { filter: filterBody(), waves } : { ids: [...chosen], waves });
      chosen.clear();
      everything = false;
      draw();
      watchJob(job, made, () => refresh()).catch(fail);
    });
  } }, label);
  const tools = h('div', { class: 'tools', hidden: true, role: 'group', 'aria-label': t.chosen }, picked, whole, many('resync', t.resync), many('reboot', t.reboot), clear);
  view.replaceChildren(page(t.title,
    write && h('button', { type: 'button', class: 'main', onclick: () => add(refresh) }, t.add),
    write && h('button', { type: 'button', onclick: () => importCSV({ title: t.importCSV, path: '/phones/import', hint: t.importHint, example: t.importExample, done: refresh }) }, t.importCSV),
    h('a', { class: 'button', href: '/v1/pbx/phones/export', download: 'phones.csv' }, t.exportCSV)),
  form, job, tools, list, h('div', { class: 'buttons' }, more, found));

  let stats = null;
  const values = () => filters.map((name) => [name, form.elements[name]?.value.trim()]).filter(([, v]) => v);
  const filterBody = () => Object.fromEntries(values().map(([k, v]) => [k, v]));

  function columns() {
    const box = (p) => h('input', { type: 'checkbox', 'aria-label': `${t.select} ${p.macAddress || p.extensionNumber || p.id}`, disabled: !fetches(p), title: fetches(p) ? undefined : t.notOurs, checked: fetches(p) && (everything || chosen.has(p.id)),
      onchange: (e) => { everything = false; if (e.target.checked) chosen.add(p.id); else chosen.delete(p.id); head(); } });
    const boxes = write ? [{
      title: t.select, head: h('input', { type: 'checkbox', 'aria-label': t.selectAll, checked: shown.some(fetches) && shown.filter(fetches).every((p) => everything || chosen.has(p.id)),
        onchange: (e) => { everything = false; shown.filter(fetches).forEach((p) => (e.target.checked ? chosen.add(p.id) : chosen.delete(p.id))); draw(); } }), cell: box }] : [];
    return [...boxes,
      { title: t.extension, cell: (p) => h('a', { href: `#/phones/${encodeURIComponent(p.id)}` }, [p.extensionNumber, p.extensionName].filter(Boolean).join(' ') || p.name || p.macAddress || p.id) },
      { title: t.state, cell: (p) => [badge(p.state || 'unregistered'), (p.drift || []).length > 0 && [' ', h('span', { class: 'badge behind', title: p.drift.join(', ') }, t.drift)]] },
      { title: t.phone, cell: (p) => [p.manufacturer, p.model].filter(Boolean).join(' ') || p.userAgent || text.dashboard[p.deviceType] || '' },
      { title: t.mac, class: 'mono', cell: (p) => p.macAddress || '' }, { title: t.ip, class: 'mono', cell: (p) => p.ipAddress || '' }, { title: t.seen, cell: (p) => (p.lastRegistered ? time(p.lastRegistered) : '') }];
  }
  function head() {
    tools.hidden = chosen.size === 0 && !everything;
    whole.hidden = everything || !next || !shown.filter(fetches).every((p) => chosen.has(p.id));
    picked.textContent = everything ? t.everything : text.common.selected(chosen.size);
  }
  function draw() {
    head();
    const focus = document.activeElement?.getAttribute('aria-label');
    list.replaceChildren(table(t.caption, columns(), shown, values().length > 0 ? t.none : h('div', {}, h('p', {}, t.empty), write && h('button', { type: 'button', onclick: () => add(refresh) }, t.add))));
    found.textContent = t.found(shown.length, !!next, values().length === 0 && stats ? stats.totalPhones : 0);
    if (focus) list.querySelector(`[aria-label="${CSS.escape(focus)}"]`)?.focus();
  }
  async function refresh() {
    const mine = ++round;
    const q = new URLSearchParams(values());
    history.replaceState(null, '', `#/phones${q.size ? `?${q}` : ''}`);
    const rows = [];
    let cursor = '';
    do {
      const part = await get(`/phones?${q}&limit=${Math.min(500, wanted - rows.length)}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      rows.push(...part.phones);
      cursor = part.next || '';
    } while (cursor && rows.length < wanted);
    if (q.size === 0) stats = (await get('/phones/stats')).stats;
    if (mine !== round) return;
    const same = JSON.stringify([rows, cursor]) === JSON.stringify([shown, next]);
    [shown, next] = [rows, cursor];
    more.hidden = !next;
    if (!same || !list.firstChild) draw();
  }
  let typing = 0;
  form.addEventListener('input', () => { wanted = perPage; everything = false; chosen.clear(); clearTimeout(typing); typing = setTimeout(() => refresh().catch(fail), 200); });
  await refresh();
  // What happens brings the list up to date, at most once in a second; a long list less
  // often.
  let due = 0;
  const soon = () => { due ||= setTimeout(() => { due = 0; refresh().catch(() => {}); }, wanted > 500 ? 10000 : 1000); };
  const timer = setInterval(soon, 5000);
  stop(() => { clearInterval(timer); clearTimeout(due); clearTimeout(typing); round++; });
  stop(listen(soon));
}

function add(done) {
  dialog(t.add, [field('macAddress', t.mac, { required: true, placeholder: t.macExample, spellcheck: 'false' }, t.macHint), field('model', t.model, { placeholder: t.modelExample }),
    field('extensionNumber', t.extension, { inputmode: 'tel' }), field('name', t.name), field('site', t.site)], async (v) => {
    const { extensionNumber, ...phone } = v;
    if (extensionNumber) phone.lines = [{ line: 1, extensionNumber }];
    try {
      const made = await post('/phones', phone);
      (made.warnings || []).forEach((w) => toast(w, 'warn'));
    } catch (error) {
      (error.errors || []).forEach((e) => { e.field = e.field.replace('lines[0].', ''); });
      throw error;
    }
    toast(t.added);
    await done();
  });
}
