import { type Connection, connect } from './connection.ts'
import { digitImage, SIDE } from './digit-image.ts'

const NAMES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T
const canvas = element<HTMLCanvasElement>('drawing')
const pen = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D
const answer = element('answer')
const status = element('status')
const latency = element('latency')
const choice = element<HTMLSelectElement>('provider')
const bars = NAMES.map((name) => {
  const bar = document.createElement('meter')
  bar.setAttribute('aria-label', name)
  const row = document.createElement('li')
  row.append(name, bar)
  element('scores').append(row)
  return bar
})

const parameters = new URLSearchParams(location.search)
choice.value = parameters.get('provider') ?? ''
choice.addEventListener('change', () => {
  if (choice.value === '') parameters.delete('provider')
  else parameters.set('provider', choice.value)
  location.search = parameters.toString()
})
element('clear').addEventListener('click', () => {
  pen.clearRect(0, 0, canvas.width, canvas.height)
  show(null)
})

// With thinner ones, the model takes a seven for a three.
pen.lineWidth = canvas.width / 8
pen.lineCap = 'round'
pen.lineJoin = 'round'
const place = (event: PointerEvent): [x: number, y: number] => {
  const scale = canvas.width / canvas.clientWidth
  return [event.offsetX * scale, event.offsetY * scale]
}
canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId)
  pen.beginPath()
  pen.moveTo(...place(event))
})
canvas.addEventListener('pointermove', (event) => {
  if (event.buttons === 0) return
  pen.lineTo(...place(event))
  pen.stroke()
  recognize()
})

let connection: Connection | undefined
let asking = false
let again = false

/** One request at a time; what was drawn meanwhile is asked about when its answer has come. */
async function ask(): Promise<void> {
  if (connection === undefined) return
  if (asking) {
    again = true
    return
  }
  asking = true
  try {
    do {
      again = false
      await askOnce(connection)
    } while (again)
  } finally {
    asking = false
  }
}

async function askOnce(server: Connection): Promise<void> {
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height)
  const ink = Uint8Array.from({ length: data.length / 4 }, (_, i) => data[i * 4 + 3] ?? 0)
  const image = digitImage(ink, canvas.width)
  if (image === null) return show(null)
  const input = { name: 'image', datatype: 'FP32', shape: [1, 1, SIDE, SIDE], data: [...image] }
  const begin = performance.now()
  const response = await server.fetch('v2/models/digits/infer', {
    method: 'POST',
    body: JSON.stringify({ inputs: [input] }),
  })
  const body = (await response.json()) as {
    readonly error?: string
    readonly outputs?: readonly { readonly data: readonly number[] }[]
  }
  const ms = performance.now() - begin
  if (!response.ok) throw new Error(body.error)
  show(body.outputs?.[0]?.data ?? null)
  latency.textContent = `${ms.toFixed(1)} ms`
}

/** The model's scores add up to 1. */
function show(scores: readonly number[] | null): void {
  for (const [i, bar] of bars.entries()) bar.value = scores?.[i] ?? 0
  const best = scores === null ? undefined : NAMES[scores.indexOf(Math.max(...scores))]
  answer.textContent = best ?? 'draw a digit'
  if (scores === null) latency.textContent = '–'
}

function recognize(): void {
  ask().catch(fail)
}

function fail(error: unknown): void {
  status.textContent = error instanceof Error ? error.message : String(error)
  document.body.dataset['state'] = 'failed'
}

/** Where `digits` runs: what was chosen, or what its config says. */
async function providerOf(server: Connection): Promise<string> {
  const { provider } = server.facts
  if (provider !== 'auto') return provider
  const config = (await (await server.fetch('v2/models/digits/config')).json()) as {
    readonly instance_group?: readonly { readonly kind?: string }[]
  }
  return config.instance_group?.[0]?.kind === 'KIND_GPU' ? 'webgpu' : 'wasm'
}

async function open(): Promise<void> {
  const begin = performance.now()
  const server = await connect(parameters)
  const provider = await providerOf(server)
  const adapter = provider === 'webgpu' ? ` (${server.facts.adapter})` : ''
  const missing = choice.value === 'webgpu' && provider !== 'webgpu' ? ', no WebGPU here' : ''
  const seconds = ((performance.now() - begin) / 1000).toFixed(1)
  status.textContent = `${provider}${adapter}${missing} in ${server.place}, ready after ${seconds} s`
  document.body.dataset['state'] = 'ready'
  connection = server
  await ask()
}

show(null)
open().catch(fail)
