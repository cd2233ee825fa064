import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { XmlDocument } from 'libxml2-wasm';
import { writeIndentedXml, writeXml } from '../../src/base/write-xml.js';

test('writeXml() leaves out attributes without a value and closes an empty element at once', () => {
  expect(
    writeXml({ name: 'disk', attributes: { type: 'block', device: undefined }, content: [{ name: 'readonly' }] }),
  ).toBe('<disk type="block"><readonly/></disk>');
});

test('writeIndentedXml() gives each element a line of its own and keeps text beside its tags', () => {
  expect(writeIndentedXml({ name: 'disk', content: [{ name: 'serial', content: 'a-1' }, { name: 'readonly' }] })).toBe(
    '<disk>\n  <serial>a-1</serial>\n  <readonly/>\n</disk>\n',
  );
});

test('writeXml() and writeIndentedXml() write what a parser reads back: markup, entities, blanks', () => {
  const word = fc.oneof(
    fc.string({
      unit: fc.constantFrom('&', '<', '>', '"', "'", ']', ';', 'amp', '#x41;', ' ', 'é', '𝄞'),
      minLength: 1,
    }),
    fc.constantFrom('&amp;', '&lt;', '<!--', ']]>', '<![CDATA[', 'true', '0'),
  );
  fc.assert(
    fc.property(word, word, (value, text) => {
      const element = { name: 'disk', attributes: { value }, content: [{ name: 'serial', content: text }] };
      for (const xml of [writeXml(element), writeIndentedXml(element)]) {
        using document = XmlDocument.fromString(xml);
        expect(document.root.attr('value')?.value).toBe(value);
        expect(document.get('/disk/serial')?.content).toBe(text);
      }
    }),
  );
});
