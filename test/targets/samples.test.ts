import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildServer, ROOT, type Serving, serve, stopAll } from './child.ts'

interface Body {
  readonly error?: string
  readonly outputs?: readonly { readonly name: string; readonly data: readonly unknown[] }[]
}

async function infer(server: Serving, model: string, request: object): Promise<Body> {
  const url = `${server.url}/v2/models/${model}/infer`
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(request) })
  return (await answer.json()) as Body
}

const output = (body: Body, name: string): unknown => {
  expect(body.error).toBeUndefined()
  return body.outputs?.find((one) => one.name === name)?.data[0]
}

const photo = (file: string): Buffer => readFileSync(join(ROOT, 'test/fixtures/digits', file))
const pictures = (...data: string[]): object => ({
  inputs: [{ name: 'IMAGE', datatype: 'BYTES', shape: [data.length, 1], data }],
})
const base64 = (file: string): string => photo(file).toString('base64')

const repository = mkdtempSync(join(tmpdir(), 'nereid-samples-'))
let server: Serving

beforeAll(async () => {
  buildServer()
  server = await serve([])
})
afterAll(async () => {
  await stopAll()
  rmSync(repository, { recursive: true, force: true })
})

describe('pictures of digits', () => {
  test.each([
    ['7.png', 'seven'],
    ['3.jpg', 'three'],
  ])('%s is told by its name', async (file, name) => {
    const body = await infer(server, 'digit_photo', pictures(base64(file)))
    expect(output(body, 'label')).toBe(name)
  })

  test('the bytes of a file go as they are, without any JSON', async () => {
    const answer = await fetch(`${server.url}/v2/models/digit_photo/infer`, {
      method: 'POST',
      body: new Uint8Array(photo('7.png')),
      headers: { 'inference-header-content-length': '0' },
    })
    expect(await answer.text()).toContain('seven')
  })

  test('several pictures of one request are told apart', async () => {
    const body = await infer(server, 'digit_photo', pictures(base64('3.jpg'), base64('7.png')))
    const labels = body.outputs?.find(({ name }) => name === 'label')
    expect(labels?.data).toEqual(['three', 'seven'])
  })

  test('what is no picture is the client’s mistake', async () => {
    const body = await infer(server, 'digit_photo', pictures('hello'))
    expect(body.error).toMatch(/no picture: .*unsupported image format/)
  })

  test('without sharp the server serves everything else, and says what is missing', async () => {
    cpSync(join(ROOT, 'models'), repository, { recursive: true })
    const other = await serve([`--model-repository=${repository}`])
    const body = await infer(other, 'digit_photo', pictures(base64('7.png')))
    expect(body.error).toMatch(/run 'npm install sharp'/)
    const request = JSON.parse(photo('7.json').toString())
    expect((await infer(other, 'digits', request)).error).toBeUndefined()
    expect((await fetch(`${other.url}/v2/health/ready`)).status).toBe(200)
  })
})

describe('a forest of XGBoost', () => {
  const fixture = (file: string) =>
    JSON.parse(readFileSync(join(ROOT, 'test/fixtures/models', file), 'utf8'))

  test('tells benign from malignant as XGBoost does, whatever was not measured', async () => {
    const { rows, malignant } = fixture('tumour.json') as { rows: number[][]; malignant: number[] }
    const values = Float32Array.from(rows.flat(), (value) => value ?? Number.NaN)
    const tensor = { name: 'input__0', datatype: 'FP32', shape: [rows.length, 30] }
    const head = JSON.stringify({
      inputs: [{ ...tensor, parameters: { binary_data_size: values.byteLength } }],
    })
    const answer = await fetch(`${server.url}/v2/models/tumour/infer`, {
      method: 'POST',
      body: new Blob([head, values]),
      headers: { 'inference-header-content-length': String(head.length) },
    })
    const { outputs } = (await answer.json()) as { outputs: { data: number[] }[] }
    const found = outputs[0]?.data.filter((_, i) => i % 2 === 1) ?? []
    expect(found).toHaveLength(malignant.length)
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(malignant[i] as number, 5)
    })
  })

  test('names the more likely one', async () => {
    const body = await infer(server, 'tumour', fixture('tumour-request.json'))
    expect(output(body, 'output__0')).toMatch(/^0\.\d+:1:malignant$/)
  })
})

describe('sound in chunks', () => {
  const SECOND = 16_000
  /** Half a second of a tone, or of silence. */
  const chunk = (loudness: number): number[] =>
    Array.from({ length: SECOND / 2 }, (_, i) => loudness * Math.sin(i / 4))
  const send = (sequence: string, loudness: number, mark: object = {}): Promise<Body> =>
    infer(server, 'sound_level', {
      parameters: { sequence_id: sequence, ...mark },
      inputs: [
        { name: 'samples', datatype: 'FP32', shape: [1, SECOND / 2], data: chunk(loudness) },
      ],
    })

  test('each stream keeps its own state from chunk to chunk, and starts anew', async () => {
    const start = { sequence_start: true }
    expect(output(await send('a', 0.5, start), 'seconds')).toBeCloseTo(0.5)
    expect(output(await send('b', 0, start), 'speech')).toBe(false)
    expect(output(await send('a', 0.5), 'seconds')).toBeCloseTo(1)
    expect(output(await send('b', 0.5), 'seconds')).toBeCloseTo(0.5)
    expect(output(await send('a', 0.5, { sequence_end: true }), 'seconds')).toBeCloseTo(1.5)
    expect(output(await send('a', 0, start), 'level')).toBeCloseTo(-100)
  })

  test('a chunk of no stream is refused', async () => {
    const body = await infer(server, 'sound_level', {
      inputs: [{ name: 'samples', datatype: 'FP32', shape: [1, 2], data: [0, 0] }],
    })
    expect(body.error).toMatch(/must specify a non-zero or non-empty correlation ID/)
  })
})
