import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * Threads for blocking inferences and loads when the owner sets no `UV_THREADPOOL_SIZE`: two per core, and one for each of
 * the default number of parallel loads. Not more: runs go to the thread that was idle longest, and the more of them there
 * are, the colder its caches (16 threads on two cores cost 3 % of a compute-bound model's rate, measured against 4).
 */
const POOL_SIZE = Math.min(128, Math.max(8, 4 + 2 * availableParallelism()))

// A server's own heap is small (8 MB) and its bodies are not: V8 counts them with the heap and, by default, collects all of
// it for every 11 MB that pass through. Six times the heap instead of 1.2 makes that rare; the heap may grow to 50 MB.
setFlagsFromString('--heap-growing-percent=500')

// libuv reads this once, at the first blocking call of the process. Loading an ES module is such a call, so this file is
// bundled as CommonJS and everything else comes after it.
process.env['UV_THREADPOOL_SIZE'] ??= String(POOL_SIZE)

// The official builds of ONNX Runtime report sessions and model names to their maker unless this is set before they start.
process.env['ORT_DISABLE_TELEMETRY'] ??= '1'

void import('./server.ts')
