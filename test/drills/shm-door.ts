import { closeSync, openSync, readSync } from 'node:fs'
import { INFER_PATH } from '../../adapters/grpc/routes.ts'
import { type ShmObject, shmObject } from '../helpers/dev-shm.ts'
import { type Client, NoAnswer } from './client.ts'
import type { Door } from './door.ts'
import type { GrpcConnection } from './grpc.ts'
import { inferMessage } from './grpc-inference.ts'
import type { Inference } from './inference.ts'
import { WIDTH } from './models.ts'

/** Bytes of a tensor; more rows than this has no request here. */
const MAX_ROWS = 4
const SLOT = MAX_ROWS * WIDTH * 8
/** A slot is used again after this many requests: long after the server has let go of one that was cancelled. */
const SLOTS = 8192
const UNWRITTEN = Buffer.alloc(SLOT, 0xaa)

/** Inputs and outputs in one registered region, which many doors may share. */
export class ShmRegion {
  readonly name: string
  readonly #object: ShmObject
  readonly #fd: number
  #next = 0

  constructor(name: string) {
    this.name = name
    this.#object = shmObject(name, 2 * SLOT * SLOTS)
    this.#fd = openSync(`/dev/shm${this.#object.key}`, 'r')
  }

  async register(client: Client): Promise<void> {
    const body = JSON.stringify({ key: this.#object.key, byte_size: 2 * SLOT * SLOTS })
    await client.text(`/v2/systemsharedmemory/region/${this.name}/register`, 'POST', body)
  }

  async unregister(client: Client): Promise<void> {
    await client.text(`/v2/systemsharedmemory/region/${this.name}/unregister`, 'POST')
  }

  /** Offsets of the input, which is written, and of the output, which is not yet. */
  place({ values }: Inference): { input: number; output: number } {
    const input = 2 * SLOT * this.#next
    this.#next = (this.#next + 1) % SLOTS
    const output = input + SLOT
    this.#object.write(input, new Uint8Array(values.buffer))
    this.#object.write(output, UNWRITTEN)
    return { input, output }
  }

  values(offset: number, size: number): BigInt64Array {
    const bytes = new Uint8Array(size)
    readSync(this.#fd, bytes, 0, size, offset)
    return new BigInt64Array(bytes.buffer)
  }

  remove(): void {
    closeSync(this.#fd)
    this.#object.remove()
  }
}

/** REST with tensors in a region. */
export function restShmDoor(client: Client, region: ShmRegion): Door {
  return {
    name: 'REST with shared memory',
    async ask(asked, cancel) {
      const { model, id, rows, values } = asked
      const { input, output } = region.place(asked)
      const range = (offset: number): object => ({
        shared_memory_region: region.name,
        shared_memory_offset: offset,
        shared_memory_byte_size: values.byteLength,
      })
      const tensor = { name: 'X', datatype: 'INT64', shape: [rows, WIDTH] }
      const body = JSON.stringify({
        id,
        inputs: [{ ...tensor, parameters: range(input) }],
        outputs: [{ name: 'Y', parameters: range(output) }],
      })
      const path = `/v2/models/${model}/infer`
      const reply = await client.ask({ path, body, ...(cancel === undefined ? {} : { cancel }) })
      if (reply === null) return null
      if (reply.status !== 200) return `${id}: ${reply.status} ${reply.body}`
      const said = JSON.parse(reply.body.toString()) as { id?: string; model_name?: string }
      if (said.id !== id || said.model_name !== model) return `${id}: ${reply.body}`
      return region.values(output, values.byteLength)
    },
  }
}

/** ModelInfer with tensors in a region. */
export function grpcShmDoor(connection: GrpcConnection, region: ShmRegion): Door {
  return {
    name: 'gRPC with shared memory',
    async ask(asked, cancel) {
      const start = performance.now()
      const { input, output } = region.place(asked)
      const at = (offset: number) => ({ region: region.name, offset })
      let cancelled = false
      let answers = 0
      const call = connection.call({ path: INFER_PATH, onMessage: () => answers++ })
      call.only(inferMessage(asked, { input: at(input), output: at(output) }))
      cancel?.(() => {
        cancelled = true
        call.cancel()
      })
      const { code, text } = await call.ended
      if (code === 0 && answers === 1) return region.values(output, asked.values.byteLength)
      if (cancelled) return null
      if (code >= 0) return `${asked.id}: status ${code} ${text}, ${answers} answers`
      throw new NoAnswer(new Error(text), answers > 0, performance.now() - start)
    },
  }
}
