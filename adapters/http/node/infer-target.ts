import { matchRoute, type RouteMatch } from '../../../core/protocol/rest/match-route.ts'
import { HeaderMemo } from './header-memo.ts'

/** One infer URL: which model it means and the headers seen on it. */
export interface InferTarget {
  readonly match: RouteMatch
  readonly name: string
  /** '' = what the version policy serves. */
  readonly version: string
  readonly memo: HeaderMemo
}

/** URLs remembered; beyond it they are matched again each time. */
const MAX_TARGETS = 1024

/** Infer URLs by their text. What a URL means is the route table's word; a query leaves it to the app. */
export class InferTargets {
  readonly #targets = new Map<string, InferTarget>()

  find(url: string): InferTarget | null {
    const known = this.#targets.get(url)
    if (known !== undefined) return known
    if (url.includes('?')) return null
    const match = matchRoute('POST', url)
    if (typeof match === 'number' || match.operation !== 'infer') return null
    const target: InferTarget = {
      match,
      name: match.params.model ?? '',
      version: match.params.version ?? '',
      memo: new HeaderMemo(),
    }
    if (this.#targets.size < MAX_TARGETS) this.#targets.set(url, target)
    return target
  }
}
