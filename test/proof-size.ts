/** How large a proof runs: small within `npm test`, whole in `npm run test:proof` (which sets PROOF=full). */
export const proofSize = <T>(size: { readonly quick: T; readonly full: T }): T =>
  process.env['PROOF'] === 'full' ? size.full : size.quick;
