import { ServerError } from '../errors.ts'

/** A place in a config file; both count from 1, columns in UTF-16 units. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** Where each field of a parsed config stands, by path: `input[1].dims`, `parameters[0]`. */
export type Places = Map<string, Place>

/** `config.pbtxt:12:3: <problem>` */
export function placedError(file: string, place: Place, problem: string): ServerError {
  return new ServerError('INVALID_ARG', `${file}:${place.line}:${place.column}: ${problem}`)
}

/** The place of `path`, or of the nearest field around it that is known. */
export function nearestPlace(places: Places, path: string): Place | undefined {
  let at = path
  for (;;) {
    const place = places.get(at)
    if (place !== undefined || at === '') return place
    at = at.endsWith(']')
      ? at.slice(0, at.lastIndexOf('['))
      : at.slice(0, Math.max(0, at.lastIndexOf('.')))
  }
}
