// The page is a client of the REST API: it asks for a key, keeps it in this tab
// and shows what the API says. All text goes into the page as text.

const every = 5000;
const slot = 'dialtone.key';
const $ = (id) => document.getElementById(id);

let pages = 1;     // how many pages "Show more" has opened
let round = 0;     // the newest refresh; an older one that ends late is dropped
let timer = 0;

async function call(path) {
  const answer = await fetch(path, {
    headers: { Authorization: `Bearer ${sessionStorage.getItem(slot)}` },
    cache: 'no-store',
    credentials: 'omit',
  });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  const error = new Error(problem.detail || problem.title || `The server answered ${answer.status}.`);
  error.status = answer.status;
  throw error;
}

function query(cursor) {
  const q = new URLSearchParams({ limit: '100' });
  if ($('q').value.trim()) q.set('q', $('q').value.trim());
  if ($('registered').value) q.set('registered', $('registered').value);
  if (cursor) q.set('cursor', cursor);
  return `/v1/pbx/phones?${q}`;
}

async function read() {
  const { stats } = await call('/v1/pbx/phones/stats');
  const phones = [];
  let next = '';
  for (let i = 0; i < pages; i++) {
    const page = await call(query(next));
    phones.push(...page.phones);
    next = page.next || '';
    if (!next) break;
  }
  return { stats, phones, next };
}

function show({ stats, phones, next }) {
  const figures = [
    ['Phones', stats.totalPhones], ['Registered', stats.registered], ['Unregistered', stats.unregistered],
    ['Hardware', stats.byType.hardware], ['Softphone', stats.byType.softphone],
    ['WebRTC', stats.byType.webrtc], ['Mobile', stats.byType.mobile],
  ];
  $('stats').replaceChildren(...figures.map(([name, value]) => {
    const pair = document.createElement('div');
    pair.append(element('dt', name), element('dd', String(value)));
    return pair;
  }));
  $('phones').replaceChildren(...phones.map(row));
  if (phones.length === 0) {
    const none = element('td', 'No phones.');
    none.colSpan = 6;
    const tr = document.createElement('tr');
    tr.append(none);
    $('phones').append(tr);
  }
  $('more').hidden = !next;
}

function row(phone) {
  const state = element('td', phone.state || (phone.registered ? 'registered' : 'unregistered'));
  state.className = phone.registered ? 'on' : 'off';
  const tr = document.createElement('tr');
  tr.append(
    element('td', [phone.extensionNumber, phone.extensionName].filter(Boolean).join(' ')),
    state,
    element('td', [phone.manufacturer, phone.model].filter(Boolean).join(' ') || phone.userAgent || phone.deviceType || ''),
    element('td', phone.macAddress || ''),
    element('td', phone.ipAddress || ''),
    element('td', phone.lastRegistered ? new Date(phone.lastRegistered).toLocaleString() : ''),
  );
  return tr;
}

function element(name, text) {
  const e = document.createElement(name);
  e.textContent = text;
  return e;
}

async function refresh() {
  clearTimeout(timer);
  const mine = ++round;
  try {
    const seen = await read();
    if (mine !== round) return;
    show(seen);
    say('');
  } catch (error) {
    if (mine !== round) return;
    if (error.status === 401) {
      leave();
      say(error.message);
      return;
    }
    say(error.status ? error.message : 'The server does not answer; trying again.');
  }
  timer = setTimeout(refresh, every);
}

function say(text) {
  if ($('notice').textContent !== text) $('notice').textContent = text;
}

function enter() {
  $('enter').hidden = true;
  $('view').hidden = false;
  $('leave').hidden = false;
  $('q').focus();
  pages = 1;
  refresh();
}

function leave() {
  clearTimeout(timer);
  round++;
  sessionStorage.removeItem(slot);
  $('phones').replaceChildren();
  $('stats').replaceChildren();
  $('view').hidden = true;
  $('leave').hidden = true;
  $('enter').hidden = false;
  $('key').focus();
}

$('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(slot, $('key').value.trim());
  $('key').value = '';
  enter();
});
$('filter').addEventListener('submit', (event) => event.preventDefault());
$('filter').addEventListener('input', () => {
  pages = 1;
  clearTimeout(timer);
  timer = setTimeout(refresh, 250);
});
$('more').addEventListener('click', () => {
  pages++;
  refresh();
});
$('leave').addEventListener('click', () => {
  leave();
  say('');
});

if (sessionStorage.getItem(slot)) enter();
