import { ServerError } from '../errors.ts'

/** What is wrong with a model file; whoever knows its name puts it in front. */
export function badModel(what: string): ServerError {
  return new ServerError('INVALID_ARG', what)
}
