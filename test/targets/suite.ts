import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** What a target is started as: a server on {@link targetRepository}'s models. */
export interface StartedTarget {
  /** Without a slash at the end. */
  readonly url: string
  /** How requests get there. Default: the global `fetch`. */
  readonly fetch?: (url: string, init?: RequestInit) => Promise<Response>
  /** Ends it as its host does; rejects when it does not end well. */
  close(): Promise<void>
}

/** What differs from one target to the other. */
export interface TargetFacts {
  /** Puts version 2 of `wine` beside version 1 of it, and resolves once the host was told. Default: models never change. */
  readonly update?: (target: StartedTarget) => void | Promise<void>
  /** Default: requests and responses have binary tensors. */
  readonly binary?: false
  /** Set: nothing but inference and health are asked of it, and who asks for an unknown model gets no words. */
  readonly only?: 'inference'
  /** What is printed at the end beside name and time to the first answer: the host, sizes. */
  readonly about?: () => string
}

const fixture = (path: string): Buffer =>
  readFileSync(new URL(`../fixtures/${path}`, import.meta.url))
const model = (name: string) => JSON.parse(fixture(`models/${name}.json`).toString())
const SIDE = 64
const BATCH = 60

interface Output {
  readonly name: string
  readonly data: readonly unknown[]
}

