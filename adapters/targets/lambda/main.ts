import { TRITON_VERSION } from '../../../core/server.ts'
import { parseArguments } from '../../cli/parse.ts'
import { bufferedHandler } from '../../lambda/buffered.ts'
import type { LambdaHandlerOptions } from '../../lambda/invocation.ts'
import { INIT_WAIT_MS } from '../../lambda/limits.ts'
import { streamingHandler } from '../../lambda/streaming.ts'
import type { LambdaStreams } from '../../lambda/types.ts'
import { nodePlatform } from '../../platform/node.ts'
import { functionLimits, openFunction } from './function.ts'

declare const awslambda: LambdaStreams | undefined

// The official builds of ONNX Runtime report sessions and model names to their maker unless this is set before they start.
process.env['ORT_DISABLE_TELEMETRY'] ??= '1'

const { env } = process
const parsed = parseArguments({ argv: [], env, program: 'nereid' })
if (parsed.kind !== 'serve') throw new Error(parsed.kind === 'error' ? parsed.message : '')
const { options, warnings } = parsed
const platform = nodePlatform({ settings: options.log })
const { log } = platform
for (const warning of warnings) log.warning(warning)

const opened = openFunction({ options, platform, env })
let initEnded = false
const loaded = opened.then(
  () => log.info(`serving Triton ${TRITON_VERSION}'s protocol after ${initMs()} ms`),
  (error: unknown) => {
    log.error(`creating server: ${error instanceof Error ? error.message : String(error)}`)
    // Lambda keeps a process that fails its requests; one that ends is started again.
    if (initEnded) process.exit(1)
    throw error
  },
)
const metrics = opened.then(
  (server) => server.metrics,
  () => undefined,
)
const rest = opened.then((server) => server.rest)
// Heard of as a failed init; requests hear of it as well.
rest.catch(() => undefined)

const handlers: LambdaHandlerOptions = {
  rest,
  limits: functionLimits(options),
  pathPrefix: env['NEREID_PATH_PREFIX'] ?? '',
  answered: () => void metrics.then((lines) => lines?.tick()),
}

/** For API Gateway, load balancers, and function URLs that answer with whole answers. */
export const handler: ReturnType<typeof bufferedHandler> = bufferedHandler(handlers)
/** For function URLs in the mode RESPONSE_STREAM. */
export const stream: unknown =
  typeof awslambda === 'undefined' ? undefined : streamingHandler(handlers, awslambda)

// Sent before the end only where the function has an extension.
process.once('SIGTERM', () => void metrics.then((lines) => lines?.flush()))

// A rejection is told to Lambda as a failed init.
await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, INIT_WAIT_MS).unref())])
initEnded = true

function initMs(): string {
  return performance.now().toFixed(0)
}
