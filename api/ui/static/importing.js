// The import of a CSV file: checked first, with the rows that are wrong, then stored.
import { upload } from './api.js';
import { dialog, h, table, toast } from './dom.js';
import { text } from './text.js';

const t = text.importing;

/** importCSV opens the dialog. path is the call, hint says which columns there are,
 * example is a small file, done is called after something was stored. */
export function importCSV({ title, path, hint, example, done }) {
  const file = h('input', { type: 'file', accept: '.csv,text/csv', 'aria-label': t.file, required: true, id: 'csv' });
  const bar = h('progress', { max: 1, value: 0, hidden: true, 'aria-label': t.progress });
  const said = h('p', { role: 'status' });
  const faults = h('div');
  const send = async (query) => {
    bar.hidden = false;
    said.textContent = '';
    faults.replaceChildren();
    try {
      return await upload(`${path}${query}`, file.files[0], (part) => {
        if (part < 1) bar.value = part; else bar.removeAttribute('value'); // from here on nobody knows how long
        said.textContent = part < 1 ? t.sent(Math.floor(part * 100)) : t.checking;
      }, 'text/csv');
    } catch (error) {
      said.textContent = '';
      if (!error.errors?.some((e) => e.row)) throw error;
      faults.replaceChildren(h('p', { class: 'summary', role: 'alert' }, error.message), table(t.wrong, [{ title: t.row, class: 'num', cell: (e) => e.row }, { title: t.column, class: 'mono', cell: (e) => e.field }, { title: t.reason, cell: (e) => e.detail }], error.errors));
      return null;
    } finally { bar.hidden = true; bar.value = 0; }
  };
  const check = h('button', { type: 'button', onclick: async () => {
    if (!file.reportValidity()) return;
    check.disabled = true;
    try {
      const answer = await send('?dryRun=1');
      if (answer) said.textContent = t.right(answer.rows);
    } catch (error) { said.textContent = error.message; } finally { check.disabled = false; }
  } }, t.check);
  file.addEventListener('change', () => { said.textContent = ''; faults.replaceChildren(); });
  dialog(title, [h('p', { class: 'hint' }, hint), h('pre', { tabindex: '0', role: 'group', 'aria-label': t.example }, example), h('div', { class: 'buttons start' }, file, check), bar, said, faults], async () => {
    const answer = await send('');
    if (!answer) return false;
    toast(t.stored(answer.created));
    await done();
    return true;
  }, t.store).classList.add('large');
}
