import { ServerError } from '../errors.ts'
import type { LoadedModel } from '../model/model.ts'
import { RETRY_AFTER_SECS } from '../overload/types.ts'
import type { ModelRecord } from './lifecycle.ts'

/** 2^63 - 1: versions beyond it are no numbers to Triton. */
const MAX_INT64 = 0x7fff_ffff_ffff_ffffn

/**
 * Which model answers for a name and a version as written by a client. Looking up what serves is two map reads; only
 * what does not serve takes the slow way to its error text.
 */
export class ModelRoutes {
  readonly #records: () => ReadonlyMap<string, ModelRecord>
  readonly #routes = new Map<string, ReadonlyMap<string, LoadedModel>>()
  #generation = 0

  constructor(records: () => ReadonlyMap<string, ModelRecord>) {
    this.#records = records
  }

  /** Changes whenever {@link find} may answer differently. */
  get generation(): number {
    return this.#generation
  }

  /** Everything in service, by name and version. */
  *serving(): Generator<LoadedModel> {
    for (const name of [...this.#routes.keys()].sort()) {
      for (const [version, model] of this.#routes.get(name) ?? []) if (version !== '') yield model
    }
  }

  /** Versions of `name` in service, ascending. */
  versionsOf(name: string): LoadedModel[] {
    const route = this.#routes.get(name)
    if (route === undefined) return []
    return [...route].filter(([version]) => version !== '').map(([, model]) => model)
  }

  /** Takes over what `record` serves now. */
  update(record: ModelRecord): void {
    const serving = record.serving()
    const latest = serving.at(-1)
    if (latest === undefined) {
      this.#routes.delete(record.name)
    } else {
      const route = new Map<string, LoadedModel>()
      for (const model of serving) route.set(String(model.version), model)
      route.set('', latest)
      this.#routes.set(record.name, route)
    }
    this.#generation++
  }

  /** Has everybody look up again: something beside what serves has changed. */
  touch(): void {
    this.#generation++
  }

  /** Routes nothing any more: the server is closing. */
  clear(): void {
    this.#routes.clear()
    this.#generation++
  }

  /** The model in service, or undefined. `version` '' = the highest one that serves. */
  get(name: string, version: string): LoadedModel | undefined {
    const found = this.#routes.get(name)?.get(version)
    if (found !== undefined || !/^0+[1-9]/.test(version)) return found
    return this.#routes.get(name)?.get(version.replace(/^0+/, ''))
  }

  /** As {@link get}. Throws NOT_FOUND, UNAVAILABLE or INVALID_ARG with Triton's texts. */
  find(name: string, version: string): LoadedModel {
    const found = this.get(name, version)
    if (found !== undefined) return found
    const number = version === '' ? undefined : parseVersionText(version)
    const record = this.#records().get(name)
    if (record === undefined || !record.known) throw unknown('NOT_FOUND', `'${name}' is not found`)
    if (number === undefined) throw unknown('NOT_FOUND', `'${name}' has no available versions`)
    if (!record.versions.has(Number(number))) {
      throw unknown('NOT_FOUND', `'${name}' version ${number} is not found`)
    }
    throw unknown('UNAVAILABLE', `'${name}' version ${number} is not at ready state`)
  }
}

/** A version as a client writes it. Throws INVALID_ARG with Triton's texts. */
function parseVersionText(version: string): bigint {
  const shown = version.slice(0, 80)
  if (/^[+-]?\d+$/.test(version) && version.length <= 64) {
    const number = BigInt(version.replace(/^\+/, ''))
    if (number < 0n) {
      throw new ServerError(
        'INVALID_ARG',
        `invalid model version specified '${shown}' , version should be an integral value > 0`,
      )
    }
    if (number <= MAX_INT64) return number
  }
  throw new ServerError(
    'INVALID_ARG',
    `failed to get model version from specified version string '${shown}' (details: stol), version should be an integral value > 0`,
  )
}

function unknown(code: 'NOT_FOUND' | 'UNAVAILABLE', text: string): ServerError {
  const retryAfterSecs = code === 'UNAVAILABLE' ? RETRY_AFTER_SECS : 0
  return new ServerError(code, `Request for unknown model: ${text}`, { retryAfterSecs })
}
