/** A bundle whose records were changed and whose receipt was signed over them again, as only whoever holds the key could. */
import { decodeJwt } from 'jose';
import { recordKey, recordKinds, type Bundle, type RecordKind } from '../../src/audit/evidence.js';
import { receiptText, type Receipt } from '../../src/audit/receipt.js';
import { recordDigest } from '../../src/audit/records.js';
import type { Signer } from '../../src/audit/signer.js';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import type { JsonObject } from '../../src/domain/json.js';

export type Edit = {
  /** What each record of a kind becomes: another, several, or none. */
  readonly records?: Partial<Record<RecordKind, (record: JsonObject) => JsonObject | readonly JsonObject[] | null>>;
  readonly receipt?: (receipt: Receipt) => Receipt;
};

export async function resigned(bundle: Bundle, signer: Signer, { records = {}, receipt: edit }: Edit): Promise<Bundle> {
  const texts: Partial<Record<RecordKind, readonly string[]>> = {};
  for (const kind of recordKinds) {
    const change = records[kind];
    if (change === undefined) continue;
    texts[kind] = bundle[kind].flatMap((text) => {
      const changed = change(JSON.parse(text) as JsonObject);
      if (changed === null) return [];
      return (Array.isArray(changed) ? (changed as readonly JsonObject[]) : [changed as JsonObject]).map(canonicalJson);
    });
  }
  const changed = { ...bundle, ...texts };
  const receipt = decodeJwt(bundle.receipt) as unknown as Receipt;
  const digests = Object.fromEntries(
    recordKinds
      .filter((kind) => texts[kind] !== undefined)
      .map((kind) => [
        kind,
        Object.fromEntries(
          changed[kind].map((text) => [
            recordKey(JSON.parse(text) as { readonly n: number }),
            recordDigest(kind, bundle.run, text),
          ]),
        ),
      ]),
  );
  const said = { ...receipt, records: { ...receipt.records, ...digests } };
  return { ...changed, receipt: await signer.sign(receiptText(edit === undefined ? said : edit(said))) };
}
