// The shell: who is logged in, which page is shown.
import { call, get, onLine, onOver, Problem } from './api.js';
import { field, h, page, toast, values, wrong } from './dom.js';
import { text } from './text.js';

// route: pattern of the hash, module, scope without which it is not in the menu.
const routes = [
  [/^\/$/, 'dashboard', 'pbx:phones:read', 'dashboard'],
  [/^\/phones$/, 'phones', 'pbx:phones:read', 'phones'],
  [/^\/phones\/([^/]+)$/, 'phone', 'pbx:phones:read'],
  [/^\/extensions$/, 'extensions', 'pbx:extensions:read', 'extensions'],
  [/^\/pending$/, 'pending', 'pbx:phones:read', 'pending'],
  [/^\/templates$/, 'templates', 'pbx:templates:read', 'templates'],
  [/^\/templates\/([^/]+)$/, 'template', 'pbx:templates:read'],
  [/^\/firmware$/, 'firmware', 'pbx:firmware:read', 'firmware'],
  [/^\/dhcp$/, 'dhcp', 'pbx:phones:read', 'dhcp'],
  [/^\/settings$/, 'settings', 'pbx:phones:read', 'settings'],
  [/^\/settings\/([^/]+)$/, 'settings', 'pbx:phones:read'],
  [/^\/settings\/([^/]+)\/([^/]+)$/, 'settings', 'pbx:phones:read'],
  [/^\/audit$/, 'audit', 'pbx:keys:write', 'audit'],
  [/^\/keys$/, 'keys', 'pbx:keys:write', 'keys'],
  [/^\/jobs$/, 'jobs', 'pbx:phones:read', 'jobs'],
];
// The order of the menu.
const menu = ['dashboard', 'phones', 'pending', 'extensions', 'templates', 'firmware', 'dhcp', 'settings', 'jobs', 'audit', 'keys'];

const parents = { phone: 'phones', template: 'templates' }; // whose place in the menu a page without one has

const $ = (id) => document.getElementById(id);
let session = null;
let leave = () => {}; // ends what the page shown has running
let whole = false; // the page shown has all that it shows at first

/** can says whether the key has a scope. */
export const can = (scope) => session !== null && session.scopes.includes(scope);

/** keyForm asks for the key; done is called when the server has taken it. */
function keyForm(title, message, done) {
  const form = h('form', { class: 'login' }, h('h1', {}, title), message && h('p', { role: 'alert' }, message),
    field('key', text.login.key, { type: 'password', required: true, autocomplete: 'current-password', spellcheck: 'false' }, text.login.hint),
    h('button', { type: 'submit', class: 'main' }, text.login.enter));
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const button = form.querySelector('button.main');
    button.disabled = true;
    try { done(await call('POST', '/session', values(form))); } catch (error) { wrong(form, error); } finally { button.disabled = false; }
  });
  return form;
}

function login(message = '') {
  session = null;
  leave();
  leave = () => {};
  document.querySelectorAll('dialog').forEach((d) => d.close());
  $('top').hidden = true;
  document.title = text.title;
  const form = keyForm(text.title, message, (s) => { session = s; enter(); });
  $('main').replaceChildren(form);
  form.querySelector('input').focus();
}

// The session is over: the key is asked for above the page, which stays as it is with
// what was typed into it. Who gives none leaves the page.
function again() {
  if (!session || $('again')) return;
  let back = null;
  const was = session.scopes.join();
  const box = h('dialog', { id: 'again', 'aria-label': text.login.title }, keyForm(text.login.title, text.login.over, (s) => { back = s; box.close(); }));
  box.addEventListener('close', () => {
    box.remove();
    if (!back) { login(); return; }
    session = back;
    if (!whole || back.scopes.join() !== was) enter();
  });
  document.body.append(box);
  box.showModal();
}

function enter() {
  $('top').hidden = false;
  $('who').textContent = session.name || session.keyId;
  const shown = routes.filter((r) => r[3] && can(r[2])).sort((a, b) => menu.indexOf(a[3]) - menu.indexOf(b[3]));
  $('nav').replaceChildren(h('ul', {}, shown.map((r) => h('li', {}, h('a', { href: `#${pathOf(r)}`, 'data-page': r[1] }, text.nav[r[3]])))));
  show();
}

const pathOf = (r) => (r[1] === 'dashboard' ? '/' : `/${r[3]}`);

async function show() {
  if (!session) return;
  leave();
  leave = () => {};
  whole = false;
  document.querySelectorAll('dialog').forEach((d) => d.close());
  const [path, query = ''] = (location.hash.slice(1) || '/').split('?');
  const found = routes.map((r) => [r, path.match(r[0])]).find(([, m]) => m);
  $('menu').setAttribute('aria-expanded', 'false');
  $('nav').classList.remove('open');
  const main = $('main');
  if (!found) { main.replaceChildren(page(text.common.missingTitle), h('p', {}, text.common.missing), h('p', {}, h('a', { href: '#/' }, text.nav.dashboard))); return; }
  const [route, match] = found;
  for (const a of $('nav').querySelectorAll('a')) {
    const here = a.dataset.page === route[1] || parents[route[1]] === a.dataset.page;
    if (here) a.setAttribute('aria-current', 'page'); else a.removeAttribute('aria-current');
  }
  if (!can(route[2])) { main.replaceChildren(h('p', {}, text.common.forbidden(route[2]))); return; }
  const view = h('div', { class: `page ${route[1]}`, 'aria-busy': 'true' }, h('p', { class: 'hint loading', role: 'status' }, text.common.loading));
  main.replaceChildren(view);
  const stops = [];
  leave = () => stops.splice(0).forEach((stop) => stop());
  try {
    const module = await import(`./pages/${route[1]}.js`);
    await module.show(view, { args: match.slice(1).map(decodeURIComponent), query: new URLSearchParams(query), can, stop: (fn) => stops.push(fn) });
    whole = true;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return;
    view.replaceChildren(page(text.common.failed), h('p', { role: 'alert', class: 'summary' }, error.message),
      h('button', { type: 'button', onclick: show }, text.common.again));
  }
  view.removeAttribute('aria-busy');
}

for (const [id, words] of Object.entries({ skip: text.common.skip, brand: text.title, menu: text.common.menu, leave: text.login.leave })) $(id).textContent = words;
$('nav').setAttribute('aria-label', text.common.main);
$('skip').addEventListener('click', (e) => { e.preventDefault(); $('main').focus(); }); // the hash says which page is shown
onOver(again);
let offline = 0;
onLine((now) => {
  clearTimeout(offline);
  if (now) $('offline').hidden = true;
  else offline = setTimeout(() => { $('offline').textContent = text.problem.offline; $('offline').hidden = false; }, 1500);
});
$('leave').addEventListener('click', async () => {
  try { await call('DELETE', '/session'); } catch (error) { toast(error.message, 'bad'); }
  login();
});
function openMenu(open) {
  $('nav').classList.toggle('open', open);
  $('menu').setAttribute('aria-expanded', String(open));
}
$('menu').addEventListener('click', () => openMenu(!$('nav').classList.contains('open')));
$('top').addEventListener('keydown', (e) => {
  if (e.key !== 'Escape' || !$('nav').classList.contains('open')) return;
  openMenu(false);
  $('menu').focus();
});
addEventListener('hashchange', () => { show(); $('main').focus({ preventScroll: true }); });

try {
  session = await get('/session');
  enter();
} catch (error) { login(error.status === 401 ? '' : error.message); }
