import { describe, expect, test } from '@jest/globals';
import { SYSTEM_HOST_NAMES } from '../../../src/host/node/system-host-names.js';

describe('SYSTEM_HOST_NAMES', () => {
  test('SYSTEM_HOST_NAMES gives the canonical addresses of a name, each once', async () => {
    const addresses = await SYSTEM_HOST_NAMES.lookup('localhost', new AbortController().signal);
    expect(addresses.length).toBeGreaterThan(0);
    expect(new Set(addresses).size).toBe(addresses.length);
    expect(['127.0.0.1', '::1']).toEqual(expect.arrayContaining([...addresses]));
  });

  test('SYSTEM_HOST_NAMES rejects an unknown name with PORTAL_UNREACHABLE, and what to type', async () => {
    await expect(SYSTEM_HOST_NAMES.lookup('no-such-host.invalid', new AbortController().signal)).rejects.toMatchObject({
      code: 'PORTAL_UNREACHABLE',
      message: expect.stringMatching(/^Cannot resolve the host name no-such-host\.invalid: /) as unknown,
      hint: "ask this host's resolver: getent ahosts no-such-host.invalid",
    });
  }, 30_000);

  test('SYSTEM_HOST_NAMES rejects with ABORTED when the caller gives up', async () => {
    await expect(SYSTEM_HOST_NAMES.lookup('localhost', AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
