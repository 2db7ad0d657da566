// 'light' or 'dark', by the background that Streamlit hands to components; null where none is known.
export function themeOf(element) {
  const pairs = getComputedStyle(element)
    .getPropertyValue('--st-background-color')
    .match(/[0-9a-f]{2}/gi)
  if (!pairs) return null
  const [red, green, blue] = pairs.map(pair => parseInt(pair, 16))
  return red + green + blue < 384 ? 'dark' : 'light'
}
