// Texts with terms as app/style/glossary.py marks them: [[alpha]] shows the symbol, [[alpha|other words]] the other
// words. They are built node by node, never as HTML, as class names come from outside.

export class Texts {
  constructor(root) {
    this.root = root
    this.terms = {}
    this.pop = document.createElement('div')
    this.pop.className = 'tn-pop'
    this.pop.setAttribute('popover', 'auto')
    this.pop.setAttribute('role', 'note')
    root.append(this.pop)
  }

  // Fill an element, unless it shows the text already.
  put(box, text) {
    if (box.textPut === text) return
    box.textPut = text
    box.replaceChildren(...this.nodes(text))
  }

  nodes(text) {
    const nodes = []
    let end = 0
    for (const match of text.matchAll(/\[\[(\w+)(?:\|([^\]]*))?\]\]/g)) {
      nodes.push(document.createTextNode(text.slice(end, match.index)), this.term(match[1], match[2]))
      end = match.index + match[0].length
    }
    return [...nodes, document.createTextNode(text.slice(end))]
  }

  term(key, shown) {
    const term = this.terms[key]
    if (!term) return document.createTextNode(shown ?? key)
    const button = document.createElement('span') // a button would not wrap between its words
    button.tabIndex = 0
    button.setAttribute('role', 'button')
    button.className = 'tn-term'
    button.dataset.term = key
    button.title = term.plain
    button.setAttribute('aria-haspopup', 'true')
    button.append(...(shown ? [document.createTextNode(shown)] : this.symbol(term.symbol)))
    button.addEventListener('click', () => this.explain(button, term))
    button.addEventListener('keydown', event => {
      if (event.key === 'Enter' || event.key === ' ') {
        event.preventDefault()
        event.stopPropagation()
        this.explain(button, term)
      }
    })
    return button
  }

  // A symbol; in "D_c" the c is a subscript.
  symbol(text) {
    const [base, index] = text.split('_')
    if (index === undefined) return [document.createTextNode(text)]
    const sub = document.createElement('sub')
    sub.textContent = index
    return [document.createTextNode(base), sub]
  }

  explain(button, term) {
    const {pop, root} = this
    const head = document.createElement('b')
    const words = document.createElement('p')
    const foot = document.createElement('small')
    head.append(...this.symbol(term.symbol))
    if (term.symbol !== term.name) head.append(` ${term.name}`)
    words.textContent = term.plain
    foot.textContent = term.equation ? `in the paper: ${term.equation}` : ''
    pop.replaceChildren(head, words, foot)
    pop.showPopover?.()
    const scale = pop.getBoundingClientRect().width / pop.offsetWidth || 1
    const at = button.getBoundingClientRect()
    const box = pop.getBoundingClientRect()
    const left = Math.max(8, Math.min(window.innerWidth - box.width - 8, at.left))
    const below = at.bottom + 6 + box.height < window.innerHeight
    Object.assign(pop.style, {
      left: left / scale + 'px',
      top: (below ? at.bottom + 6 : Math.max(8, at.top - box.height - 6)) / scale + 'px'
    })
    root.dataset.explained = button.dataset.term
  }
}
