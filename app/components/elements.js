// What a component adds to the page once: the elements inside its root, and its styles.

// Put the content of a page fragment, which is one element, into a root.
export function fill(root, html) {
  const page = document.createElement('template')
  page.innerHTML = html
  root.replaceChildren(...page.content.firstElementChild.childNodes)
}

export function addStyle(name, css) {
  if (document.querySelector(`style[data-${name}]`)) return
  const style = document.createElement('style')
  style.dataset[name] = ''
  style.textContent = css
  document.head.append(style)
}
