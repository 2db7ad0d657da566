// The address of a file in ./static, which Streamlit serves. Streamlit's own script tells where the app lives, on every
// page.
export function staticFile(name) {
  const main = document.querySelector('script[type=module][src*="/static/js/"]')
  return new URL(`app/static/${name}`, main ? new URL('../../', main.src) : document.baseURI)
}
