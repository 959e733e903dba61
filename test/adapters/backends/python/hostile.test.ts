import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { execute, requestOf } from '../../../contract/backend.ts'
import { backend, folder, MISSING, modelOf, until, write } from './rig.ts'

/** A worker that answers what it is asked up to the first batch, and that with `ANSWER`, which it may take from `run`. */
const LIAR = `
import json, os, struct, sys
channel, incoming, outgoing = 3, 4, 5

def send(frame):
    text = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    os.write(channel, struct.pack("<I", len(text)) + text)

def read():
    (length,) = struct.unpack("<I", os.read(channel, 4))
    return json.loads(os.read(channel, length))

while True:
    frame = read()
    kind = frame["kind"]
    if kind == "open": send({"kind": "opened", "config": None, "ready": False})
    if kind == "start": send({"kind": "started"})
    if kind == "finish":
        send({"kind": "finished"})
        sys.exit(0)
    if kind == "run":
        run = frame["run"]
        good = {"kind": "ran", "run": run, "answers": [{"outputs": [["Y", "FP32", [4], 0, 16]]}], "block": 0}
        ANSWER
`
const tensor = (text: string, more = ''): string =>
  `send({**good, "answers": [{"outputs": [${text}]}]${more}})`

/** What it does instead of answering, and what the log says of it. */
const LIES: readonly (readonly [name: string, answer: string, text: string])[] = [
  ['text that is no JSON', 'send(b"{nonsense")', 'cannot be read'],
  ['JSON that is no object', 'send(b"7")', 'it is no message'],
  ['a frame that is too long', 'os.write(channel, b"\\xff\\xff\\xff\\xff")', 'is too long'],
  ['an unknown kind', 'send({"kind": "evil"})', 'of no kind that there is'],
  ['another run', 'send({**good, "run": 77})', 'what was never asked'],
  ['too many answers', 'send({**good, "answers": good["answers"] * 2})', 'other requests'],
  ['no answers', 'send({"kind": "ran", "run": run})', 'no list'],
  ['a place before the file', tensor('["Y", "FP32", [4], -64, 16]'), 'has no place'],
  ['a place after the file', tensor('["Y", "FP32", [4], 1 << 40, 16]'), 'not in its block'],
  ['a length beyond the file', tensor('["Y", "FP32", [1 << 20], 0, 4 << 20]'), 'not in its block'],
  ['a length that wraps', tensor('["Y", "FP32", [4], 2 ** 53 - 8, 16]'), 'not in its block'],
  ['a length that is not that of the shape', tensor('["Y", "FP32", [5], 0, 16]'), 'expected 20'],
  ['a shape that is none', tensor('["Y", "FP32", [-4], 0, 16]'), 'invalid dimensions'],
  ['a shape that overflows', tensor('["Y", "FP32", [2**40, 2**40], 0, 16]'), 'total element count'],
  ['a datatype that is none', tensor('["Y", "constructor", [4], 0, 16]'), 'no datatype'],
  ['strings that are none', tensor('["Y", "BYTES", [4], 0, 15]'), 'holds no 4 elements'],
  ['a block that is none', tensor('["Y", "FP32", [4], 0, 16]', ', "block": 1 << 50'), 'not in its'],
  ['tensors without a block', tensor('["Y", "FP32", [4], 0, 16]', ', "block": None'), 'no block'],
  ['a file that did not grow', 'send({**good, "grown": 1 << 22})', 'smaller than it says'],
  ['a file that shrinks', 'send({**good, "grown": 65536})', 'cannot become smaller'],
  ['a file beyond its limit', 'send({**good, "grown": 1 << 45})', 'beyond shm-max-byte-size'],
  ['a block that it never had', 'send({**good, "free": [999936]})', 'no block begins'],
  ['the same block twice', 'send({**good, "free": [0, 0]})', 'no block begins'],
  ['an error without words', 'send({**good, "error": 7})', 'an error is an object'],
  ['an end of its channel', 'os.close(channel); import time; time.sleep(60)', 'closed its channel'],
]

describe.skipIf(MISSING !== undefined)(`a worker that lies (${MISSING ?? ''})`, () => {
  const x = { name: 'X', datatype: 'FP32', shape: [4], data: new Uint8Array(16) } as const

  async function open(answer: string) {
    const repository = folder()
    const worker = join(repository, 'liar.py')
    write(worker, LIAR.replace('ANSWER', answer))
    const logged: string[] = []
    const note = (line: string): void => void logged.push(line)
    const log = { error: note, warning: note, info: note, verbose() {} }
    const model = await backend({ worker }).load(modelOf(repository, 'm', '', { log }))
    const placement = { name: 'm_0', kind: 'KIND_CPU', device: 0 } as const
    return { model, logged, instance: await model.instance(placement, { name: 'm' }) }
  }

  test('an honest one is understood', async () => {
    const { model, instance } = await open('send(good)')
    const answer = await execute(instance, [requestOf([x])])
    expect(answer).toMatchObject({ outputs: [{ name: 'Y', shape: [4] }] })
    await model.close()
  })

  for (const [name, answer, text] of LIES) {
    test(`is restarted when it sends ${name}`, async () => {
      const { model, instance, logged } = await open(answer)
      expect(await execute(instance, [requestOf([x])])).toMatchObject({ code: 'INTERNAL' })
      expect(logged.join('\n')).toContain(text)
      await until(() => instance.ready === true)
      await model.close()
    })
  }

  test('cannot take pages away from the server', async () => {
    const { model, instance, logged } = await open(
      'os.ftruncate(incoming, 0); os.ftruncate(outgoing, 0); send(good)',
    )
    expect(await execute(instance, [requestOf([x])])).toMatchObject({ code: 'INTERNAL' })
    expect(logged.join('\n')).toContain('Operation not permitted')
    await model.close()
  })
})
