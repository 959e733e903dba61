import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { send } from '../helpers/http.ts'
import { buildServer, type Serving, serve, stopAll } from '../targets/child.ts'

const models = new URL('../../models/', import.meta.url)
const fixtures = new URL('../fixtures/', import.meta.url)
const IMAGE = 64
const DIGIT_NAMES = 'zero one two three four five six seven eight nine'.split(' ')
const ROWS = 60
/** Float32 on another processor may round its last bits otherwise. */
const DIGITS = 4

interface Output {
  readonly name: string
  readonly datatype: string
  readonly shape: readonly number[]
  readonly data: readonly (number | string)[]
}

interface Expected {
  readonly inputs: Readonly<Record<string, readonly (readonly number[])[]>>
  readonly versions: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>
}

let target: Serving
beforeAll(async () => {
  buildServer()
  target = await serve([])
})
afterAll(stopAll)

async function infer(path: string, body: string | object): Promise<Map<string, Output>> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await send({
    url: `${target.url}/v2/models/${path}/infer`,
    method: 'POST',
    body: text,
  })
  expect(answer.status, answer.body.toString()).toBe(200)
  const { outputs } = JSON.parse(answer.body.toString()) as { outputs: Output[] }
  return new Map(outputs.map((output) => [output.name, output]))
}

function fp32(name: string, shape: readonly number[], data: readonly number[]): object {
  return { name, datatype: 'FP32', shape, data }
}

function rounded(values: readonly unknown[]): unknown[] {
  return values.flat().map((value) => (typeof value === 'number' ? value.toFixed(DIGITS) : value))
}

describe('the sample repository', () => {
  it('is ready as it is', async () => {
    expect((await send({ url: `${target.url}/v2/health/ready` })).status).toBe(200)
  })

  it('reads unseen digits as well as its README says', async () => {
    const stated = /`digits`.*accuracy ([\d.]+)/.exec(
      readFileSync(new URL('README.md', models), 'utf8'),
    )?.[1]
    const pixels = readFileSync(new URL('digits/test-set.bin', fixtures))
    const labels = readFileSync(new URL('digits/test-set-labels.bin', fixtures))
    let right = 0
    for (let at = 0; at < labels.length; at += ROWS) {
      const wanted = labels.subarray(at, at + ROWS)
      const batch = [...pixels.subarray(at * IMAGE, (at + wanted.length) * IMAGE)]
      const inputs = [fp32('image', [wanted.length, 1, 8, 8], batch)]
      const scores = (await infer('digits', { inputs })).get('scores')?.data as number[]
      for (const [row, label] of wanted.entries()) {
        const own = scores.slice(row * 10, row * 10 + 10)
        if (own.indexOf(Math.max(...own)) === label) right++
      }
    }
    expect((right / labels.length).toFixed(4)).toBe(stated)
  })

  it.each(DIGIT_NAMES.map((label, digit) => [digit, label] as const))(
    'answers the ready-made request for %i with the label %s',
    async (digit, label) => {
      const file = new URL(`digits/${digit}.json`, fixtures)
      const best = (await infer('digits', readFileSync(file, 'utf8'))).get('scores')?.data[0]
      expect(best).toMatch(new RegExp(`^[01]\\.\\d+:${digit}:${label}$`))
    },
  )

  it.each(['iris', 'wine', 'diabetes'])(
    'answers for %s, version by version, what the training said',
    async (model) => {
      const file = new URL(`models/${model}.json`, fixtures)
      const expected = JSON.parse(readFileSync(file, 'utf8')) as Expected
      const inputs = Object.entries(expected.inputs).map(([name, rows]) =>
        fp32(name, [rows.length, rows[0]?.length ?? 0], rows.flat()),
      )
      for (const [version, outputs] of Object.entries(expected.versions)) {
        const answer = await infer(`${model}/versions/${version}`, { inputs })
        for (const [name, values] of Object.entries(outputs)) {
          expect(rounded(answer.get(name)?.data ?? []), `${name} ${version}`).toEqual(
            rounded(values),
          )
        }
      }
    },
  )

  it('tells the versions of wine apart by their answers', async () => {
    const file = new URL('models/wine.json', fixtures)
    const { versions } = JSON.parse(readFileSync(file, 'utf8')) as Expected
    const answers = Object.values(versions).map(({ probabilities }) => String(probabilities))
    expect(new Set(answers).size).toBe(3)
  })

  it('completes the config of iris, which has none', async () => {
    const answer = await send({ url: `${target.url}/v2/models/iris/config` })
    const config = JSON.parse(answer.body.toString())
    expect(config).toMatchObject({ backend: 'onnxruntime', max_batch_size: 4 })
    expect(config.input).toMatchObject([{ name: 'features', data_type: 'TYPE_FP32', dims: [4] }])
  })
})
