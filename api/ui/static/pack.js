// Packs of templates: a zip file goes up as a whole or not at all; what a template declares.
import { upload } from './api.js';
import { dialog, facts, h, table, toast } from './dom.js';
import { text } from './text.js';

const t = text.pack;

/** download is the link to the pack of all uploaded templates that are active. */
export const download = () => h('a', { class: 'button', href: '/v1/pbx/templates/packs', download: 'templates.zip' }, t.download);

/** uploadPack opens the dialog; done is called after a pack was stored. */
export function uploadPack(done) {
  const file = h('input', { type: 'file', accept: '.zip,application/zip', required: true, 'aria-label': t.file });
  const bar = h('progress', { max: 1, value: 0, hidden: true, 'aria-label': t.upload });
  const said = h('p', { role: 'status' });
  const faults = h('div');
  const clear = () => { said.textContent = ''; faults.replaceChildren(); };
  file.addEventListener('change', clear);
  dialog(t.upload, [h('p', { class: 'hint' }, t.hint), h('pre', { tabindex: '0', role: 'group', 'aria-label': t.example }, t.manifest), file, bar, said, faults], async () => {
    clear();
    bar.hidden = false;
    try {
      const { templates } = await upload('/templates/packs', file.files[0], (part) => { bar.value = part; said.textContent = part < 1 ? t.sent(Math.floor(part * 100)) : t.checking; }, 'application/zip');
      const warnings = Object.values(templates).flat().length;
      toast(t.stored(Object.keys(templates).length));
      if (warnings > 0) toast(t.noticed(warnings), 'warn');
    } catch (error) {
      said.textContent = '';
      if (!(error.errors?.length > 0)) throw error;
      faults.replaceChildren(h('p', { class: 'summary', role: 'alert' }, t.refused), table(t.wrong, [
        { title: t.in, class: 'mono', cell: (e) => e.file || t.whole }, { title: t.field, class: 'mono', cell: (e) => e.field.replace(/^manifest\[\d+\]\.(?=.)/, '') },
        { title: t.line, class: 'num', cell: (e) => e.line || '' }, { title: t.reason, cell: (e) => e.detail }], error.errors));
      return false;
    } finally { bar.hidden = true; }
    await done();
    return true;
  }, t.upload).classList.add('large');
}

const range = (from, to) => (from && to ? t.between(from, to) : from ? t.from(from) : to ? t.until(to) : t.anyFirmware);

/** declared shows for which phones a template is, and its variables with where each is set. */
export function declared(x, vendor) {
  const key = (v) => `vars.${v.name}`;
  const place = (v, scope, name) => h('a', { href: `#/settings/${scope}?set=${encodeURIComponent(key(v))}`, 'aria-label': `${key(v)}: ${name}` }, name);
  return h('section', { 'aria-labelledby': 'declared' }, h('h2', { id: 'declared' }, t.declared),
    facts([[text.templates.models, (x.models || []).join(', ') || text.templates.allModels], [text.phone.firmware, range(x.minFirmware, x.maxFirmware)]]),
    (x.variables || []).length > 0 && [h('p', { class: 'hint' }, t.where), table(text.template.variables, [
      { title: t.setting, class: 'mono', cell: key }, { title: t.type, cell: (v) => [v.type || 'text', v.choices && `: ${v.choices.join(', ')}`] }, { title: t.byDefault, class: 'mono', cell: (v) => v.default || '' },
      { title: t.help, cell: (v) => v.help || '' }, { title: t.set, cell: (v) => [place(v, 'global', text.settings.scopes.global), ' · ', place(v, `vendor/${x.vendor}`, vendor)] }], x.variables)]);
}
