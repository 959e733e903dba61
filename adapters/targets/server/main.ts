import { availableParallelism } from 'node:os'

/** Threads for blocking inferences when the owner sets no `UV_THREADPOOL_SIZE`: enough for slow models to leave others a way. */
const POOL_SIZE = Math.min(128, Math.max(16, 4 * availableParallelism()))

// libuv reads this once, at the first blocking call of the process. Loading an ES module is such a call, so this file is
// bundled as CommonJS and everything else comes after it.
process.env['UV_THREADPOOL_SIZE'] ??= String(POOL_SIZE)

// The official builds of ONNX Runtime report sessions and model names to their maker unless this is set before they start.
process.env['ORT_DISABLE_TELEMETRY'] ??= '1'

void import('./server.ts')
