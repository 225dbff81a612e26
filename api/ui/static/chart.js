// A curve over time, drawn as SVG: the area below one number, of another at most.
import { h } from './dom.js';

const ns = 'http://www.w3.org/2000/svg';
const wide = 600, high = 150, left = 44, below = 22, above = 8; // of the drawing's own units

function svg(name, props, ...children) {
  const e = document.createElementNS(ns, name);
  for (const [k, v] of Object.entries(props)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

/** roof is the next round number that is not below n. */
function roof(n) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
  return Math.max(4, [1, 2, 4, 5, 10].map((f) => f * unit).find((x) => x >= n));
}

/** curve draws points [{ at, value }] from one moment to another; gaps longer than gap
 * milliseconds stay gaps. label says in words what is seen. */
export function curve({ points, from, to, gap, label }) {
  const most = roof(Math.max(...points.map((p) => p.value), 0));
  const x = (at) => left + ((at - from) / (to - from)) * (wide - left - 4);
  const y = (value) => above + (1 - value / most) * (high - above - below);
  const runs = [];
  for (const p of points) {
    const last = runs.at(-1)?.at(-1);
    if (last && p.at - last.at <= gap) runs.at(-1).push(p); else runs.push([p]);
  }
  const drawing = svg('svg', { viewBox: `0 0 ${wide} ${high}`, class: 'curve', role: 'img', 'aria-label': label });
  for (const value of [0, most / 2, most]) {
    drawing.append(svg('line', { x1: left, x2: wide, y1: y(value), y2: y(value), class: 'grid-line' }), svg('text', { x: left - 6, y: y(value) + 4, class: 'axis end' }, new Intl.NumberFormat('en', { notation: 'compact' }).format(value)));
  }
  for (const run of runs) {
    const path = (run.length > 1 ? run : [run[0], { ...run[0], at: run[0].at + gap / 4 }]).map((p) => `${x(p.at).toFixed(1)},${y(p.value).toFixed(1)}`);
    drawing.append(svg('polygon', { points: `${path[0].split(',')[0]},${y(0)} ${path.join(' ')} ${path.at(-1).split(',')[0]},${y(0)}`, class: 'area' }), svg('polyline', { points: path.join(' '), class: 'line' }));
  }
  const clock = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  for (const [i, part] of [0, 0.25, 0.5, 0.75, 1].entries()) {
    const at = from + part * (to - from);
    drawing.append(svg('text', { x: x(at), y: high - 5, class: i === 4 ? 'axis end' : i === 0 ? 'axis' : 'axis middle' }, clock(at)));
  }
  return drawing;
}

/** bars are rows [name, number, kind] as bars of one scale. */
export function bars(rows, empty) {
  const most = Math.max(1, ...rows.map(([, n]) => n));
  if (rows.length === 0) return h('p', { class: 'hint' }, empty);
  return h('ul', { class: 'bars' }, rows.map(([name, n, kind = '']) => h('li', {},
    h('span', {}, name), h('meter', { class: kind, min: 0, max: most, value: n, 'aria-label': `${name}: ${n}` }), h('span', { class: 'n' }, n.toLocaleString()))));
}
