// One phone: where it is stuck, what happened, what it gets, what can be done.
import { del, get, listen, patch, post } from '../api.js';
import { action, badge, confirm, dialog, facts, fail, field, fill, h, page, table, time, toast } from '../dom.js';
import { text } from '../text.js';
import { adopt } from './pending.js';
import { effective } from './settings.js';

const t = text.phone;

export async function show(view, { args, can, stop }) {
  const id = args[0];
  const path = `/phones/${encodeURIComponent(id)}`;
  const write = can('pbx:phones:write');
  const job = h('p', { role: 'status' });
  const stuck = h('section', { class: 'stuck' });
  const about = h('section');
  const lines = h('section');
  const events = h('section', { 'aria-labelledby': 'timeline' });
  const config = h('section', { 'aria-labelledby': 'config' });
  const uploads = h('section', { 'aria-labelledby': 'uploads', hidden: true });
  const layers = h('section', { 'aria-labelledby': 'layers', hidden: true });
  const title = h('div');
  view.replaceChildren(title, job, stuck, h('div', { class: 'grid' }, about, lines), config, layers, uploads, events);
  let phone = await get(path);

  async function watch(kind) {
    let j = await post(`${path}/${kind}`);
    const draw = () => job.replaceChildren(`${t.job}: ${kind} `, badge(j.state, t.steps), j.reason ? ` ${j.reason}` : '');
    for (draw(); !j.endedAt && view.isConnected; draw()) {
      await new Promise((r) => setTimeout(r, 700));
      j = await get(`/jobs/${encodeURIComponent(j.id)}`);
    }
    refresh().catch(fail);
  }

  let keys = {}; // settings of programmable keys, by number
  function draw() {
    const focus = title.contains(document.activeElement) ? document.activeElement.textContent : '';
    const name = [phone.extensionNumber, phone.extensionName].filter(Boolean).join(' ') || phone.name || phone.macAddress || id;
    const provisioned = phone.state !== 'pending' && phone.macAddress && phone.lines?.length > 0;
    title.replaceChildren(page(name,
      write && phone.state === 'pending' && h('button', { type: 'button', class: 'main', onclick: () => adopt(phone) }, t.adopt),
      write && provisioned && action(t.resync, () => watch('resync'), { class: 'main' }),
      write && provisioned && action(t.reboot, () => watch('reboot')),
      write && provisioned && h('button', { type: 'button', onclick: () => edit() }, t.edit),
      write && provisioned && h('button', { type: 'button', onclick: () => replace() }, t.replace),
      write && h('button', { type: 'button', onclick: () => confirm(t.remove, `${name}: ${text.common.sure}`, async () => {
        await del(path);
        toast(t.deleted);
        location.hash = '#/phones';
      }) }, t.remove)));
    about.replaceChildren(h('h2', {}, t.facts), facts([
      [text.phones.state, badge(phone.state)], [text.phones.phone, [phone.manufacturer, phone.model].filter(Boolean).join(' ')], [text.phones.mac, phone.macAddress && h('span', { class: 'mono' }, phone.macAddress)],
      [text.phones.ip, phone.ipAddress], ['Firmware', phone.firmwareVersion], ['User-Agent', phone.userAgent], [text.phones.type, phone.deviceType], [text.phones.name, phone.name], [text.phones.site, phone.site],
      [text.phones.seen, phone.lastRegistered && time(phone.lastRegistered)], [t.config, phone.lastProvisioned && time(phone.lastProvisioned)], [t.matched, phone.matchedBy],
      [text.phones.drift, (phone.drift || []).join('; ')]]));
    lines.replaceChildren(h('h2', {}, t.keys), handset(phone, keys));
    if (focus && !title.contains(document.activeElement)) [...title.querySelectorAll('button')].find((b) => b.textContent === focus)?.focus();
  }

  function replace() {
    dialog(t.replace, [h('p', { class: 'hint' }, t.replaceHint), field('macAddress', t.newMAC, { required: true, spellcheck: 'false' })], async (v) => {
      const made = await post(`${path}/replace`, v);
      location.hash = `#/phones/${encodeURIComponent(made.id || id)}`;
      await refresh();
    }, t.replace);
  }
  function edit() {
    const numbers = (phone.lines || []).map((l) => `${l.line}=${l.extensionNumber}${l.label ? ` ${l.label}` : ''}`).join('\n');
    const settings = Object.entries(phone.settings || {}).map(([k, v]) => `${k} = ${v}`).join('\n');
    dialog(t.edit, [field('name', text.phones.name, { value: phone.name || '' }), field('site', text.phones.site, { value: phone.site || '' }), field('model', text.phones.model, { value: phone.model || '' }),
      field('lines', t.lines, { rows: 3, value: numbers }, '1=101 Label'), field('settings', t.settings, { rows: 6, value: settings }, 'timezone = Europe/Berlin')],
    async (v, form) => {
      const old = phone.settings || {};
      const next = {};
      for (const row of (v.settings || '').split('\n')) {
        const [k, ...rest] = row.split('=');
        if (k.trim()) next[k.trim()] = rest.join('=').trim();
      }
      for (const k of Object.keys(old)) if (!(k in next)) next[k] = null;
      const rows = (v.lines || '').split('\n').map((s) => s.trim().match(/^(\d+)\s*=\s*(\S+)\s*(.*)$/)).filter(Boolean);
      await patch(path, { name: form.elements.name.value, site: form.elements.site.value, model: form.elements.model.value, settings: next,
        lines: rows.map((m) => ({ line: Number(m[1]), extensionNumber: m[2], label: m[3] })) });
      toast(text.common.saved);
      await refresh();
    });
  }

  // What the layers make of the phone; the keys of the drawn handset come from there too.
  async function drawLayers() {
    const provisioned = phone.state !== 'pending' && phone.macAddress && phone.lines?.length > 0;
    layers.hidden = !provisioned;
    if (!provisioned) return;
    const { parts, settings } = await effective(path);
    layers.replaceChildren(h('h2', { id: 'layers' }, text.settings.effective), h('details', {}, h('summary', {}, text.settings.effectiveHint), parts));
    keys = {};
    for (const [k, { value }] of Object.entries(settings)) {
      const m = k.match(/^keys\.(\d+)\.(type|value|label)$/);
      if (m) keys[m[1]] = { ...keys[m[1]], [m[2]]: value };
    }
    draw();
  }

  // What the phone stored here, and which image it is offered and why.
  async function drawUploads() {
    if (phone.state === 'pending' || !phone.macAddress || !phone.lines?.length) return;
    const { uploads: list } = await get(`${path}/uploads`);
    const image = can('pbx:firmware:read') ? await get(`${path}/firmware`) : {};
    uploads.hidden = list.length === 0 && !image.targetFirmwareId;
    const at = (u) => `/v1/pbx${path}/uploads/${encodeURIComponent(u.name)}`;
    fill(uploads, h('h2', { id: 'uploads' }, t.uploads),
      image.targetFirmwareId && facts([[t.offered, [image.offeredVersion || image.offeredFirmwareId, image.reason].filter(Boolean).join(': ')]]),
      image.stoppedAt && can('pbx:firmware:write') && action(t.retry, async () => { await post(`${path}/firmware/retry`); toast(t.retried); await drawUploads(); }),
      list.length > 0 && table(t.uploads, [{ title: t.file, class: 'mono', cell: (u) => h('a', { href: at(u), download: u.name }, u.name) }, { title: t.size, cell: (u) => `${u.size} B` }, { title: t.uploaded, cell: (u) => time(u.uploadedAt) }], list));
  }

  let shown = phone.state;
  async function refresh() {
    phone = await get(path);
    // Its files are there as soon as it is adopted.
    if (shown === 'pending' && phone.state !== 'pending') { await preview(config, path); await drawLayers(); }
    shown = phone.state;
    const line = await get(`${path}/timeline?limit=100`);
    draw();
    stuck.className = `stuck${line.stuckAt ? '' : ' well'}`;
    stuck.replaceChildren(h('h2', {}, t.stuck), h('p', { id: 'stuck' }, line.stuckAt || t.well));
    events.replaceChildren(h('h2', { id: 'timeline' }, t.timeline), h('ol', { class: 'timeline' }, line.events.map((e) => h('li', {}, time(e.at),
      h('span', {}, t.kind[e.kind] || e.kind, e.protocol ? h('span', { class: 'what' }, ` ${e.protocol}`) : ''),
      h('span', { class: e.outcome === 'ok' ? '' : 'bad' }, [e.path, e.outcome, e.status, e.detail, e.bytes ? `${e.bytes} B` : '', e.ms ? `${e.ms} ms` : ''].filter(Boolean).join(' · '))))));
  }

  await refresh();
  config.hidden = true;
  if (phone.state !== 'pending') await preview(config, path);
  await drawLayers();

  await drawUploads();
  let due = 0;
  const soon = (e) => {
    if (e && e.phoneId && e.phoneId !== id && e.macAddress !== phone.macAddress) return;
    due ||= setTimeout(() => { due = 0; refresh().catch(() => {}); }, 500);
  };
  const timer = setInterval(soon, 5000);
  stop(() => { clearInterval(timer); clearTimeout(due); });
  stop(listen(soon));
}

