import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlMethods } from '../../../../adapters/grpc/control/control-methods.ts'
import { stringField } from '../../../../adapters/grpc/control/string-field.ts'
import { ServerError } from '../../../../core/errors.ts'
import { ProtoError } from '../../../../core/protocol/grpc/proto-error.ts'
import { type Serving, serve } from '../../../helpers/serve.ts'
import { callBytes } from './call.ts'

const MESSAGES = 20_000
const seed = Number(process.env['NEREID_SEED'] ?? Date.now() % 1_000_000)

/** Uniform integers below `limit` (mulberry32). */
function randomFrom(start: number): (limit: number) => number {
  let state = start
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % limit
  }
}

interface Seed {
  readonly method: string
  readonly message: Uint8Array
}

const recorded: { method: string; request_base64?: string }[] = JSON.parse(
  readFileSync(new URL('../../../fixtures/recorded/grpc.json', import.meta.url), 'utf8'),
)
/** A load with a config and a file, a trace setting, a log setting, a region, statistics. */
const RICH: readonly (readonly [string, string])[] = [
  [
    'RepositoryModelLoad',
    '12046563686f1a140a06636f6e666967120a1a087b2261223a20317d1a100a0866696c653a312f6112042202 0000',
  ],
  ['TraceSetting', '0a110a0a74726163655f7261746512030a0131'],
  ['LogSettings', '0a0e0a086c6f675f696e666f12020801'],
  ['SystemSharedMemoryRegister', '0a017212022f6b18082010'],
  ['ModelStatistics', '0a046563686f120131'],
  ['ModelMetadata', '0a046563686f'],
  ['ModelConfig', '0a046563686f'],
]
const bytesOf = (text: string, encoding: 'hex' | 'base64'): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), encoding))
const seeds: readonly Seed[] = [
  ...recorded.flatMap(({ method, request_base64: text }) =>
    text === undefined ? [] : [{ method, message: bytesOf(text, 'base64') }],
  ),
  ...RICH.map(([method, text]) => ({ method, message: bytesOf(text, 'hex') })),
]

function mutated(message: Uint8Array, random: (limit: number) => number): Uint8Array {
  const bytes = [...message.subarray(0, 512)]
  for (let i = random(6); i >= 0; i--) {
    const at = random(bytes.length + 1)
    const kind = random(4)
    if (kind === 0) bytes.splice(at, 1)
    else if (kind === 1) bytes.splice(at, 0, random(256))
    else if (kind === 2) bytes[Math.min(at, bytes.length)] = random(256)
    else bytes.splice(at, 0, ...bytes.slice(at, at + random(16)))
  }
  return new Uint8Array(bytes)
}

const isExpected = (error: unknown): boolean =>
  error instanceof ServerError || error instanceof ProtoError

let serving: Serving
beforeAll(async () => {
  serving = await serve({ server: { modelControlMode: 'explicit', loadModels: ['*'] } })
})
afterAll(() => serving.close())

test(`${MESSAGES} mutated messages are answered or refused, and never with an error of our own (seed ${seed})`, async () => {
  const random = randomFrom(seed)
  const { server, log } = serving
  const methods = controlMethods({ server, logControl: log, sharedMemory: null, log })
  let answered = 0
  for (let i = 0; i < MESSAGES; i++) {
    const origin = seeds[random(seeds.length)]!
    const message = mutated(origin.message, random)
    const own = methods.find(({ path }) => path.endsWith(`/${origin.method}`))
    const { path } = own !== undefined && random(4) > 0 ? own : methods[random(methods.length)]!
    try {
      await callBytes(methods, path, message)
      answered++
    } catch (error) {
      const what = `${path} ${Buffer.from(message).toString('hex')} (seed ${seed}): ${error}`
      expect(isExpected(error), what).toBe(true)
      expect((error as Error).message, what).not.toBe('internal error')
    }
  }
  expect(answered).toBeGreaterThan(MESSAGES / 100)
  expect(answered).toBeLessThan(MESSAGES)
})

test(`every prefix of a message is read or refused (seed ${seed})`, () => {
  for (const { message } of seeds) {
    for (let end = 0; end <= Math.min(message.length, 512); end++) {
      try {
        expect(typeof stringField(message.subarray(0, end), 1)).toBe('string')
      } catch (error) {
        expect(isExpected(error)).toBe(true)
      }
    }
  }
})
