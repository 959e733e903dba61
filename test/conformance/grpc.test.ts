import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JsonValue } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onnxBackend } from '../../adapters/backends/onnx.ts'
import { controlMethods } from '../../adapters/grpc/control/control-methods.ts'
import { GRPCInferenceService } from '../../adapters/grpc/messages/grpc_service_pb.ts'
import { startGrpc } from '../../adapters/grpc/server.ts'
import { startHttp2 } from '../../adapters/http2/server.ts'
import { nodeClock } from '../../adapters/platform/clock.ts'
import { posixSharedMemory } from '../../adapters/shared-memory/posix.ts'
import { diskStore } from '../../adapters/stores/disk.ts'
import { createLog } from '../../core/log.ts'
import { DEFAULT_PROTOCOL_LIMITS } from '../../core/protocol/limits.ts'
import { createServer } from '../../core/server.ts'
import { createSharedMemory } from '../../core/shared-memory/regions.ts'
import { answerJson } from '../adapters/grpc/control/call.ts'
import { RawClient } from '../helpers/grpc-client.ts'
import { readKnownFailing } from './known-failing.ts'

/** What Triton 2.51 answered to one call. */
interface Recorded {
  readonly name: string
  readonly method: string
  readonly request_base64?: string
  /** Of a stream: its messages in order. */
  readonly requests_base64?: readonly string[]
  readonly compare: 'exact' | 'schema' | 'exact, order-free'
  readonly answer: { readonly code: string; readonly msg?: string; readonly body?: unknown }
}

interface Answer {
  readonly code: string
  readonly msg?: string
  readonly body?: unknown
}

const FIXTURES = new URL('../fixtures/recorded/', import.meta.url)
const CLOSE_MS = 10_000

const cases: readonly Recorded[] = JSON.parse(readFileSync(new URL('grpc.json', FIXTURES), 'utf8'))

const known = readKnownFailing(new URL('known-failing-grpc.txt', import.meta.url))

describe('recorded answers of Triton 2.51 (grpc.json)', () => {
  let target: { readonly address: string; close(): Promise<void> }
  const answers: Answer[] = []

  beforeAll(async () => {
    target = await startTarget()
    const client = new RawClient(target.address)
    for (const one of cases) answers.push(await ask(client, one))
    client.close()
  })
  afterAll(() => target?.close())

  it.each(cases.map((one, i) => [`${one.method}: ${one.name}`, i] as const))(
    'answers %s as Triton does',
    (_, i) => {
      const { name, compare, answer: expected } = cases[i] as Recorded
      const answer = answers[i] as Answer
      const cause = process.env['NEREID_GRPC_TARGET'] ? undefined : known.get(`grpc.json | ${name}`)
      if (cause !== undefined) {
        expect(answer, `passes: take it off the list (${cause})`).not.toEqual(expected)
        return
      }
      if (compare === 'schema') {
        expect({ ...answer, body: schemaOf(answer.body) }).toEqual(expected)
      } else if (compare === 'exact') {
        expect(answer).toEqual(expected)
      } else {
        expect({ ...answer, body: sorted(answer.body) }).toEqual({
          ...expected,
          body: sorted(expected.body),
        })
      }
    },
  )
})

/** The server of `NEREID_GRPC_TARGET` (the real Triton), or this project's own on a copy of the recorded repository. */
async function startTarget(): Promise<{ address: string; close(): Promise<void> }> {
  const other = process.env['NEREID_GRPC_TARGET']
  if (other !== undefined) return { address: other, close: async () => {} }
  const folder = await mkdtemp(join(tmpdir(), 'nereid-conformance-'))
  const root = join(folder, 'repository')
  await cp(fileURLToPath(new URL('repository', FIXTURES)), root, { recursive: true })
  const clock = nodeClock()
  const log = createLog({ write: () => {}, epochUs: () => 0, pid: process.pid })
  const server = await createServer({
    platform: { clock, log },
    stores: [diskStore({ root })],
    backends: [onnxBackend({ clock })],
    options: { modelControlMode: 'explicit', loadModels: ['*'] },
  })
  // The recorded release lets every client register.
  const host = await posixSharedMemory()
  const sharedMemory = createSharedMemory({ host, enabled: true })
  const grpc = await startGrpc({
    transport: startHttp2,
    server,
    clock,
    log,
    limits: DEFAULT_PROTOCOL_LIMITS,
    address: '127.0.0.1',
    port: 0,
    methods: controlMethods({ server, logControl: log, sharedMemory, log }),
    sharedMemory,
  })
  return {
    address: `127.0.0.1:${grpc.port}`,
    close: async () => {
      await grpc.close(CLOSE_MS)
      await server.close(CLOSE_MS)
      await rm(folder, { recursive: true })
    },
  }
}

/** Asks one case; the answer comes in the form in which answers are recorded. */
async function ask(client: RawClient, recorded: Recorded): Promise<Answer> {
  const path = `/inference.GRPCInferenceService/${recorded.method}`
  if (recorded.requests_base64 !== undefined) {
    return askStream(client, path, recorded.requests_base64)
  }
  const message = Buffer.from(recorded.request_base64 ?? '', 'base64')
  const outcome = await client.unary(path, message)
  const code = status[outcome.code] as string
  if (outcome.message === null) return { code, msg: outcome.details }
  return { code, body: toJson(recorded.method, outcome.message) }
}

async function askStream(
  client: RawClient,
  path: string,
  requests: readonly string[],
): Promise<Answer> {
  const call = client.stream(path)
  const body: JsonValue[] = []
  call.on('data', (bytes: Buffer) => body.push(toJson('ModelStreamInfer', bytes)))
  call.on('error', () => {})
  const ended = new Promise<{ code: number }>((resolve) => call.on('status', resolve))
  for (const request of requests) call.write(Buffer.from(request, 'base64'))
  call.end()
  return { code: status[(await ended).code] as string, body }
}

function toJson(name: string, message: Uint8Array): JsonValue {
  const method = GRPCInferenceService.methods.find((one) => one.name === name)
  if (method === undefined) throw new Error(`no method ${name}`)
  return answerJson(method, message)
}

/** Answers of a stream without their order. */
function sorted(body: unknown): unknown {
  return [...(body as unknown[])].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

/** Types in place of values; lists are as their first element is. */
function schemaOf(json: unknown): unknown {
  if (Array.isArray(json)) return json.slice(0, 1).map(schemaOf)
  if (typeof json === 'object' && json !== null) {
    return Object.fromEntries(Object.entries(json).map(([key, one]) => [key, schemaOf(one)]))
  }
  if (typeof json === 'boolean') return 'bool'
  return typeof json === 'number' ? 'int' : 'str'
}
