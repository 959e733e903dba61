import { ServerError } from '../errors.ts'
import type { EnsembleGraph } from './graph.ts'
import type { StepModels } from './types.ts'

/**
 * What the answers of an ensemble belong to, in the response cache: `own`, and what the answers of the models belong to that
 * run its steps now. Null while one of them cannot be told.
 */
export function ensembleIdentity(
  own: string,
  graph: Pick<EnsembleGraph, 'steps'>,
  models: StepModels,
): () => string | null {
  let known: string | null = null
  let generation = Number.NaN
  const find = (): string | null => {
    const parts = [own]
    for (const { model, version } of graph.steps) {
      const part = models.find(model, version).identity?.() ?? null
      if (part === null) return null
      parts.push(part)
    }
    return JSON.stringify(parts)
  }
  return () => {
    if (generation === models.generation) return known
    try {
      known = find()
    } catch (error) {
      // Running it tells why a step has no model.
      if (!(error instanceof ServerError)) throw error
      known = null
    }
    generation = models.generation
    return known
  }
}
