/**
 * A stand-in for whatever checks logins at yours: signs one assertion for one message to one run, with a private key that
 * no worker has. It asks nobody for a password; a real issuer signs only for whom it has just recognised.
 *
 *   node examples/issuer/sign.mjs --key FILE --issuer URL --sub NAME [--role ROLE]… --verb VERB --audience WORKFLOW [--update ID] [--action DIGEST]
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { importJWK, SignJWT } from 'jose';

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    ...{ key: text, issuer: text, sub: text, verb: text, audience: text, update: text, action: text },
    role: { type: 'string', multiple: true, default: [] },
  },
});
for (const name of ['key', 'issuer', 'sub', 'verb', 'audience'])
  if (values[name] === undefined) throw new Error(`--${name} is missing`);

const jwk = JSON.parse(await readFile(values.key, 'utf8'));
const now = Math.floor(Date.now() / 1000);
const { sub, verb, audience, role: roles, update, action } = values;
const assertion = await new SignJWT({ verb, roles, update, action })
  .setProtectedHeader({ alg: jwk.alg, kid: jwk.kid })
  .setIssuer(values.issuer)
  .setSubject(sub)
  .setAudience(audience)
  .setJti(randomUUID())
  .setIssuedAt(now)
  // Five minutes are the longest that ROK takes.
  .setExpirationTime(now + 120)
  .sign(await importJWK(jwk, jwk.alg));
process.stdout.write(`${assertion}\n`);
