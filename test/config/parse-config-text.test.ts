import { expect, test } from '@jest/globals';
import { parseConfigText } from '../../src/config/parse-config-text.js';

test('parseConfigText() reads TOML', () => {
  expect(parseConfigText('[libvirt]\niscsi_iface = { ipaddress = "192.0.2.20" }\n', 'a.toml').iscsiIface).toEqual([
    { kind: 'address', ipaddress: '192.0.2.20' },
  ]);
});

test('parseConfigText() names the place where the text is not TOML', () => {
  expect(() => parseConfigText('[libvirt]\nuri = qemu\n', 'a.toml')).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^Cannot read a\.toml as TOML: line 2, column 7: [^\n]+$/) as unknown,
      details: { origin: 'a.toml', line: 2, column: 7 },
    }),
  );
});
