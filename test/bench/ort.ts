import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import koffi, { type KoffiFunc } from 'koffi'

/** One tensor of a fixed shape. */
export interface FixedTensor {
  readonly name: string
  readonly datatype: 'FP32' | 'INT64'
  readonly shape: readonly number[]
}

/** A session over buffers of its own: `run` computes `outputs` from `inputs` on this thread. */
export interface BareSession {
  readonly inputs: readonly Uint8Array[]
  readonly outputs: readonly Uint8Array[]
  run(): void
  /** The same on libuv's pool. */
  runAsync(): Promise<void>
}

const LOG_WARNING = 2
const API_VERSION = 20
const TABLE_LENGTH = 80
const ELEMENTS = { FP32: { type: 1, size: 4 }, INT64: { type: 7, size: 8 } } as const

// Places in the OrtApi table (onnxruntime_c_api.h), which only ever grows at its end.
const FUNCTIONS = {
  GetErrorMessage: [2, 'const char *', ['void *']],
  CreateEnv: [3, 'void *', ['int', 'const char *', 'void *']],
  CreateSession: [7, 'void *', ['void *', 'const char *', 'void *', 'void *']],
  Run: [
    9,
    'void *',
    ['void *', 'void *', 'void *', 'void *', 'size_t', 'void *', 'size_t', 'void *'],
  ],
  CreateSessionOptions: [10, 'void *', ['void *']],
  SetIntraOpNumThreads: [24, 'void *', ['void *', 'int']],
  SetInterOpNumThreads: [25, 'void *', ['void *', 'int']],
  CreateTensorWithData: [
    49,
    'void *',
    ['void *', 'void *', 'size_t', 'void *', 'size_t', 'int', 'void *'],
  ],
  CreateCpuMemoryInfo: [69, 'void *', ['int', 'int', 'void *']],
} as const satisfies Record<string, readonly [number, string, readonly string[]]>

type Name = keyof typeof FUNCTIONS
type Foreign = KoffiFunc<(...args: unknown[]) => bigint | null>

// The library stays mapped as long as somebody holds its handle and its functions.
const pinned: unknown[] = []

function api(): Record<Name, Foreign> {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'))
  const names: Record<string, string> = { linux: 'libonnxruntime.so.1' }
  const file = names[process.platform]
  if (file === undefined) throw new Error(`the bench does not run on ${process.platform}`)
  const library = koffi.load(join(root, 'bin/napi-v6', process.platform, process.arch, file))
  const base = library.func('void *OrtGetApiBase()')()
  const getApi = koffi.decode(koffi.decode(base, 'void *'), koffi.proto('void *', ['uint32_t']))
  const table = koffi.decode(getApi(API_VERSION), 'void *', TABLE_LENGTH) as bigint[]
  const functions = Object.fromEntries(
    Object.entries(FUNCTIONS).map(([name, [at, result, args]]) => [
      name,
      koffi.decode(table[at] as bigint, koffi.proto(result, [...args])) as Foreign,
    ]),
  ) as Record<Name, Foreign>
  pinned.push(library, functions)
  return functions
}

/** Opens `path` with one thread on the ONNX Runtime that `onnxruntime-node` ships, and nothing between. */
export function openBare(
  path: string,
  inputs: readonly FixedTensor[],
  outputs: readonly FixedTensor[],
): BareSession {
  const ort = api()
  const check = (status: bigint | null): void => {
    if (status !== null) throw new Error(String(ort.GetErrorMessage(status)))
  }
  const made = (name: Name, ...args: unknown[]): bigint => {
    const slot = new BigUint64Array(1)
    check(ort[name](...args, slot))
    return slot[0] as bigint
  }
  const env = made('CreateEnv', LOG_WARNING, 'bench')
  const options = made('CreateSessionOptions')
  check(ort.SetIntraOpNumThreads(options, 1))
  check(ort.SetInterOpNumThreads(options, 1))
  const session = made('CreateSession', env, path, options)
  const memory = made('CreateCpuMemoryInfo', 0, 0)
  const side = (tensors: readonly FixedTensor[]) => {
    const texts = tensors.map((tensor) => Buffer.from(`${tensor.name}\0`))
    const data = tensors.map((tensor) => {
      const count = tensor.shape.reduce((product, dim) => product * dim, 1)
      return new Uint8Array(count * ELEMENTS[tensor.datatype].size)
    })
    const values = tensors.map((tensor, i) => {
      const bytes = data[i] as Uint8Array
      const shape = BigInt64Array.from(tensor.shape, BigInt)
      const type = ELEMENTS[tensor.datatype].type
      return made('CreateTensorWithData', memory, bytes, bytes.length, shape, shape.length, type)
    })
    pinned.push(texts, data)
    return {
      data,
      names: BigUint64Array.from(texts, (text) => koffi.address(text)),
      values: BigUint64Array.from(values),
    }
  }
  const [from, to] = [side(inputs), side(outputs)]
  const args = [session, null, from.names, from.values, inputs.length, to.names] as const
  const { Run } = ort
  return {
    inputs: from.data,
    outputs: to.data,
    run: () => check(Run(...args, outputs.length, to.values)),
    runAsync: () =>
      new Promise((resolve, reject) => {
        Run.async(...args, outputs.length, to.values, (error: unknown, status: bigint | null) => {
          if (error) return reject(error)
          try {
            check(status)
            resolve()
          } catch (failure) {
            reject(failure)
          }
        })
      }),
  }
}
