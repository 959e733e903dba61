import { HeaderMemo } from './header-memo.ts'

/** One infer URL: which model it means and the headers seen on it. */
export interface InferTarget {
  readonly name: string
  /** '' = what the version policy serves. */
  readonly version: string
  readonly memo: HeaderMemo
}

/** URLs remembered; beyond it they are parsed again each time. */
const MAX_TARGETS = 1024
const INFER_PATH = /^\/v2\/models\/([A-Za-z0-9._-]+)(?:\/versions\/([0-9]+))?\/infer$/

/**
 * Recognises plain infer URLs: no query, no escape, only characters that mean themselves. Everything else is for the
 * route table, so that there is one place where a path is decoded.
 */
export class InferTargets {
  readonly #targets = new Map<string, InferTarget>()

  find(url: string): InferTarget | null {
    const known = this.#targets.get(url)
    if (known !== undefined) return known
    const match = INFER_PATH.exec(url)
    // `stats` and dot segments mean something else in the route table.
    if (match === null || match[1] === '.' || match[1] === '..') return null
    const target = {
      name: match[1] as string,
      version: match[2] ?? '',
      memo: new HeaderMemo(),
    }
    if (this.#targets.size < MAX_TARGETS) this.#targets.set(url, target)
    return target
  }
}
