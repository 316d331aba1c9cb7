/** Writes a policy as one expression: its scope and conditions, in the order in which Cedar evaluates them. */
import type { EntityUidJson, Expr, PolicyJson, TypeAndId, Var } from '@cedar-policy/cedar-wasm/nodejs';

type Scope = PolicyJson['principal'] | PolicyJson['action'] | PolicyJson['resource'];

export function conditionOf(policy: PolicyJson): Expr {
  const parts = [
    ...scopeOf('principal', policy.principal),
    ...scopeOf('action', policy.action),
    ...scopeOf('resource', policy.resource),
    ...policy.conditions.map(({ kind, body }): Expr => (kind === 'when' ? body : { '!': { arg: body } })),
  ];
  return parts.length === 0 ? { Value: true } : parts.reduce(both);
}

/**
 * False without an error exactly where each of them is; where one holds or errs, it holds or errs. Which of the two, and whose,
 * it does not say: it may look at them in another order. What several ask first (`context has amount && …`) is asked once.
 */
export const anyOf = (conditions: readonly Expr[]): Expr => anyOfAll(conditions.map(conjuncts));

/** Each a list of what has to hold, one after the other. */
function anyOfAll(alternatives: readonly (readonly Expr[])[]): Expr {
  const byFirst = new Map<string, { readonly first: Expr; readonly rests: (readonly Expr[])[] }>();
  for (const [first = { Value: true }, ...rest] of alternatives) {
    const key = JSON.stringify(first);
    const group = byFirst.get(key) ?? { first, rests: [] };
    byFirst.set(key, group);
    group.rests.push(rest);
  }
  return either(
    [...byFirst.values()].map(({ first, rests }) => {
      if (rests.some((rest) => rest.length === 0)) return first;
      const [only] = rests;
      if (only !== undefined && rests.length === 1) return [first, ...only].reduce(both);
      return both(first, anyOfAll(rests));
    }),
  );
}

const both = (left: Expr, right: Expr): Expr => ({ '&&': { left, right } });

function conjuncts(condition: Expr): readonly Expr[] {
  const and = '&&' in condition ? condition['&&'] : null;
  return and === null || Array.isArray(and) ? [condition] : [...conjuncts(and.left), ...conjuncts(and.right)];
}

/** As a balanced tree, because evaluation has a limit on depth. It still goes from the left and stops at the first. */
function either(conditions: readonly Expr[]): Expr {
  const [only] = conditions;
  if (only === undefined) return { Value: false };
  if (conditions.length === 1) return only;
  const half = conditions.length >> 1;
  return { '||': { left: either(conditions.slice(0, half)), right: either(conditions.slice(half)) } };
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
