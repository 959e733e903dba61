/** Imports of WebAssembly are the URL at which the build put it, relative to the importing script. */
declare module '*.wasm' {
  const url: string
  export default url
}
