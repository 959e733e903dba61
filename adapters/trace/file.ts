import { messageOf } from '../../core/errors.ts'
import type { Clock, Log } from '../../core/platform.ts'
import { MAX_WAITING_CHARS, type TraceFile } from '../../core/trace/file-collector.ts'
import type { TraceStore } from './file-store.ts'

/** Characters that go to the disk in one write. */
const MAX_WRITE_CHARS: number = 1024 * 1024
/** Between two tries to write to a disk that refused. */
export const RETRY_MS = 1000
/** How long a close waits for the disk. */
export const CLOSE_MS = 2000

interface Job {
  readonly objects: string
  /** Of an indexed file; -1 = the one file for all. */
  readonly index: number
  readonly traces: number
}

export interface TraceFileWriter extends TraceFile {
  /** Traces that were thrown away because the disk was too slow or full. */
  readonly lost: number
  /** Writes what there is and closes the file; gives up after {@link CLOSE_MS}. Idempotent. */
  close(): Promise<void>
}

export interface TraceFileOptions {
  readonly path: string
  readonly store: TraceStore
  readonly clock: Clock
  readonly log: Log
  /** Characters that wait for the disk. Default {@link MAX_WAITING_CHARS}. */
  readonly maxChars?: number
}

/**
 * Writes traces behind the requests: in order, one write at a time, never awaited by anybody. While the disk refuses, the
 * latest traces are kept and the oldest go; that is said once, and once more when it is over.
 */
export function traceFile(options: TraceFileOptions): TraceFileWriter {
  const { path, store, clock, log, maxChars = MAX_WAITING_CHARS } = options
  let jobs: Job[] = []
  let chars = 0
  let nextIndex = 0
  let lost = 0
  let failing = false
  let closing: Promise<void> | undefined
  let pumping: Promise<void> | undefined
  let cancelRetry: (() => void) | undefined

  const add = (job: Job): void => {
    if (closing !== undefined) {
      lost += job.traces
      return
    }
    jobs.push(job)
    chars += job.objects.length
    while (chars > maxChars) {
      const oldest = jobs.shift() as Job
      chars -= oldest.objects.length
      lost += oldest.traces
    }
    if (cancelRetry === undefined) pumping ??= pump()
  }
  const pump = async (): Promise<void> => {
    // What is added in this turn goes out together.
    await new Promise<void>((resolve) => clock.nextTurn(resolve))
    while (jobs.length > 0) {
      const taken = takeSome()
      try {
        await write(taken)
        if (failing)
          log.info(`trace file ${path} is written again; ${lost} traces were lost so far`)
        failing = false
      } catch (error) {
        giveBack(taken)
        if (!failing) {
          log.error(
            `trace file ${path} cannot be written: ${messageOf(error)}; the latest traces are kept in memory until it can`,
          )
        }
        failing = true
        if (closing === undefined) cancelRetry = clock.after(RETRY_MS * 1e6, retry)
        break
      }
    }
    pumping = undefined
  }
  const retry = (): void => {
    cancelRetry = undefined
    pumping ??= pump()
  }
  /** The next job, with all of the following that go to the same file. */
  const takeSome = (): Job[] => {
    const [first] = jobs as [Job]
    let count = 1
    let size = first.objects.length
    while (first.index < 0 && jobs[count]?.index === -1 && size < MAX_WRITE_CHARS) {
      size += (jobs[count] as Job).objects.length
      count++
    }
    chars -= size
    return jobs.splice(0, count)
  }
  const giveBack = (taken: readonly Job[]): void => {
    jobs = [...taken, ...jobs]
    for (const { objects } of taken) chars += objects.length
  }
  const write = (taken: readonly Job[]): Promise<void> => {
    const objects = taken.map((job) => job.objects).join(',')
    const index = taken[0]?.index ?? -1
    return index < 0 ? store.append(objects) : store.index(index, objects)
  }
  const end = async (): Promise<void> => {
    cancelRetry?.()
    cancelRetry = undefined
    await pumping
    if (jobs.length > 0) await pump()
    for (const { traces } of jobs) lost += traces
    jobs = []
    try {
      await store.close()
    } catch (error) {
      log.error(`trace file ${path} cannot be closed: ${messageOf(error)}`)
    }
  }

  return {
    get lost() {
      return lost
    },
    append: (objects) => add({ objects, index: -1, traces: 1 }),
    index: (objects) =>
      add({ objects: objects.join(','), index: nextIndex++, traces: objects.length }),
    dropped: (count) => {
      lost += count
    },
    close() {
      closing ??= deadline(end(), clock)
      return closing
    },
  }
}

function deadline(done: Promise<void>, clock: Clock): Promise<void> {
  let cancel = (): void => {}
  const timeUp = new Promise<void>((resolve) => {
    cancel = clock.after(CLOSE_MS * 1e6, resolve)
  })
  return Promise.race([done, timeUp]).finally(() => cancel())
}
