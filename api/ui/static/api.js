// The page is a client of the REST API like any other; its session cookie stands for
// the key.

/** Problem is an answer of the API that is not the one hoped for (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The server answered ${status}.`);
    this.status = status;
    this.errors = body.errors || [];
  }
}

const over = new Set();

/** onOver calls fn when the session is over. */
export function onOver(fn) { over.add(fn); }

/** call sends one request and returns the parsed answer; undefined for an empty one. */
export async function call(method, path, body, options = {}) {
  const init = { method, cache: 'no-store', headers: {} };
  if (body !== undefined) {
    init.headers['Content-Type'] = options.type || (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
    init.body = typeof body === 'string' || body instanceof Blob || body instanceof FormData ? body : JSON.stringify(body);
    if (body instanceof FormData) delete init.headers['Content-Type'];
  }
  Object.assign(init.headers, options.headers);
  if (options.signal) init.signal = options.signal;
  const answer = await fetch(`/v1/pbx${path}`, init);
  const type = answer.headers.get('Content-Type') || '';
  if (answer.ok) {
    if (answer.status === 204) return undefined;
    return type.includes('json') ? answer.json() : answer.text();
  }
  if (answer.status === 401 && path !== '/session') over.forEach((fn) => fn());
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

export const get = (path, options) => call('GET', path, undefined, options);
export const post = (path, body = {}, options) => call('POST', path, body, options);
export const put = (path, body, options) => call('PUT', path, body, options);
export const patch = (path, body) => call('PATCH', path, body);
export const del = (path) => call('DELETE', path);

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

/** upload sends a form with progress, which fetch cannot tell of. */
export function upload(path, form, onProgress) {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open('POST', `/v1/pbx${path}`);
    x.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    x.onerror = () => reject(new Problem(0, { detail: 'The connection broke.' }));
    x.onload = () => {
      let body = {};
      try { body = JSON.parse(x.responseText); } catch { /* no JSON: the status says it */ }
      if (x.status >= 200 && x.status < 300) resolve(body); else reject(new Problem(x.status, body));
    };
    x.send(form);
  });
}

/** listen calls fn with every event of the server until stop is called. */
export function listen(fn) {
  const source = new EventSource('/v1/pbx/events');
  const take = (e) => { try { fn(JSON.parse(e.data)); } catch { /* a comment or a newer form */ } };
  for (const topic of ['registration', 'provisioning', 'call']) source.addEventListener(topic, take);
  return () => source.close();
}
