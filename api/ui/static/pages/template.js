// The editor of one template: marks while typing, preview, difference, what it would do.
import { all, del, get, post, put, tagged } from '../api.js';
import { conflict, isConflict } from '../conflict.js';
import { action, badge, confirm, dialog, facts, fail, field, fill, h, page, table, time, toast, wrong } from '../dom.js';
import { declared } from '../pack.js';
import { text } from '../text.js';
import { how, running, watchTrial, wavesOf } from '../trial.js';
import { makeEditor } from '../vendor/codemirror.js';
import { badges, draft, vendorName } from './templates.js';

const t = text.template;
const pause = 350; // of typing before the text is checked, milliseconds
const split = (s) => (s || '').split(',').map((x) => x.trim()).filter(Boolean);

/** variablesOf reads "name type default" a line; of a choice the type is "choice a|b". */
function variablesOf(lines) {
  return lines.split('\n').map((s) => s.trim()).filter(Boolean).map((s) => {
    const [name, type = 'text', ...rest] = s.split(/\s+/);
    const choices = type === 'choice' && rest.length > 0 ? rest.shift().split('|') : undefined;
    return { name, type, ...(choices && { choices }), ...(rest.length > 0 && { default: rest.join(' ') }) };
  });
}
const variableText = (list) => (list || []).map((v) => [v.name, v.type || 'text', v.type === 'choice' && (v.choices || []).join('|'), v.default].filter(Boolean).join(' ')).join('\n');

/** diffText colours a difference as diff -u shows it; the sign says it too. */
const diffText = (diff) => (diff
  ? h('pre', { class: 'diff', tabindex: '0', role: 'group', 'aria-label': t.difference }, diff.split('\n').map((l) => h('span', { class: l.startsWith('+') ? 'plus' : l.startsWith('-') ? 'minus' : '' }, `${l}\n`)))
  : h('p', { class: 'hint' }, t.same));

