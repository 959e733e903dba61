/** @import { Execute, ModelRequest, ModelResponse } from 'nereid-server/model' */

const SIDE = 8
/** Pixels of the picture that become one of the model's, in each direction. */
const BLOCK = 8
const INK = 16
/** Most pixels that a picture may have: what is packed small can be large. */
const MAX_PIXELS = 4096 * 4096

/** @type {Promise<typeof import('sharp') | Error> | undefined} */
let loading

/** With the first picture: a server without `sharp` serves everything else. @returns {Promise<typeof import('sharp') | Error>} */
function load() {
  loading ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.cache(false)
      sharp.concurrency(1)
      return sharp
    },
    () => {
      const error = new Error("pictures cannot be read: run 'npm install sharp' and start again")
      return Object.assign(error, { code: 'UNAVAILABLE' })
    },
  )
  return loading
}

/** @type {Execute} */
export const execute = (requests) => Promise.all(requests.map(answer))

/** @param {ModelRequest} request @returns {Promise<ModelResponse | Error>} */
async function answer(request) {
  const sharp = await load()
  if (sharp instanceof Error) return sharp
  try {
    const pictures = request.input('IMAGE', 'BYTES').elements()
    const rows = await Promise.all(pictures.map((picture) => pixelsOf(sharp, picture)))
    const data = new Float32Array(rows.length * SIDE * SIDE)
    for (const [i, row] of rows.entries()) data.set(row, i * SIDE * SIDE)
    return { outputs: { pixels: { shape: [rows.length, 1, SIDE, SIDE], data } } }
  } catch (error) {
    return Object.assign(new Error(`no picture: ${error.message}`), { code: 'INVALID_ARG' })
  }
}

/** @param {typeof import('sharp')} sharp @param {Uint8Array} picture @returns {Promise<Float32Array>} */
async function pixelsOf(sharp, picture) {
  const side = SIDE * BLOCK
  const grey = await sharp(bytesOf(picture), { limitInputPixels: MAX_PIXELS })
    .rotate()
    .flatten({ background: 'white' })
    .greyscale()
    .resize(side, side, { fit: 'contain', background: 'white' })
    .raw()
    .toBuffer()
  const pixels = new Float32Array(SIDE * SIDE)
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const ink = 1 - (grey[y * side + x] ?? 0) / 255
      const at = Math.floor(y / BLOCK) * SIDE + Math.floor(x / BLOCK)
      pixels[at] = (pixels[at] ?? 0) + (ink * INK) / (BLOCK * BLOCK)
    }
  }
  return pixels
}

/** A picture as it is, or as base64, which JSON can carry. @param {Uint8Array} given @returns {Uint8Array} */
function bytesOf(given) {
  const text = given.length % 4 === 0 ? Buffer.from(given).toString('latin1') : ''
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : given
}
