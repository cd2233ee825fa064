import { XMLParser } from 'fast-xml-parser';
import { quoted } from '../base/quoted.js';

/** An element of a libvirt description, with its place in the text. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  readonly text: string;
  /** The element's own text, from `<` to `>`, as it was printed. */
  readonly source: string;
  /** Where that begins, in the text with each line's end as one newline. */
  readonly start: number;
}

/** A node as the parser gives it under `preserveOrder`: one key names the element, `:@` holds the attributes. */
type ParsedNode = Readonly<Record<string | symbol, unknown>>;

/**
 * Entities are left to `decoded`: this parser reads no numeric ones, and libvirt writes them. Metadata is anybody's
 * XML: not read.
 */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  trimValues: false,
  captureMetaData: true,
  stopNodes: ['domain.metadata'],
});
// The declared type is the wrapper object; the value is a plain symbol.
const PLACE = XMLParser.getMetaDataSymbol() as symbol;

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** @throws {SyntaxError} when the text has no element, or one that does not end */
export function parseXml(xml: string): XmlElement {
  const text = xml.replaceAll(/\r\n?/g, '\n'); // as the parser does (XML 1.0, 2.11): places are counted in this text
  const root = elementsOf(parsed(text), text).at(0);
  if (root === undefined) throw new SyntaxError(`Cannot read ${quoted(xml)} as XML: there is no element`);
  return root;
}

/** The first child of that name. */
export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((candidate) => candidate.name === name);
}

function parsed(text: string): unknown {
  try {
    return parser.parse(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${quoted(text)} as XML`, { cause });
  }
}

function elementsOf(nodes: unknown, text: string): readonly XmlElement[] {
  return listOf(nodes).flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ':@' && !/^[#?]/.test(key));
    return name === undefined ? [] : [elementOf(name, node, text)];
  });
}

function elementOf(name: string, node: ParsedNode, text: string): XmlElement {
  const { startIndex, endIndex } = node[PLACE] as { readonly startIndex: number; readonly endIndex?: number };
  if (endIndex === undefined)
    throw new SyntaxError(`Cannot read ${quoted(text.slice(startIndex))} as XML: <${name}> does not end`);
  const attributes = Object.entries((node[':@'] ?? {}) as Readonly<Record<string, string>>);
  return {
    name,
    attributes: Object.fromEntries(attributes.map(([key, value]) => [key, decoded(value)])),
    children: elementsOf(node[name], text),
    text: decoded(
      listOf(node[name])
        .map((part) => (typeof part['#text'] === 'string' ? part['#text'] : ''))
        .join(''),
    ),
    source: text.slice(startIndex, endIndex),
    start: startIndex,
  };
}

function listOf(nodes: unknown): readonly ParsedNode[] {
  return Array.isArray(nodes) ? (nodes as readonly ParsedNode[]) : [];
}

function decoded(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return NAMED[name] ?? whole;
      const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
