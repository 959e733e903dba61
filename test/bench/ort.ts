import { allocate, type Memory } from '../../native/onnxruntime/memory.ts'
import { loadOnnxRuntime } from '../../native/onnxruntime/runtime.ts'

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
  /** A second set of buffers on the same session, for runs that overlap. */
  clone(): BareSession
}

// ONNXTensorElementDataType and element size.
const ELEMENTS = { FP32: { type: 1, size: 4 }, INT64: { type: 7, size: 8 } } as const

/** The C side knows only addresses: whoever calls it holds on to what they point at. */
function keepAlive(buffers: readonly { readonly kept: readonly Memory[] }[]): void {
  if (buffers.length === 0) throw new Error('nothing to keep')
}

/** Opens `path` with one thread and nothing between the caller and ONNX Runtime's `Run`. */
export async function openBare(
  path: string,
  inputs: readonly FixedTensor[],
  outputs: readonly FixedTensor[],
): Promise<BareSession> {
  const ort = loadOnnxRuntime()
  const env = ort.openEnv()
  const session = await ort.openSession({
    env,
    model: path,
    settings: { intraOpThreads: 1, interOpThreads: 1, graphLevel: 99 },
  })
  const pointers = (values: readonly number[]): Memory => {
    const memory = allocate(values.length * 8)
    new BigUint64Array(memory.bytes.buffer).set(values.map(BigInt))
    return memory
  }
  const side = (tensors: readonly FixedTensor[]) => {
    const names = tensors.map(({ name }) => {
      const text = allocate(Buffer.byteLength(name) + 1)
      text.bytes.fill(0)
      text.bytes.set(Buffer.from(name))
      return text
    })
    const data = tensors.map(({ datatype, shape }) => {
      const count = shape.reduce((product, dim) => product * dim, 1)
      return allocate(count * ELEMENTS[datatype].size)
    })
    const values = tensors.map(({ datatype, shape }, i) => {
      const { address, bytes } = data[i] as Memory
      return ort.tensor(address, bytes.length, shape, ELEMENTS[datatype].type)
    })
    return {
      data,
      names: pointers(names.map((name) => name.address)),
      values: pointers(values),
      kept: names,
    }
  }
  const make = (): BareSession => {
    const buffers = [side(inputs), side(outputs)] as const
    const [from, to] = buffers
    const { run } = ort.api
    const args = [
      session.pointer,
      0,
      from.names.address,
      from.values.address,
      inputs.length,
      to.names.address,
      outputs.length,
      to.values.address,
    ] as const
    return {
      inputs: from.data.map(({ bytes }) => bytes),
      outputs: to.data.map(({ bytes }) => bytes),
      run: () => {
        ort.api.check(run(...args))
        keepAlive(buffers)
      },
      runAsync: () =>
        new Promise((resolve, reject) => {
          run.async(...args, (error: Error | null, status: number) => {
            keepAlive(buffers)
            if (error !== null) return reject(error)
            try {
              resolve(ort.api.check(status))
            } catch (failure) {
              reject(failure)
            }
          })
        }),
      clone: make,
    }
  }
  return make()
}
