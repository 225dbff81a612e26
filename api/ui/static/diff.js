// The difference of two texts as diff -u shows it, for texts that no server has.

const around = 3; // equal lines shown beside a change
const most = 1000; // edits looked for; texts that differ more are shown one after the other

/** edits is the way from a to b: ' ' keep, '-' of a, '+' of b (Myers, greedy). */
function edits(a, b) {
  let v = new Map([[1, 0]]);
  const trail = [];
  for (let d = 0; d <= most; d++) {
    trail.push(new Map(v));
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && v.get(k - 1) < v.get(k + 1)) ? v.get(k + 1) : v.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      v.set(k, x);
      if (x >= a.length && x - k >= b.length) return wayBack(trail, a, b);
    }
  }
  return [...a.map((line) => ['-', line]), ...b.map((line) => ['+', line])];
}

function wayBack(trail, a, b) {
  const out = [];
  let x = a.length, y = b.length;
  for (let d = trail.length - 1; d >= 0; d--) {
    const v = trail[d], k = x - y;
    const from = k === -d || (k !== d && v.get(k - 1) < v.get(k + 1)) ? k + 1 : k - 1;
    const startX = v.get(from), startY = startX - from;
    while (x > startX && y > startY && x > 0 && y > 0) { out.push([' ', a[--x]]); y--; }
    if (d > 0) out.push(x === startX ? ['+', b[--y]] : ['-', a[--x]]);
  }
  return out.reverse();
}

/** difference returns hunks with a few equal lines around them; '' for equal texts. */
export function difference(from, to) {
  if (from === to) return '';
  const way = edits(from.split('\n'), to.split('\n'));
  const near = new Set();
  way.forEach(([sign], i) => { if (sign !== ' ') for (let j = i - around; j <= i + around; j++) near.add(j); });
  const out = [];
  let line = 1, open = false;
  way.forEach(([sign, text], i) => {
    if (!near.has(i)) open = false;
    else {
      if (!open) out.push(`@@ ${line} @@`);
      open = true;
      out.push(sign + text);
    }
    if (sign !== '+') line++;
  });
  return out.join('\n');
}
