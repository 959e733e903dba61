import { ServerError } from '../../core/errors.ts'

/** Where SageMaker unpacks the archives of a multi-model endpoint. */
export const MODELS_FOLDER = '/opt/ml/models'

const SEGMENT = /^[0-9A-Za-z._]+$/
const SHOWN_CHARS = 200

/** Where an archive lies: `<models folder>/<hash>/model[/<subdir>]`. */
export interface ArchivePlace {
  /** Name of the archive's own folder. */
  readonly hash: string
  /** Below it. */
  readonly folder: string
}

/**
 * Reads the `url` of a load request. Every other path throws INVALID_ARG: what may be loaded is what SageMaker has put
 * where it puts archives, spelt as it spells it.
 */
export function archivePlace(url: string, modelsFolder: string = MODELS_FOLDER): ArchivePlace {
  const base = `${modelsFolder}/`
  const [hash = '', model, subfolder, ...more] = url.startsWith(base)
    ? url.slice(base.length).replace(/\/$/, '').split('/')
    : []
  const ours = isSegment(hash) && model === 'model' && more.length === 0
  if (!ours || (subfolder !== undefined && !isSegment(subfolder))) {
    throw new ServerError(
      'INVALID_ARG',
      `Invalid "url" '${url.slice(0, SHOWN_CHARS)}': expected a path of the form ${modelsFolder}/<hash>/model[/<subdir>]`,
    )
  }
  return { hash, folder: subfolder === undefined ? 'model' : `model/${subfolder}` }
}

function isSegment(text: string): boolean {
  return SEGMENT.test(text) && text !== '.' && text !== '..'
}
