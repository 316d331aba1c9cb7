/** The files that `rok init` writes, by path. A test runs the agent among them. */
const agent = `# An agent: a model, what it is told, which skills it may ask for, and what it may use at most.
# Its model replays agents/scripts/hello.jsonl. For a live one set OPENAI_API_KEY where \`rok dev\` runs,
# and write \`model: openai/gpt-5-mini\`.
name: hello
model: scripted/hello
instructions: |
  Count the words of what you are given with the skill words.count, and answer with the number.
maxOutputTokens: 512
skills: [words.count]
limits: { usd: '0.05', steps: 10, wallTime: 5m, skillCalls: { words.count: 3 } }
policies: [default]
labels: { team: example }
`;

const script = `${JSON.stringify({
  content: '',
  toolCalls: [{ name: 'words.count', arguments: { text: 'count these four words' } }],
  usage: { inputTokens: 80, outputTokens: 20 },
  finishReason: 'tool-calls',
})}
${JSON.stringify({ content: 'Four words.', usage: { inputTokens: 120, outputTokens: 8 }, finishReason: 'stop' })}
`;

const policy = `// What every agent may do, unless a forbid says otherwise.
@id("agents-may-act")
permit (principal, action, resource);

// An example of a forbid. Change the number and start \`rok dev\` again.
@id("few-counts")
@reason("two texts are enough for one run")
forbid (principal, action == Action::"skill.call", resource == Skill::"words.count")
when { context.counters.skillCalls has "words.count" && context.counters.skillCalls["words.count"] >= 2 };
`;

const skill = `/** A skill of your own: what it takes, how it behaves when it is cut off, and what it does. \`rok dev\` loads this file. */
export default ({ z }) => ({
  name: 'words.count',
  version: '1',
  description: 'Counts the words of a text.',
  input: z.strictObject({ text: z.string().max(20_000) }),
  // Reads only, and doing it twice is doing it once.
  access: 'read',
  idempotency: 'natural',
  timeoutMs: 1_000,
  maxOutputBytes: 1_000,
  run: async ({ text }) => ({ words: text.split(/\\s+/).filter((word) => word !== '').length }),
});
`;

export const INIT_FILES: Readonly<Record<string, string>> = {
  'agents/hello.yaml': agent,
  'agents/scripts/hello.jsonl': script,
  'policies/default.cedar': policy,
  'skills/words-count.mjs': skill,
};
