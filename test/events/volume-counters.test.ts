import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { prometheusText } from '../../src/events/prometheus-text.js';
import { type Counter, VolumeCounters } from '../../src/events/volume-counters.js';
import type { VolumeEvent } from '../../src/events/volume-event.js';

const PLACE = { target: 'iqn.2026-11.org.example:t', portal: '192.0.2.10:3260' };
const FALLBACK: VolumeEvent = {
  ...PLACE,
  kind: 'transport-fallback',
  requested: 'iser',
  used: 'default',
  code: 'RDMA_PORT_DOWN',
  reason: 'it is down',
};
const LOGIN: VolumeEvent = { ...PLACE, kind: 'login-failed', iface: 'iser', code: 'PORTAL_UNREACHABLE' };
const connected = (requested: string, used: string, durationMs: number): VolumeEvent => ({
  kind: 'volume-connected',
  wwid: 'naa.6',
  device: '/dev/sda',
  requested,
  used,
  paths: 1,
  durationMs,
});
const EXTENDED: VolumeEvent = {
  kind: 'volume-extended',
  wwid: 'naa.6',
  device: '/dev/sda',
  oldSizeBytes: 1,
  newSizeBytes: 2,
  guestResized: true,
  durationMs: 500,
};
const SWAPPED: VolumeEvent = {
  kind: 'volume-swapped',
  oldWwid: 'naa.6',
  wwid: 'naa.7',
  device: '/dev/sdb',
  guestResized: false,
  oldReleased: true,
  durationMs: 4000,
};
const disconnected = (found: boolean): VolumeEvent => ({
  kind: 'volume-disconnected',
  wwid: undefined,
  found,
  durationMs: 250,
});

function counted(...events: readonly VolumeEvent[]): readonly Counter[] {
  const counters = new VolumeCounters();
  events.forEach(counters.count);
  return counters.snapshot();
}

describe('VolumeCounters', () => {
  test('VolumeCounters has nothing before anything happened', () => {
    expect(counted()).toEqual([]);
    expect(prometheusText(counted())).toBe('');
  });

  test('VolumeCounters counts by ifaces and codes, and by nothing that a host has many of', () => {
    const counters = counted(
      LOGIN,
      FALLBACK,
      connected('iser', 'default', 1500),
      LOGIN,
      connected('default', 'default', 500),
      connected('iser', 'default', 250),
      disconnected(true),
      disconnected(false),
      EXTENDED,
      EXTENDED,
      SWAPPED,
    );
    expect(Object.fromEntries(counters.map(({ name, samples }) => [name, samples]))).toEqual({
      libvirt_volume_connects_total: [
        { labels: { iface: 'iser', used: 'default' }, value: 2 },
        { labels: { iface: 'default', used: 'default' }, value: 1 },
      ],
      libvirt_volume_connect_seconds_total: [
        { labels: { iface: 'iser', used: 'default' }, value: 1.75 },
        { labels: { iface: 'default', used: 'default' }, value: 0.5 },
      ],
      libvirt_volume_disconnects_total: [{ labels: {}, value: 1 }],
      libvirt_volume_disconnect_seconds_total: [{ labels: {}, value: 0.25 }],
      libvirt_volume_extends_total: [{ labels: {}, value: 2 }],
      libvirt_volume_extend_seconds_total: [{ labels: {}, value: 1 }],
      libvirt_volume_swaps_total: [{ labels: {}, value: 1 }],
      libvirt_volume_swap_seconds_total: [{ labels: {}, value: 4 }],
      libvirt_volume_fallbacks_total: [
        { labels: { iface: 'iser', used: 'default', code: 'RDMA_PORT_DOWN' }, value: 1 },
      ],
      libvirt_volume_login_failures_total: [{ labels: { iface: 'iser', code: 'PORTAL_UNREACHABLE' }, value: 2 }],
    });
  });

  test('VolumeCounters.snapshot() stays as it was taken', () => {
    const counters = new VolumeCounters();
    counters.count(LOGIN);
    const before = counters.snapshot();
    counters.count(LOGIN);
    expect(before).toEqual(counted(LOGIN));
    expect(counters.snapshot()).toEqual(counted(LOGIN, LOGIN));
  });
});

describe('prometheusText()', () => {
  test('prometheusText() is the exposition format', () => {
    expect(prometheusText(counted(FALLBACK, disconnected(true)))).toBe(
      [
        '# HELP libvirt_volume_disconnects_total Volumes disconnected.',
        '# TYPE libvirt_volume_disconnects_total counter',
        'libvirt_volume_disconnects_total 1',
        '# HELP libvirt_volume_disconnect_seconds_total Time spent in disconnects that succeeded.',
        '# TYPE libvirt_volume_disconnect_seconds_total counter',
        'libvirt_volume_disconnect_seconds_total 0.25',
        '# HELP libvirt_volume_fallbacks_total Volumes that came over another iface than was asked for, by the reason.',
        '# TYPE libvirt_volume_fallbacks_total counter',
        'libvirt_volume_fallbacks_total{iface="iser",used="default",code="RDMA_PORT_DOWN"} 1',
        '',
      ].join('\n'),
    );
  });

  test('prometheusText() escapes what would end a label', () => {
    expect(prometheusText(counted({ ...LOGIN, iface: 'a\\b"c\nd', code: '\\n' }))).toContain(
      '{iface="a\\\\b\\"c\\nd",code="\\\\n"} 1\n',
    );
  });

  test('prometheusText() gives every label back to its reader, one line for each sample', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom('\\', '"', '\n', 'n', '}', ',', '='),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
      ),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(text, text), { selector: ([iface, code]) => JSON.stringify([iface, code]) }),
        (pairs) => {
          const lines = prometheusText(
            counted(...pairs.map(([iface, code]): VolumeEvent => ({ ...LOGIN, iface, code }))),
          )
            .split('\n')
            .filter((line) => line.startsWith('libvirt'));
          expect(lines.map(labelsOf)).toEqual(pairs.map(([iface, code]) => ({ iface, code })));
        },
      ),
    );
  });
});

/** Reads a sample as Prometheus does (prometheus/common, expfmt/text_parse.go, readTokenAsLabelValue). */
function labelsOf(line: string): Readonly<Record<string, string>> {
  const [, inner = ''] = /^[a-z_]+\{(.*)\} \d+$/s.exec(line) ?? [];
  return Object.fromEntries(
    [...inner.matchAll(/([a-z]+)="((?:[^\\"]|\\.)*)",?/gs)].map(([, name = '', value = '']) => [
      name,
      value.replace(/\\(.)/gs, (_escape, letter: string) => (letter === 'n' ? '\n' : letter)),
    ]),
  );
}
