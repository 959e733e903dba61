import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { buildServer, ROOT, type Serving, serve } from '../../targets/child.ts'

const PYTHON = join(ROOT, '.cache/python/ml/bin/python')
/** Why tests of Python libraries cannot run here; '' where they can. */
export const MISSING: string = existsSync(PYTHON)
  ? ''
  : 'no Python with the libraries: run test/python/setup.sh ml'
if (MISSING !== '') console.log(`skipped: runtimes of Python libraries (${MISSING})`)

/** Libraries take their time to be read, on two shared cores. */
export const START_MS = 400_000
/** How far apart two ways to the same FP32 may be. */
const TOLERANCE = 1e-5

export interface JsonTensor {
  readonly name: string
  readonly datatype: string
  readonly shape: readonly number[]
  readonly data: readonly (string | number)[]
}

/** A request, and what the library itself says. */
export interface Case {
  readonly model: string
  readonly inputs: readonly JsonTensor[]
  readonly outputs: readonly JsonTensor[]
}

export interface Made {
  readonly folder: string
  readonly cases: readonly Case[]
  /** Removes the folder. */
  remove(): void
}

/** Runs a script that writes a repository and `cases.json`. */
export function make(script: string): Made {
  const folder = mkdtempSync(join(tmpdir(), 'nereid-runtimes-'))
  const args = ['-W', 'ignore', join(ROOT, 'test/python/runtimes', script), folder]
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', PYTHONDONTWRITEBYTECODE: '1' }
  execFileSync(PYTHON, args, { stdio: 'pipe', env })
  const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as readonly Case[]
  return { folder, cases, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** The built server with these models; more can be loaded. */
export function serveMade(
  { folder }: Made,
  models: readonly string[],
  flags: readonly string[] = [],
): Promise<Serving> {
  buildServer()
  return serve([
    `--model-repository=${folder}`,
    '--model-control-mode=explicit',
    ...[...new Set(models)].map((model) => `--load-model=${model}`),
    `--backend-config=python,python-runtime=${PYTHON}`,
    ...flags,
  ])
}

/** The answer's outputs by name, or the text of its error. */
export async function ask(
  { url }: Serving,
  model: string,
  inputs: readonly JsonTensor[],
  outputs?: readonly string[],
  parameters: Readonly<Record<string, number>> = {},
): Promise<Map<string, JsonTensor> | string> {
  const wanted = outputs === undefined ? {} : { outputs: outputs.map((name) => ({ name })) }
  const answer = await fetch(`${url}/v2/models/${model}/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs, parameters, ...wanted }),
  })
  const body = (await answer.json()) as { error?: string; outputs?: readonly JsonTensor[] }
  return body.error ?? new Map((body.outputs ?? []).map((one) => [one.name, one]))
}

/** Asks all at once, so that requests are batched, and compares with the library's own answers. */
export async function expectAll(server: Serving, cases: readonly Case[]): Promise<void> {
  await Promise.all(
    cases.map(async ({ model, inputs, outputs }) => {
      const names = outputs.map(({ name }) => name)
      const answer = await ask(server, model, inputs, names)
      if (typeof answer === 'string') throw new Error(`${model}: ${answer}`)
      for (const wanted of outputs) expectSame(answer.get(wanted.name), wanted, model)
    }),
  )
}

function expectSame(got: JsonTensor | undefined, wanted: JsonTensor, model: string): void {
  const what = `output ${wanted.name} of ${model}`
  expect(got?.datatype, what).toBe(wanted.datatype)
  expect(got?.shape, what).toEqual(wanted.shape)
  const data = got?.data ?? []
  const off = wanted.data.findIndex((value, i) => !near(data[i] as string | number, value))
  expect(off, `${what}: ${data[off]} instead of ${wanted.data[off]}`).toBe(-1)
}

function near(got: string | number, wanted: string | number): boolean {
  if (typeof got === 'string' || typeof wanted === 'string') return got === wanted
  return Math.abs(got - wanted) <= TOLERANCE * Math.max(1, Math.abs(wanted))
}

/** Loads a model; '' or the text of the error. */
export async function load(
  { url }: Serving,
  model: string,
  config?: Readonly<Record<string, unknown>>,
): Promise<string> {
  const parameters = config === undefined ? {} : { config: JSON.stringify(config) }
  const answer = await fetch(`${url}/v2/repository/models/${model}/load`, {
    method: 'POST',
    body: JSON.stringify({ parameters }),
  })
  const text = await answer.text()
  return answer.ok ? '' : (JSON.parse(text) as { error: string }).error
}

/** The config that a model got. */
export async function configOf({ url }: Serving, model: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}/v2/models/${model}/config`)
  return (await answer.json()) as Record<string, unknown>
}
