import { WordPiece } from './wordpiece.mjs'

/** Ids that a text gets unless the model's config has a `max_length`. */
const DEFAULT_LENGTH = 128
const MAX_LENGTH = 8192

/**
 * The backend `wordpiece`: TEXT (strings) → `input_ids` and `attention_mask` (INT64), padded to `max_length`. A model is a
 * `vocab.txt`.
 * @type {import('nereid-server/backend').PluginFactory}
 */
export function backend(context) {
  const { name, ServerError } = context
  return {
    name,
    defaultModelFilename: 'vocab.txt',
    async load({ store, versionPath, config }, signal) {
      const length = lengthOf(config, ServerError)
      const path = `${versionPath}/${config.default_model_filename || 'vocab.txt'}`
      const vocabulary = new TextDecoder().decode(await store.read(path, signal))
      const lowercase = parameter(config, 'lowercase') !== 'false'
      const words = new WordPiece(vocabulary, { lowercase })
      const ids = { datatype: 'INT64', shape: [-1, length] }
      return {
        io: {
          inputs: [{ name: 'TEXT', datatype: 'BYTES', shape: [-1, 1] }],
          outputs: [
            { name: 'input_ids', ...ids },
            { name: 'attention_mask', ...ids },
          ],
        },
        instance: async () => new Tokenizer(words, length, context),
        close: async () => {},
      }
    },
  }
}

class Tokenizer {
  #words
  #length
  #context
  #closed = false

  constructor(words, length, context) {
    this.#words = words
    this.#length = length
    this.#context = context
  }

  /** All texts of a batch, end to end: one answer for all its requests. Runs at once, so `done` comes before it returns. */
  execute(batch, marks, done) {
    const { clock, unpackBytes, ServerError } = this.#context
    if (this.#closed) {
      done(new ServerError('UNAVAILABLE', 'the tokenizer is closed'))
      return
    }
    const length = this.#length
    const ids = new BigInt64Array(batch.size * length).fill(this.#words.id('[PAD]'))
    const mask = new BigInt64Array(batch.size * length)
    let row = 0
    for (const { inputs, batchSize } of batch.requests) {
      const text = inputs.find((input) => input.name === 'TEXT')
      const texts = text === undefined ? [] : unpackBytes(text.data)
      if (texts.length !== batchSize) {
        done(new ServerError('INVALID_ARG', `expected ${batchSize} texts, got ${texts.length}`))
        return
      }
      for (const bytes of texts) {
        const encoded = this.#words.encode(new TextDecoder().decode(bytes), length)
        ids.set(encoded, row * length)
        mask.fill(1n, row * length, row * length + encoded.length)
        row++
      }
    }
    marks.inputEndNs = clock.now()
    marks.outputStartNs = marks.inputEndNs
    const tensor = (name, values) => ({
      name,
      datatype: 'INT64',
      shape: [batch.size, length],
      data: new Uint8Array(values.buffer),
    })
    done({ outputs: [tensor('input_ids', ids), tensor('attention_mask', mask)] })
  }

  async close() {
    this.#closed = true
  }
}

function parameter(config, name) {
  return config.parameters?.[name]?.string_value
}

function lengthOf(config, ServerError) {
  const text = parameter(config, 'max_length') ?? String(DEFAULT_LENGTH)
  const length = Number(text)
  if (/^\d+$/.test(text) && length >= 2 && length <= MAX_LENGTH) return length
  throw new ServerError('INVALID_ARG', `max_length must be from 2 to ${MAX_LENGTH}, got '${text}'`)
}