/** handset draws the keys as they lie beside the screen: lines first, then what is set. */
function handset(phone, settings) {
  const byNumber = new Map();
  for (const l of phone.lines || []) byNumber.set(l.line, { label: [l.extensionNumber, l.label].filter(Boolean).join(' '), on: l.registered });
  for (const [n, k] of Object.entries(settings)) if (k.type !== 'none' && k.type !== 'line') byNumber.set(Number(n), { label: [k.label || k.value, k.type].filter(Boolean).join(' · ') });
  const many = Math.max(2, ...byNumber.keys());
  const half = Math.ceil(many / 2);
  const key = (n) => {
    const k = byNumber.get(n);
    return h('li', { class: `key${k ? ' set' : ''}` }, h('span', { class: 'n' }, h('span', { class: 'unseen' }, t.key(n)), h('span', { 'aria-hidden': 'true' }, n)), ` ${k?.label || ''}`, !k && h('span', { class: 'unseen' }, t.free),
      k?.on !== undefined && h('span', { class: k.on ? 'lamp on' : 'lamp' }, h('span', { class: 'unseen' }, ` ${text.state[k.on ? 'registered' : 'unregistered']}`)));
  };
  const side = (from, to) => h('ol', {}, Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => key(from + i)));
  return h('div', { class: 'handset' }, side(1, half),
    h('div', { class: 'screen' }, h('strong', {}, phone.model || ''), h('span', {}, phone.extensionName || phone.extensionNumber || '')), side(half + 1, many));
}

