// Small helpers that make elements. Text goes into the page as text, never as markup.
import { text } from './text.js';
import { Problem } from './api.js';

/** h makes an element: h('button', { type: 'button', onclick: fn }, 'Save'). */
export function h(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else if (key === 'class') e.className = value;
    else if (key === 'value' || key === 'checked' || key === 'selected' || key === 'indeterminate') e[key] = value;
    else e.setAttribute(key, value === true ? '' : String(value));
  }
  e.append(...children.flat(9).filter((c) => c !== undefined && c !== null && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return e;
}

/** fill replaces what is in e; children as h takes them. */
export const fill = (e, ...children) => e.replaceChildren(...h('div', {}, ...children).childNodes);

let count = 0;

/** field is a label with its input; name is what the value is called in values(). */
export function field(name, label, props = {}, hint = '') {
  const id = `f${++count}`;
  const { options, rows, ...rest } = props;
  let input;
  if (options) {
    input = h('select', { id, name, ...rest }, options.map((o) => {
      const [value, shown] = Array.isArray(o) ? o : [o, o];
      return h('option', { value, selected: value === props.value }, shown);
    }));
  } else if (rows) {
    input = h('textarea', { id, name, rows, spellcheck: 'false', ...rest });
  } else {
    input = h('input', { id, name, type: 'text', autocomplete: 'off', ...rest });
  }
  if (hint) input.setAttribute('aria-describedby', `${id}h`);
  const check = props.type === 'checkbox';
  return h('div', { class: check ? 'field check' : 'field' },
    check ? [input, h('label', { for: id }, label)] : [h('label', { for: id }, label), input],
    hint && h('p', { class: 'hint', id: `${id}h` }, hint), h('p', { class: 'wrong', id: `${id}e`, 'data-for': name }));
}

/** values reads a form: texts trimmed, empty ones left out, checkboxes as truths. */
export function values(form) {
  const out = {};
  for (const e of form.elements) {
    if (!e.name) continue;
    if (e.type === 'checkbox') out[e.name] = e.checked;
    else if (e.value.trim() !== '') out[e.name] = e.value.trim();
  }
  return out;
}

/** wrong shows a problem in a form: at its fields where it names them. */
export function wrong(form, error) {
  form.querySelectorAll('.wrong').forEach((p) => { p.textContent = ''; });
  form.querySelectorAll('[aria-invalid]').forEach((e) => e.removeAttribute('aria-invalid'));
  const rest = [];
  const errors = error instanceof Problem ? error.errors : [];
  for (const { field: name, detail, row, line } of errors) {
    const place = form.querySelector(`.wrong[data-for="${CSS.escape(name)}"]`);
    const where = row ? text.problem.row(row) : line ? text.problem.line(line) : '';
    if (!place || row) { rest.push(`${where}${name}: ${detail}`); continue; }
    place.textContent = where + detail;
    const input = form.querySelector(`[name="${CSS.escape(name)}"]`);
    if (input) { input.setAttribute('aria-invalid', 'true'); input.focus(); }
  }
  if (errors.length === 0) rest.push(error.message);
  let summary = form.querySelector('.summary');
  if (!summary) { summary = h('div', { class: 'summary', role: 'alert' }); form.prepend(summary); }
  summary.replaceChildren(...rest.slice(0, 20).map((line) => h('p', {}, line)));
}

/** toast says something for a while, to screen readers too; what went wrong stays until
 * it is closed. */
export function toast(message, kind = 'good') {
  const place = document.getElementById('toasts');
  const end = () => { e.remove(); if (place.children.length === 0) place.hidePopover(); };
  const e = h('div', { class: `toast ${kind}` }, h('p', {}, message),
    h('button', { type: 'button', class: 'small plain', 'aria-label': text.common.dismiss, onclick: end }, '×'));
  place.append(e);
  while (place.children.length > 5) place.firstChild.remove();
  place.hidePopover();
  place.showPopover(); // above a dialog that was opened since
  if (kind !== 'bad') setTimeout(end, 6000);
}

/** fail says what did not work. */
export function fail(error) {
  if (error.name === 'AbortError') return;
  if (error instanceof Problem && error.status === 401) return; // the login says it
  toast(error instanceof Problem ? error.message : `${text.common.failed}: ${error.message}`, 'bad');
}

/** copy puts a text on the clipboard; pages without HTTPS may not, so they select it. */
export async function copy(value, shown) {
  try {
    await navigator.clipboard.writeText(value);
    toast(text.common.copied);
  } catch {
    getSelection().selectAllChildren(shown);
    toast(text.common.selectedText);
  }
}

/** action is a button that does something and says what went wrong. */
export function action(label, fn, props = {}) {
  let busy = false; // a button that is disabled would lose the focus
  const b = h('button', { type: 'button', ...props, onclick: async () => {
    if (busy) return;
    busy = true;
    b.setAttribute('aria-busy', 'true');
    try { await fn(b); } catch (error) { fail(error); } finally { busy = false; b.removeAttribute('aria-busy'); }
  } }, label);
  return b;
}

/** dialog opens a form in a dialog; submit gets its values and may throw a Problem, or
 * answer false to stay open. */
export function dialog(title, content, submit, label = text.common.save, kind = '') {
  const form = h('form', { method: 'dialog', novalidate: false },
    h('h2', {}, title), content,
    h('div', { class: 'buttons' },
      h('button', { type: 'button', onclick: () => box.close() }, submit ? text.common.cancel : text.common.close),
      submit && h('button', { type: 'submit', class: `main ${kind}` }, label)));
  const box = h('dialog', { 'aria-label': title }, form);
  const opener = document.activeElement;
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const button = form.querySelector('button.main');
    if (button) button.disabled = true;
    try {
      if (await submit(values(form), form) !== false) box.close();
    } catch (error) { wrong(form, error); } finally { if (button) button.disabled = false; }
  });
  box.addEventListener('close', () => { box.remove(); giveBack(opener); });
  document.body.append(box);
  box.showModal();
  return box;
}

