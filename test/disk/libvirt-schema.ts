import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RelaxNGValidator, XmlDocument } from 'libxml2-wasm';
import { xmlRegisterFsInputProviders } from 'libxml2-wasm/lib/nodejs.mjs';

const FOLDERS = [process.env['LIBVIRT_VOLUME_SCHEMAS'], '/usr/share/libvirt/schemas'];

/**
 * libvirt's own RelaxNG for one `<disk>`.
 * @throws {Error} that says how to get the schemas when this machine has none
 */
export function libvirtDiskSchema(): { validate(xml: string): void } {
  const folder = FOLDERS.find(
    (candidate) => candidate !== undefined && existsSync(join(candidate, 'domainoverrides.rng')),
  );
  if (folder === undefined) {
    throw new Error(
      "libvirt's RelaxNG schemas are not here: apt-get install libvirt0, or name their folder in " +
        'LIBVIRT_VOLUME_SCHEMAS',
    );
  }
  xmlRegisterFsInputProviders();
  // libxml2 plans to drop RelaxNG some day; libvirt's schemas have no other form.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const validator = RelaxNGValidator.fromDoc(XmlDocument.fromString(grammar(folder)));
  return {
    validate(xml) {
      const document = XmlDocument.fromString(xml);
      try {
        validator.validate(document);
      } finally {
        document.dispose();
      }
    },
  };
}

/** domaincommon.rng alone refuses every disk: what it leaves open is in domainoverrides.rng. */
function grammar(folder: string): string {
  return `<grammar xmlns="http://relaxng.org/ns/structure/1.0"
      datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
    <include href="${join(folder, 'domainoverrides.rng')}"/>
    <start><ref name="disk"/></start>
  </grammar>`;
}
