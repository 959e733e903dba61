import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeModel } from './models.ts'

/** A model in JavaScript that does harm with every second request, and what the client is told then. */
export interface Neighbour {
  readonly name: string
  /** What `execute` does with a request that is meant to fail. */
  readonly harm: string
  readonly parameters: Readonly<Record<string, number>>
  readonly refusal: RegExp
  /** Its thread ends, and is started again. */
  readonly dies: boolean
}

/** Of a model that loops; its client waits for no less. */
export const LOOP_MS = 1_000
const RESTARTED = /failed and is restarted/

export const NEIGHBOURS: readonly Neighbour[] = [
  {
    name: 'throws',
    harm: "throw new Error('a bad day')",
    parameters: {},
    refusal: /model 'throws': a bad day/,
    dies: false,
  },
  {
    name: 'lies',
    harm: 'return { outputs: { Y: { shape: [9, 9], data: [1n] } } }',
    parameters: {},
    refusal: /wrong answer: tensor 'Y'/,
    dies: false,
  },
  { name: 'exits', harm: 'process.exit(3)', parameters: {}, refusal: RESTARTED, dies: true },
  {
    name: 'loops',
    harm: 'for (;;);',
    parameters: { execution_timeout_ms: LOOP_MS },
    refusal: RESTARTED,
    dies: true,
  },
  {
    name: 'leaks',
    harm: 'const kept = []; for (;;) kept.push(new Array(1000).fill(kept.length))',
    parameters: { memory_limit_mb: 32 },
    refusal: RESTARTED,
    dies: true,
  },
]

/** Whether the inference with this serial number is one that does harm. */
export const harmful = (serial: number): boolean => serial % 2 === 1

export function writeNeighbour(root: string, { name, harm, parameters }: Neighbour): void {
  const lines = Object.entries(parameters).map(
    ([key, value]) => `parameters { key: "${key}" value { string_value: "${value}" } }`,
  )
  writeModel(root, { name, backend: 'typescript', config: lines.join('\n') })
  writeFileSync(
    join(root, name, '1/model.js'),
    `// The first value of an inference is its serial number times 64, spread over 64 bits.
const harmful = (x) => ((x.data[0] >> 6n) & 1n) === 1n
function answer(x) {
  if (harmful(x)) { ${harm} }
  return { outputs: { Y: { shape: x.shape, data: x.data } } }
}
export const execute = (requests) => requests.map((request) => answer(request.input('X', 'INT64')))
`,
  )
}
