import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { StartedTarget } from '../targets/suite.ts'
import { readCases } from './cases.ts'
import { fetchProxy } from './fetch-proxy.ts'
import { readKnownFailing } from './known-failing.ts'
import { type Outcome, replay } from './replay.ts'

/** The models that Triton was asked for. */
export const RECORDED: string = fileURLToPath(
  new URL('../fixtures/recorded/repository', import.meta.url),
)

const FILES = ['http.json', 'more.json']
/** A tab on a busy machine takes a minute to open, an emulated processor two to load all models. */
const REPLAY_MS = 400_000

/** What a host makes different: the end of the name of a list of known failures. */
export type Differences = '-lambda' | '-lambda-text' | '-browser'

/** Starts a target on a copy of the recorded repository, which goes with it. */
export async function onCopy(
  start: (repository: string) => Promise<StartedTarget>,
): Promise<StartedTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-recorded-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  cpSync(RECORDED, folder, { recursive: true })
  const target = await start(folder).catch((error: unknown) => {
    remove()
    throw error
  })
  return { ...target, close: () => target.close().finally(remove) }
}

/**
 * Asks a target everything that Triton was asked, each file of a new start. Cases whose answer may be another one are listed
 * with their cause: in `known-failing.txt` those that are so on every target, in `known-failing<differences>.txt` those whose
 * host makes them so. A listed case that passes is an error. Cases `leftOut`, by name with the cause, are not asked.
 */
export function recordedOn(
  name: string,
  start: () => Promise<StartedTarget>,
  differences: readonly Differences[] = [],
  leftOut: Readonly<Record<string, string>> = {},
): void {
  const known = new Set<string>()
  for (const list of ['', ...differences]) {
    const path = new URL(`known-failing${list}.txt`, import.meta.url)
    for (const key of readKnownFailing(path).keys()) known.add(key)
  }

  test.each(FILES)(`${name} answers %s as Triton does`, { timeout: REPLAY_MS }, async (file) => {
    const begin = performance.now()
    const target = await start()
    const proxy = target.fetch === undefined ? undefined : await fetchProxy(target)
    try {
      const cases = readCases(file).filter((recorded) => leftOut[recorded.name] === undefined)
      const outcomes = await replay(proxy?.url ?? target.url, cases)
      const failed = outcomes.filter(({ verdict }) => verdict.problems.length > 0)
      const same = `${outcomes.length - failed.length} of ${outcomes.length}`
      const seconds = ((performance.now() - begin) / 1000).toFixed(1)
      console.log(`recorded requests on ${name}: ${same} of ${file} as Triton, ${seconds} s`)
      const key = ({ recorded }: Outcome): string => `${file} | ${recorded.name}`
      const surprises = failed.filter((outcome) => !known.has(key(outcome)))
      const told = surprises.map((outcome) => [key(outcome), ...outcome.verdict.problems])
      expect(told).toEqual([])
      const failing = new Set(failed.map(key))
      const listed = [...known].filter((one) => one.startsWith(`${file} |`))
      const passing = listed.filter((one) => !failing.has(one))
      expect(passing, 'no such case, or it passes: take it off the list').toEqual([])
    } finally {
      proxy?.close()
      await target.close()
    }
  })
}
