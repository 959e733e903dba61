import type { Backend, Batch, BatchResult, Instance } from '../../../core/backend/types.ts'
import { ServerError } from '../../../core/errors.ts'
import type { InferRequest, InferResponse } from '../../../core/infer.ts'
import type { Tensor } from '../../../core/tensor.ts'

/** An input with this value in it fails its request. */
export const UNLUCKY = -13
/** What released memory is overwritten with: nobody may read it any more. */
const POISON = 0xee

export const intsOf = ({ data }: Tensor): number[] => [...new Int32Array(data.slice().buffer)]

/** Output buffers that are used again as soon as they were given back, as those of real backends are. */
class Buffers {
  readonly #free: Uint8Array[] = []
  lent = 0

  take(size: number): { readonly bytes: Uint8Array; readonly release: () => void } {
    const at = this.#free.findIndex((one) => one.length >= size)
    const whole = at < 0 ? new Uint8Array(Math.max(64, size)) : this.#free.splice(at, 1)[0]!
    this.lent++
    let released = false
    const release = (): void => {
      if (released) throw new Error('released twice')
      released = true
      this.lent--
      whole.fill(POISON)
      this.#free.push(whole)
    }
    return { bytes: whole.subarray(0, size), release }
  }
}

/**
 * Y = X × `mul` + `add` + version × `step`, in the next turns or at once, joined or one answer each. With `kind` `repeat` an X gives
 * X % 4 answers, each one more than the last; with `sum` it is the sum of its sequence so far.
 */
export function mixedBackend(draw: () => number): Backend {
  return {
    name: 'mixed',
    defaultModelFilename: '',
    async load({ config, version }) {
      const given = (name: string): string => config.parameters?.[name]?.string_value ?? '0'
      const add = Number(given('add')) + Number(given('step')) * version
      const compute = (x: number): number => x * Number(given('mul')) + add
      const kind = given('kind')
      return {
        async instance() {
          if (kind === 'repeat') return repeating(draw)
          return computing(draw, kind === 'sum' ? runningSum() : (_, xs) => xs.map(compute))
        },
        async close() {},
      }
    },
  }
}

type Compute = (request: InferRequest, xs: readonly number[]) => readonly number[]

function runningSum(): Compute {
  const sums = new Map<bigint, number>()
  return ({ inputs }, xs) => {
    const column = (name: string): Uint8Array => inputs.find((one) => one.name === name)!.data
    const id = new BigUint64Array(column('CORRID').slice().buffer)[0]!
    const start = new Int32Array(column('START').slice().buffer)[0] === 1
    const before = start ? 0 : (sums.get(id) ?? Number.NaN)
    const sum = before + xs.reduce((all, x) => all + x, 0)
    sums.set(id, sum)
    return xs.map(() => sum)
  }
}

function computing(draw: () => number, compute: Compute): Instance {
  const buffers = new Buffers()
  const answer = (request: InferRequest): InferResponse | ServerError => {
    const x = request.inputs[0]!
    const xs = intsOf(x)
    if (xs.includes(UNLUCKY)) return new ServerError('INTERNAL', 'thirteen')
    const ys = Int32Array.from(compute(request, xs))
    const { bytes, release } = buffers.take(ys.byteLength)
    bytes.set(new Uint8Array(ys.buffer))
    return { outputs: [{ name: 'Y', datatype: 'INT32', shape: x.shape, data: bytes }], release }
  }
  const execute = (batch: Batch): BatchResult => {
    const answers = batch.requests.map(answer)
    const failed = answers.some((one) => one instanceof ServerError)
    if (failed || draw() < 0.3) return { outputs: [], answers }
    const parts = (answers as InferResponse[]).map((one) => one.outputs[0]!)
    const size = parts.reduce((sum, { data }) => sum + data.length, 0)
    const { bytes, release } = buffers.take(size)
    let at = 0
    for (const { data } of parts) {
      bytes.set(data, at)
      at += data.length
    }
    for (const one of answers as InferResponse[]) one.release?.()
    const shape = parts.length === 1 ? parts[0]!.shape : [batch.size, ...parts[0]!.shape.slice(1)]
    return { outputs: [{ name: 'Y', datatype: 'INT32', shape, data: bytes }], release }
  }
  return {
    execute(batch, _marks, done) {
      const turns = Math.floor(draw() * 4)
      const run = (left: number): void => {
        if (left === 0) done(execute(batch))
        else setImmediate(run, left - 1)
      }
      run(turns)
    },
    async close() {},
  }
}

function repeating(draw: () => number): Instance {
  const buffers = new Buffers()
  return {
    execute(batch, _marks, done, answers) {
      batch.requests.forEach((request, index) => {
        const [x = 0] = intsOf(request.inputs[0]!)
        const send = (i: number): void => {
          if (request.cancelled || i === x % 4 || x === UNLUCKY) {
            const error = request.cancelled
              ? new ServerError('CANCELLED', 'gone')
              : x === UNLUCKY
                ? new ServerError('INTERNAL', 'thirteen')
                : null
            answers?.send(index, error, true)
            return
          }
          const { bytes, release } = buffers.take(4)
          bytes.set(new Uint8Array(Int32Array.of(x + i).buffer))
          const output = { name: 'Y', datatype: 'INT32', shape: [1], data: bytes } as const
          answers?.send(index, { outputs: [output], release }, false)
          if (draw() < 0.5) send(i + 1)
          else setImmediate(send, i + 1)
        }
        send(0)
      })
      done({ outputs: [] })
    },
    async close() {},
  }
}
