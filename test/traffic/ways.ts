import { Agent } from 'node:http'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { InferParameterSchema } from '../../adapters/grpc/messages/grpc_service_pb.ts'
import type { InferStream } from '../helpers/grpc-client.ts'
import { send } from '../helpers/http.ts'
import type { ServedVersions } from './served-versions.ts'

/** What a request says beside its tensors. */
export interface Said {
  /** '' = none. */
  readonly version?: string
  readonly sequence?: { readonly id: number; readonly start?: boolean; readonly end?: boolean }
  readonly headers?: Readonly<Record<string, string>>
}

/** One way to a model: resolves to the version that answered. Throws what went wrong. */
export interface Way {
  readonly name: string
  infer(model: string, said?: Said): Promise<number>
  close(): void
}

const INPUT = new Uint8Array(Float32Array.of(1, 2).buffer)

function httpBody(sequence: Said['sequence'], json: boolean): { text: string; tail: Uint8Array } {
  const parameters =
    sequence === undefined
      ? {}
      : {
          parameters: {
            sequence_id: sequence.id,
            sequence_start: sequence.start ?? false,
            sequence_end: sequence.end ?? false,
          },
        }
  const tensor = { name: 'INPUT0', datatype: 'FP32', shape: [1, 2] }
  const input = json
    ? { ...tensor, data: [1, 2] }
    : { ...tensor, parameters: { binary_data_size: INPUT.length } }
  return {
    text: JSON.stringify({ ...parameters, inputs: [input] }),
    tail: json ? new Uint8Array() : INPUT,
  }
}

function httpWay(
  serving: ServedVersions,
  name: string,
  options: { readonly json: boolean; readonly headers?: Readonly<Record<string, string>> },
): Way {
  const agent = new Agent({ keepAlive: true })
  return {
    name,
    async infer(model, { version = '', sequence, headers } = {}) {
      const { text, tail } = httpBody(sequence, options.json)
      const path = `${model}${version === '' ? '' : `/versions/${version}`}/infer`
      const answer = await send({
        url: `${serving.url}/v2/models/${path}`,
        method: 'POST',
        agent,
        headers: {
          ...headers,
          ...options.headers,
          ...(options.json ? {} : { 'inference-header-content-length': String(text.length) }),
        },
        body: Buffer.concat([Buffer.from(text), tail]),
      })
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`)
      return Number(JSON.parse(answer.body.toString()).model_version)
    },
    close: () => agent.destroy(),
  }
}

function message(model: string, { version = '', sequence }: Said) {
  const parameters: Record<string, MessageInitShape<typeof InferParameterSchema>> = {}
  if (sequence !== undefined) {
    const { id, start = false, end = false } = sequence
    parameters['sequence_id'] = { parameterChoice: { case: 'int64Param', value: BigInt(id) } }
    parameters['sequence_start'] = { parameterChoice: { case: 'boolParam', value: start } }
    parameters['sequence_end'] = { parameterChoice: { case: 'boolParam', value: end } }
  }
  return {
    modelName: model,
    modelVersion: version,
    parameters,
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1n, 2n] }],
    rawInputContents: [INPUT],
  }
}

function unaryWay({ grpc }: ServedVersions): Way {
  return {
    name: 'gRPC call',
    async infer(model, said = {}) {
      const { response, code, details } = await grpc.infer(message(model, said), {
        metadata: said.headers ?? {},
      })
      if (response === null) throw new Error(`${code} ${details}`)
      return Number(response.modelVersion)
    },
    close() {},
  }
}

/** Headers are a stream's: each set of them has one. */
function streamWay({ grpc }: ServedVersions): Way {
  const streams = new Map<string, InferStream>()
  const sent = new Map<string, number>()
  return {
    name: 'gRPC stream',
    async infer(model, said = {}) {
      const key = JSON.stringify(said.headers ?? {})
      const stream = streams.get(key) ?? grpc.inferStream({ metadata: said.headers ?? {} })
      streams.set(key, stream)
      // Answers come in the order of their requests.
      const at = sent.get(key) ?? 0
      sent.set(key, at + 1)
      stream.send(message(model, said))
      await stream.received(at + 1)
      const answer = stream.answers[at]
      if (answer?.errorMessage) throw new Error(answer.errorMessage)
      return Number(answer?.inferResponse?.modelVersion)
    },
    close() {
      for (const stream of streams.values()) stream.call.cancel()
    },
  }
}

/** Every way a request can take through the server; the app is the one for what the fast route leaves alone. */
export function waysOf(serving: ServedVersions): readonly Way[] {
  return [
    httpWay(serving, 'HTTP, binary', { json: false }),
    httpWay(serving, 'HTTP, JSON', { json: true }),
    httpWay(serving, 'HTTP, app', { json: true, headers: { 'accept-encoding': 'identity' } }),
    unaryWay(serving),
    streamWay(serving),
  ]
}
