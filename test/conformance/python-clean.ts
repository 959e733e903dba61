import type { RecordedAnswer } from './cases.ts'

/** Where a model's file lies differs from server to server; its model, version, name and line do not. */
const SOURCE = /(?<![\w>.-])\/(?:[\w.+-]+\/)*([\w-]+\/\d+\/(?:[\w-]+\/)*[\w-]+\.py)/g
/** The order of a set, which Python shuffles for each process. */
const ADDRESS = /0x[0-9a-f]{6,}/g
/** Lines of a traceback in the module that models import and in Python itself; none of them is the model's. */
const NOT_THE_MODEL =
  / {2}(?:\S*triton_python_backend_utils\.py|<frozen [\w.]+>)\(\d+\): \w+(?:\n|\\n)/g
/** Families of the models; those of the server are of other tests. */
const OWN_FAMILY = /^(# (HELP|TYPE) )?recorded_/

/** Takes out of a text what differs from run to run. `repository` is where the models lie. */
export function cleanText(text: string, repository: string): string {
  return text
    .replaceAll(repository, '<repository>')
    .replace(SOURCE, '<repository>/$1')
    .replace(ADDRESS, '<address>')
    .replace(NOT_THE_MODEL, '')
}

/** Takes out of an answer what differs from run to run. */
export function cleanAnswer(answer: RecordedAnswer, repository: string): RecordedAnswer {
  const json = cleanJson(answer.json, repository)
  // Triton takes inputs from a hash table, and models answer in the order in which they see them.
  if (answer.binary_base64 === null && isAnswer(json)) json.outputs.sort(byName)
  return { ...answer, json }
}

interface Named {
  readonly name: string
}

function isAnswer(json: unknown): json is { outputs: Named[] } {
  return typeof json === 'object' && json !== null && 'outputs' in json && 'model_name' in json
}

const byName = (a: Named, b: Named): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** The same for any JSON. */
export function cleanJson<T>(json: T, repository: string): T {
  const text = cleanText(JSON.stringify(json) ?? 'null', repository)
  return JSON.parse(text) as T
}

/** The lines of `/metrics` that models made, in an order of their own. */
export function ownMetrics(answer: RecordedAnswer): RecordedAnswer {
  const { json } = answer
  const text = (json as { readonly __text__?: string } | null)?.__text__ ?? ''
  const lines = text.split('\n').filter((line) => OWN_FAMILY.test(line))
  return { ...answer, content_type: null, json: { lines: lines.sort() } }
}
