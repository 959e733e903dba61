import { Worker } from 'node:worker_threads'
import type { ForestReader } from '../../core/backend/fil.ts'
import { ServerError } from '../../core/errors.ts'
import { readForest } from '../../core/trees/read-forest.ts'
import type { ForestReply, ForestTask } from './fil-messages.ts'

/** Files up to here are read at once, in a few milliseconds: about what it takes to start a thread. */
export const INLINE_FOREST_BYTES: number = 128 * 1024

/** Reads large forests in a thread of their own: megabytes of text take seconds in which nobody else would be answered. */
export function threadedForestReader(worker: { readonly url: URL }): ForestReader {
  return async (format, bytes, signal) => {
    if (bytes.length <= INLINE_FOREST_BYTES) return readForest(format, bytes)
    signal?.throwIfAborted()
    const task: ForestTask = { format, bytes }
    const thread = new Worker(worker.url, { workerData: task, execArgv: [] })
    const stop = (): void => void thread.terminate()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const reply = await replyOf(thread, signal)
      if ('forest' in reply) return reply.forest
      throw new ServerError(reply.code, reply.message)
    } finally {
      signal?.removeEventListener('abort', stop)
      await thread.terminate()
    }
  }
}

function replyOf(thread: Worker, signal: AbortSignal | undefined): Promise<ForestReply> {
  return new Promise((resolve, reject) => {
    thread.once('message', resolve)
    thread.once('error', (error) => {
      // Out of memory is the file's fault, and ends the thread alone.
      reject(new ServerError('INVALID_ARG', `cannot be read: ${error.message}`))
    })
    thread.once('exit', () => {
      reject(signal?.aborted ? signal.reason : new Error('the thread that read a forest ended'))
    })
  })
}