/** What every target owes its clients, asked of the built artefact in the program that hosts it. */
export function targetSuite(
  name: string,
  start: () => Promise<StartedTarget>,
  facts: TargetFacts = {},
): void {
  describe(`target ${name}`, () => {
    let target: StartedTarget
    let startMs = 0
    const ask = (path: string, init?: RequestInit): Promise<Response> =>
      (target.fetch ?? fetch)(`${target.url}/v2${path}`, init)
    const infer = (name: string, body: object): Promise<Response> =>
      ask(`/models/${name}/infer`, { method: 'POST', body: JSON.stringify(body) })
    const features = (rows: number[][]): object => ({
      inputs: [
        {
          name: 'features',
          datatype: 'FP32',
          shape: [rows.length, rows[0]?.length],
          data: rows.flat(),
        },
      ],
    })
    const output = async (answer: Promise<Response>, name: string): Promise<readonly unknown[]> => {
      const response = await answer
      const body = (await response.json()) as { error?: string; outputs?: readonly Output[] }
      expect({ status: response.status, error: body.error }).toEqual({ status: 200 })
      return body.outputs?.find((one) => one.name === name)?.data ?? []
    }

    beforeAll(async () => {
      const begin = performance.now()
      target = await start()
      expect((await ask('/health/ready')).status).toBe(200)
      startMs = performance.now() - begin
    })
    afterAll(async () => {
      const about = facts.about?.() ?? ''
      console.log(`target ${name}: ready after ${startMs.toFixed(0)} ms${about && `, ${about}`}`)
      await target?.close()
    })

    test('is live and ready, and so are its models', async () => {
      for (const path of ['/health/live', '/health/ready', '/models/digits/ready']) {
        expect([path, (await ask(path)).status]).toEqual([path, 200])
      }
    })

    test.skipIf(facts.only !== undefined)('says what it is and what its models take', async () => {
      const server = (await (await ask('')).json()) as { name: string; extensions: string[] }
      expect(server.name).toBe('triton')
      expect(server.extensions).toContain('classification')
      expect(await (await ask('/models/digits')).json()).toMatchObject({
        name: 'digits',
        versions: ['1'],
        inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 1, 8, 8] }],
        outputs: [{ name: 'scores', datatype: 'FP32', shape: [-1, 10] }],
      })
    })

    test('tells digits by their labels', async () => {
      const names = 'zero one two three four five six seven eight nine'.split(' ')
      for (const [digit, label] of names.entries()) {
        const request = JSON.parse(fixture(`digits/${digit}.json`).toString())
        const [best] = await output(infer('digits', request), 'scores')
        expect(best).toMatch(new RegExp(`:${digit}:${label}$`))
      }
    })

    test('reads 357 of the 360 digits of the test set', async () => {
      const pixels = fixture('digits/test-set.bin')
      const labels = fixture('digits/test-set-labels.bin')
      let right = 0
      for (let at = 0; at < labels.length; at += BATCH) {
        const data = [...pixels.subarray(at * SIDE, (at + BATCH) * SIDE)]
        const inputs = [{ name: 'image', datatype: 'FP32', shape: [BATCH, 1, 8, 8], data }]
        const scores = (await output(infer('digits', { inputs }), 'scores')) as number[]
        for (let row = 0; row < BATCH; row += 1) {
          const ten = scores.slice(row * 10, row * 10 + 10)
          if (ten.indexOf(Math.max(...ten)) === labels[at + row]) right += 1
        }
      }
      expect(right).toBe(357)
    })

    test('strings, whole numbers and several outputs come as they are', async () => {
      const iris = model('iris')
      const label = await output(infer('iris', features(iris.inputs.features)), 'label')
      expect(label).toEqual(iris.versions[1].label)
      const wine = model('wine')
      const body = features(wine.inputs.features)
      expect(await output(infer('wine/versions/1', body), 'label')).toEqual(wine.versions[1].label)
      const odds = await output(infer('wine/versions/1', body), 'probabilities')
      const expected: number[] = wine.versions[1].probabilities.flat()
      for (const [i, odd] of expected.entries()) expect(odds[i]).toBeCloseTo(odd, 4)
    })

    test('a forest says what XGBoost says', async () => {
      const { rows, malignant } = model('tumour') as { rows: number[][]; malignant: number[] }
      const whole = malignant.filter((_, i) => !rows[i]?.includes(null as never))
      const data = rows.filter((row) => !row.includes(null as never)).flat()
      const shape = [whole.length, 30]
      const inputs = [{ name: 'input__0', datatype: 'FP32', shape, data }]
      const found = (await output(infer('tumour', { inputs }), 'output__0')) as number[]
      expect(found).toHaveLength(2 * 4)
      for (const [i, odd] of whole.entries()) expect(found[2 * i + 1]).toBeCloseTo(odd, 5)
    })

    test.skipIf(facts.binary === false)('tensors go there and back as bytes', async () => {
      const json = JSON.parse(fixture('digits/7.json').toString())
      const expected = await output(infer('digits', { inputs: json.inputs }), 'scores')
      const head = Buffer.from(
        JSON.stringify({
          inputs: [{ ...json.inputs[0], data: undefined, parameters: { binary_data_size: 256 } }],
          outputs: [{ name: 'scores', parameters: { binary_data: true } }],
        }),
      )
      const answer = await ask('/models/digits/infer', {
        method: 'POST',
        headers: {
          'content-type': 'application/octet-stream',
          'inference-header-content-length': String(head.length),
        },
        body: Buffer.concat([head, new Uint8Array(Float32Array.from(json.inputs[0].data).buffer)]),
      })
      expect(answer.status).toBe(200)
      const size = Number(answer.headers.get('inference-header-content-length'))
      const bytes = await answer.arrayBuffer()
      const scores = new Float32Array(bytes.slice(size))
      expect(scores).toHaveLength(10)
      for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(Number(expected[i]), 4)
    })

    test('what is asked wrongly is answered in Triton’s words', async () => {
      const unknown = await infer('nope', features([[1, 2, 3, 4]]))
      expect([unknown.status, await unknown.text()]).toEqual([
        404,
        facts.only === undefined
          ? `{"error":"Request for unknown model: 'nope' is not found"}`
          : expect.any(String),
      ])
      const wrong = await infer('iris', features([[1, 2, 3]]))
      expect([wrong.status, await wrong.json()]).toEqual([
        400,
        {
          error: expect.stringContaining(
            "unexpected shape for input 'features' for model 'iris'. Expected [-1,4], got [1,3].",
          ),
        },
      ])
      const cut = await ask('/models/iris/infer', { method: 'POST', body: '{"inputs": [' })
      expect(cut.status).toBe(400)
      expect(((await cut.json()) as { error: string }).error).toMatch(
        /^failed to parse the request JSON buffer/,
      )
    })

    test.skipIf(facts.update === undefined)(
      'a new version answers without a request that fails',
      async () => {
        const wine = model('wine')
        const body = features(wine.inputs.features)
        const labels = () => output(infer('wine', body), 'label')
        expect(await labels()).toEqual(wine.versions[1].label)
        let waiting = true
        const updated = Promise.resolve(facts.update?.(target)).finally(() => {
          waiting = false
        })
        while (waiting) await labels()
        await updated
        await expect.poll(labels, { timeout: 50_000 }).toEqual(wine.versions[2].label)
      },
    )
  })
}