/** preview shows the files a phone gets, masked, and where each line comes from. */
async function preview(section, path) {
  let files = [];
  try { files = (await get(`${path}/config`)).files || []; } catch { /* nothing is made for this phone */ }
  section.hidden = files.length === 0;
  if (section.hidden) return;
  const out = h('div');
  const explain = h('input', { type: 'checkbox', id: 'explain' });
  const select = h('select', { 'aria-label': t.file }, files.map((f) => h('option', { value: f }, f)));
  const load = async () => {
    try {
      const q = `${path}/config?file=${encodeURIComponent(select.value)}`;
      if (!explain.checked) { out.replaceChildren(h('pre', { tabindex: '0' }, await get(q))); return; }
      const { lines } = await get(`${q}&explain=1`);
      out.replaceChildren(h('div', { class: 'explained' }, table(select.value, [
        { title: '#', cell: (l) => l.n }, { title: t.file, class: 'text', cell: (l) => l.text },
        { title: t.layer, cell: (l) => l.layer || '' }, { title: t.from, cell: (l) => (l.template ? [l.template, l.revision ? ` r${l.revision}` : '', `:${l.templateLine}`].join('') : '') },
        { title: t.settings, cell: (l) => (l.settings || []).join(', ') }], lines.map((l, n) => ({ n: n + 1, ...l })))));
    } catch (error) { fail(error); }
  };
  section.replaceChildren(h('h2', { id: 'config' }, t.config), h('div', { class: 'buttons' }, select, h('label', { for: 'explain' }, explain, ` ${t.explain}`)), out);
  select.addEventListener('change', load);
  explain.addEventListener('change', load);
  select.selectedIndex = files.length - 1;
  await load();
}
