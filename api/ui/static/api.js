// The page is a client of the REST API like any other; its session cookie stands for
// the key.
import { text } from './text.js';

/** Problem is an answer of the API that is not the one hoped for (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || text.problem.status(status));
    this.status = status;
    this.errors = body.errors || [];
  }
}

const over = new Set();
const lines = new Set();

/** onOver calls fn when the session is over. */
export function onOver(fn) { over.add(fn); }

/** onLine calls fn with whether the server answers, when that changes. */
export function onLine(fn) { lines.add(fn); }

let reached = true;
function heard(now) {
  if (now === reached) return;
  reached = now;
  lines.forEach((fn) => fn(now));
}

/** token is a text that nobody had before. crypto.randomUUID is for HTTPS only. */
const token = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const pauses = [300, 900, 2000]; // before a request is sent again, milliseconds

// Idempotency keys of POSTs whose answer never came, by what was asked: who asks for
// the same again gets the answer of the first time, and nothing is done twice.
const open = new Map();

// POSTs that change nothing: their answers need not be kept.
const harmless = /^\/(session|templates\/(validate|preview|impact))$/;

function keyFor(path, body) {
  const what = `${path} ${body instanceof Blob ? `${body.name} ${body.size} ${body.lastModified}` : JSON.stringify(body)}`;
  if (!open.has(what)) open.set(what, token());
  return { key: open.get(what), done: () => open.delete(what) };
}

/** answered sends a request until there is an answer, if sending it again does no harm. */
async function answered(url, init, again) {
  for (let i = 0; ; i++) {
    try {
      const answer = await fetch(url, init);
      heard(true);
      const waits = i > 0 && init.method === 'POST' && answer.status === 409; // the first one is still under way
      if (!waits || i >= pauses.length) return answer;
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      if (!again || i >= pauses.length) { heard(false); throw new Problem(0, { detail: text.problem.gone }); }
    }
    await pause(pauses[i]);
  }
}

/** exchange sends one request and returns the answer, or throws a Problem. */
async function exchange(method, path, body, options = {}) {
  const init = { method, cache: 'no-store', headers: {} };
  if (body !== undefined) {
    init.headers['Content-Type'] = options.type || (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
    init.body = typeof body === 'string' || body instanceof Blob || body instanceof FormData ? body : JSON.stringify(body);
    if (body instanceof FormData) delete init.headers['Content-Type'];
  }
  const once = method === 'POST' && !harmless.test(path) ? keyFor(path, body) : null;
  if (once) init.headers['Idempotency-Key'] = once.key;
  if (options.tag) init.headers['If-Match'] = options.tag;
  if (options.signal) init.signal = options.signal;
  const answer = await answered(`/v1/pbx${path}`, init, method === 'GET' || method === 'POST');
  if (once) once.done();
  if (answer.ok) return answer;
  if (answer.status === 401 && path !== '/session') over.forEach((fn) => fn());
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

const contentOf = (answer) => {
  if (answer.status === 204) return undefined;
  return (answer.headers.get('Content-Type') || '').includes('json') ? answer.json() : answer.text();
};

/** call sends one request and returns the parsed answer; undefined for an empty one.
 * options: type of the body, tag for If-Match, signal. */
export const call = async (method, path, body, options) => contentOf(await exchange(method, path, body, options));

/** tagged is call with the entity tag of what was answered, for an edit that must not
 * undo another's. */
export async function tagged(path, method = 'GET', body, options) {
  const answer = await exchange(method, path, body, options);
  return { value: await contentOf(answer), tag: answer.headers.get('ETag') || undefined };
}

export const get = (path, options) => call('GET', path, undefined, options);
export const post = (path, body = {}, options) => call('POST', path, body, options);
export const put = (path, body, options) => call('PUT', path, body, options);
export const patch = (path, body, options) => call('PATCH', path, body, options);
export const del = (path, options) => call('DELETE', path, undefined, options);

/** all follows next and returns the items of a list, at most most of them. */
export async function all(path, field, most = 1000) {
  const items = [];
  let cursor = '';
  do {
    const page = await get(`${path}${path.includes('?') ? '&' : '?'}limit=500${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page[field]);
    cursor = page.next || '';
  } while (cursor && items.length < most);
  return items;
}

/** upload sends a form or a file with progress, which fetch cannot tell of. type is the
 * media type of a file. */
export function upload(path, body, onProgress, type) {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open('POST', `/v1/pbx${path}`);
    const once = body instanceof Blob ? keyFor(path, body) : null;
    if (type) x.setRequestHeader('Content-Type', type);
    if (once) x.setRequestHeader('Idempotency-Key', once.key);
    x.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    x.upload.onload = () => onProgress(1);
    x.onerror = () => reject(new Problem(0, { detail: text.problem.broke }));
    x.onload = () => {
      if (once) once.done();
      let answer = {};
      try { answer = JSON.parse(x.responseText); } catch { /* no JSON: the status says it */ }
      if (x.status === 401) over.forEach((fn) => fn());
      if (x.status >= 200 && x.status < 300) resolve(answer); else reject(new Problem(x.status, answer));
    };
    x.send(body);
  });
}

/** listen calls fn with every event of the server until stop is called. A page that
 * nobody sees does not listen: browsers have few connections for one server. When it
 * listens again fn gets an empty event, because something may have been missed. */
export function listen(fn) {
  let source = null, again = 0, stopped = false;
  const take = (e) => { try { fn(JSON.parse(e.data)); } catch { /* a comment or a newer form */ } };
  const close = () => { clearTimeout(again); source?.close(); source = null; };
  function start() {
    close();
    if (stopped || document.hidden) return;
    source = new EventSource('/v1/pbx/events');
    for (const topic of ['registration', 'provisioning', 'call', 'lost']) source.addEventListener(topic, take);
    source.onopen = () => heard(true);
    source.onerror = () => {
      heard(false);
      if (source?.readyState === EventSource.CLOSED) again = setTimeout(start, 5000); // refused, as without a session
    };
  }
  const seen = () => { if (document.hidden) close(); else if (!source) { start(); fn({}); } };
  document.addEventListener('visibilitychange', seen);
  start();
  return () => { stopped = true; document.removeEventListener('visibilitychange', seen); close(); };
}
