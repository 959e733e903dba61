import type { ModelStore } from '../platform.ts'
import type { Backend } from './types.ts'

/** The model for which a backend is looked for. */
export interface FinderQuery {
  /** What the config names as its backend. */
  readonly backend: string
  readonly store: ModelStore
  /** The model's folder and the version's folder in `store`. */
  readonly modelPath: string
  readonly versionPath: string
  readonly signal?: AbortSignal | undefined
}

export interface FoundBackend {
  /** For one model: its `load` is called at most once. Absent = there is none. */
  readonly backend?: Backend
  /** Where it was looked for, in order, for the message that says that there is none. */
  readonly looked: readonly string[]
}

export interface LocatedBackend {
  /** The file it would be read from. Absent = there is none. */
  readonly path?: string
  readonly looked: readonly string[]
}

/** Finds backends that are not part of the server (BEOTHER-09). */
export interface BackendFinder {
  /** Throws ServerError where there is one that cannot be opened. */
  find(query: FinderQuery): Promise<FoundBackend>
  /** As {@link find}, without running any of its code. */
  locate(query: FinderQuery): Promise<LocatedBackend>
  /** Closes what is still open. Idempotent. */
  close(): Promise<void>
}
