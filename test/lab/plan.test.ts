import { expect, test } from '@jest/globals';
import { parseScenario } from '../../lab/plan.js';

test('parseScenario() reads needs and limit from the head of the file', () => {
  expect(parseScenario('big', '// needs: libvirt, multipath\n// limit: 300 s\nimport x')).toEqual({ name: 'big', services: ['libvirt', 'multipath'], limitSeconds: 300 });
});

test('parseScenario() needs nothing and takes 360 s unless it says', () => {
  expect(parseScenario('small', "import { test } from 'node:test';")).toEqual({ name: 'small', services: [], limitSeconds: 360 });
});

test('parseScenario() refuses a service it does not know', () => {
  expect(() => parseScenario('odd', '// needs: libvrit')).toThrow('Cannot read what scenario odd needs: "libvrit" is none of libvirt, multipath');
});
