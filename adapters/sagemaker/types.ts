import type { ModelStore } from '../../core/platform.ts'

/** What SageMaker's front does, as its environment says. */
export interface SageMakerSettings {
  /** What `/ping` asks: `live` on endpoints of many models, of which some may be out of order. */
  readonly pingMode: 'ready' | 'live'
  /** The model of `/invocations`. */
  readonly defaultModel: string
  readonly inferenceType: 'infer' | 'generate' | 'generate_stream'
}

/** One model's files as SageMaker has unpacked them. */
export interface Archive {
  /** Confined to the archive: nothing outside of it can be read through it. */
  readonly store: ModelStore
  /** Where models lie in `store`. */
  readonly folder: string
}

/** Where archives are found on this machine. */
export interface Archives {
  /** Opens the archive at `url`. Throws INVALID_ARG for what is no place for archives. */
  open(url: string): Archive
}

/** Keeps memory for a load until the returned function is called. Throws UNAVAILABLE when there is none. */
export type RoomForModel = (archive: Archive) => Promise<() => void>
