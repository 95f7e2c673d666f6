/** The viewer, Swagger UI, as its script defines it. */
declare function SwaggerUIBundle(options: Readonly<Record<string, unknown>>): unknown

const dark = matchMedia('(prefers-color-scheme: dark)')
const followScheme = (): void => {
  document.documentElement.classList.toggle('dark-mode', dark.matches)
}
dark.addEventListener('change', followScheme)
followScheme()

SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#viewer',
  // It cannot encrypt tokens, so it sends no requests.
  supportedSubmitMethods: [],
  plugins: [() => ({ wrapComponents: { authorizeBtn: () => () => null } })],
  // By default, it asks a server of its makers whether the document is valid.
  validatorUrl: null,
})
