import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { cutText } from '../../src/execute/content/cut-text.js';
import type { CalledTool } from '../../src/execute/models/model-gateway.js';
import { toolNames } from '../../src/execute/models/tool-names.js';
import { createRegistry } from '../../src/execute/registry.js';
import { defineSkill } from '../../src/execute/skills/skill.js';
import { droppedCalls, MAX_TOOL_CALLS, readToolCalls, withOwnIds } from '../../src/execute/calls/tool-calls.js';

const skill = (name: string) =>
  defineSkill({
    name,
    version: '2',
    description: name,
    input: z.object({ amount: z.number() }).loose(),
    access: 'write',
    idempotency: 'keyed',
    timeoutMs: 1,
    maxOutputBytes: 1,
    run: () => Promise.resolve(null),
  });
const registry = createRegistry({ skills: [skill('desk.pay'), skill('desk.other')], providers: [] });
const salt = Buffer.alloc(32, 1);
const call = (argumentsText: string, name = 'desk.pay', id = 'c1'): CalledTool => ({ id, name, argumentsText });
const read = (...calls: readonly CalledTool[]) => {
  const { toolCalls, contents } = readToolCalls(calls, { registry, skills: ['desk.pay'], salt });
  return toolCalls.map((toolCall, at) => ({
    ...toolCall,
    text: contents[at]?.bytes.toString() ?? '',
    digest: contents[at]?.digest,
  }));
};

describe('a skill call of a model', () => {
  it('becomes canonical arguments under the name and version of the skill', () => {
    const [first, same] = read(
      call('{"b": "ä", "amount": 1.0}'),
      call(' {"amount":1,"b":"\\u00e4"}', 'desk.pay', 'c2'),
    );
    expect(first).toMatchObject({
      callId: 'c1',
      skill: 'desk.pay',
      target: 'desk.pay@2',
      access: 'write',
      repeatable: true,
    });
    expect([first?.malformed, first?.text]).toEqual([undefined, '{"amount":1,"b":"ä"}']);
    expect([first?.argumentsDigest, same?.argumentsDigest]).toEqual([first?.digest, first?.digest]);
  });

  it.each([
    ['not JSON', 'arguments_not_json', '{"amount": 1', 'the arguments are not JSON'],
    [
      'does not fit',
      'arguments_do_not_fit',
      '{"amount": "1"}',
      'amount: Invalid input: expected number, received string',
    ],
    ['empty', 'arguments_do_not_fit', '', 'amount: Invalid input: expected number, received undefined'],
    [
      'a fraction',
      'arguments_inexact',
      '{"amount": 12.5}',
      'the arguments have no exact form: /amount: `12.5` is not an integer within ±2^53',
    ],
    [
      'rounded',
      'arguments_inexact',
      '{"amount": 9007199254740993}',
      'the arguments have no exact form: /amount: `9007199254740992` is not an integer within ±2^53',
    ],
    [
      'half a character',
      'arguments_inexact',
      '{"amount": 1, "b": "\\ud800"}',
      'the arguments have no exact form: /b: a lone surrogate is not text',
    ],
    [
      'too long',
      'arguments_too_long',
      JSON.stringify({ amount: 1, b: 'x'.repeat(70_000) }),
      'the arguments are longer than 65536 bytes',
    ],
    [
      'too deep',
      'arguments_inexact',
      `{"amount": 1, "b": ${'['.repeat(70)}${']'.repeat(70)}}`,
      `the arguments have no exact form: /b${'/0'.repeat(64)}: nested deeper than 64 levels`,
    ],
  ])('goes back to the model as an error where it is malformed: %s', (_, refusal, argumentsText, message) => {
    const [only] = read(call(argumentsText));
    expect(JSON.parse(only?.text ?? '')).toEqual({ error: 'arguments_invalid', message });
    expect([only?.malformed, only?.argumentsDigest, only?.refusal]).toEqual([only?.digest, only?.digest, refusal]);
  });

  it('is asked for as it is where the agent has no such skill, so that it is decided', () => {
    expect(read(call('{"amount":1}', 'desk.other'), call('{"amount":"1"}', 'desk.other', 'c2'))).toMatchObject([
      { skill: 'desk.other', target: 'desk.other@2', access: 'write', text: '{"amount":1}' },
      { skill: 'desk.other', target: 'desk.other@2', access: 'write', text: '{"amount":"1"}' },
    ]);
    expect(read(call('{"amount":1}', 'desk.other'))[0]?.malformed).toBeUndefined();
  });

  it.each([
    ['rm -rf', 'rm -rf', 'rm -rf@unknown'],
    ['__proto__', '__proto__', '__proto__@unknown'],
    ['desk.pay@2', 'desk.pay@2', 'desk.pay\uFFFD2@unknown'],
    ['a\0b\ud800', 'a\uFFFDb\uFFFD', 'a\uFFFDb\uFFFD@unknown'],
    ['x'.repeat(10_000), 'x'.repeat(128), `${'x'.repeat(128)}@unknown`],
    ['', '', '@unknown'],
  ])('is asked for under a name that nothing registered has, where none is registered: %j', (name, skill, target) => {
    const asked = read(call('not { JSON', name));
    expect(asked).toMatchObject([{ skill, target, access: 'write', repeatable: false, text: 'not { JSON' }]);
    expect([asked[0]?.malformed, registry.skillAt(target)]).toEqual([undefined, undefined]);
  });

  it('has an id of its own, whatever the model gave, and there is a limit on calls', () => {
    const ids = ['a', 'a', '', 'call_3', 'x'.repeat(65), 'b\n'].map((id) => call('{}', 'desk.pay', id));
    expect(withOwnIds(ids).map(({ id }) => id)).toEqual(['a', 'call_2', 'call_3', 'call_4', 'call_5', 'call_6']);
    const hundred = Array.from({ length: 100 }, () => call('{}'));
    expect(withOwnIds(hundred)).toHaveLength(MAX_TOOL_CALLS);
    const rest = JSON.parse(droppedCalls(hundred, salt)?.bytes.toString() ?? '') as readonly unknown[];
    expect(rest).toEqual(hundred.slice(MAX_TOOL_CALLS).map(({ name, argumentsText }) => ({ name, argumentsText })));
    expect(droppedCalls(hundred.slice(0, MAX_TOOL_CALLS), salt)).toBeUndefined();
  });
});

