import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { decodeText } from '../../src/base/byte-text.js';
import { keyType, knownKeys } from '../../src/database/record-keys.js';
import { readRecord } from '../../src/database/record-text.js';
import { initiatorNameIn } from '../../src/initiator/initiator-name-in.js';

const FOLDER = 'test/fixtures/open-iscsi/odd-files';
const RELEASES = ['2.1.8', '2.1.11'] as const;
/** Counted by open-iscsi from other keys, or called otherwise by the next release. */
const OWN = /password(?:_in)?_length$|discovery_?.*type$/;

interface Key {
  readonly file: string;
  readonly key: string;
  readonly type: string;
  readonly bytes: number;
  readonly words: readonly string[];
  readonly byDefault: string;
}

function keysOf(release: string): readonly Key[] {
  return textOf(`keys.${release}`)
    .trim()
    .split('\n')
    .map((line) => {
      const [, file = '', key = '', type = '', bytes = '', words = '', byDefault = ''] =
        /^(\S+) (\S+) (\S+) (\d+)((?: \S+)*?) default=(.*)$/.exec(line) ?? [];
      return {
        file,
        key,
        type,
        bytes: Number(bytes),
        words: words
          .trim()
          .split(' ')
          .filter((word) => word !== ''),
        byDefault,
      };
    });
}

function textOf(file: string): string {
  return decodeText(readFileSync(`${FOLDER}/${file}`));
}

function inputs(kind: string): readonly string[] {
  return readdirSync(`${FOLDER}/${kind}`)
    .filter((file) => file.endsWith('.in'))
    .map((file) => file.replace(/\.in$/, ''));
}

/** What open-iscsi wrote: a key that is not there has no value. */
function answered(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .slice(text.indexOf('# BEGIN RECORD'))
      .split('\n')
      .flatMap((line) => {
        const [, key, value] = /^(\S+) = (.*)$/.exec(line) ?? [];
        return key === undefined || value === undefined ? [] : [[key, value] as const];
      }),
  );
}

const rows = (...kinds: readonly string[]): readonly (readonly [string, string, string])[] =>
  kinds.flatMap((kind) => inputs(kind).flatMap((name) => RELEASES.map((release) => [release, kind, name] as const)));

describe('what open-iscsi makes of an odd file', () => {
  test.each(rows('node', 'iface', 'conf'))('readRecord() reads as open-iscsi %s does: %s/%s', (release, kind, name) => {
    const { values } = readRecord(textOf(`${kind}/${name}.in`));
    const answer = answered(textOf(`${kind}/${name}.${release}`));
    const defaults = new Map(
      keysOf(release)
        .filter(({ file }) => file === 'node' || (kind === 'conf' && file === 'sendtargets'))
        .map(({ key, byDefault }) => [key, byDefault]),
    );
    const compared = [...defaults.keys()].filter(
      (key) => !OWN.test(key) && (kind !== 'iface' || (key.startsWith('iface.') && key !== 'iface.iscsi_ifacename')),
    );
    const ours = compared.map((key) => [key, values.get(key) ?? defaults.get(key) ?? ''] as const);
    expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(compared.map((key) => [key, answer.get(key) ?? ''])));
  });

  test.each(rows('node', 'conf'))('readRecord() reports lines as iscsiadm %s does: %s/%s', (release, kind, name) => {
    const warned = [...textOf(`${kind}/${name}.${release}`).matchAll(/^iscsiadm: [Cc]onfig file line (\d+) /gm)].map(
      ([, line]) => Number(line),
    );
    const odd = new Set(readRecord(textOf(`${kind}/${name}.in`)).oddLines.map(({ number }) => number));
    // there it counts the pieces of a line
    const counted = name === 'long-line' ? warned.filter((line) => line < 6) : warned;
    expect(counted.filter((line) => !odd.has(line))).toEqual([]);
  });

  test.each(rows('name'))('initiatorNameIn() gives the name that iscsid %s uses: %s/%s', (release, kind, name) => {
    expect(initiatorNameIn(textOf(`${kind}/${name}.in`)) ?? '(none)').toBe(
      textOf(`${kind}/${name}.${release}`).replace(/\n$/, ''),
    );
  });
});

/** How open-iscsi has it, in our words. */
function asOpenIscsi(key: string, words: readonly string[]): readonly unknown[] {
  const type = keyType(key);
  switch (type?.kind) {
    case 'text':
      return ['text', type.bytes];
    case 'number':
      return [type.signed ? 'int' : `uint${type.bits}`];
    case 'choice':
      return ['choice', words.filter((word) => type.words.includes(word))];
    case 'list':
      return ['list', type.words];
    case undefined:
      return [];
    default:
      return type satisfies never;
  }
}

describe('keyType()', () => {
  test.each(RELEASES)('keyType() knows every key of open-iscsi %s as it does', (release) => {
    for (const { key, type, bytes, words } of keysOf(release)) {
      const theirs = { text: [type, bytes], choice: [type, words], list: [type, words] }[type] ?? [type];
      expect([key, ...asOpenIscsi(key, words)]).toEqual([key, ...theirs]);
    }
  });

  test('keyType() knows no other key', () => {
    const real = new Set(RELEASES.flatMap((release) => keysOf(release)).map(({ key }) => key));
    expect(knownKeys().filter((key) => !real.has(key))).toEqual([]);
  });
});
