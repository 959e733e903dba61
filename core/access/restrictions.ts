import { CATEGORY_OF } from '../operations.ts'
import { type Access, ANYBODY, type Door } from './types.ts'

/** One `--http-restricted-api` or `--grpc-restricted-protocol`: these groups of operations ask for this header. */
export interface Restriction {
  readonly apis: readonly string[]
  /** As the user wrote it. */
  readonly key: string
  readonly value: string
}

/** What Triton puts before a key when it looks for it in gRPC metadata. */
export const GRPC_KEY_PREFIX = 'triton-grpc-protocol-'

const PREFIX: Readonly<Record<Door, string>> = { http: '', grpc: GRPC_KEY_PREFIX }
const WORD: Readonly<Record<Door, string>> = { http: 'API', grpc: 'protocol' }

/**
 * Triton's restricted APIs: an operation of a restricted group is answered only with its header. Undefined when nothing is
 * restricted, so that nobody has to be asked.
 */
export function restrictedAccess(
  restrictions: Readonly<Record<Door, readonly Restriction[]>>,
): Access | undefined {
  if (restrictions.http.length === 0 && restrictions.grpc.length === 0) return undefined
  const byGroup = { http: group(restrictions.http), grpc: group(restrictions.grpc) }
  return {
    authorize({ operation, caller }) {
      const { door } = caller
      const restriction = byGroup[door].get(CATEGORY_OF[operation])
      if (restriction === undefined) return ANYBODY
      const name = PREFIX[door] + restriction.key
      const given = caller.header(name.toLowerCase())
      if (given !== undefined && sameText(given, restriction.value)) return ANYBODY
      return {
        kind: 'restricted',
        message: `This ${WORD[door]} is restricted, expecting header '${name}'`,
      }
    },
  }
}

function group(restrictions: readonly Restriction[]): ReadonlyMap<string, Restriction> {
  return new Map(restrictions.flatMap((one) => one.apis.map((api) => [api, one] as const)))
}

/** Takes as long for a near miss as for a far one. */
export function sameText(given: string, wanted: string): boolean {
  let difference = given.length ^ wanted.length
  for (let i = 0; i < given.length; i++) {
    difference |= given.charCodeAt(i) ^ wanted.charCodeAt(i % wanted.length)
  }
  return difference === 0
}