describe('the registry', () => {
  it('refuses two of one name, names that are none, and names that a provider could not tell apart', () => {
    const make =
      (...names: readonly string[]) =>
      () =>
        createRegistry({ skills: names.map(skill), providers: [] });
    expect(make('a.b', 'a.b')).toThrow('the skill `a.b` is registered twice');
    expect(make('A b')).toThrow('`A b` is not the name of a skill');
    expect(make('a.b', 'a_b')).toThrow('the skills `a.b` and `a_b` have the same name for a provider');
  });

  it('describes skills as JSON Schema and names every one that is missing', () => {
    expect(registry.schemas(['desk.pay'])).toEqual([
      {
        name: 'desk.pay',
        description: 'desk.pay',
        inputSchema: {
          type: 'object',
          properties: { amount: { type: 'number' } },
          required: ['amount'],
          additionalProperties: {},
        },
      },
    ]);
    expect(() => registry.schemas(['x', 'desk.pay', 'y'])).toThrow('not registered: `x`, `y`');
    expect([
      registry.skillAt('desk.pay@2')?.target,
      registry.skillAt('desk.pay@1'),
      registry.skillAt('desk.pay'),
    ]).toEqual(['desk.pay@2', undefined, undefined]);
  });
});

it('tool names go to the wire and back', () => {
  const names = toolNames(['orders.lookup', 'files-read']);
  expect(['orders.lookup', 'files-read'].map(names.toWire)).toEqual(['orders_lookup', 'files-read']);
  expect(['orders_lookup', 'files-read', 'made_up'].map(names.fromWire)).toEqual([
    'orders.lookup',
    'files-read',
    'made_up',
  ]);
});

it('text at its limit is cut between characters and says so, within the limit', () => {
  expect(cutText('short', 5)).toBe('short');
  const cut = cutText('ä'.repeat(200), 201);
  expect(cut).toBe(`${'ä'.repeat(60)}\n[cut: the first 120 of 400 bytes]`);
  expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(201);
});
