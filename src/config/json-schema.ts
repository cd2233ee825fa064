import * as z from 'zod';
import { configFile } from './config-schema.js';

/** The config file's JSON Schema, for editors that check TOML. config/libvirt-volume.schema.json is what this gives. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  return { title: 'libvirt-volume', ...z.toJSONSchema(configFile, { io: 'input', reused: 'inline' }) };
}
