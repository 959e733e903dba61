import { messageOf } from '../../core/errors.ts'
import type { ServerLog } from '../../core/log.ts'
import type { Server } from '../../core/server.ts'
import { doorTable, exposureAdvice, runtimeAdvice } from './advice.ts'
import { banner } from './banner.ts'
import type { ServeOptions } from './options.ts'
import { backendTable, modelTable, optionTable } from './tables.ts'

/** Something that listens on a port. */
export interface Listener {
  readonly port: number
  close(timeoutMs: number): Promise<void>
}

/** What a target picked: how each part of the server is made. */
export interface ServerParts {
  readonly log: ServerLog
  /** As the user named them, for the table of options. */
  readonly repositories: readonly string[]
  readonly backendNames: readonly string[]
  createServer(): Promise<Server>
  startGrpc(server: Server): Promise<Listener>
  startHttp(server: Server): Promise<Listener>
  startMetrics(server: Server): Promise<Listener>
  /** Absent = this target has no such port, whatever the flags say. */
  startSageMaker?(server: Server): Promise<Listener>
  /** Rejects with an Error that says what of its environment is missing. */
  startVertex?(server: Server): Promise<Listener>
  /** Lets go of what no listener owns. */
  close?(): void | Promise<void>
}

export interface RunOptions {
  readonly options: ServeOptions
  readonly parts: ServerParts
  readonly warnings: readonly string[]
  readonly nodeVersion: string
  /** A person reads standard error: a short block of addresses follows the log lines. */
  readonly terminal: boolean
  /** Milliseconds, monotonic, counted from the start of the process. */
  readonly now: () => number
  /** Called before anything else happens, so that a start can be stopped, too. Default: nobody stops it before it runs. */
  readonly opening?: (server: RunningServer) => void
}

export interface RunningServer {
  /**
   * Says that it is not ready, stops accepting after `--drain-delay-secs`, answers what is in flight, unloads. True when all of it was done within `--exit-timeout-secs`.
   * Idempotent.
   */
  stop(): Promise<boolean>
}

/** Connections that may wait to be accepted, at a listening socket of this server. */
const BACKLOG = 1024
/** A server that stops accepts them for so long at most; without other work it takes 15 ms. */
const MAX_ACCEPT_MS = 500

/** A start that failed; the reason was told already. */
export class StartError extends Error {}

/**
 * Loads the models, prints Triton's tables and opens the ports. Rejects with {@link StartError} after one clear line
 * when a port is taken or, with `--exit-on-error`, a model does not load.
 */
