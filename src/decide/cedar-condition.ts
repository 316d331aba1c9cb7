/** A policy as one expression: its scope and conditions, in the order in which Cedar evaluates them. */
import type { EntityUidJson, Expr, PolicyJson, TypeAndId, Var } from '@cedar-policy/cedar-wasm/nodejs';

type Scope = PolicyJson['principal'] | PolicyJson['action'] | PolicyJson['resource'];

export function conditionOf(policy: PolicyJson): Expr {
  const parts = [
    ...scopeOf('principal', policy.principal),
    ...scopeOf('action', policy.action),
    ...scopeOf('resource', policy.resource),
    ...policy.conditions.map(({ kind, body }): Expr => (kind === 'when' ? body : { '!': { arg: body } })),
  ];
  return parts.length === 0 ? { Value: true } : parts.reduce((left, right) => ({ '&&': { left, right } }));
}

/** Joined as a balanced tree, because evaluation has a limit on depth. It still goes from the left and stops at the first. */
export function anyOf(conditions: readonly Expr[]): Expr {
  const [only] = conditions;
  if (only === undefined) return { Value: false };
  if (conditions.length === 1) return only;
  const half = conditions.length >> 1;
  return { '||': { left: anyOf(conditions.slice(0, half)), right: anyOf(conditions.slice(half)) } };
}

function scopeOf(name: Var, scope: Scope): readonly Expr[] {
  const left: Expr = { Var: name };
  switch (scope.op) {
    case 'All':
      return [];
    case '==':
      return [{ '==': { left, right: entityOf(scope) } }];
    case 'in':
      return 'entities' in scope
        ? [{ in: { left, right: { Set: scope.entities.map((entity) => entityOf({ entity })) } } }]
        : [{ in: { left, right: entityOf(scope) } }];
    case 'is':
      return [
        { is: { left, entity_type: scope.entity_type, ...(scope.in === undefined ? {} : { in: entityOf(scope.in) }) } },
      ];
  }
}

function entityOf(constraint: { readonly entity: EntityUidJson } | { readonly slot: string }): Expr {
  if ('slot' in constraint) throw new TypeError('a template is not a policy');
  const { entity } = constraint;
  const uid: TypeAndId = '__entity' in entity ? entity.__entity : entity;
  return { Value: { __entity: uid } };
}
