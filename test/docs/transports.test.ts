import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { TRANSPORT_FACTS } from '../../src/hardware/transport-facts.js';
import { TRANSPORTS } from '../../src/hardware/transport.js';
import { readPage } from './read-page.js';

const page = readPage('docs/transports.md');
const parts = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((part) => [/^.*/.exec(part)?.[0] ?? '', part]),
);

describe('docs/transports.md', () => {
  test.each(TRANSPORTS)('docs/transports.md has a part for %s, and the contents lead to it', (transport) => {
    expect(parts.has(transport)).toBe(true);
    expect(page).toContain(`[${transport}](#${transport})`);
  });

  test.each(TRANSPORTS)(
    'docs/transports.md agrees with the code on %s: config line, module, iscsiuio, address',
    (transport) => {
      const part = parts.get(transport) ?? '';
      const { module, needsIscsiuio, ipaddress } = TRANSPORT_FACTS[transport];
      expect(part).toMatch(/^```toml\n(?:#.*\n)?iscsi_iface = /m);
      for (const said of ['Installed and loaded', 'Record', 'Address', 'MAC', 'VLAN']) expect(part).toContain(said);
      expect(part).toContain(`\`${module}\``);
      expect(part.includes('iscsiuio')).toBe(needsIscsiuio);
      expect(part.includes('NO_IPADDRESS')).toBe(ipaddress === 'required');
    },
  );

  test('docs/transports.md explains every code of UnusableCode, with its remedy, and no other', () => {
    const [, union = ''] =
      /export type UnusableCode =\n((?: {2}\| '\w+'(?:;)?\n)+)/.exec(
        readFileSync('src/hardware/hardware.ts', 'utf8'),
      ) ?? [];
    const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code ?? '');
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (.{10,}?) \| (.{10,}) \|$/gm)].map(([, code]) => code ?? '');
    expect(codes.length).toBeGreaterThan(10);
    expect(rows).toEqual(codes);
  });

  test('docs/transports.md has every remedy that the checks give', () => {
    const table = parts.get('What is checked before a login') ?? '';
    const sources = ['src/preflight/verify-iface.ts', 'src/preflight/verify-path.ts']
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const commands = [
      ...sources.matchAll(
        /[`'](modprobe|dmesg|systemctl start \S+?|ip link set|ip address add|iscsiadm -m iface)(?=[ `'])/g,
      ),
    ].map(([, command]) => command ?? '');
    expect(new Set(commands).size).toBe(6);
    for (const command of commands) expect(table).toContain(command);
  });
});