export async function runServer(run: RunOptions): Promise<RunningServer> {
  const { options, parts } = run
  const { log } = parts
  let stopping: Promise<boolean> | undefined
  /** Before there is a server nobody waits for an answer. */
  let end = (): Promise<boolean> => Promise.resolve(true)
  const running: RunningServer = {
    stop: () => {
      stopping ??= end()
      return stopping
    },
  }
  run.opening?.(running)
  for (const warning of run.warnings) log.warning(warning)
  const runtime = runtimeAdvice(run.nodeVersion)
  if (runtime !== undefined) log.warning(runtime)
  const exposed = exposureAdvice(options)
  for (const advice of exposed) log.warning(advice)
  log.table(doorTable(options))
  if (options.access.strict && exposed.length > 0) {
    fail(log, '--strict-security: not started because of the warnings above')
  }

  const server = await parts.createServer().catch((error: unknown) => fail(log, messageOf(error)))
  log.table(backendTable(parts.backendNames, options))
  log.table(modelTable(server.startupReport()))
  log.table(
    optionTable(options, {
      version: server.version,
      extensions: server.extensions,
      repositories: parts.repositories,
    }),
  )

  const listeners: Listener[] = []
  end = async () => {
    server.drain()
    if (options.drainDelaySecs > 0) {
      log.info(`Not ready any more; accepting work for another ${options.drainDelaySecs} s.`)
      await new Promise((resolve) => setTimeout(resolve, options.drainDelaySecs * 1000))
    }
    const timeoutMs = options.exitTimeoutSecs * 1000
    const deadline = run.now() + timeoutMs
    await acceptWaiting(run.now)
    await Promise.all(listeners.map((listener) => listener.close(timeoutMs)))
    const expired = run.now() >= deadline
    // Connections were cut, so their requests were cancelled: nothing is left to wait for.
    if (expired) log.error('Exit timeout expired. Exiting immediately.')
    await server.close(Math.max(0, deadline - run.now()))
    await parts.close?.()
    return !expired && server.inflight === 0
  }
  const giveUp = async (reason: string): Promise<never> => {
    await Promise.all(listeners.map((listener) => listener.close(0)))
    await server.close(options.exitTimeoutSecs * 1000)
    return fail(log, reason)
  }

  if (options.exitOnError && server.startupErrors.length > 0) {
    await giveUp('creating server: Internal - failed to load all models')
  }
  const open = async (
    service: string,
    address: string,
    port: number,
    start: (server: Server) => Promise<Listener>,
  ): Promise<number> => {
    const listener = await start(server).catch((error: NodeJS.ErrnoException) =>
      giveUp(`failed to start ${service} service: ${socketError(error, `${address}:${port}`)}`),
    )
    if (stopping === undefined) listeners.push(listener)
    else {
      // The others were closed: nobody would answer what comes here.
      await listener.close(0)
      await stopping
    }
    return listener.port
  }

  const { http, grpc, metrics, sagemaker, vertex } = options
  const addresses: Record<string, string> = {}
  if (grpc.enabled) {
    const port = await open('GRPC', grpc.address, grpc.port, parts.startGrpc)
    log.info(`Started GRPCInferenceService at ${grpc.address}:${port}`)
    addresses['GRPC'] =
      `${grpc.tls === null ? 'grpc' : 'grpcs'}://${reachable(grpc.address)}:${port}`
  }
  if (http.enabled) {
    const port = await open('HTTP', http.address, http.port, parts.startHttp)
    log.info(`Started HTTPService at ${http.address}:${port}`)
    addresses['HTTP'] =
      `${options.access.httpTls === undefined ? 'http' : 'https'}://${reachable(http.address)}:${port}/v2`
  }
  if (sagemaker.enabled && parts.startSageMaker !== undefined) {
    const { address } = sagemaker
    const port = await open('Sagemaker', address, sagemaker.port, parts.startSageMaker)
    log.info(`Started Sagemaker HTTPService at ${address}:${port}`)
    addresses['SageMaker'] = `http://${reachable(address)}:${port}/ping`
  }
  if (vertex.enabled && parts.startVertex !== undefined) {
    const port = await open('Vertex AI', vertex.address, vertex.port, parts.startVertex)
    log.info(`Started Vertex AI HTTPService at ${vertex.address}:${port}`)
    addresses['Vertex AI'] = `http://${reachable(vertex.address)}:${port}${vertex.predictRoute}`
  }
  if (metrics.enabled) {
    const port = await open('Metrics', metrics.address, metrics.port, parts.startMetrics)
    log.info(`Started Metrics Service at ${metrics.address}:${port}`)
    addresses['Metrics'] = `http://${reachable(metrics.address)}:${port}/metrics`
  }
  if (run.terminal) {
    process.stderr.write(banner({ addresses, rows: server.startupReport(), readyMs: run.now() }))
  }
  return running
}

function fail(log: ServerLog, reason: string): never {
  log.error(reason)
  throw new StartError(reason)
}

function socketError(error: NodeJS.ErrnoException, socket: string): string {
  if (error.code === 'EADDRINUSE') return `Unavailable - Socket '${socket}' already in use`
  if (error.code === undefined) return `Invalid argument - ${error.message}`
  return `Unavailable - Socket '${socket}' cannot be opened: ${error.message}`
}

/** An address a browser on this machine can open. */
function reachable(address: string): string {
  if (address === '0.0.0.0' || address === '::') return 'localhost'
  return address.includes(':') ? `[${address}]` : address
}

/**
 * Connections that wait in the kernel are reset together with the listening socket. The event loop accepts one of them
 * a turn, and reads a turn later.
 */
async function acceptWaiting(now: () => number): Promise<void> {
  const end = now() + MAX_ACCEPT_MS
  for (let turns = BACKLOG + 2; turns > 0 && now() < end; turns--) {
    await new Promise((resolve) => setImmediate(resolve))
  }
}
