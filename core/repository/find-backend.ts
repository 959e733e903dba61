import type { BackendFinder, FinderQuery } from '../backend/finder.ts'
import type { Backend } from '../backend/types.ts'
import { ServerError } from '../errors.ts'

export interface BackendsThereAre {
  readonly backends: ReadonlyMap<string, Backend>
  /** Where others are looked for. Absent = nowhere. */
  readonly finder?: BackendFinder | undefined
}

/** The backend of a model: the server's own, else one that is found. Throws INVALID_ARG that says where was looked. */
export async function findBackend(
  query: FinderQuery,
  { backends, finder }: BackendsThereAre,
): Promise<Backend> {
  const { backend: name } = query
  const own = backends.get(name)
  if (own !== undefined) return own
  const found = await finder?.find(query)
  if (found?.backend !== undefined) return found.backend
  throw noBackend(name, backends, found?.looked ?? [])
}

/** The error of a backend that is not there. */
export function noBackend(
  name: string,
  backends: ReadonlyMap<string, Backend>,
  looked: readonly string[],
): ServerError {
  const known = [...backends.keys()].sort().join(', ')
  const places = looked.length === 0 ? '' : `; it is no plug-in in: ${looked.join(', ')}`
  return new ServerError(
    'INVALID_ARG',
    `unable to find backend library for backend '${name}', this server has: ${known}${places}`,
  )
}
