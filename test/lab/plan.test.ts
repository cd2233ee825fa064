import { expect, test } from '@jest/globals';
import { parseScenario } from '../../lab/plan.js';

const RELEASES = ['13', '12'] as const;

test('parseScenario() reads needs, releases, times and "spoils the machine" from the head of the file', () => {
  expect(
    parseScenario(
      'big',
      '// needs: libvirt\n// releases: 12 13\n// takes: 90 s\n// limit: 300 s\n// spoils: the ' + 'machine\nimport x',
      RELEASES,
    ),
  ).toEqual({
    name: 'big',
    services: ['libvirt'],
    releases: ['12', '13'],
    seconds: 90,
    limitSeconds: 300,
    spoils: true,
  });
});

test('parseScenario() needs nothing and takes 360 s, in the first release, unless it says', () => {
  expect(parseScenario('small', "import { test } from 'node:test';", RELEASES)).toEqual({
    name: 'small',
    services: [],
    releases: ['13'],
    seconds: 30,
    spoils: false,
    limitSeconds: 360,
  });
});

test('parseScenario() takes "releases: none" for a scenario that runs by name alone', () => {
  expect(parseScenario('tool', '// releases: none', RELEASES).releases).toEqual([]);
});

test('parseScenario() refuses a service it does not know', () => {
  expect(() => parseScenario('odd', '// needs: libvrit', RELEASES)).toThrow(
    'Cannot read what scenario odd needs: "libvrit" is none of libvirt',
  );
});

test('parseScenario() refuses multipathd at boot, which would map the disks of other scenarios', () => {
  expect(() => parseScenario('odd', '// needs: libvirt multipath', RELEASES)).toThrow('"multipath" is none of libvirt');
});

test('parseScenario() refuses a release that there is not', () => {
  expect(() => parseScenario('odd', '// releases: 13 11', RELEASES)).toThrow(
    'Cannot read the releases of scenario odd: "11" is none of 13, 12',
  );
});
