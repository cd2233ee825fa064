import { expect, test } from '@jest/globals';
import { bootedServices } from '../../lab/machine/fitness.js';

test.each([
  ['console=ttyS0 lab.mode=run lab.services=libvirt,multipath lab.time=1', ['libvirt', 'multipath']],
  ['lab.services=multipath', ['multipath']],
  ['lab.services= lab.time=1', []],
  ['console=ttyS0', []],
])('bootedServices() of the command line %j', (line, services) => {
  expect(bootedServices(line)).toEqual(services);
});
