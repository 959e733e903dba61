import { parentPort, workerData } from 'node:worker_threads'
import { ServerError } from '../../core/errors.ts'
import { readForest } from '../../core/trees/read-forest.ts'
import type { ForestReply, ForestTask } from './fil-messages.ts'

/** Reads one forest and hands it over, without copies. */
const port = parentPort
if (port === null) throw new Error('fil-worker runs as a worker thread')

const { format, bytes } = workerData as ForestTask
try {
  const forest = readForest(format, bytes)
  const lists = [forest.roots, forest.rounds, forest.columns, forest.nodes]
  const buffers = [...lists, forest.values, forest.sets, forest.base, forest.divisors]
  const reply: ForestReply = { forest }
  port.postMessage(
    reply,
    buffers.map((list) => list.buffer as ArrayBuffer),
  )
} catch (error) {
  if (!(error instanceof ServerError)) throw error
  const reply: ForestReply = { code: error.code, message: error.message }
  port.postMessage(reply)
}
