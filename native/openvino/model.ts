import koffi from 'koffi'
import type { Pointer } from '../onnxruntime/functions.ts'
import { addressOf, allocate, type Memory } from '../onnxruntime/memory.ts'
import type { OpenVinoApi } from './api.ts'
import { type Conversions, convertModel } from './conversion.ts'
import { ELEMENT_TYPES } from './element-types.ts'
import { createTensorOver } from './tensor.ts'

/** One input or output as the model describes it. */
export interface Port {
  readonly name: string
  /** ov_element_type_e. */
  readonly elementType: number
  /** -1 = free; null where not even the rank is known. */
  readonly shape: readonly number[] | null
}

/** A model that was read and not compiled yet. */
export interface Model {
  readonly pointer: Pointer
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  /** Gives inputs other shapes (-1 = free) and derives those of everything else. Throws, and leaves all as it was, where it cannot. */
  reshape(shapes: ReadonlyMap<string, readonly number[]>): void
  /** Gives inputs and outputs other element types: they are converted on their way. Throws where they cannot be. */
  convert(wanted: Conversions): void
  /** Idempotent. What was compiled from it stays. */
  close(): void
}

/** A model file on this machine, or its bytes. */
export type ModelFile =
  | {
      readonly path: string
      /** Where its weights are; undefined: where OpenVINO looks by itself. */
      readonly weightsPath?: string | undefined
    }
  | {
      readonly bytes: Uint8Array
      /** Of the `.bin` file. They are used where they lie: keep them as long as anything that was compiled from the model. */
      readonly weights?: Memory | undefined
    }

/** Reads and parses a model on libuv's pool. */
export async function readModel(api: OpenVinoApi, core: Pointer, file: ModelFile): Promise<Model> {
  const slot = new BigUint64Array(1)
  if ('path' in file) {
    const { path, weightsPath = null } = file
    await finished(api, (done) => api.readModel.async(core, path, weightsPath, slot, done))
  } else {
    await readFromMemory(api, core, file, slot)
  }
  return describe(api, Number(slot[0]))
}

async function readFromMemory(
  api: OpenVinoApi,
  core: Pointer,
  file: { readonly bytes: Uint8Array; readonly weights?: Memory | undefined },
  slot: BigUint64Array,
): Promise<void> {
  const text = allocate(file.bytes.length)
  text.bytes.set(file.bytes)
  const { weights } = file
  const [bytes] = ELEMENT_TYPES.u8
  const tensor =
    weights === undefined
      ? 0
      : createTensorOver(api, weights.address, [weights.bytes.length], bytes)
  try {
    await finished(api, (done) =>
      api.readModelFromMemory.async(core, text.address, file.bytes.length, tensor, slot, done),
    )
  } finally {
    if (tensor !== 0) api.freeTensor(tensor)
    keep(text)
  }
}

/** What a native call reads by its address is reachable until here. */
function keep(_memory: Memory): void {}

/** Runs a call on libuv's pool and throws what it fails with. */
export async function finished(
  api: OpenVinoApi,
  start: (done: (error: Error | null, status: number) => void) => void,
): Promise<void> {
  const status = await new Promise<number>((resolve, reject) => {
    start((error, result) => (error === null ? resolve(result) : reject(error)))
  })
  api.check(status)
}

function describe(api: OpenVinoApi, read: Pointer): Model {
  let pointer = read
  const list = (
    count: OpenVinoApi['modelInputs'],
    port: OpenVinoApi['modelInput'],
  ): readonly Port[] =>
    Array.from({ length: api.result((out) => count(pointer, out)) }, (_, i) =>
      takePort(
        api,
        api.result((out) => port(pointer, i, out)),
      ),
    )
  const ports = (): { inputs: readonly Port[]; outputs: readonly Port[] } => ({
    inputs: list(api.modelInputs, api.modelInput),
    outputs: list(api.modelOutputs, api.modelOutput),
  })
  let io: ReturnType<typeof ports>
  try {
    io = ports()
  } catch (error) {
    api.freeModel(read)
    throw error
  }
  return {
    get pointer() {
      return pointer
    },
    get inputs() {
      return io.inputs
    },
    get outputs() {
      return io.outputs
    },
    reshape(shapes) {
      reshape(api, pointer, shapes)
      io = ports()
    },
    convert(wanted) {
      const converted = convertModel(api, pointer, wanted)
      api.freeModel(pointer)
      pointer = converted
      io = ports()
    },
    close() {
      if (pointer !== 0) api.freeModel(pointer)
      pointer = 0
    },
  }
}

function takePort(api: OpenVinoApi, port: Pointer): Port {
  try {
    return {
      name: api.takeText(api.result((out) => api.portName(port, out))),
      elementType: api.result32((out) => api.portElementType(port, out)),
      shape: partialShape(api, port),
    }
  } finally {
    api.freePort(port)
  }
}

/** Words of an ov_partial_shape_t: least and greatest rank, address of the dimensions (least and greatest of each). */
const PARTIAL_SHAPE_WORDS = 3

function partialShape(api: OpenVinoApi, port: Pointer): number[] | null {
  const native = new BigInt64Array(PARTIAL_SHAPE_WORDS)
  api.check(api.portPartialShape(port, native))
  try {
    if (native[0] !== native[1]) return null
    const rank = Number(native[0])
    if (rank === 0) return []
    const bounds: bigint[] = koffi.decode(Number(native[2]), 'int64', rank * 2)
    return Array.from({ length: rank }, (_, i) => {
      const least = Number(bounds[i * 2])
      return least === Number(bounds[i * 2 + 1]) ? least : -1
    })
  } finally {
    api.freePartialShape(native)
  }
}

function reshape(
  api: OpenVinoApi,
  model: Pointer,
  shapes: ReadonlyMap<string, readonly number[]>,
): void {
  const names = [...shapes.keys()]
  const table = new BigInt64Array(Math.max(1, names.length * PARTIAL_SHAPE_WORDS))
  const kept: BigInt64Array[] = []
  for (const [i, shape] of [...shapes.values()].entries()) {
    const rank = BigInt(shape.length)
    const bounds = new BigInt64Array(Math.max(1, shape.length * 2))
    for (const [axis, dim] of shape.entries()) {
      bounds[axis * 2] = BigInt(Math.max(0, dim))
      bounds[axis * 2 + 1] = BigInt(dim)
    }
    kept.push(bounds)
    table.set([rank, rank, BigInt(addressOf(bounds))], i * PARTIAL_SHAPE_WORDS)
  }
  api.check(api.reshapeModel(model, names, table, names.length))
  kept.length = 0
}
