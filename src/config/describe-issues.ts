import { closest } from 'fastest-levenshtein';
import type * as z from 'zod';
import type { InputProblem } from '../base/error-details.js';
import { quoted } from '../base/quoted.js';
import { libvirtSection } from './config-schema.js';
import { IFACE_KEYS } from './iface-schema.js';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

const OPTION_KEYS = Object.keys(libvirtSection.shape);

/** Says in words what zod found in the table. */
export function describeIssues(issues: readonly Issue[], table: unknown): readonly InputProblem[] {
  return issues.flatMap((issue) => describe(issue, [], table));
}

function describe(issue: Issue, above: Path, table: unknown): readonly InputProblem[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key));
  const branch = issue.code === 'invalid_union' ? branchMeant(issue.errors) : undefined;
  if (branch !== undefined) return branch.flatMap((inner) => describe(inner, path, table));
  const value = valueAt(table, path);
  return [
    { key: keyOf(path), problem: `${value === undefined ? 'is missing' : `is ${quoted(value)}`}: ${issue.message}` },
  ];
}

/** The alternative whose kind of value it is (text, table, list): its complaints are the ones that help. */
function branchMeant(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find((issues) => !issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0));
}

function unknownKey(path: Path, key: string): InputProblem {
  const [word, known] = knownAt(path);
  return { key: keyOf([...path, key]), problem: `is not a known ${word}: the nearest is ${closest(key, [...known])}` };
}

function knownAt(path: Path): readonly [string, readonly string[]] {
  if (path.length === 0) return ['section', ['libvirt']];
  return path.length === 1 ? ['option', OPTION_KEYS] : ['key', IFACE_KEYS];
}

function valueAt(table: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Readonly<Record<PropertyKey, unknown>>)[key] : undefined,
    table,
  );
}

function keyOf(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text === '' ? 'the file' : text.replace(/^\./, '');
}
