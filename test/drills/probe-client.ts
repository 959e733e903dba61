import type { ClientHttp2Session } from 'node:http2'
import { framed } from '../helpers/grpc-client.ts'
import { field } from '../helpers/onnx-bytes.ts'
import { rawCall, rawSession } from '../helpers/raw-grpc.ts'
import { Client, NoAnswer } from './client.ts'
import type { DrillServer } from './servers.ts'

const SERVICE = '/inference.GRPCInferenceService'
const PREFIX_BYTES = 5
/** Field 1 is true. */
const YES = '0801'

/** Asks what an orchestrator asks, through both doors. A server that does not answer is not ready. */
export class ProbeClient {
  /** Answers of the two doors that were not the same, and stayed so. */
  disagreements = 0
  readonly #client: Client
  readonly #session: ClientHttp2Session

  constructor(server: DrillServer) {
    this.#client = new Client(server.url, 2)
    this.#session = rawSession(server.grpcPort)
  }

  live(): Promise<boolean> {
    return this.#both('/v2/health/live', `${SERVICE}/ServerLive`, new Uint8Array(0))
  }

  ready(): Promise<boolean> {
    return this.#both('/v2/health/ready', `${SERVICE}/ServerReady`, new Uint8Array(0))
  }

  modelReady(model: string): Promise<boolean> {
    return this.#both(`/v2/models/${model}/ready`, `${SERVICE}/ModelReady`, field(1, model))
  }

  close(): void {
    this.#client.close()
    this.#session.destroy()
  }

  async #both(path: string, method: string, message: Uint8Array): Promise<boolean> {
    const rest = await this.#rest(path)
    if (rest === (await this.#grpc(method, message))) return rest
    // It may have changed between the two.
    const again = await this.#rest(path)
    if (again === rest && again !== (await this.#grpc(method, message))) this.disagreements++
    return again
  }

  async #rest(path: string): Promise<boolean> {
    try {
      return (await this.#client.ask({ path, method: 'GET' }))?.status === 200
    } catch (error) {
      if (error instanceof NoAnswer) return false
      throw error
    }
  }

  async #grpc(path: string, message: Uint8Array): Promise<boolean> {
    const outcome = await rawCall(this.#session, path, [framed(message)]).catch(() => null)
    return outcome?.body.subarray(PREFIX_BYTES).toString('hex') === YES
  }
}
