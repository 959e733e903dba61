import { readFileSync } from 'node:fs'

/** Config texts with the JSON that a real Triton (2.51) answered for them on its config endpoint. */
export interface Answer {
  readonly name: string
  readonly pbtxt: string
  readonly config: Record<string, unknown>
}

const file = new URL('../../fixtures/config/endpoint.json', import.meta.url)
export const ANSWERS: readonly Answer[] = JSON.parse(readFileSync(file, 'utf8'))

/** Texts that between them use every construct of the grammar and most fields. */
export const TEXTS: readonly string[] = [
  ...ANSWERS.map((answer) => answer.pbtxt),
  String.raw`# comment
name: "a" 'b' "\x41\101\n\u00e9" ; platform: "onnxruntime_onnx", max_batch_size: 0x8
input <name: "x" data_type: 11 dims: [-1, 010, 3] reshape { shape: [] }>
output: { name: "y" data_type: TYPE_STRING dims: 1 label_filename: "l.txt" }
version_policy { specific: { versions: [1, 2] } }`,
  `ensemble_scheduling { step [ { model_name: "a" model_version: -1
  input_map { key: "A" value: "B" } output_map [ { key: "C", value: "D" } ] }, <> ] }`,
  `model_metrics { metric_control { metric_identifier { family: "f" }
  histogram_options { buckets: [1, 2.5, 1e3, .5, 3f, inf] } } }
optimization { graph { level: -1 } eager_batching: t input_pinned_memory { enable: False } }`,
  `sequence_batching { direct { minimum_slot_utilization: 0.25 }
  state { input_name: "i" initial_state { zero_data: 1 dims: [1] } } }
parameters { key: "k" value: { string_value: "v" } } metric_tags { key: "t" value: "u" }`,
]

/** mulberry32: the same numbers in [0, 1) for the same seed everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const PIECES: readonly string[] = [
  ...'{}<>[]:;,#"\'\\-.0123456789eExf \n\t_$\0é😀',
  ...['input', 'dims', 'name', 'key', 'value', 'true', 'inf', '0x', '"a"', ': [', '{ }', 'all'],
  ...['999999999999999999999', '-1', '1.5', '"\\x', '"\\u12', 'TYPE_FP32', '__proto__', '[]'],
]

/** `text` with a few random edits: pieces inserted, cut, doubled, swapped for others or cut off. */
export function mutate(text: string, random: () => number): string {
  let result = text
  const edits = 1 + Math.floor(random() * 3)
  for (let i = 0; i < edits; i++) {
    const at = Math.floor(random() * (result.length + 1))
    const to = Math.min(result.length, at + Math.floor(random() * 12))
    const piece = PIECES[Math.floor(random() * PIECES.length)] ?? ''
    const kind = Math.floor(random() * 5)
    if (kind === 0) result = result.slice(0, at) + piece + result.slice(at)
    else if (kind === 1) result = result.slice(0, at) + result.slice(to)
    else if (kind === 2) result = result.slice(0, to) + result.slice(at)
    else if (kind === 3) result = result.slice(0, at) + piece + result.slice(to)
    else if (random() < 0.2) result = result.slice(0, at)
  }
  return result
}
