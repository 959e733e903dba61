import type protobuf from 'protobufjs'
import * as textformat from 'protobufjs/ext/textformat.js'
import { expect, test } from 'vitest'
import { parseConfig } from '../../../core/config/pbtxt-parser.ts'
import { printConfig } from '../../../core/config/pbtxt-printer.ts'
import { protobufType } from './schema.ts'
import { mutate, seededRandom, TEXTS } from './texts.ts'

const SEED = 20261121
const MUTANTS = 4_000

const type = protobufType()
const fromText =
  (textformat as { fromText?: FromText }).fromText ??
  (textformat as unknown as { default: { fromText: FromText } }).default.fromText
type FromText = (type: protobuf.Type, text: string) => protobuf.Message

/** What protobufjs reads in `text`, printed by rules of its own into the shape of {@link ours}. */
function theirs(text: string): unknown {
  const message = fromText(type, text)
  return normal(
    type.toObject(message, { enums: String, longs: Number, defaults: false, oneofs: false }),
  )
}

function ours(text: string): unknown {
  return normal(parseConfig(text))
}

/** Without unset fields: protobufjs does not tell an unset scalar from zero. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, entry]) => [key, normal(entry)] as const)
  return Object.fromEntries(entries.filter(([, entry]) => !isUnset(entry)))
}

const ZERO_ENUMS = new Set(
  ['TYPE_INVALID', 'KIND_AUTO', 'KIND_NVDLA', 'FORMAT_NONE', 'BATCH_ELEMENT_COUNT'].concat([
    'BATCH_SCATTER_WITH_INPUT_SHAPE',
    'PRIORITY_DEFAULT',
    'REJECT',
    'CONTROL_SEQUENCE_START',
  ]),
)

function isUnset(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === 0 || value === '' || value === false || ZERO_ENUMS.has(String(value))
}

function attempt(read: (text: string) => unknown, text: string): { value?: unknown } {
  try {
    return { value: read(text) }
  } catch {
    return {}
  }
}

test.each(TEXTS)('text %# means what another reader of text format says', (text) => {
  expect(ours(text)).toEqual(theirs(text))
})

test('mutated texts that both readers take mean the same', () => {
  const random = seededRandom(SEED)
  let agreed = 0
  for (let i = 0; i < MUTANTS; i++) {
    const text = mutate(TEXTS[i % TEXTS.length] ?? '', random)
    const mine = attempt(ours, text)
    const other = attempt(theirs, text)
    if (!('value' in mine) || !('value' in other)) continue
    agreed += 1
    expect(mine.value, `seed ${SEED}, mutant ${i}: ${text}`).toEqual(other.value)
  }
  expect(agreed).toBeGreaterThan(MUTANTS / 10)
})

test('another reader takes what the printer writes', () => {
  for (const text of TEXTS) {
    expect(theirs(printConfig(parseConfig(text)))).toEqual(theirs(text))
  }
})
