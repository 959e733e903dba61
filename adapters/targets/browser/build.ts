/** How the bundle of this target is made; `infra/build.ts` reads it. */
export const build = {
  external: [],
  bundles: [
    {
      platform: 'browser',
      format: 'esm',
      entries: { nereid: 'nereid.ts', 'service-worker': 'service-worker.ts' },
      leave: {},
      shebang: false,
    },
    {
      platform: 'browser',
      format: 'esm',
      entries: { page: 'page.ts' },
      // The page loads the server only where there is no service worker to have it.
      leave: { './nereid.ts': './nereid.mjs' },
      shebang: false,
    },
  ],
  copies: { 'index.html': 'index.html', 'page.css': 'page.css' },
  models: ['digits', 'iris', 'tumour', 'wine'],
  /** Bytes of all scripts together, without source maps. The two builds of ONNX Runtime take 190,000 of them. */
  maxBytes: 570_000,
} as const
