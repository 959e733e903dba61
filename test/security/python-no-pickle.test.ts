import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function sources(folder: string, ends: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ends))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Code without comments and texts, in which such words may stand. */
function codeOf(path: string): string {
  return readFileSync(path, 'utf8')
    .replace(/"""[\s\S]*?"""/g, '""')
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""')
    .replace(/#.*$/gm, '')
}

/** What turns bytes into code or objects of any class, and what runs a shell. */
const PYTHON =
  /\b(pickle|cPickle|dill|cloudpickle|marshal|shelve|joblib|jsonpickle)\b|(?<![.\w]|def )(eval|exec|compile)\s*\(|\ballow_pickle\b|\bshell\s*=|\bos\.(system|popen)\b|\byaml\.load\b/
const NODE =
  /(?<![.\w])(eval|Function)\s*\(|\bnode:vm\b|\bv8\.deserialize\b|\bshell:|(?<![.\w])exec(Sync)?\s*\(/

describe('between the server and a Python worker', () => {
  test('nothing is unpickled, evaluated or given to a shell in the worker', () => {
    const files = sources('native/python/worker', '.py')
    expect(files.length).toBeGreaterThan(10)
    const found = files.flatMap((path) => {
      const match = PYTHON.exec(codeOf(path))
      return match === null ? [] : [`${path}: ${match[0]}`]
    })
    expect(found).toEqual([])
  })

  test('nor in the server', () => {
    const files = sources('adapters/backends/python', '.ts')
    expect(files.length).toBeGreaterThan(10)
    const found = files.flatMap((path) => {
      const match = NODE.exec(readFileSync(path, 'utf8'))
      return match === null ? [] : [`${path}: ${match[0]}`]
    })
    expect(found).toEqual([])
  })

  test('and such a line would be found', () => {
    for (const line of ['import pickle', 'x = eval(text)', 'run(x, shell=True)', 'os.system(a)']) {
      expect(PYTHON.test(line), line).toBe(true)
    }
    expect(PYTHON.test('request.exec()')).toBe(false)
    for (const line of ['eval (x)', "import 'node:vm'", '{ shell: true }', 'execSync(x)']) {
      expect(NODE.test(line), line).toBe(true)
    }
    expect(NODE.test('TEXT.exec(line)')).toBe(false)
  })
})
