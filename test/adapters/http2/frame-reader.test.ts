import { describe, expect, it } from 'vitest'
import { FrameReader, PayloadUse } from '../../../adapters/http2/frame-reader.ts'
import { frame } from '../../helpers/raw-http2.ts'

/** DATA in pieces, type 1 whole, the rest skipped. */
function reader() {
  const frames: string[] = []
  const views: ArrayBufferLike[] = []
  let type = 0
  let text = ''
  const piece = (bytes: Uint8Array, start: number, end: number): void => {
    views.push(bytes.buffer)
    text += Buffer.from(bytes.subarray(start, end)).toString('latin1')
  }
  const one = new FrameReader({
    begin: (_length, of) => {
      type = of
      text = ''
      if (of === 9) return PayloadUse.STOP
      return of === 0 ? PayloadUse.PIECES : of === 1 ? PayloadUse.WHOLE : PayloadUse.SKIP
    },
    whole: (bytes, start, end) => {
      piece(bytes, start, end)
      frames.push(`${type}:${text}`)
      return text !== 'stop'
    },
    piece: (bytes, start, end, last) => {
      piece(bytes, start, end)
      if (last) frames.push(`${type}:${text}`)
      return true
    },
  })
  return { one, frames, views }
}

const bytes = Buffer.concat([
  frame(0, 0, 1, Buffer.from('body')),
  frame(1, 4, 1, Buffer.from('head')),
  frame(0, 0, 1),
  frame(77, 0, 0, Buffer.from('unknown')),
  frame(1, 4, 3),
  frame(0, 1, 1, Buffer.from('end')),
])
const expected = ['0:body', '1:head', '0:', '1:', '0:end']

describe('frame reader', () => {
  it('finds the same frames wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { one, frames } = reader()
      one.push(bytes.subarray(0, cut), 0)
      one.push(bytes.subarray(cut), 0)
      expect(frames).toEqual(expected)
      expect(one.waiting).toBe(false)
    }
  })

  it('finds them octet by octet', () => {
    const { one, frames } = reader()
    for (const octet of bytes) one.push(Uint8Array.of(octet), 0)
    expect(frames).toEqual(expected)
  })

  it('hands out views on the chunk for payloads that lie within it', () => {
    const { one, views } = reader()
    const chunk = new Uint8Array(bytes)
    one.push(chunk, 0)
    for (const view of views) expect(view).toBe(chunk.buffer)
  })

  it('reads nothing behind a frame that stops it', () => {
    for (const stop of [frame(9, 0, 1), frame(1, 4, 1, Buffer.from('stop'))]) {
      const { one, frames } = reader()
      one.push(Buffer.concat([stop, frame(0, 0, 1, Buffer.from('late'))]), 0)
      one.push(frame(0, 0, 1, Buffer.from('later')), 0)
      expect(frames.filter((text) => text.includes('late'))).toEqual([])
    }
  })

  it('knows that a frame is incomplete, unless it is a body', () => {
    const { one } = reader()
    const head = frame(1, 4, 1, Buffer.from('head'))
    one.push(head.subarray(0, 3), 0)
    expect(one.waiting).toBe(true)
    one.push(head.subarray(3, 11), 0)
    expect(one.waiting).toBe(true)
    one.push(head.subarray(11), 0)
    expect(one.waiting).toBe(false)
    one.push(frame(0, 0, 1, Buffer.from('body')).subarray(0, 11), 0)
    expect(one.waiting).toBe(false)
  })
})
