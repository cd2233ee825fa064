import { describe, expect, test } from '@jest/globals';
import { failure, MULTIPATH, openMultipathWorld, PORTALS, portalsOf } from './multipath-world.js';
import { addTarget, infoFor, openRecordedWorld, type RecordedWorld } from './recorded-world.js';
import { distort, logins } from './regression-world.js';

/**
 * A target that ends the connection behind its refusal, before the refusal is on the wire: on a kernel,
 * lab/scenarios/iser-falls-back.ts.
 */

const ISER = { iscsi_iface: 'iser', login_timeout_seconds: 15 };
const RIGHT = { username: 'volumes', password: 'right-secret' };
const WRONG = { auth_method: 'CHAP', auth_username: RIGHT.username, auth_password: 'wrong-secret' };

function losing(world: RecordedWorld, portals: number, status: 8 | 11 = 11): RecordedWorld {
  world.host.targets.splice(0);
  world.host.losingTransports.set('iser', status);
  addTarget(world, portalsOf('iser').slice(0, portals), RIGHT);
  return world;
}

describe('a wrong secret over iSER whose refusal is lost', () => {
  test.each([11, 8] as const)(
    'connect() over iSER with a wrong secret and no reply (status %i) is LOGIN_REFUSED after one login',
    async (status) => {
      const world = losing(openRecordedWorld(ISER), 1, status);
      const began = world.clock.now();
      expect(await failure(world.driver.connect(infoFor(PORTALS.slice(0, 1), WRONG)))).toMatchObject({
        code: 'LOGIN_REFUSED',
        message: expect.stringContaining(
          '192.0.2.10:3260 over the iface iser: the target ended the connection during the login, as it does ' +
            'behind a refusal',
        ) as unknown,
        hint: expect.stringContaining('auth_password') as unknown,
        details: { exitCode: status },
      });
      expect({ logins: logins(world), warnings: world.log.warnings, residue: await world.residue() }).toEqual({
        logins: ['iser'],
        warnings: [],
        residue: [],
      });
      expect(world.clock.now() - began).toBeLessThan(16_000);
    },
  );

  test('connect() of a map over iSER with a wrong secret and no reply is refused after one login for all', async () => {
    const world = losing(openMultipathWorld({ ...MULTIPATH, ...ISER }), 4);
    expect(await failure(world.driver.connect(infoFor(PORTALS, WRONG)))).toMatchObject({ code: 'LOGIN_REFUSED' });
    expect({ logins: logins(world), residue: await world.residue() }).toEqual({ logins: ['iser'], residue: [] });
  });
});

describe('connect() falls back from iSER to TCP', () => {
  test('connect() without a secret falls back to TCP from a target that ends the connection', async () => {
    const world = losing(openRecordedWorld(ISER), 1);
    await failure(world.driver.connect(infoFor(PORTALS.slice(0, 1))));
    expect(logins(world)).toEqual(['iser', 'default']);
  });

  test('connect() with a secret falls back to TCP from a target that accepts and says nothing', async () => {
    const world = openRecordedWorld(ISER);
    addTarget(world, portalsOf('tcp').slice(0, 1), RIGHT);
    distort(world, (result, { args }) =>
      args.includes('--login') && args.includes('iser') ? { ...result, exitCode: 11, stderr: '' } : result,
    );
    const { transport } = await world.driver.connect(
      infoFor(PORTALS.slice(0, 1), { ...WRONG, auth_password: RIGHT.password }),
    );
    expect({ code: transport.fallback?.code, logins: logins(world) }).toEqual({
      code: 'PORTAL_UNREACHABLE',
      logins: ['iser', 'default'],
    });
  });
});