/** nameOf is what a screen reader calls a control. */
const nameOf = (e) => e?.dataset?.key || e?.getAttribute?.('aria-label') || e?.textContent || '';

/** giveBack returns the focus to what opened a dialog, or to the control of its name that
 * has taken its place, or to the page. */
function giveBack(opener) {
  if (document.querySelector('dialog[open]')) return; // it has opened another one
  const main = document.getElementById('main');
  if (document.activeElement !== document.body && document.activeElement?.isConnected) return;
  const name = nameOf(opener);
  const again = opener?.isConnected ? opener : [...main.querySelectorAll('button, a, input, select')].find((e) => nameOf(e) === name);
  (again || main).focus({ preventScroll: true });
}

/** confirm asks before something is lost. */
export function confirm(title, question, fn, label = text.common.remove, kind = 'danger') {
  return dialog(title, h('p', {}, question), fn, label, kind);
}

const classOf = (column) => column.class || (column.title ? undefined : 'acts');

/** table makes a table; a column is { title, cell(row), class }. */
export function table(caption, columns, rows, empty = text.common.none) {
  return h('div', { class: 'wide', tabindex: '0', role: 'group', 'aria-label': caption },
    h('table', {}, h('caption', { class: 'unseen' }, caption),
      h('thead', {}, h('tr', {}, columns.map((c) => h('th', { scope: 'col', class: classOf(c) }, c.head || c.title || h('span', { class: 'unseen' }, text.common.actions))))),
      h('tbody', {}, rows.length === 0
        ? h('tr', {}, h('td', { colspan: columns.length, class: 'none' }, empty))
        : rows.map((row) => h('tr', {}, columns.map((c) => h('td', { class: classOf(c), 'data-title': c.title }, c.cell(row))))))));
}

/** page is the head of a page with its buttons. */
export function page(title, ...buttons) {
  document.title = `${title} – ${text.title}`;
  return h('div', { class: 'head' }, h('h1', {}, title), h('div', { class: 'buttons' }, buttons));
}

/** facts is a list of names and values; those without a value are left out. */
export function facts(pairs) {
  return h('dl', { class: 'facts' }, pairs.filter(([, v]) => v !== undefined && v !== '' && v !== null && v !== false)
    .map(([k, v]) => h('div', {}, h('dt', {}, k), h('dd', {}, v))));
}

/** secret shows a text that is not shown again, with a button that copies it. */
export function secret(label, value) {
  const shown = h('code', {}, value);
  return h('div', { class: 'secret' }, h('span', {}, label), shown, action(text.common.copy, () => copy(value, shown), { class: 'small' }));
}

export const time = (t) => (t ? h('time', { datetime: t, title: t }, new Date(t).toLocaleString()) : text.common.never);

/** tone is the class of what came of something: phones ask for many files that there
 * need not be. */
export const tone = (outcome) => ({ ok: '', 'not-modified': '', 'not-found': 'soft' }[outcome || 'ok'] ?? 'bad');

/** badge is a state with its colour; the word says it too. */
export const badge = (state, words = text.state) => h('span', { class: `badge ${state}` }, words[state] || state);
