import { buildServer } from './targets/child.ts'

/** Several test files start the built server: it is built once, before any of them runs. */
export function setup(): void {
  buildServer()
}
