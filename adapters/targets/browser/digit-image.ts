/** Pixels of the model's picture in each direction, and the most ink that one of them holds. */
export const SIDE = 8
const INK = 16
/** The picture is made of a black-and-white one that is so many times larger, as the model's training set was. */
const BLOCK = 4
const LARGE = SIDE * BLOCK

/**
 * A drawing as the model wants it: what was drawn fills the picture, as it does in the training set, and each pixel counts
 * how much of it is ink. `ink` has `side` × `side` values, more than 127 = ink. Null = nothing is drawn.
 */
export function digitImage(ink: ArrayLike<number>, side: number): Float32Array | null {
  const box = inkBox(ink, side)
  if (box === null) return null
  const size = Math.max(box.right - box.left, box.bottom - box.top) + 1
  const left = (box.left + box.right + 1 - size) / 2
  const top = (box.top + box.bottom + 1 - size) / 2
  const image = new Float32Array(SIDE * SIDE)
  for (let y = 0; y < LARGE; y++) {
    for (let x = 0; x < LARGE; x++) {
      const fromX = Math.floor(left + ((x + 0.5) * size) / LARGE)
      const fromY = Math.floor(top + ((y + 0.5) * size) / LARGE)
      if (fromX < 0 || fromX >= side || (ink[fromY * side + fromX] ?? 0) <= 127) continue
      const at = Math.floor(y / BLOCK) * SIDE + Math.floor(x / BLOCK)
      image[at] = Math.min(INK, (image[at] ?? 0) + INK / (BLOCK * BLOCK))
    }
  }
  return image
}

interface Box {
  left: number
  right: number
  top: number
  bottom: number
}

/** The smallest box with all ink in it, bounds included. */
function inkBox(ink: ArrayLike<number>, side: number): Box | null {
  const box: Box = { left: side, right: -1, top: side, bottom: -1 }
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if ((ink[y * side + x] ?? 0) <= 127) continue
      box.left = Math.min(box.left, x)
      box.right = Math.max(box.right, x)
      box.top = Math.min(box.top, y)
      box.bottom = Math.max(box.bottom, y)
    }
  }
  return box.right < 0 ? null : box
}
