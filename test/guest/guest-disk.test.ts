import { describe, expect, test } from '@jest/globals';
import { coldPlugOnly } from '../../src/guest/guest-disk.js';

describe('coldPlugOnly()', () => {
  test.each([
    ['virtio', false],
    ['scsi', false],
    ['usb', false],
    [undefined, false],
    ['sata', true],
    ['ide', true],
    ['fdc', true],
  ])('coldPlugOnly() says of the bus %s: %p', (bus, only) => {
    expect(coldPlugOnly({ bus })).toBe(only);
  });
});
