import { writeXml } from '../base/write-xml.js';
import type { SecretUsage } from './libvirt.js';

/**
 * The description of a secret that survives restarts and whose value nobody can ask back over the API.
 * @param uuid the UUID it has already, when it is defined anew
 */
export function secretXml(usage: SecretUsage, uuid: string | undefined): string {
  return writeXml({
    name: 'secret',
    attributes: { ephemeral: 'no', private: 'yes' },
    content: [
      ...(uuid === undefined ? [] : [{ name: 'uuid', content: uuid }]),
      { name: 'usage', attributes: { type: usage.type }, content: [{ name: usage.type, content: usage.id }] },
    ],
  });
}
