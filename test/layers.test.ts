import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from '@jest/globals';
import { MAY_IMPORT } from './rooms.js';

/**
 * Packages with one home each. `node:` is the operating system: only its ports' real sides reach it, but for what is a
 * computation.
 */
const HOME_OF: Readonly<Record<string, RegExp>> = {
  inversify: /^(module|tokens|index)\.ts$|^cli\//,
  'reflect-metadata': /^module\.ts$/,
  'node:crypto': /^base\/digest\.ts$/,
  'node:': /^host\/node\/|^cli\/|^libvirt\/rpc\/|^config\/load-options\.ts$|^testing\//,
  execa: /^host\/node\//,
  winston: /^host\/node\//,
  zod: /^config\//,
  'smol-toml': /^config\//,
  'fastest-levenshtein': /^config\/|^base\//,
  'fast-xml-parser': /^guest\/xml-elements\.ts$/,
  'fast-xml-builder': /^base\/write-xml\.ts$/,
  commander: /^cli\//,
};

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const folderOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '.') : '.');
const importsOf = (file: string): readonly string[] =>
  [...readFileSync(join('src', file), 'utf8').matchAll(/(?:from|import) '([^']+)'/g)].map(
    ([, specifier]) => specifier ?? '',
  );

test.each(files)('%s stays in its layer', (file) => {
  for (const specifier of importsOf(file)) {
    if (specifier.startsWith('.')) {
      const target = folderOf(normalize(join(dirname(file), specifier)));
      expect({
        [`${file} imports`]: target,
        allowed: [folderOf(file), ...(MAY_IMPORT[folderOf(file)] ?? [])].includes(target),
      }).toMatchObject({ allowed: true });
    } else {
      const home = Object.entries(HOME_OF).find(
        ([name]) => specifier === name || specifier.startsWith(name.endsWith(':') ? name : `${name}/`),
      );
      expect({ specifier, known: home !== undefined }).toMatchObject({ known: true });
      expect({ specifier, importedBy: file, home: home?.[1].test(file) }).toMatchObject({ home: true });
    }
  }
});

test('iscsiadm commands are built in initiator/iscsiadm-commands.ts only', () => {
  const builders = files.filter((file) => readFileSync(join('src', file), 'utf8').includes("program: 'iscsiadm'"));
  expect(builders).toEqual(['initiator/iscsiadm-commands.ts']);
});

test('table of layers has no cycle', () => {
  const visit = (folder: string, trail: readonly string[]): void => {
    expect(trail).not.toContain(folder);
    for (const below of MAY_IMPORT[folder] ?? []) visit(below, [...trail, folder]);
  };
  for (const folder of Object.keys(MAY_IMPORT)) visit(folder, []);
});

test('table of layers has every folder of src', () => {
  expect([...new Set(files.map(folderOf))].filter((folder) => MAY_IMPORT[folder] === undefined)).toEqual([]);
});
