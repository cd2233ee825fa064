import { afterEach, expect, test } from '@jest/globals';
import { laneCount, lanesOf } from '../../lab/host/lanes.js';

const GIB = 2 ** 30;
const before = process.env['LIBVIRT_VOLUME_LAB_LANES'];

afterEach(() => {
  if (before === undefined) delete process.env['LIBVIRT_VOLUME_LAB_LANES'];
  else process.env['LIBVIRT_VOLUME_LAB_LANES'] = before;
});

test.each([
  ['two processors', { accelerator: 'tcg', cpus: 2, freeBytes: 20 * GIB }, 3],
  ['two processors and memory for two', { accelerator: 'tcg', cpus: 2, freeBytes: 11 * GIB }, 2],
  ['many processors', { accelerator: 'tcg', cpus: 64, freeBytes: 200 * GIB }, 3],
  ['one processor', { accelerator: 'tcg', cpus: 1, freeBytes: 20 * GIB }, 2],
  ['memory for one', { accelerator: 'tcg', cpus: 2, freeBytes: 7 * GIB }, 1],
  ['memory for none', { accelerator: 'tcg', cpus: 2, freeBytes: GIB }, 1],
  ['KVM', { accelerator: 'kvm', cpus: 8, freeBytes: 20 * GIB }, 1],
] as const)('lanesOf() of a host with %s', (_what, host, expected) => {
  expect(lanesOf(host)).toBe(expected);
});

test('laneCount() takes the number that LIBVIRT_VOLUME_LAB_LANES names, and no more lanes than scenarios', () => {
  process.env['LIBVIRT_VOLUME_LAB_LANES'] = '3';
  expect([laneCount('kvm', 9), laneCount('tcg', 2), laneCount('tcg', 0)]).toEqual([3, 2, 1]);
});

test.each(['0', '-1', 'two', '', '1.5', '2 '])(
  'laneCount() refuses LIBVIRT_VOLUME_LAB_LANES=%j and says what would be right',
  (wish) => {
    process.env['LIBVIRT_VOLUME_LAB_LANES'] = wish;
    expect(() => laneCount('tcg', 9)).toThrow(
      `Cannot use LIBVIRT_VOLUME_LAB_LANES=${wish}: it is the number of machines, 1 or more`,
    );
  },
);
