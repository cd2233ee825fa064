import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { parseConfigText } from '../../src/config/parse-config-text.js';
import { readOptions } from '../../src/config/read-options.js';

const SAMPLE = 'config/libvirt-volume.toml';
const SCHEMA = 'config/libvirt-volume.schema.json';
const sample = readFileSync(SAMPLE, 'utf8');

interface ObjectSchema {
  readonly properties: Readonly<Record<string, ObjectSchema>>;
  readonly description?: string;
}

const options = (configJsonSchema() as unknown as ObjectSchema).properties['libvirt']?.properties ?? {};

test('sample config file states the defaults', () => {
  expect(parseConfigText(sample, SAMPLE)).toEqual(readOptions({}, 'the built-in defaults'));
});

test('sample config file lists every option, and no other', () => {
  const listed = [...sample.matchAll(/^(\w+) = /gm)].map(([, key]) => key ?? '');
  expect([...listed].sort()).toEqual(Object.keys(options).sort());
});

test('sample config file has only valid examples in its comments', () => {
  const examples = [...sample.matchAll(/^#\s+(iscsi_iface = .*)$/gm)].map(([, line]) => line ?? '');
  expect(examples.length).toBeGreaterThan(3);
  for (const line of examples) parseConfigText(`[libvirt]\nvolume_use_multipath = true\n${line}\n`, line);
});

test('configJsonSchema() describes every option', () => {
  for (const [key, option] of Object.entries(options))
    expect({ key, text: option.description ?? '' }).toMatchObject({ text: expect.stringMatching(/\.$/) as unknown });
});

test('config/libvirt-volume.schema.json equals configJsonSchema(); UPDATE=1 writes it anew', () => {
  const text = `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
  if (process.env['UPDATE'] === '1') writeFileSync(SCHEMA, text);
  expect(readFileSync(SCHEMA, 'utf8')).toBe(text);
});

test('docs/configuration.md explains every option under a heading of its own, and no other', () => {
  const headings = [...readFileSync('docs/configuration.md', 'utf8').matchAll(/^### `(\w+)`/gm)].map(
    ([, key]) => key ?? '',
  );
  expect([...headings].sort()).toEqual(Object.keys(options).sort());
});
