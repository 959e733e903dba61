import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import { externalLocations } from '../../adapters/backends/onnx-scan.ts'
import { diskStore } from '../../adapters/stores/disk.ts'
import { memoryStore } from '../../adapters/stores/memory.ts'
import type { ModelSource } from '../../core/backend/types.ts'
import { realClock, silentLog } from '../adapters/backends/onnx-fixtures.ts'
import { execute, floats, floatsOf, outputOf, requestOf } from '../contract/backend.ts'
import {
  type Bytes,
  concat,
  externalTensor,
  field,
  KINDS,
  model,
  varint,
} from '../helpers/onnx-bytes.ts'

const root = mkdtempSync(join(tmpdir(), 'nereid-external-'))
const secret = join(root, 'secret.bin')
const backend = onnxBackend({ clock: realClock })
const disk = diskStore({ root: join(root, 'repository') })

beforeAll(() => writeFileSync(secret, floats([666, 667])))
afterAll(async () => {
  await backend.close?.()
  rmSync(root, { recursive: true, force: true })
})

let models = 0
/** A version folder of its own with `model.onnx` and whatever `fill` puts beside it. */
function onDisk(bytes: Bytes, fill: (folder: string) => void = () => {}): ModelSource {
  const name = `m${models++}`
  const folder = join(root, 'repository', name, '1')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'model.onnx'), bytes)
  fill(folder)
  return source(name, disk)
}

const source = (name: string, store: ModelSource['store']): ModelSource => ({
  name,
  version: 1,
  config: { name, max_batch_size: 0 },
  settings: new Map(),
  store,
  modelPath: name,
  versionPath: `${name}/1`,
  log: silentLog,
})

/** Places outside the version folder, and how they get there. */
const OUTSIDE: Readonly<Record<string, { location: string; fill?: (folder: string) => void }>> = {
  'a path upwards': { location: '../../../secret.bin' },
  'an absolute path': { location: secret },
  'a folder': {
    location: 'sub/weights.bin',
    fill: (folder) => {
      mkdirSync(join(folder, 'sub'))
      writeFileSync(join(folder, 'sub', 'weights.bin'), floats([1, 2]))
    },
  },
  'a symbolic link': {
    location: 'link.bin',
    fill: (folder) => symlinkSync(secret, join(folder, 'link.bin')),
  },
  'a hard link': {
    location: 'hard.bin',
    fill: (folder) => linkSync(secret, join(folder, 'hard.bin')),
  },
  'a memory address': { location: '*/_ORT_MEM_ADDR_/*' },
  'a device': { location: '/dev/zero' },
  'no name': { location: '' },
}

describe('external data of ONNX models', () => {
  for (const [kind, build] of Object.entries(KINDS)) {
    test(`${kind}: a plain file beside the model is not refused`, async () => {
      const fill = (folder: string) => writeFileSync(join(folder, 'weights.bin'), floats([10, 20]))
      const refusal = await backend.load(onDisk(build('weights.bin'), fill)).then(
        (loaded) => loaded.close().then(() => undefined),
        (error: Error) => error.message,
      )
      // ONNX Runtime itself does not take external data everywhere; our check must not be what says no.
      expect(refusal ?? '').not.toMatch(/refers to external data|Protobuf parsing failed/)
    })

    for (const [place, { location, fill }] of Object.entries(OUTSIDE)) {
      test(`${kind}: ${place} is refused before ONNX Runtime sees it`, async () => {
        await expect(backend.load(onDisk(build(location), fill))).rejects.toThrow(
          /refers to external data at /,
        )
        const files = new Map([['m/1/model.onnx', build(location)]])
        await expect(backend.load(source('m', memoryStore({ files })))).rejects.toThrow(
          /keeps tensors in other files/,
        )
      })
    }
  }

  test('weights in a file beside the model are used, also where the model is a folder', async () => {
    const build = KINDS['initializer']!
    const source = onDisk(build('weights.bin'), (folder) => {
      rmSync(join(folder, 'model.onnx'))
      mkdirSync(join(folder, 'model.onnx'))
      writeFileSync(join(folder, 'model.onnx', 'model.onnx'), build('weights.bin'))
      writeFileSync(join(folder, 'model.onnx', 'weights.bin'), floats([10, 20]))
    })
    const loaded = await backend.load(source)
    const placement = { name: 'x_0', kind: 'KIND_CPU', device: 0 } as const
    const instance = await loaded.instance(placement, source.config)
    const x = { name: 'X', datatype: 'FP32', shape: [2], data: floats([1, 2]) } as const
    expect(floatsOf(outputOf(await execute(instance, [requestOf([x])]), 'Y'))).toEqual([11, 22])
    await loaded.close()
  })
})

