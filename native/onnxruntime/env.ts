import type { OrtApi } from './api.ts'
import type { Pointer } from './functions.ts'

/** Thread counts of a pool that all sessions share; 0 = one per core. */
export interface GlobalThreads {
  readonly intraOp: number
  readonly interOp: number
}

export interface EnvOptions {
  /** Present: sessions share one thread pool instead of having their own. */
  readonly globalThreads?: GlobalThreads
  /**
   * Least severity that ONNX Runtime itself prints to stderr: 0 verbose … 4 fatal. Default 4: what fails comes back as
   * a status, and its text may hold a client's bytes.
   */
  readonly logSeverity?: number
}

/** The environment every session lives in; one per process (ONNX Runtime counts references to it). */
export interface Env {
  readonly pointer: Pointer
  readonly globalThreads: boolean
  /** Idempotent; every session must be closed before. */
  close(): void
}

const FATAL = 4

export function openEnv(api: OrtApi, options: EnvOptions = {}): Env {
  const severity = options.logSeverity ?? FATAL
  let pointer = create(api, severity, options.globalThreads)
  return {
    get pointer() {
      return pointer
    },
    globalThreads: options.globalThreads !== undefined,
    close() {
      if (pointer !== 0) api.releaseEnv(pointer)
      pointer = 0
    },
  }
}

function create(api: OrtApi, severity: number, threads: GlobalThreads | undefined): Pointer {
  if (threads === undefined) return api.result((out) => api.createEnv(severity, 'nereid', out))
  const pool = api.result((out) => api.createThreadingOptions(out))
  try {
    if (threads.intraOp > 0) api.check(api.setGlobalIntraOpNumThreads(pool, threads.intraOp))
    if (threads.interOp > 0) api.check(api.setGlobalInterOpNumThreads(pool, threads.interOp))
    return api.result((out) => api.createEnvWithGlobalThreadPools(severity, 'nereid', pool, out))
  } finally {
    api.releaseThreadingOptions(pool)
  }
}
