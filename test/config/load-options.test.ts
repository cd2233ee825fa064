import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadOptions } from '../../src/config/load-options.js';

let folder = '';

const file = (name: string, uri: string): string => {
  const path = join(folder, name);
  writeFileSync(path, `[libvirt]\nuri = "${uri}"\n`);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'libvirt-volume-config-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('loadOptions() prefers the named file, then the variable, then the default file', () => {
  const configFile = file('named.toml', 'test:///named');
  const env = { LIBVIRT_VOLUME_CONFIG: file('variable.toml', 'test:///variable') };
  const defaultFile = file('default.toml', 'test:///default');
  expect(loadOptions({ configFile, env, defaultFile }).uri).toBe('test:///named');
  expect(loadOptions({ env, defaultFile }).uri).toBe('test:///variable');
  expect(loadOptions({ env: { LIBVIRT_VOLUME_CONFIG: '' }, defaultFile }).uri).toBe('test:///default');
});

test('loadOptions() gives the built-in defaults where there is no default file', () => {
  expect(loadOptions({ defaultFile: join(folder, 'absent.toml') }).uri).toBe('qemu:///system');
});

test('loadOptions() refuses a named file that does not exist', () => {
  const absent = join(folder, 'absent.toml');
  expect(() => loadOptions({ configFile: absent })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', details: { origin: absent } }),
  );
  expect(() => loadOptions({ env: { LIBVIRT_VOLUME_CONFIG: absent } })).toThrow(
    expect.objectContaining({ message: expect.stringContaining('LIBVIRT_VOLUME_CONFIG') as unknown }),
  );
});

test('loadOptions() refuses a default file that it cannot read', () => {
  const directory = join(folder, 'directory');
  mkdirSync(directory);
  expect(() => loadOptions({ defaultFile: directory })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});
