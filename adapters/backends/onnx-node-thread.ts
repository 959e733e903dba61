import { Worker } from 'node:worker_threads'
import type { ModelIo } from '../../core/backend/types.ts'
import { ServerError } from '../../core/errors.ts'
import type {
  NodeReply,
  NodeRequest,
  NodeSessionOptions,
  OnnxRunner,
  WireTensor,
} from './onnx-node-messages.ts'

/** The file a worker runs and how. */
export interface WorkerEntry {
  readonly url: URL
  /** Node's own options for the thread. Default none. */
  readonly execArgv?: readonly string[]
}

/** One worker with one session; one request at a time. */
export class NodeThread implements OnnxRunner {
  readonly #worker: Worker
  #waiting: { resolve: (reply: NodeReply) => void; reject: (error: Error) => void } | null = null
  #gone: Error | null = null

  constructor(entry: WorkerEntry) {
    this.#worker = new Worker(entry.url, { execArgv: [...(entry.execArgv ?? [])] })
    this.#worker.on('message', (reply: NodeReply) => {
      const waiting = this.#waiting
      this.#waiting = null
      waiting?.resolve(reply)
    })
    this.#worker.on('error', (error) => this.#lost(error))
    this.#worker.on('exit', () => this.#lost(new Error('the ONNX Runtime worker ended')))
    // An idle worker keeps no process alive.
    this.#worker.unref()
  }

  async open(model: string | Uint8Array, options: NodeSessionOptions): Promise<ModelIo> {
    const reply = await this.#ask({ kind: 'open', model, options }, [])
    if (reply.kind === 'opened') return reply.io
    throw unexpected(reply)
  }

  async run(
    inputs: readonly WireTensor[],
    outputs: readonly string[],
  ): Promise<readonly WireTensor[]> {
    const transfer = inputs.map((input) => input.buffer)
    const reply = await this.#ask({ kind: 'run', inputs, outputs }, transfer)
    if (reply.kind === 'ran') return reply.outputs
    throw unexpected(reply)
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #ask(request: NodeRequest, transfer: readonly ArrayBuffer[]): Promise<NodeReply> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== null || this.#waiting !== null) {
        reject(this.#gone ?? new Error('the ONNX Runtime worker is busy'))
        return
      }
      this.#waiting = { resolve, reject }
      this.#worker.ref()
      this.#worker.postMessage(request, transfer)
    }).finally(() => this.#worker.unref()) as Promise<NodeReply>
  }

  #lost(error: Error): void {
    this.#gone ??= error
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(this.#gone)
  }
}

function unexpected(reply: NodeReply): Error {
  if (reply.kind !== 'failed') return new Error(`unexpected reply '${reply.kind}'`)
  return new ServerError('INTERNAL', `onnx runtime error: ${reply.message}`)
}
