import { create } from 'xmlbuilder2';
import type { SecretUsage } from './libvirt.js';

/**
 * The description of a secret that survives restarts and whose value nobody can ask back over the API.
 * @param uuid the UUID it has already, when it is defined anew
 */
export function secretXml(usage: SecretUsage, uuid: string | undefined): string {
  const secret = create().ele('secret', { ephemeral: 'no', private: 'yes' });
  if (uuid !== undefined) secret.ele('uuid').txt(uuid);
  secret.ele('usage', { type: usage.type }).ele(usage.type).txt(usage.id);
  return secret.doc().end({ headless: true });
}
