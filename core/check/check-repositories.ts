import { messageOf } from '../errors.ts'
import type { Log } from '../platform.ts'
import { DUPLICATE_REASON, scanRepositories } from '../repository/scan.ts'
import { checkEnsembles } from './check-ensembles.ts'
import { checkModel } from './check-model.ts'
import type { CheckedModel, CheckOptions, CheckResult, Finding, Report } from './types.ts'

/**
 * Everything that is wrong with repositories before anything of them is served: one model after the other is looked at, opened
 * for what it says of itself where that is allowed, and closed again. Never throws but for an aborted signal.
 */
export async function checkRepositories(options: CheckOptions): Promise<CheckResult> {
  const findings: Finding[] = []
  const reportFor =
    (model: string): Report =>
    (severity, message, where = {}) => {
      const finding: Finding = { ...NOWHERE, model, ...where, severity, message }
      const twice = (one: Finding): boolean =>
        one.model === model && one.message === message && one.file === finding.file
      if (!findings.some(twice)) findings.push(finding)
    }
  const report = reportFor('')
  const { stores, configName, signal, autoComplete } = options
  const scan = await scanRepositories({ stores, configName, signal, autoComplete, log: SILENT })
  for (const problem of scan.problems) report('error', problem)
  for (const [name, reason] of scan.broken) {
    reportFor(name)('error', reason, {
      hint: reason === DUPLICATE_REASON ? 'rename one of the folders, or remove it' : '',
    })
  }
  for (const store of stores) {
    if (scan.unread.has(store)) continue
    for (const { kind, path } of await store.list('', signal)) {
      if (kind === 'file' && isModelFile(path)) {
        const hint = `move it to <model>/1/${path}`
        report('warning', `'${path}' lies in no model's folder and is not served`, { hint })
      }
    }
  }
  const names = [...scan.models.keys()].sort()
  if (names.length === 0 && scan.broken.size === 0 && scan.problems.length === 0) {
    report('warning', 'there are no models', { hint: 'a model is a folder with a folder 1 in it' })
  }
  const checked = new Map<string, CheckedModel>()
  for (const name of names) {
    signal?.throwIfAborted()
    const files = scan.models.get(name)
    if (files === undefined) continue
    try {
      checked.set(name, await checkModel({ files, report: reportFor(name), options }))
    } catch (error) {
      signal?.throwIfAborted()
      reportFor(name)('error', messageOf(error))
    }
  }
  const failed = new Set(
    findings.flatMap(({ severity, model }) => (severity === 'error' ? model : [])),
  )
  checkEnsembles({ checked, failed, reportFor })
  findings.sort((a, b) => (a.model < b.model ? -1 : a.model > b.model ? 1 : 0))
  return { findings, models: [...new Set([...names, ...scan.broken.keys()])].sort() }
}

const NOWHERE = { version: 0, file: '', line: 0, column: 0, hint: '' }

const isModelFile = (path: string): boolean =>
  path === 'config.pbtxt' || /\.(onnx|pt|pt2|plan|ubj|joblib|skops|neff)$/.test(path)

/** What a scan logs is in its result. */
const SILENT: Log = { error: () => {}, warning: () => {}, info: () => {}, verbose: () => {} }
