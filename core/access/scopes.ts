import type { Operation } from '../operations.ts'
import { globMatches } from './glob.ts'

/** What a key may be allowed; the first three name models. */
export type ScopeKind = 'infer' | 'read' | 'control' | 'shm' | 'trace' | 'logging' | 'metrics'

/** One line of a key's `scopes`. `*` allows everything. */
export interface Scope {
  readonly kind: ScopeKind | '*'
  /** Models, for those kinds that name some; else `*`. */
  readonly models: string
}

/**
 * What an operation asks of a key. `open`: nothing, so that probes need no key; `key`: any valid one; `visible`: any that
 * sees models, whose answer then leaves out the others.
 */
export type Requirement = ScopeKind | 'open' | 'key' | 'visible'

/** A new operation does not compile without its requirement. */
export const REQUIREMENT_OF: Readonly<Record<Operation, Requirement>> = {
  'server-live': 'open',
  'server-ready': 'open',
  'server-metadata': 'key',
  reflection: 'key',
  'model-ready': 'visible',
  'model-metadata': 'visible',
  'model-config': 'read',
  'model-stats': 'visible',
  infer: 'infer',
  'infer-stream': 'infer',
  generate: 'infer',
  'generate-stream': 'infer',
  'trace-setting': 'trace',
  logging: 'logging',
  'repository-index': 'visible',
  'model-load': 'control',
  'model-unload': 'control',
  'model-traffic': 'control',
  'system-shm-status': 'shm',
  'system-shm-register': 'shm',
  'system-shm-unregister': 'shm',
  'cuda-shm-status': 'shm',
  'cuda-shm-register': 'shm',
  'cuda-shm-unregister': 'shm',
}

const MODEL_KINDS: readonly string[] = ['infer', 'read', 'control']
const PLAIN_KINDS: readonly string[] = ['shm', 'trace', 'logging', 'metrics', '*']

/** Reads `infer:resnet*`, `shm` or `*`; undefined for anything else. */
export function parseScope(text: string): Scope | undefined {
  const colon = text.indexOf(':')
  if (colon < 0) {
    return PLAIN_KINDS.includes(text) ? { kind: text as Scope['kind'], models: '*' } : undefined
  }
  const kind = text.slice(0, colon)
  const models = text.slice(colon + 1)
  if (!MODEL_KINDS.includes(kind) || models === '') return undefined
  return { kind: kind as ScopeKind, models }
}

/** Whether one of `scopes` is of `kind` and names `model`; '' asks whether it names any model at all. */
export function scopesAllow(scopes: readonly Scope[], kind: ScopeKind, model: string): boolean {
  for (const scope of scopes) {
    if (scope.kind === '*') return true
    if (scope.kind === kind && (model === '' || globMatches(scope.models, model))) return true
  }
  return false
}

/** Whether `model` may be shown to the owner of `scopes`: whoever may use a model in some way may know of it. */
export function scopesSee(scopes: readonly Scope[], model: string): boolean {
  return (
    scopesAllow(scopes, 'infer', model) ||
    scopesAllow(scopes, 'read', model) ||
    scopesAllow(scopes, 'control', model)
  )
}

export function scopesMeet(
  scopes: readonly Scope[],
  requirement: Requirement,
  model: string,
): boolean {
  if (requirement === 'open' || requirement === 'key') return true
  if (requirement === 'visible') return scopesSee(scopes, model)
  return scopesAllow(scopes, requirement, model)
}
