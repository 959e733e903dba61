import type { Readable } from 'node:stream'
import type { Clock } from '../../../core/platform.ts'
/** Lines that a worker may write to the log in one second; those beyond it are counted. */
export declare const MAX_LINES_PER_SECOND = 100
/** Longer lines are cut. Bytes. */
export declare const MAX_LINE_BYTES = 4096
export interface WorkerOutputOptions {
  readonly clock: Clock
  readonly line: (text: string) => void
}
/** What a worker prints, by lines. It is always read, whatever becomes of it: a worker never waits for the log. */
export declare class WorkerOutput {
  #private
  constructor(options: WorkerOutputOptions)
  read(stream: Readable): void
}
