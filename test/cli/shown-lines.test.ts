/** How a content is shown: what a model wrote can neither move the cursor nor turn the direction of reading. */
import { describe, expect, it } from '@jest/globals';
import { plain } from '../../src/cli/output/print.js';
import { shownBlock, shownLine } from '../../src/cli/output/shown-lines.js';
import { asDigest } from '../../src/domain/ids.js';
import { answerOf, shownText } from '../../src/reader/shown-text.js';

const digest = asDigest('ab'.repeat(32));
const row = (text: string, byteCount = Buffer.byteLength(text)) => ({ digest, bytes: Buffer.from(text), byteCount });

describe('a content that is shown', () => {
  it('is cut between characters, and says that it was', () => {
    expect(shownText(row('aé'), 2)).toEqual({ digest, text: 'a', cut: true });
    expect(shownText(row('aé'), 3)).toEqual({ digest, text: 'aé', cut: false });
    // The database had cut it before.
    expect(shownText(row('abc', 9), 100)).toEqual({ digest, text: 'abc', cut: true });
    expect(shownText({ digest, bytes: Buffer.from([0x61, 0xff, 0x00]), byteCount: 3 }, 9).text).toBe('a\ufffd\0');
  });

  it('that was deleted is said to be, with its digest', () => {
    const deleted = shownText({ digest, bytes: null, byteCount: null }, 9);
    expect(deleted).toEqual({ digest, text: null, cut: false });
    expect(shownLine(deleted, 9)).toBe('deleted (digest abababababab…)');
    expect(shownBlock(deleted, '  ')).toBe(`deleted (digest ${digest})`);
  });

  it('keeps its lines where there is room for them, and nothing else that moves a cursor', () => {
    const shown = shownText(row('one\r\ntwo\u001b[2Jthree\u0007'), 99);
    expect(shownLine(shown, 99)).toBe('one  two [2Jthree  (digest abababababab…)');
    expect(shownLine(shown, 3)).toBe('one… (digest abababababab…)');
    expect(shownBlock(shown, '  ')).toBe('one\n  two [2Jthree ');
    expect(shownBlock({ ...shown, cut: true }, ' ')).toMatch(/\n … \(more of it is stored; digest (ab){32}\)$/);
  });

  it('shows characters that are not seen, or turn the direction of reading, by their code', () => {
    expect(plain('A\u200b1\u2028\u{e0041}')).toBe('A\\u{200b}1\\u{2028}\\u{e0041}');
    expect(plain('pay \u202e001\u202c to \u2066x\u2069')).toBe('pay \\u{202e}001\\u{202c} to \\u{2066}x\\u{2069}');
  });

  it('is an answer without the form in which it is stored', () => {
    const shown = (text: string) => answerOf(shownText(row(text), 99)).text;
    expect(shown('{"content":"done","toolCalls":[]}')).toBe('done');
    for (const other of ['{"content":1,"toolCalls":[]}', '{"a":1}', 'null', 'plain', '"text"'])
      expect(shown(other)).toBe(other);
  });
});
