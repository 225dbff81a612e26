// Firmware: images, which model runs which, and rollouts in waves.
import { all, del, get, put, upload } from '../api.js';
import { action, badge, confirm, dialog, field, h, page, table, time, toast } from '../dom.js';
import { text } from '../text.js';
import { vendorName, vendors } from './templates.js';

const t = text.firmware;
const megabytes = (n) => (n < 1e6 ? `${Math.ceil(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const refreshEvery = 3000;

export async function show(view, { can, stop }) {
  const write = can('pbx:firmware:write');
  const images = h('div');
  const targets = h('div');
  let list = [];
  view.replaceChildren(page(t.title,
    write && h('button', { type: 'button', class: 'main', onclick: () => send(load) }, t.upload),
    write && h('button', { type: 'button', onclick: () => aim() }, t.target)), images, h('section', { 'aria-labelledby': 'targets' }, h('h2', { id: 'targets' }, t.targets), targets));

  async function load() {
    const [found, { targets: aims }] = [await all('/firmware', 'firmware'), await get('/firmware/targets')];
    list = found;
    const name = (id) => list.find((f) => f.id === id)?.name || id;
    images.replaceChildren(table(t.title, [
      { title: t.name, class: 'mono', cell: (f) => [h('span', { title: `SHA-256 ${f.sha256}` }, f.name), (f.warnings || []).map((w) => h('p', { class: 'hint' }, w))] }, { title: t.vendor, cell: (f) => vendorName(f.vendor) }, { title: t.version, cell: (f) => f.version || '' },
      { title: t.models, cell: (f) => f.models.join(', ') || t.any }, { title: t.size, cell: (f) => megabytes(f.size) }, { title: t.uploaded, cell: (f) => [time(f.uploadedAt), f.uploadedBy ? ` ${f.uploadedBy}` : ''] },
      ...(write ? [{ title: '', cell: (f) => h('button', { type: 'button', class: 'small', 'aria-label': `${text.common.remove} ${f.name}`, onclick: () => confirm(text.common.remove, `${f.name}: ${t.drop} ${text.common.sure}`, async () => { await del(`/firmware/${f.id}`); toast(text.common.deleted); await load(); }) }, text.common.remove) }] : [])], list, t.none));
    targets.replaceChildren(table(t.targets, [
      { title: t.vendor, cell: (x) => vendorName(x.vendor) }, { title: t.model, cell: (x) => x.model }, { title: t.hardware, cell: (x) => x.hardware || t.any }, { title: t.image, class: 'mono', cell: (x) => name(x.firmwareId) }, { title: t.version, cell: (x) => x.version || '' },
      { title: t.job, cell: (x) => (x.jobId ? rollout(x.jobId) : '') }, { title: t.setAt, cell: (x) => [time(x.updatedAt), x.updatedBy ? ` ${x.updatedBy}` : ''] },
      ...(write ? [{ title: '', cell: (x) => action(t.removeTarget, async () => { await del(`/firmware/targets/${encodeURIComponent(x.vendor)}/${encodeURIComponent(x.model)}${x.hardware ? `?hardware=${encodeURIComponent(x.hardware)}` : ''}`); await load(); }, { class: 'small', 'aria-label': `${t.removeTarget} ${x.model}` }) }] : [])], aims, t.noTargets));
  }

  // Jobs of rollouts under way, brought up to date beside the table.
  const watched = new Map();
  function rollout(id) {
    const place = h('a', { href: '#/jobs' }, badge('running', text.phone.steps));
    watched.set(id, place);
    draw(id).catch(() => {});
    return place;
  }
  async function draw(id) {
    const j = await get(`/jobs/${encodeURIComponent(id)}`);
    watched.get(id)?.replaceChildren(badge(j.state, text.phone.steps), ` ${j.counts.succeeded} / ${j.counts.total}`);
    if (j.endedAt) watched.delete(id);
  }
  const timer = setInterval(() => [...watched.keys()].forEach((id) => draw(id).catch(() => {})), refreshEvery);
  stop(() => clearInterval(timer));

  function aim() {
    if (list.length === 0) { toast(t.first, 'bad'); return; }
    dialog(t.target, [field('firmwareId', t.image, { options: list.map((f) => [f.id, `${vendorName(f.vendor)} ${f.name} ${f.version || ''}`]) }), field('model', t.model, { required: true, spellcheck: 'false' }), field('hardware', t.hardware), field('allowDowngrade', t.downgrade, { type: 'checkbox' }),
      field('waves', t.waves, { type: 'checkbox', checked: true }), field('canary', t.canary, { type: 'number', min: 0, value: 1 }), field('haltPercent', t.halt, { type: 'number', min: 0, max: 100, value: 0 }), field('soakSeconds', t.soak, { type: 'number', min: 0, value: 60 }), field('timeoutSeconds', t.timeout, { type: 'number', min: 1, max: 3600, value: 1800 })], async (v) => {
      const image = list.find((f) => f.id === v.firmwareId);
      const made = await put(`/firmware/targets/${image.vendor}/${encodeURIComponent(v.model)}`, { firmwareId: v.firmwareId, allowDowngrade: v.allowDowngrade, ...(v.hardware && { hardware: v.hardware }),
        ...(v.waves && { waves: { canary: Number(v.canary), haltPercent: Number(v.haltPercent), soakSeconds: Number(v.soakSeconds), timeoutSeconds: Number(v.timeoutSeconds) } }) });
      toast(made.jobId ? t.rollout : t.set);
      (made.warnings || []).forEach((w) => toast(w, 'bad'));
      await load();
    });
  }
  await load();
}

/** send uploads an image; the bar is what is sent, the words when the server works. */
function send(done) {
  const file = h('input', { type: 'file', required: true, 'aria-label': t.file, name: '' });
  const bar = h('progress', { max: 1, value: 0, hidden: true, 'aria-label': t.upload });
  const said = h('p', { role: 'status', id: 'sent' });
  dialog(t.upload, [h('p', { class: 'hint' }, t.hint), file, field('vendor', t.vendor, { options: [['', t.vendorAuto], ...vendors] }), field('models', t.models, {}, text.template.modelsHint), field('version', t.version), field('requires', t.requires), field('hardware', t.hardware), bar, said], async (v) => {
    if (!file.files[0]) throw new Error(t.required);
    const form = new FormData();
    for (const name of ['vendor', 'models', 'version', 'requires', 'hardware']) if (v[name]) form.append(name, v[name]);
    form.append('file', file.files[0]);
    bar.hidden = false;
    try {
      const made = await upload('/firmware', form, (part) => { bar.value = part; said.textContent = part < 1 ? t.sent(Math.floor(part * 100)) : t.storing; });
      toast(t.stored);
      (made.warnings || []).forEach((w) => toast(w, 'bad'));
    } finally { bar.hidden = true; said.textContent = ''; }
    await done();
  }, t.upload);
}
