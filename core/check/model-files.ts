import type { ModelSource } from '../backend/types.ts'
import type { ModelConfig } from '../config/types.ts'
import { messageOf } from '../errors.ts'
import { readInitialStates } from '../model/initial-states.ts'
import { readLabels } from '../model/labels.ts'
import { createRequestCheck } from '../model/request-check.ts'
import { WARMUP_FOLDER, warmupSamples } from '../model/warmup.ts'
import type { ModelFiles } from '../repository/snapshot.ts'
import type { CheckOptions, Report } from './types.ts'

/** Checks what a complete config names beside the model: labels, data for warm-up, initial states. */
export async function checkFiles(check: {
  readonly files: ModelFiles
  readonly config: ModelConfig
  readonly version: number
  readonly report: Report
  readonly options: CheckOptions
}): Promise<void> {
  const { files, config, version, report, options } = check
  const { signal } = options
  const { name, view: store, path: modelPath } = files
  const source: ModelSource = {
    name,
    version,
    config,
    settings: new Map(),
    store,
    modelPath,
    versionPath: `${modelPath}/${version}`,
    log: { error: () => {}, warning: () => {}, info: () => {}, verbose: () => {} },
  }
  const file = files.configPath ?? ''
  const attempt = async (run: () => unknown, where: string = file): Promise<void> => {
    try {
      await run()
    } catch (error) {
      signal?.throwIfAborted()
      report('error', messageOf(error), { file: where })
    }
  }
  for (const output of config.output ?? []) {
    const labels = output.label_filename ?? ''
    if (labels === '') continue
    await attempt(async () => {
      const read = await readLabels(source, { ...config, output: [output] }, signal)
      const count = read.get(output.name ?? '')?.length ?? 0
      const classes = (output.dims ?? []).reduce((product, dim) => product * dim, 1)
      if ((output.dims ?? []).every((dim) => dim > 0) && classes !== count) {
        report(
          'warning',
          `output '${output.name}' has ${classes} elements and its label file ${count} lines`,
          { file: `${modelPath}/${labels}` },
        )
      }
    })
  }
  await attempt(() => readInitialStates({ config, source, signal }))
  await attempt(async () => {
    const request = createRequestCheck(config, name, version)
    for (const sample of config.model_warmup ?? []) {
      const one = { ...config, model_warmup: [sample] }
      const what = `${file === '' ? modelPath : file}`
      await attempt(
        () =>
          warmupSamples({ config: one, source, check: (given) => request.check(given), signal }),
        what,
      )
    }
  })
  await unusedWarmups(check)
}

async function unusedWarmups({
  files,
  config,
  report,
  options,
}: Parameters<typeof checkFiles>[0]): Promise<void> {
  const used = new Set(
    (config.model_warmup ?? []).flatMap(({ inputs }) =>
      Object.values(inputs ?? {}).map(({ input_data_file: data }) => data),
    ),
  )
  const folder = `${files.path}/${WARMUP_FOLDER}`
  for (const { kind, path } of await files.view.list(folder, options.signal)) {
    if (kind === 'file' && !used.has(path.slice(folder.length + 1))) {
      report('warning', `no warm-up sample uses '${path}'`, { file: path })
    }
  }
}
