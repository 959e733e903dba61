import { invoke, type LambdaHandlerOptions } from './invocation.ts'
import { resultOf } from './result.ts'
import type { HttpResult, InvocationContext } from './types.ts'

/** For API Gateway, load balancers and function URLs that do not stream: answers are whole, and 6 MB at most. */
export function bufferedHandler(
  options: LambdaHandlerOptions,
): (event: unknown, context: InvocationContext) => Promise<HttpResult> {
  return (event, context) => invoke(options, { event, context }, resultOf)
}
