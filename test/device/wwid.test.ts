import { expect, test } from '@jest/globals';
import { parseSysfsWwid } from '../../src/device/wwid.js';

test.each<[string, string | undefined]>([
  ['naa.60014055B4818F81\n', '360014055b4818f81'],
  ['eui.0025385B71B00001', '20025385b71b00001'],
  ['t10.ATA     disk  one ', '1ATA_disk_one'],
  ['naa.0000000000000000', undefined],
  ['', undefined],
  ['uuid.1', undefined],
])('parseSysfsWwid(%j)', (text, wwid) => {
  expect(parseSysfsWwid(text)).toBe(wwid);
});
