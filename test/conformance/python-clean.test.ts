import { describe, expect, it } from 'vitest'
import type { RecordedAnswer } from './cases.ts'
import { cleanAnswer, cleanText, ownMetrics } from './python-clean.ts'

const answer = (json: unknown): RecordedAnswer => ({
  status: 200,
  content_type: 'application/json',
  content_encoding: null,
  json,
  binary_base64: null,
})

describe('an answer of a Python model, to be compared', () => {
  it('keeps names and lines of the model’s own files, wherever they lie', () => {
    const text = 'At:\n  /srv/x.y/model/1/package/part.py(12): <module>\n'
    expect(cleanText(text, '/other')).toBe(
      'At:\n  <repository>/model/1/package/part.py(12): <module>\n',
    )
    expect(cleanText('/tmp/r1/m/1/model.py(3): f', '/tmp/r1')).toBe(
      '<repository>/m/1/model.py(3): f',
    )
  })

  it('has no lines of Python’s or the server’s own files', () => {
    const text =
      'At:\n  /opt/x/triton_python_backend_utils.py(429): add_input\n' +
      '  /r/m/1/model.py(3): f\n  <frozen importlib._bootstrap>(241): _call\n'
    expect(cleanText(text, '/r')).toBe('At:\n  <repository>/m/1/model.py(3): f\n')
    const inside = answer({ error: text })
    expect(cleanAnswer(inside, '/r').json).toEqual({
      error: 'At:\n  <repository>/m/1/model.py(3): f\n',
    })
  })

  it('has its outputs by name', () => {
    const outputs = [{ name: 'b' }, { name: 'a' }]
    const { json } = cleanAnswer(answer({ model_name: 'm', outputs }), '/r')
    expect(json).toEqual({ model_name: 'm', outputs: [{ name: 'a' }, { name: 'b' }] })
  })

  it('has of metrics the families that models made', () => {
    const text = '# TYPE recorded_level gauge\nnv_x 1\nrecorded_level{a="b"} 2\n'
    expect(ownMetrics(answer({ __text__: text })).json).toEqual({
      lines: ['# TYPE recorded_level gauge', 'recorded_level{a="b"} 2'],
    })
  })
})
