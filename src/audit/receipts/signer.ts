/** Signs with the auditor's private key. Only the audit worker has the key, and it never leaves this closure. */
import { CompactSign, importJWK, type JWK } from 'jose';

export type Signer = {
  readonly kid: string;
  /** For whoever verifies. */
  readonly publicJwk: JWK;
  /** A compact JWS over these bytes of text. */
  sign(text: string): Promise<string>;
};

export const RECEIPT_TYPE = 'rok-receipt+jws';

/** @throws TypeError when the key is not a private Ed25519 JWK with a `kid` */
export async function createSigner(jwk: JWK): Promise<Signer> {
  const { kty, crv, x, d, kid } = jwk;
  if (kty !== 'OKP' || crv !== 'Ed25519' || x === undefined || d === undefined || kid === undefined)
    throw new TypeError('the signing key must be a private Ed25519 JWK with a `kid`');
  const key = await importJWK({ kty, crv, x, d }, 'EdDSA');
  const utf8 = new TextEncoder();
  return {
    kid,
    publicJwk: { kty, crv, x, kid, alg: 'EdDSA', use: 'sig' },
    sign: (text) =>
      new CompactSign(utf8.encode(text)).setProtectedHeader({ alg: 'EdDSA', kid, typ: RECEIPT_TYPE }).sign(key),
  };
}
