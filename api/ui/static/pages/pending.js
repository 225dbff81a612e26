// Phones that nobody provisioned: the window that lets them in, their adoption, and
// who asks for too much.
import { del, get, listen, post } from '../api.js';
import { action, badge, confirm, dialog, facts, fail, field, fill, h, page, table, time, toast } from '../dom.js';
import { text } from '../text.js';

const t = text.pending;
const refreshEvery = 5000;
const at = (id) => `#/phones/${encodeURIComponent(id)}`;

/** adopt asks for the extension of a waiting phone and goes to its page. */
export function adopt(phone) {
  dialog(t.adopt, [h('p', { class: 'hint' }, text.phone.adoptHint), facts([[text.phones.mac, phone.macAddress], [text.phones.phone, [phone.manufacturer, phone.model].filter(Boolean).join(' ')]]),
    field('extensionNumber', text.phone.extension, { required: true, inputmode: 'tel' })], async (v) => {
    const made = await post(`/phones/${encodeURIComponent(phone.id)}/adopt`, v);
    toast(t.adopted(v.extensionNumber));
    location.hash = at(made.id || phone.id);
  }, t.adopt);
}

export async function show(view, { can, stop }) {
  const write = can('pbx:phones:write');
  const list = h('div');
  const enrollment = h('section', { 'aria-labelledby': 'window' });
  const bans = h('section', { 'aria-labelledby': 'bans' });
  const claim = () => dialog(t.claim, [h('p', { class: 'hint' }, t.claimHint), field('claimCode', t.code, { required: true, inputmode: 'numeric', pattern: '[0-9]{6}', autocomplete: 'one-time-code' }), field('extensionNumber', text.phone.extension, { required: true, inputmode: 'tel' })], async (v) => {
    const made = await post('/phones/adopt', v);
    toast(t.adopted(v.extensionNumber));
    location.hash = at(made.id);
  }, t.adopt);
  view.replaceChildren(page(t.title, write && h('button', { type: 'button', class: 'main', onclick: claim }, t.claim)), list, h('div', { class: 'grid' }, enrollment, bans));

  async function drawPhones() {
    const { phones } = await get('/phones?state=pending&limit=500');
    const focus = document.activeElement?.getAttribute('aria-label');
    list.replaceChildren(table(t.title, [
      { title: text.phones.mac, class: 'mono', cell: (p) => h('a', { href: at(p.id) }, p.macAddress || p.id) }, { title: text.phones.phone, cell: (p) => [p.manufacturer, p.model].filter(Boolean).join(' ') }, { title: t.agent, cell: (p) => p.userAgent || '' }, { title: text.phones.ip, class: 'mono', cell: (p) => p.ipAddress || '' },
      ...(write ? [{ title: '', cell: (p) => h('button', { type: 'button', class: 'small', 'aria-label': `${t.adopt} ${p.macAddress || p.id}`, onclick: () => adopt(p) }, t.adopt) }] : [])], phones, t.none));
    if (focus) list.querySelector(`[aria-label="${CSS.escape(focus)}"]`)?.focus();
  }

  let shown = '';
  async function drawRest() {
    const [now, { bans: rows }] = [await get('/enrollment'), await get('/bans')];
    const seen = JSON.stringify([now, rows]);
    if (seen === shown) return;
    shown = seen;
    fill(enrollment, h('h2', { id: 'window' }, t.window),
      h('p', {}, badge(now.open ? 'active' : 'stored', { active: t.openUntil(new Date(now.closesAt).toLocaleString()), stored: t.closed })),
      now.open && facts([[t.phones, t.taken(now.taken, now.phones)], [t.subnet, now.subnet], [t.mode, t.modes[now.mode]]]),
      write && (now.open ? action(t.close, async () => { await del('/enrollment'); await drawRest(); }) : h('button', { type: 'button', onclick: open }, t.open)));
    bans.replaceChildren(h('h2', { id: 'bans' }, t.bans), h('p', { class: 'hint' }, t.bansHint, ' ', h('code', {}, t.bansCall)),
      table(t.bans, [{ title: t.source, class: 'mono', cell: (b) => b.source }, { title: t.reason, cell: (b) => t.reasons[b.reason] || b.reason }, { title: t.since, cell: (b) => time(b.since) }, { title: t.until, cell: (b) => time(b.until) },
        ...(write ? [{ title: '', cell: (b) => h('button', { type: 'button', class: 'small', 'aria-label': `${t.lift} ${b.source}`, onclick: () => lift(b) }, t.lift) }] : [])], rows, t.noBans));
  }
  function lift(b) {
    confirm(t.liftTitle, t.liftHint(b.source), async () => {
      await del(`/bans?source=${encodeURIComponent(b.source)}`);
      toast(t.lifted(b.source));
      await drawRest();
    }, t.lift);
  }
  function open() {
    dialog(t.open, [field('phones', t.phones, { type: 'number', min: 1, max: 10000, value: 10 }), field('minutes', t.minutes, { type: 'number', min: 1, max: 10080, value: 60 }), field('subnet', t.subnet, { spellcheck: 'false' }, t.subnetHint), field('mode', t.mode, { options: Object.entries(t.modes) })], async (v) => {
      await post('/enrollment', { ...v, phones: Number(v.phones), minutes: Number(v.minutes) });
      await drawRest();
    }, t.open);
  }

  await Promise.all([drawPhones(), drawRest()]);
  let due = 0;
  const refresh = () => Promise.all([drawPhones(), drawRest()]).catch(fail);
  const timer = setInterval(() => refresh(), refreshEvery);
  stop(() => { clearInterval(timer); clearTimeout(due); });
  stop(listen((e) => { if (e.kind === 'register') return; due ||= setTimeout(() => { due = 0; refresh(); }, 500); }));
}