export async function show(view, { args, query, can, stop }) {
  const [name] = args;
  const path = `/templates/${encodeURIComponent(name)}`;
  const write = can('pbx:templates:write');
  const uploaded = draft.get(name);
  let tag; // of what is stored
  let merged = false; // the text is merged with the built-in one of today
  const read = async () => { const now = await tagged(path); ({ tag } = now); return now.value; };
  let stored = await read().catch((e) => { if (e.status === 404 && uploaded) return null; throw e; });
  const base = stored || { name, vendor: uploaded.vendor, file: 'phone', models: uploaded.models, variables: [] };
  const start = uploaded?.content ?? base.content;
  draft.delete(name);

  const head = h('div');
  const verdict = h('div', { class: 'verdict', role: 'status' });
  const host = h('div', { class: 'editor' });
  const form = h('form', { class: 'filters' }, field('models', text.templates.models, { value: (base.models || []).join(', ') }, t.modelsHint), field('minFirmware', t.minFirmware, { value: base.minFirmware || '' }),
    field('maxFirmware', t.maxFirmware, { value: base.maxFirmware || '' }), field('variables', t.variables, { rows: 2, value: variableText(base.variables) }, t.variablesHint));
  const preview = h('section', { 'aria-labelledby': 'preview' });
  const declares = h('div');
  const job = h('div', { class: 'job' });
  const history = h('section', { 'aria-labelledby': 'revisions' });
  view.replaceChildren(head, job, h('div', { class: 'beside' }, h('section', {}, h('h2', {}, t.text), host, verdict), preview), h('section', {}, form), declares, history);
  const editor = makeEditor(host, { text: start, label: `${t.text} ${name}`, readOnly: !write, changed: () => typed() });
  // What was typed is there again when the page is opened again.
  stop(() => {
    if (write && changed()) draft.set(name, { content: editor.text(), vendor: base.vendor, models: split(form.elements.models.value) });
    editor.destroy();
  });
  form.addEventListener('submit', (e) => e.preventDefault());
  form.addEventListener('input', () => typed());

  const body = () => {
    const f = form.elements;
    return { name, vendor: base.vendor, file: base.file, content: editor.text(), models: split(f.models.value),
      variables: variablesOf(f.variables.value).map((v) => ({ ...v, ...helpOf(v.name) })), // the form has no place for it
      ...(f.minFirmware.value.trim() && { minFirmware: f.minFirmware.value.trim() }), ...(f.maxFirmware.value.trim() && { maxFirmware: f.maxFirmware.value.trim() }) };
  };
  const helpOf = (variable) => { const { help } = (base.variables || []).find((x) => x.name === variable) || {}; return help && { help }; };
  const changed = () => !stored || editor.text() !== stored.content;

  let timer = 0, round = 0;
  function typed() {
    verdict.textContent = t.checking;
    clearTimeout(timer);
    timer = setTimeout(() => { check().catch(fail); }, pause);
  }
  stop(() => { clearTimeout(timer); round++; });

  async function check() {
    const mine = ++round;
    let problem = null, found = null;
    try { found = await post('/templates/validate', body()); } catch (error) { if (!(error.errors?.length > 0)) throw error; problem = error; }
    if (mine !== round) return;
    editor.mark((problem?.errors || []).filter((e) => e.field === 'content'));
    const goTo = (e) => (e.line ? h('button', { type: 'button', class: 'small', onclick: () => editor.goTo(e.line) }, t.at(e.line, e.column || 1)) : h('strong', {}, e.field));
    fill(verdict, problem
      ? [h('p', { class: 'bad' }, badge('error', { error: t.wrong(problem.errors.length) })), h('ul', { class: 'plain' }, problem.errors.map((e) => h('li', {}, goTo(e), ` ${e.detail}`)))]
      : [h('p', {}, badge('ok', { ok: t.right(found.bytes) })), found.warnings.length > 0 && h('ul', { class: 'plain' }, found.warnings.map((w) => h('li', {}, badge('behind', { behind: w.code }), ` ${w.parameter}: ${w.detail}`)))]);
    await drawPreview(!problem);
  }

  const { phones } = can('pbx:phones:read') ? await get(`/phones?manufacturer=${base.vendor}&limit=200`) : { phones: [] };
  const mine = phones.filter((p) => p.macAddress && p.lines?.length > 0);
  const choose = h('select', { 'aria-label': t.phone, onchange: () => drawPreview(true).catch(fail) }, mine.map((p) => h('option', { value: p.id, selected: p.id === query.get('phone') }, [p.extensionNumber, p.extensionName, p.model, p.macAddress].filter(Boolean).join(' '))));
  const file = h('pre', { tabindex: '0', id: 'rendered', role: 'group', 'aria-label': t.previewFile });
  fill(preview, h('h2', { id: 'preview' }, t.preview), mine.length > 0 ? choose : h('p', { class: 'hint' }, t.noPhones), mine.length > 0 && file);
  async function drawPreview(whole) {
    if (mine.length === 0 || !whole) {
      file.classList.add('old'); // what was shown stays, dashed
      if (file.textContent === '') file.textContent = t.notYet;
      return;
    }
    try {
      const { content } = await post('/templates/preview', { ...body(), phoneId: choose.value });
      file.classList.remove('old');
      file.textContent = content;
    } catch (error) { file.textContent = error.message; }
  }

  /** save shows what would change for how many phones and stores when it is confirmed. */
  async function activate() {
    const note = field('note', t.note);
    const [effect, against] = [await post('/templates/impact', body()), await textDiff()];
    const waves = can('pbx:phones:read') && effect.phones > 0;
    dialog(`${t.activate} ${name}`, [h('h3', {}, t.impact), h('p', { class: 'hint' }, t.impactHint),
      facts([[t.phones, effect.phones], [t.concerned, effect.concerned], [t.changed, h('strong', { id: 'changed' }, effect.changed)], [t.failed, effect.failed]]),
      Object.keys(effect.warnings).length > 0 && facts(Object.entries(effect.warnings)),
      effect.examples.slice(0, 5).map((x) => h('details', {}, h('summary', {}, `${x.macAddress} ${x.model || ''}`), x.error ? h('p', { class: 'bad' }, x.error) : diffText(x.diff))),
      h('details', {}, h('summary', {}, t.difference), against), note, waves && how(),
      h('button', { type: 'button', onclick: (e) => store(e, false, note) }, t.store)],
    (v, place) => (v.waves ? stage(v, place) : save(true, v.note, place)), t.activate).classList.add('large');
  }
  async function store(event, active, note) {
    const box = event.target.closest('dialog');
    const place = box.querySelector('form');
    try { if (await save(active, note.querySelector('input').value, place)) box.close(); } catch (error) { wrong(place, error); }
  }
  /** stage stores the text and gives it to phones in waves, which is watched. */
  async function stage(v, place) {
    if (!await save(false, v.note, place)) return false;
    const made = await post(`${path}/activate`, { revision: stored.latestRevision, ...wavesOf(v) }, { tag });
    toast(text.trial.started);
    watch(made).catch(fail);
    return true;
  }
  const watch = (made) => watchTrial(job, made, { may: can('pbx:phones:write'), before: text.trial.before(stored.active && !stored.builtin && stored.revision), read: async () => { stored = await read(); return stored; }, redraw: drawRest });
  async function save(active, note, place) {
    const b = { ...body(), activate: active, ...(note && { note }), ...(merged && { merged }) };
    let made;
    try {
      made = stored ? await put(path, b, { tag }) : await post('/templates', b);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const now = await tagged(path);
      const { difference } = await import('../diff.js');
      const end = () => place.closest('dialog').close();
      conflict(place, diffText(difference(now.value.content, editor.text())), {
        reload: () => { ({ tag } = now); stored = now.value; editor.setText(stored.content); end(); return drawRest(); },
        overwrite: async () => { ({ tag } = now); if (await save(active, note, place)) end(); } });
      return false;
    }
    stored = await read();
    merged = false;
    toast(active ? t.activated(made.revision) : t.kept(made.latestRevision || made.revision));
    await drawRest();
    return true;
  }

  /** textDiff compares the text here with the one that is stored, line by line. */
  async function textDiff() {
    const { difference } = await import('../diff.js');
    return diffText(stored ? difference(stored.content, editor.text()) : '');
  }

  async function rollback(revision, content) {
    await post(`${path}/rollback`, { revision });
    stored = await read();
    if (content !== undefined) editor.setText(content);
    toast(revision === 0 ? t.builtinActive : t.restored(revision));
    await drawRest();
  }

  function drawHead() {
    const own = stored && !stored.builtin;
    head.replaceChildren(page(name,
      write && action(t.activate, activate, { class: 'main', id: 'activate' }),
      action(t.difference, async () => { dialog(t.difference, [h('p', { class: 'hint' }, `${t.against} ${stored?.builtin ? t.builtinText : t.revisions} → ${t.edited}`), await textDiff()]).classList.add('large'); }),
      write && stored && uploaded && changed() && action(t.discard, () => { editor.setText(stored.content); drawHead(); }),
      write && stored?.behind && action(t.merge, async () => { const m = await get(`${path}/merge`); editor.setText(m.content); merged = true; toast(t.merged(m.conflicts)); }),
      write && own && stored.active && action(t.builtinAgain, () => rollback(0)),
      write && own && action(t.remove, async () => confirm(t.remove, `${name}: ${t.removeHint}`, async () => { await del(path); location.hash = '#/templates'; }, t.remove))),
    h('p', {}, vendorName(base.vendor), ' · ', base.file, ' · ', stored ? badges(stored) : badge('stored', { stored: t.unsaved }), stored?.behind && h('span', { class: 'hint' }, ` ${text.templates.behindHint}`)));
  }
  async function drawRest() {
    drawHead();
    fill(declares, stored && declared(stored, vendorName(base.vendor)));
    history.hidden = !stored || stored.builtin;
    if (history.hidden) return;
    const revisions = await all(`${path}/revisions`, 'revisions', 200);
    const differ = (r) => action(t.difference, async () => { const { diff } = await get(`${path}/diff?from=0&to=${r.revision}`); dialog(`${t.difference}: ${t.builtinText} → ${r.revision}`, diffText(diff)).classList.add('large'); }, { class: 'small' });
    const back = (r) => action(t.rollback, () => rollback(r.revision, r.content), { class: 'small', 'aria-label': `${t.rollback} ${r.revision}` });
    history.replaceChildren(h('h2', { id: 'revisions' }, t.revisions), table(t.revisions, [
      { title: text.templates.revision, cell: (r) => r.revision }, { title: text.templates.state, cell: (r) => (r.active ? badge('active', { active: text.templates.active }) : '') }, { title: text.templates.updated, cell: (r) => time(r.createdAt) },
      { title: t.by, cell: (r) => r.createdBy || '' }, { title: t.note, cell: (r) => r.note || '' }, { title: '', cell: (r) => h('div', { class: 'buttons' }, differ(r), write && !r.active && back(r)) }], revisions));
  }
  const ask = (e) => { if (write && changed()) e.preventDefault(); };
  addEventListener('beforeunload', ask);
  stop(() => removeEventListener('beforeunload', ask));
  await drawRest();
  await check();
  const going = stored && !stored.builtin && can('pbx:phones:read') && await running(name);
  if (going) watch(going).catch(fail);
}
