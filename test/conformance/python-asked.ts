import { fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import {
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
} from '../../adapters/grpc/messages/grpc_service_pb.ts'
import type { RawClient } from '../helpers/grpc-client.ts'
import type { RecordedAnswer, RecordedCase } from './cases.ts'
import { cleanAnswer, cleanJson, ownMetrics } from './python-clean.ts'
import type { Call } from './python-questions/ask.ts'
import { ask } from './replay.ts'

/** How long all answers of a stream may take. */
const STREAM_MS = 20_000

/** A server with Python models, this one or the real one. */
export interface PythonTarget {
  readonly url: string
  readonly metricsUrl: string
  /** Host and port of gRPC. */
  readonly grpc: string
  /** Where its models lie. */
  readonly repository: string
}

/** What came of a call: its status, and its answer or answers as JSON. */
export interface CallAnswer {
  readonly code: string
  readonly message?: string
  readonly body?: JsonValue
}

/** One recorded call of gRPC. */
export interface RecordedCall extends Call {
  readonly answer: CallAnswer
}

/** Asks over HTTP; the answer comes without what differs from run to run. */
export async function askHttp(target: PythonTarget, asked: RecordedCase): Promise<RecordedAnswer> {
  const isMetrics = asked.path === '/metrics'
  const answer = await ask(isMetrics ? target.metricsUrl : target.url, asked)
  return cleanAnswer(isMetrics ? ownMetrics(answer) : answer, target.repository)
}

/** Asks over gRPC; answers of a stream come by their requests, each request's in order. */
export async function askGrpc(
  client: RawClient,
  target: PythonTarget,
  call: Call,
): Promise<CallAnswer> {
  const path = `/inference.GRPCInferenceService/${call.method}`
  const messages = call.requests_base64.map((text) => Buffer.from(text, 'base64'))
  const answer =
    call.method === 'ModelInfer'
      ? await askOnce(client, path, messages[0] ?? Buffer.alloc(0))
      : await askStream(client, path, messages)
  return cleanJson(answer, target.repository)
}

async function askOnce(client: RawClient, path: string, message: Buffer): Promise<CallAnswer> {
  const outcome = await client.unary(path, message)
  const code = status[outcome.code] ?? String(outcome.code)
  if (outcome.message === null) return { code, message: outcome.details }
  return { code, body: toJson(ModelInferResponseSchema, readAnswer(outcome.message)) }
}

const readAnswer = (bytes: Uint8Array) => fromBinary(ModelInferResponseSchema, bytes)

async function askStream(
  client: RawClient,
  path: string,
  messages: readonly Buffer[],
): Promise<CallAnswer> {
  const call = client.stream(path, { deadline: Date.now() + STREAM_MS })
  const answers: { readonly id: string; readonly json: JsonValue }[] = []
  call.on('data', (bytes: Buffer) => {
    const message = fromBinary(ModelStreamInferResponseSchema, bytes)
    const json = toJson(ModelStreamInferResponseSchema, message)
    answers.push({ id: message.inferResponse?.id ?? '', json })
  })
  call.on('error', () => {})
  const ended = new Promise<{ code: number }>((resolve) => call.on('status', resolve))
  for (const message of messages) call.write(message)
  call.end()
  const { code } = await ended
  answers.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  return { code: status[code] ?? String(code), body: answers.map(({ json }) => json) }
}
