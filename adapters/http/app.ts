import { type Context, Hono } from 'hono'
import type { AccessRefusal } from '../../core/access/types.ts'
import type { Log } from '../../core/platform.ts'
import type { ProtocolLimits } from '../../core/protocol/limits.ts'
import type { AdmissionOptions } from '../../core/protocol/rest/admitted.ts'
import {
  createRestHandler,
  type RestHandler,
  type RestOptions,
} from '../../core/protocol/rest/handlers.ts'
import { ROUTES } from '../../core/protocol/rest/routes.ts'
import type { RestResponse } from '../../core/protocol/rest/types.ts'
import type { InferenceServer, LogControl } from '../../core/server-types.ts'
import { createCors, isPreflight } from './cors.ts'
import { readBody } from './read-body.ts'

export interface AppOptions {
  readonly server: InferenceServer
  /** Where errors of ours go, and what `/v2/logging` controls. */
  readonly log: Log & LogControl
  readonly limits: ProtocolLimits
  /** See {@link RestOptions.access}. */
  readonly access?: RestOptions['access']
  /** See {@link RestOptions.gates}. */
  readonly gates?: RestOptions['gates']
  /** See {@link RestOptions.tracer}. */
  readonly tracer?: RestOptions['tracer']
  /** See {@link RestOptions.inferStream}. */
  readonly inferStream?: RestOptions['inferStream']
  /** See {@link RestOptions.sharedMemory}. */
  readonly sharedMemory?: RestOptions['sharedMemory']
  /** See {@link RestOptions.forward}. */
  readonly forward?: RestOptions['forward']
  /**
   * What stands before the REST routes and answers in their place, each request as a request of theirs or after asking for
   * admission itself. Default: nothing.
   */
  readonly front?: ((rest: RestHandler, admission: AdmissionOptions) => RestHandler) | undefined
  /** Origins whose pages may ask; `*` = all. Default: none, and nothing is said about origins. */
  readonly corsOrigins?: readonly string[]
}

/** What a listener knows of a request beyond the `Request` itself: the second argument of the app's `fetch`. */
export interface RequestFacts {
  readonly address?: string
  readonly certificate?: string
  /** Name, value, … as they were sent. */
  readonly fields?: readonly string[]
  readonly refusal?: AccessRefusal | undefined
}

interface AppEnv {
  readonly Bindings: RequestFacts
}
type AppContext = Context<AppEnv>

/**
 * Every REST route as a `fetch` app. The routes are Hono's only so that its tools see them: which operation a URL means
 * is decided by the one route table, on the path as it was sent.
 */
export function createApp(options: AppOptions): Hono<AppEnv> {
  const { log, limits } = options
  const admission: AdmissionOptions = {
    limits,
    access: options.access,
    gates: options.gates,
    onInternalError: (error, match) => log.error(`${match.operation}: ${describe(error)}`),
  }
  const rest = createRestHandler({
    ...admission,
    server: options.server,
    logControl: log,
    tracer: options.tracer,
    inferStream: options.inferStream,
    sharedMemory: options.sharedMemory,
    forward: options.forward,
  })
  const handle = options.front?.(rest, admission) ?? rest
  const cors = createCors(options.corsOrigins ?? [])
  const respond = async ({ req, env }: AppContext): Promise<Response> => {
    const request = req.raw
    if (cors !== undefined && isPreflight(request)) return cors.preflight(request)
    // Without a listener of ours there is no second argument.
    const facts: RequestFacts = env ?? {}
    const { address = '', certificate = '', refusal } = facts
    const reply = await handle({
      method: request.method,
      path: pathOf(request.url),
      header: (name) => request.headers.get(name) ?? undefined,
      body: (hold) => readBody(request, limits, hold),
      signal: request.signal,
      address,
      certificate,
      fields: () => facts.fields ?? [...request.headers].flat(),
      ...(refusal === undefined ? {} : { refusal }),
    })
    const response = toResponse(reply)
    const origin = request.headers.get('origin')
    if (cors !== undefined && origin !== null) {
      for (const [name, value] of Object.entries(cors.answer(origin) ?? {})) {
        response.headers.set(name, value)
      }
    }
    return response
  }
  const app = new Hono<AppEnv>({ strict: true })
  if (options.front === undefined)
    for (const route of ROUTES) app.on([...route.methods], route.path, respond)
  app.notFound(respond)
  return app
}

/** The path of an absolute URL, undecoded and without its query. */
function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (start < 0) return '/'
  const query = url.search(/[?#]/)
  return query < 0 ? url.slice(start) : url.slice(start, query)
}

/** No browser takes an answer for a page, whatever a client's names in it look like. */
const NO_SNIFFING = { 'X-Content-Type-Options': 'nosniff' }

function toResponse(reply: RestResponse): Response {
  const { status, body, stream } = reply
  if (stream !== undefined) return new Response(stream, { status, headers: reply.headers })
  // Responses take one body; parts may be views on memory that is used again, so they are copied before it is released.
  let size = 0
  for (const part of body) size += part.length
  let bytes = body.length === 1 && reply.release === undefined ? body[0] : undefined
  if (bytes === undefined) {
    bytes = new Uint8Array(size)
    let at = 0
    for (const part of body) {
      bytes.set(part, at)
      at += part.length
    }
    reply.release?.()
  }
  return new Response(bytes as Uint8Array<ArrayBuffer>, {
    status,
    headers: { ...reply.headers, ...NO_SNIFFING, 'Content-Length': String(size) },
  })
}

function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}
