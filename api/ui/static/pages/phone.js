// One phone: where it is stuck, what happened, what it gets, what can be done.
import { del, get, listen, post, tagged } from '../api.js';
import { isConflict } from '../conflict.js';
import { preview } from '../config.js';
import { action, badge, confirm, dialog, facts, fail, field, fill, h, page, secret, table, time, toast, tone } from '../dom.js';
import { handset } from '../handset.js';
import { watchJob } from '../job.js';
import { edit, editKey } from '../phone-edit.js';
import { text } from '../text.js';
import { adopt } from './pending.js';
import { effective } from './settings.js';

const t = text.phone;

export async function show(view, { args, can, stop }) {
  const id = args[0];
  const path = `/phones/${encodeURIComponent(id)}`;
  const write = can('pbx:phones:write');
  const job = h('div', { role: 'status' });
  const stuck = h('section', { class: 'stuck' });
  const about = h('section');
  const lines = h('section');
  const events = h('section', { 'aria-labelledby': 'timeline' });
  const config = h('section', { 'aria-labelledby': 'config', hidden: true });
  const uploads = h('section', { 'aria-labelledby': 'uploads', hidden: true });
  const layers = h('section', { 'aria-labelledby': 'layers', hidden: true });
  const title = h('div');
  const live = `${path}?settings=false`; // who reads passwords again and again fills the audit trail
  let { value: phone, tag } = await tagged(live);
  view.replaceChildren(title, job, stuck, h('div', { class: 'grid' }, about, lines), config, layers, uploads, events);

  const provisioned = () => phone.state !== 'pending' && phone.macAddress && phone.lines?.length > 0;
  const changed = async () => { await refresh(); await drawLayers(); if (provisioned()) await preview(config, path); };
  const keys = handset(write ? (module, n, set) => { if (provisioned()) editKey(path, module, n, set, changed).catch(fail); } : null);
  let settings = {}; // what the layers make of the phone
  const nameOf = () => [phone.extensionNumber, phone.extensionName].filter(Boolean).join(' ') || phone.name || phone.macAddress || id;
  const start = (kind) => async () => { watchJob(job, await post(`${path}/${kind}`), () => changed()).catch(fail); };

  function draw() {
    const focus = title.contains(document.activeElement) ? document.activeElement.textContent : '';
    const button = (label, onclick, props = {}) => h('button', { type: 'button', ...props, onclick }, label);
    title.replaceChildren(page(nameOf(),
      write && phone.state === 'pending' && button(t.adopt, () => adopt(phone), { class: 'main' }),
      write && provisioned() && action(t.resync, start('resync'), { class: 'main' }),
      write && provisioned() && action(t.reboot, start('reboot')),
      write && provisioned() && action(t.edit, () => edit(path, changed)),
      write && provisioned() && button(t.rotate, rotate),
      write && provisioned() && button(t.path, secretPath),
      write && provisioned() && button(t.replace, replace),
      write && button(t.remove, remove)));
    about.replaceChildren(h('h2', {}, t.facts), facts([
      [text.phones.state, badge(phone.state)], [text.phones.phone, [phone.manufacturer, phone.model].filter(Boolean).join(' ')], [text.phones.mac, phone.macAddress && h('span', { class: 'mono' }, phone.macAddress)],
      [text.phones.ip, phone.ipAddress], [t.firmware, phone.firmwareVersion], [t.agent, phone.userAgent], [text.phones.type, text.dashboard[phone.deviceType] || phone.deviceType], [text.phones.name, phone.name], [text.phones.site, phone.site],
      [text.phones.seen, phone.lastRegistered && time(phone.lastRegistered)], [t.fetched, phone.lastProvisioned && time(phone.lastProvisioned)], [t.matched, t.matches[phone.matchedBy] || phone.matchedBy],
      [text.phones.drift, phone.drift?.length > 0 && h('ul', { class: 'plain' }, phone.drift.map((d) => h('li', {}, d)))]]));
    if (!lines.contains(keys.element)) lines.replaceChildren(h('h2', {}, t.keys), write && provisioned() && h('p', { class: 'hint' }, t.keysHint), keys.element);
    keys.draw(phone, settings);
    if (focus && !title.contains(document.activeElement)) [...title.querySelectorAll('button')].find((b) => b.textContent === focus)?.focus();
  }

  function remove() {
    const seen = tag;
    confirm(t.remove, `${nameOf()}: ${text.common.sure}`, async () => {
      try { await del(path, { tag: seen }); } catch (error) {
        if (isConflict(error)) throw new Error(t.changedMeanwhile);
        throw error;
      }
      toast(t.deleted);
      location.hash = '#/phones';
    });
  }
  function replace() {
    dialog(t.replace, [h('p', { class: 'hint' }, t.replaceHint), field('macAddress', t.newMAC, { required: true, spellcheck: 'false', placeholder: text.phones.macExample }), field('model', text.phones.model, { placeholder: phone.model || '' }, t.replaceModel)], async (v) => {
      const made = await post(`${path}/replace`, v);
      toast(t.replaced(made.macAddress));
      (made.warnings || []).forEach((w) => toast(w, 'warn'));
      await changed();
    }, t.replace);
  }
  // The secret path of the phone: shown once; the one before is worth nothing then.
  function secretPath() {
    confirm(t.path, t.pathHint, async () => {
      const made = await post(`${path}/token`);
      dialog(t.path, [secret(t.pathShown, made.url || made.token), h('p', { class: 'hint' }, t.pathUntil(new Date(made.expiresAt).toLocaleString()))]);
    }, t.pathMake, '');
  }
  function rotate() {
    confirm(t.rotate, t.rotateHint, async () => {
      await post(`${path}/credentials`);
      toast(t.rotated);
      await changed();
    }, t.rotate);
  }

  // What the layers make of the phone; the keys of the drawn handset come from there too.
  async function drawLayers() {
    layers.hidden = !provisioned();
    if (layers.hidden) return;
    const got = await effective(path);
    settings = got.settings;
    const open = layers.querySelector('details')?.open;
    layers.replaceChildren(h('h2', { id: 'layers' }, text.settings.effective), h('details', { open }, h('summary', {}, text.settings.effectiveHint), got.parts));
    keys.draw(phone, settings);
  }

  // What the phone stored here, and which image it is offered and why.
  async function drawUploads() {
    if (!provisioned()) return;
    const { uploads: list } = await get(`${path}/uploads`);
    const image = can('pbx:firmware:read') ? await get(`${path}/firmware`) : {};
    uploads.hidden = list.length === 0 && !image.targetFirmwareId;
    const at = (u) => `/v1/pbx${path}/uploads/${encodeURIComponent(u.name)}`;
    fill(uploads, h('h2', { id: 'uploads' }, t.uploads),
      image.targetFirmwareId && facts([[t.offered, [image.offeredVersion || image.offeredFirmwareId, image.reason].filter(Boolean).join(': ')]]),
      image.stoppedAt && can('pbx:firmware:write') && action(t.retry, async () => { await post(`${path}/firmware/retry`); toast(t.retried); await drawUploads(); }),
      list.length > 0 && table(t.uploads, [{ title: t.file, class: 'mono', cell: (u) => h('a', { href: at(u), download: u.name }, u.name) }, { title: t.size, cell: (u) => t.bytes(u.size) }, { title: t.uploaded, cell: (u) => time(u.uploadedAt) }], list));
  }

  const line = (e) => h('li', {}, time(e.at), h('span', {}, t.kind[e.kind] || e.kind, e.protocol ? h('span', { class: 'what' }, ` ${e.protocol}`) : ''),
    h('span', { class: tone(e.outcome) }, [e.path, e.outcome, e.status, e.detail, e.bytes ? t.bytes(e.bytes) : '', e.ms ? t.ms(e.ms) : '', e.count > 1 ? t.times(e.count) : ''].filter(Boolean).join(' · ')));
  let shown = phone.state;
  async function refresh() {
    ({ value: phone, tag } = await tagged(live));
    // Its files are there as soon as it is adopted.
    if (shown === 'pending' && phone.state !== 'pending') { lines.replaceChildren(); await preview(config, path); await drawLayers(); }
    shown = phone.state;
    const { events: list, stuckAt } = await get(`${path}/timeline?limit=100`);
    draw();
    stuck.className = `stuck${stuckAt ? '' : ' well'}`;
    stuck.replaceChildren(h('h2', {}, t.stuck), h('p', { id: 'stuck' }, stuckAt || t.well));
    events.replaceChildren(h('h2', { id: 'timeline' }, t.timeline), list.length === 0 ? h('p', { class: 'hint' }, t.quiet) : h('ol', { class: 'timeline' }, list.map(line)));
  }

  await refresh();
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
