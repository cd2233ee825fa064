import { expect, test } from '@jest/globals';
import { QOS_KEYS, type QosKey, readQosSpecs } from '../../src/connection/qos-specs.js';

/**
 * Every two limits that libvirt may be given together, by what its source says (src/conf/domain_validate.c): a total
 * goes with any limit but a read or write one of its own measure.
 */
const PAIRS = QOS_KEYS.flatMap((one) => QOS_KEYS.filter((other) => other > one).map((other) => [one, other] as const));

const measureOf = (key: QosKey): string => key.replace(/^(?:total|read|write)_/, '');
const excludeEachOther = (one: QosKey, other: QosKey): boolean =>
  measureOf(one) === measureOf(other) && [one, other].filter((key) => key.startsWith('total_')).length === 1;

test.each(PAIRS)('readQosSpecs() refuses a total beside its parts only: %s and %s (W-28)', (one, other) => {
  const both = { [one]: 1, [other]: '2' };
  if (excludeEachOther(one, other))
    expect(() => readQosSpecs(both)).toThrow(
      /^total_\w+ cannot stand beside (?:read|write)_\w+: libvirt takes one or the other$/,
    );
  else expect(readQosSpecs(both)).toEqual({ [one]: '1', [other]: '2' });
});

test('readQosSpecs() refuses eight pairs of limits: bytes and operations, long and burst (W-28)', () => {
  expect(PAIRS.filter((pair) => excludeEachOther(...pair))).toHaveLength(8);
});
