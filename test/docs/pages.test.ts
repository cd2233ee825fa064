import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { parseConfigText } from '../../src/config/parse-config-text.js';

/** Every page of the repository. */
const pages = ['.', 'docs', 'docs/decisions', 'lab', 'examples/compute-service', 'test/fixtures'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

/** What stands between the fences of this language. */
function blocksOf(file: string, language: string): readonly string[] {
  const fence = new RegExp(`^( *)\`\`\`${language}\\n(.*?)^\\1\`\`\``, 'gms');
  return [...readFileSync(file, 'utf8').matchAll(fence)].map(([, , text = '']) => text);
}

function withoutBlocks(file: string): string {
  return readFileSync(file, 'utf8').replaceAll(/^( *)```.*?^\1```$/gms, '');
}

/** The anchors of a page, made of its headings as GitHub makes them. */
function anchorsOf(file: string): readonly string[] {
  return [...withoutBlocks(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/\]\([^)]*\)/g, '')
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

interface Link {
  readonly path: string;
  readonly anchor: string;
}

function linksOf(file: string): readonly Link[] {
  return [...withoutBlocks(file).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(
    ([, path = '', anchor = '']) => ({ path: path === '' ? file : normalize(join(dirname(file), path)), anchor }),
  );
}

describe.each(pages)('%s', (file) => {
  test('each relative link leads to a file and a heading that are there', () => {
    const broken = linksOf(file).filter(
      ({ path, anchor }) =>
        !existsSync(path) || (anchor !== '' && (statSync(path).isDirectory() || !anchorsOf(path).includes(anchor))),
    );
    expect(broken).toEqual([]);
  });

  test('each configuration is accepted, each JSON document is one', () => {
    for (const text of blocksOf(file, 'toml')) {
      const whole = /^\[libvirt\]/m.test(text) ? text : `[libvirt]\n${text}`;
      expect(() => parseConfigText(whole, file)).not.toThrow();
    }
    for (const text of blocksOf(file, 'json')) expect(() => JSON.parse(text) as unknown).not.toThrow();
  });
});

/** docs/api.md has signatures, which stand in no program. */
test.each(pages.filter((file) => file !== 'docs/api.md' && blocksOf(file, 'ts').length > 0))(
  'each block of TypeScript in %s can be parsed',
  (file) => {
    for (const text of blocksOf(file, 'ts')) {
      const { diagnostics = [] } = ts.transpileModule(text, { reportDiagnostics: true });
      expect(diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))).toEqual([]);
    }
  },
);

test('there are pages with links, configurations and JSON', () => {
  const count = (read: (file: string) => readonly unknown[]): number => pages.flatMap(read).length;
  expect(count(linksOf)).toBeGreaterThan(150);
  expect(count((file) => blocksOf(file, 'toml'))).toBeGreaterThan(10);
  expect(count((file) => blocksOf(file, 'json'))).toBeGreaterThan(4);
});

test('docs/README.md links to every page of docs', () => {
  const linked = linksOf('docs/README.md').map(({ path }) => path);
  const inDocs = pages.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
  expect(inDocs.filter((page) => !linked.includes(page))).toEqual([]);
});
