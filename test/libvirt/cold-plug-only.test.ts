import { describe, expect, test } from '@jest/globals';
import { coldPlugOnly } from '../../src/libvirt/cold-plug-only.js';

describe('coldPlugOnly()', () => {
  test.each([['disk', 'virtio'], ['disk', 'scsi'], ['lun', 'scsi'], ['disk', 'usb'], ['cdrom', 'usb'], ['disk', undefined]])('has nothing against a %s on %s', (device, bus) => {
    expect(coldPlugOnly({ device, bus })).toBeUndefined();
  });

  test.each([['disk', 'sata', 'bus'], ['lun', 'ide', 'bus'], ['disk', 'fdc', 'bus'], ['cdrom', 'sata', 'type'], ['cdrom', 'scsi', 'type']])('names what keeps a %s on %s out of a guest that runs', (device, bus, key) => {
    expect(coldPlugOnly({ device, bus })).toMatchObject({ key });
  });
});
