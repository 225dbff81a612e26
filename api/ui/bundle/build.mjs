// Makes ../static/vendor/codemirror.js and the licences of what is in it, or with a
// directory as argument makes them there.
import { buildSync } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] || join(here, '../static/vendor');
const { metafile } = buildSync({
  absWorkingDir: here, entryPoints: ['editor.js'], outfile: join(out, 'codemirror.js'),
  bundle: true, minify: true, format: 'esm', target: 'es2022', legalComments: 'none', metafile: true, logLevel: 'warning',
});
const names = [...new Set(Object.keys(metafile.inputs).map((f) => f.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean))].sort();
const licence = (name) => readFileSync(join(here, 'node_modules', name, 'LICENSE'), 'utf8').trim();
const version = (name) => JSON.parse(readFileSync(join(here, 'node_modules', name, 'package.json'), 'utf8')).version;
writeFileSync(join(out, 'codemirror.LICENSE'), `${names.map((n) => `${n} ${version(n)}\n\n${licence(n)}`).join('\n\n----\n\n')}\n`);
