import type { BackendFinder } from '../backend/finder.ts'
import type { Backend } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import type { ModelStore } from '../platform.ts'
import type { BackendConfig } from '../repository/backend-settings.ts'

/** `error` = it would not be served, or not as it says; `warning` = it is served, and somebody may have meant otherwise. */
export type Severity = 'error' | 'warning'

/** Something that is wrong. */
export interface Finding {
  readonly severity: Severity
  /** '' = the repository itself. */
  readonly model: string
  /** 0 = all versions. */
  readonly version: number
  /** Path in the repository; '' = nothing in particular. */
  readonly file: string
  /** 0 = unknown; both count from 1. */
  readonly line: number
  readonly column: number
  readonly message: string
  /** What to do about it; '' = the message says so. */
  readonly hint: string
}

/** Takes what is found. What is absent is that of all, '' or 0. */
export type Report = (severity: Severity, message: string, where?: Partial<Finding>) => void

export interface CheckOptions {
  readonly stores: readonly ModelStore[]
  readonly backends: ReadonlyMap<string, Backend>
  readonly finder?: BackendFinder | undefined
  readonly backendConfig: BackendConfig
  readonly autoComplete: boolean
  /** `--model-config-name` */
  readonly configName: string
  /** Whether models of a backend may be opened for what they say of themselves; those that are code run then. */
  readonly mayOpen: (backend: string) => boolean
  readonly signal?: AbortSignal | undefined
}

/** A model as far as it could be checked. */
export interface CheckedModel {
  readonly name: string
  /** As it would be served: complete where `complete`. */
  readonly config: ModelConfig
  readonly complete: boolean
  /** Versions that would be served. */
  readonly versions: readonly number[]
  /** What it is made of is to be looked at when all models are known. */
  readonly ensemble: boolean
}

export interface CheckResult {
  readonly findings: readonly Finding[]
  /** Names of all models, sorted. */
  readonly models: readonly string[]
}
