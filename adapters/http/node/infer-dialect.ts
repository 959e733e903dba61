import type { IncomingHttpHeaders } from 'node:http'
import type { ServerError } from '../../../core/errors.ts'
import { decimal } from './decimal.ts'

/** Lengths of more digits are the app's to complain of. */
const MAX_DIGITS = 10

/** How the host of a server asks for inference where it does not know the REST routes. */
export interface InferDialect {
  /** The REST path that a request means; null = it is left to the app. */
  path(url: string, headers: IncomingHttpHeaders): string | null
  /** Content type of requests with binary tensors, the length of their JSON part aside, which follows it. */
  readonly binaryType: string
  /** Whether replies with binary tensors have that type, too; otherwise they are as on the REST routes. */
  readonly typesReplies: boolean
  /** Status of an inference that failed. */
  status(error: ServerError): number
}

/**
 * Length of the JSON part of a request; -1 = all of it is JSON, NaN = what is said is left to the app. Hosts with a dialect
 * pack nothing; without one, packed requests and replies are the app's.
 */
export function headerLengthOf(
  headers: IncomingHttpHeaders,
  dialect: InferDialect | undefined,
): number {
  if (dialect === undefined) {
    if (headers['content-encoding'] !== undefined || headers['accept-encoding'] !== undefined) {
      return Number.NaN
    }
    return decimal(headers['inference-header-content-length'] as string | undefined)
  }
  const type = headers['content-type']
  if (type === undefined || !type.includes(dialect.binaryType)) return -1
  const size = type.slice(dialect.binaryType.length)
  const usable = size.length <= MAX_DIGITS && type.startsWith(dialect.binaryType)
  return usable ? decimal(size) : Number.NaN
}
