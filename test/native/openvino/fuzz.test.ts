import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { memoryStore } from '../../../adapters/stores/memory.ts'
import { ServerError } from '../../../core/errors.ts'
import {
  backendOf,
  FIXTURES,
  fixture,
  LIBRARY,
  missing,
} from '../../adapters/backends/openvino/fixtures.ts'

const RUNS = Number(process.env['NEREID_FUZZ_RUNS'] ?? 60)

const backend = backendOf()
afterAll(() => backend.close?.())

const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURES, name)))

/** Loads it, makes an instance where that works, and says what came of it. */
async function outcome(xml: Uint8Array, bin: Uint8Array): Promise<'serves' | 'refused'> {
  const store = memoryStore({
    files: new Map([
      ['tiny_mlp.xml', xml],
      ['tiny_mlp.bin', bin],
    ]),
  })
  const config = { max_batch_size: 4 }
  try {
    const model = await backend.load(fixture('tiny_mlp', config, store))
    try {
      await model.instance({ name: 'fuzz_0', kind: 'KIND_CPU', device: 0 }, config)
    } finally {
      await model.close()
    }
    return 'serves'
  } catch (error) {
    expect(error).toBeInstanceOf(ServerError)
    return 'refused'
  }
}

/** Words that stand in for others: sizes, offsets, types, names. */
const WORDS = [
  '-1',
  '0',
  '4294967296',
  '9223372036854775807',
  'string',
  'u1',
  'f8e4m3',
  '?',
  '',
  'Loop',
  '../x',
]

test.skipIf(LIBRARY === undefined)(
  `a model.xml with changed values is served or refused, and the server goes on${missing}`,
  async () => {
    const xml = new TextDecoder().decode(file('tiny_mlp.xml'))
    const bin = file('tiny_mlp.bin')
    const values = [...xml.matchAll(/"([^"]*)"/g)].map(({ index, 0: text }) => ({ index, text }))
    let refused = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(values.length - 1), fc.constantFrom(...WORDS)), {
          minLength: 1,
          maxLength: 3,
        }),
        async (changes) => {
          const sorted = changes.sort(([a], [b]) => b - a)
          let text = xml
          for (const [at, word] of sorted) {
            const value = values[at] as { index: number; text: string }
            text = `${text.slice(0, value.index)}"${word}"${text.slice(value.index + value.text.length)}`
          }
          if ((await outcome(new TextEncoder().encode(text), bin)) === 'refused') refused++
        },
      ),
      { numRuns: RUNS, verbose: 1 },
    )
    expect(refused).toBeGreaterThan(0)
    expect(await outcome(file('tiny_mlp.xml'), bin)).toBe('serves')
  },
)

test.skipIf(LIBRARY === undefined)(
  `a model.xml with changed bytes is served or refused, and the server goes on${missing}`,
  async () => {
    const xml = file('tiny_mlp.xml')
    const bin = file('tiny_mlp.bin')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(xml.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(xml.length),
        fc.nat(bin.length),
        async (changes, end, weights) => {
          const changed = xml.slice()
          for (const [at, byte] of changes) changed[at] = byte
          // Every third is cut short besides.
          await outcome(
            end % 3 === 0 ? changed.subarray(0, end) : changed,
            bin.subarray(0, weights),
          )
        },
      ),
      { numRuns: RUNS, verbose: 1 },
    )
    expect(await outcome(xml, bin)).toBe('serves')
  },
)