describe('the scan for external data', () => {
  const scan = (bytes: Bytes) =>
    externalLocations({ size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) })

  test('it finds a location in functions, training graphs and repeated messages', async () => {
    const graph = field(5, externalTensor('W', 'a'))
    const inNode = field(5, concat(field(1, 'v'), field(10, externalTensor('W', 'b'))))
    expect(await scan(model(concat(), field(20, field(1, graph))))).toEqual(new Set(['a']))
    expect(await scan(model(concat(), field(25, field(7, inNode))))).toEqual(new Set(['b']))
    expect(await scan(concat(model(graph), field(7, field(1, inNode))))).toEqual(
      new Set(['a', 'b']),
    )
  })

  test('it takes the strictest reading of an ambiguous entry', async () => {
    const entry = (...parts: Bytes[]) => scan(model(field(5, field(13, concat(...parts)))))
    const key = field(1, 'location')
    expect(await entry(field(2, 'first'), key, field(2, 'last'))).toEqual(
      new Set(['first', 'last']),
    )
    expect(await entry(key, field(1, 'offset'), field(2, 'x'))).toEqual(new Set(['x']))
    expect(await entry(key)).toEqual(new Set(['']))
    await expect(entry(key, field(2, Uint8Array.of(0xff)))).rejects.toThrow(RangeError)
    await expect(entry(key, field(2, 'x'.repeat(5000)))).rejects.toThrow(RangeError)
  })

  test('it reads a fraction of a file whose weights are large', async () => {
    const heavy = concat(field(8, 'big'), field(9, new Uint8Array(8 * 1024 * 1024)))
    const bytes = model(
      concat(field(5, heavy), field(5, externalTensor('W', 'far')), field(5, heavy)),
    )
    let bytesRead = 0
    const read = (at: number, length: number) => {
      bytesRead += length
      return bytes.subarray(at, at + length)
    }
    expect(await externalLocations({ size: bytes.length, read })).toEqual(new Set(['far']))
    expect(bytesRead).toBeLessThan(512 * 1024)
  })

  test('a location is found wherever it lies among other fields, at any window border', async () => {
    const filler = fc
      .tuple(fc.integer({ min: 100, max: 5000 }), fc.integer({ min: 0, max: 70_000 }))
      .map(([number, size]) => field(number, new Uint8Array(size)))
    await fc.assert(
      fc.asyncProperty(
        fc.array(filler, { maxLength: 4 }),
        fc.array(filler, { maxLength: 2 }),
        fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
        async (before, inside, location) => {
          const tensor = concat(...inside, externalTensor('W', location))
          const bytes = model(concat(...before, field(5, tensor), ...inside))
          expect(await scan(bytes)).toEqual(new Set([location]))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('damaged and random bytes end in an answer or a RangeError, never in anything else', async () => {
    const whole = KINDS['initializer of a branch']!('weights.bin')
    const damaged = fc
      .tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length))
      .map(([at, byte, end]) => {
        const copy = whole.slice(0, Math.max(1, end))
        copy[at % copy.length] = byte
        return copy
      })
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), async (bytes) => {
        const answer = await scan(bytes).catch((error: unknown) => error)
        expect(answer instanceof Set || answer instanceof RangeError).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('nesting is bounded', async () => {
    let graph: Bytes = field(2, 'innermost')
    for (let i = 0; i < 60; i++) graph = field(1, field(5, field(6, graph)))
    await expect(scan(model(graph))).rejects.toThrow(RangeError)
  })

  test('overlong tags and lengths are refused, as ONNX Runtime refuses them', async () => {
    const long = Uint8Array.of(0xba, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00)
    await expect(scan(long)).rejects.toThrow(RangeError)
    await expect(scan(concat(varint(58), varint(2 ** 40)))).rejects.toThrow(RangeError)
  })
})
