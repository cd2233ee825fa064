// Puts each program and all that it imports into one file of its own. Usage: bundle.js FOLDER ENTRY.ts... What goes
// into FOLDER beside the programs: their source maps, and LICENSES.txt with the terms of the packages that are in them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const [folder = '', ...entryPoints] = process.argv.slice(2);
const { metafile } = await build({
  entryPoints,
  outdir: folder,
  entryNames: '[name]',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  // Packages that are CommonJS ask for node's own modules in this way.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
});
const packages = new Set(
  Object.keys(metafile.inputs).flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? []),
);
if (packages.size > 0) writeFileSync(join(folder, 'LICENSES.txt'), [...packages].toSorted().map(terms).join('\n'));

/**
 * What a package says of its terms: the files with them, else the words of its package.json.
 * @param {string} path of the package
 */
function terms(path) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  if (typeof license !== 'string')
    throw new Error(`Cannot put ${name} ${version} into a program: its package.json names no license`);
  const files = readdirSync(path).filter((entry) => /^(?:licen[cs]e|copying|copyright|notice)/i.test(entry));
  const texts =
    files.length === 0
      ? [`By ${author?.name ?? author}`]
      : files.map((file) => readFileSync(join(path, file), 'utf8').trim());
  return `== ${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`;
}
