import type { Backend } from '../../../core/backend/types.ts'
import { packBytes, unpackBytes } from '../../../core/bytes.ts'
import { ServerError } from '../../../core/errors.ts'
import type { Clock, Log } from '../../../core/platform.ts'
import { withinPatience } from './guarded-instance.ts'
import { attempt, guardModel } from './guarded-model.ts'
import type { PluginContext, PluginFactory } from './types.ts'

export interface PluginOptions {
  readonly name: string
  readonly clock: Clock
  readonly log: Log
  /** Called after the backend was closed because nobody uses it any more. */
  readonly onIdle?: () => void
}

/**
 * A backend that a plug-in makes, behind what the server needs for trusting it. Made by the first {@link lend}, closed when
 * the last model that came of it is closed, made anew by the next.
 */
export class Plugin {
  readonly #options: PluginOptions
  readonly #factory: PluginFactory
  #opened: Promise<Backend> | null = null
  #users = 0

  constructor(factory: PluginFactory, options: PluginOptions) {
    this.#factory = factory
    this.#options = options
  }

  /** For one model: a second `load` of what comes back counts as another. Throws what the factory throws. */
  async lend(): Promise<Backend> {
    const backend = await this.#take()
    let taken = true
    const { name, clock } = this.#options
    const load: Backend['load'] = async (source, signal) => {
      if (!taken) await this.#take()
      taken = false
      try {
        const loading = attempt(`backend '${name}'`, () => backend.load(source, signal))
        const inner = await unlessAborted(loading, signal)
        return guardModel({ inner, backend: name, source, clock, onClose: () => this.#give() })
      } catch (error) {
        await this.#give()
        throw error
      }
    }
    return {
      name,
      defaultModelFilename: text(backend.defaultModelFilename),
      ...(isCount(backend.defaultCpuInstances)
        ? { defaultCpuInstances: backend.defaultCpuInstances }
        : {}),
      ...(Array.isArray(backend.gpus) ? { gpus: backend.gpus } : {}),
      load,
    }
  }

  /** Closes the backend whoever uses it. Idempotent. */
  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = null
    this.#users = 0
    const backend = await opened?.catch(() => undefined)
    if (backend?.close === undefined) return
    const { name, log, clock } = this.#options
    await withinPatience(() => backend.close?.(), { what: `backend '${name}': close`, log, clock })
  }

  #take(): Promise<Backend> {
    this.#users++
    this.#opened ??= this.#open()
    return this.#opened.catch((error: unknown) => {
      this.#users = 0
      this.#opened = null
      throw error
    })
  }

  async #give(): Promise<void> {
    if (this.#users > 0 && --this.#users === 0) {
      await this.close()
      // Somebody may have begun to use it again meanwhile.
      if (this.#users === 0) this.#options.onIdle?.()
    }
  }

  async #open(): Promise<Backend> {
    const { name, clock, log } = this.#options
    const context: PluginContext = { name, clock, log, ServerError, packBytes, unpackBytes }
    const made = await attempt(`backend '${name}'`, () => this.#factory(context))
    if (typeof made?.load !== 'function') {
      throw new ServerError('INVALID_ARG', `backend '${name}': its factory gave no backend`)
    }
    return made
  }
}

const text = (given: unknown): string => (typeof given === 'string' ? given : '')
const isCount = (given: unknown): given is number => Number.isInteger(given) && Number(given) > 0

/** What a load gives after its signal fired is closed again. */
async function unlessAborted<T extends { close(): Promise<void> }>(
  loading: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return loading
  let stop = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([loading, aborted])
  } catch (error) {
    if (signal.aborted) void loading.then((late) => late?.close?.()).catch(() => {})
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
