// The answers of the models: a card for each model and image, and the table over the stored checkpoints.

export const MODELS = [
  ['undefended', 'undefended model'],
  ['altruistic', 'altruistic model'],
  ['main', 'main model']
]
const percent = share => (share > 0.995 && share < 1 ? '>99 %' : `${Math.round(100 * share)} %`)

export function element(name, className, text) {
  const made = document.createElement(name)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

// Kind, sign and words of an answer: a ring for the true class, a diamond for the class that the attacker wants.
function rating(top, label, wanted, triggered) {
  if (top === label)
    return ['own', '○', wanted === label ? 'right; its own class is the target' : triggered ? 'not fooled' : 'right']
  if (top === wanted)
    return ['wanted', '◆', triggered ? 'fooled: what the attacker wants' : 'wrong: the attacker’s target']
  if (label === null) return ['', '', 'no true class is known']
  return ['', '', triggered ? 'wrong, but not the target' : 'wrong']
}

export class Cell {
  constructor(model, heading, row) {
    this.model = model
    this.heading = heading
    this.triggered = row === 1
    this.node = element('section', 'bn-cell')
    this.node.dataset.model = model
    this.title = element('h3')
    this.verdict = element('div', 'bn-verdict')
    this.bars = element('div', 'bn-bars')
    this.missing = element('div', 'bn-missing')
    this.node.append(this.title, this.verdict, this.bars, this.missing)
    this.rows = []
  }

  // Make sure that there are bars for so many classes; bars are made once and then only change.
  fit(count) {
    while (this.rows.length < count) {
      const node = element('div', 'bn-bar')
      const parts = {
        node,
        sign: element('i', 'bn-sign'),
        name: element('span'),
        fill: element('i'),
        value: element('output')
      }
      const track = element('div')
      track.append(parts.fill)
      node.append(parts.sign, parts.name, track, parts.value)
      this.bars.append(node)
      this.rows.push(parts)
    }
    this.rows.forEach((parts, i) => {
      parts.node.hidden = i >= count
    })
  }

  paint(names, header, values) {
    this.bars.hidden = !values
    this.missing.hidden = !!values
    if (!values) return this.absent(header)
    const {rows, label, wanted} = header
    const top = values.indexOf(Math.max(...values))
    const [kind, sign, words] = rating(top, label, wanted, this.triggered)
    const answer = element('b', '', `${names[top]} ${percent(values[top])}`)
    this.title.replaceChildren(`${this.heading}: `, answer)
    this.title.title = `${this.heading}: ${names[top]} ${percent(values[top])}`
    this.verdict.replaceChildren(element('i', `bn-sign ${kind}`, sign), sign ? ` ${words}` : words)
    this.fit(rows.length)
    rows.forEach((c, i) => {
      const parts = this.rows[i]
      const mark = c === label ? 'own' : c === wanted ? 'wanted' : ''
      parts.node.className = `bn-bar ${mark}${c === top ? ' top' : ''}`
      parts.sign.className = `bn-sign ${mark}`
      parts.sign.textContent = mark === 'own' ? '○' : mark === 'wanted' ? '◆' : ''
      parts.name.textContent = parts.name.title = names[c]
      parts.fill.style.width = `${100 * values[c]}%`
      parts.value.textContent = percent(values[c])
    })
    this.node.dataset.top = top
    this.node.dataset.share = values[top]
    this.bars.setAttribute('role', 'img')
    this.bars.setAttribute('aria-label', rows.map(c => `${names[c]} ${percent(values[c])}`).join(', '))
    const image = this.triggered ? 'with the trigger' : 'clean image'
    this.summary = `${this.heading}, ${image}: ${names[top]} ${percent(values[top])}, ${words}`
    this.node.setAttribute('aria-label', this.summary)
  }

  absent(header) {
    this.title.replaceChildren(`${this.heading}: `, element('b', '', 'no answer'))
    this.verdict.textContent = ''
    delete this.node.dataset.top
    this.summary = `${this.heading}: no answer`
    this.node.setAttribute('aria-label', this.summary)
    const once = this.triggered ? 'No answer either: see above.' : (header.missing ?? '')
    const text = this.model === 'undefended' && !header.refusal ? once : (header.refusal ?? '')
    this.missing.replaceChildren(element('span', '', text))
    if (this.model === 'undefended' && header.command && !header.refusal && !this.triggered)
      this.missing.append(element('code', '', header.command), element('span', '', 'Then reload this page.'))
  }
}

// The top answers at each stored checkpoint; a click on a checkpoint shows it.
export class History {
  constructor(root, choose) {
    this.root = root
    this.table = root.querySelector('table')
    this.table.addEventListener('click', event => {
      const button = event.target.closest('button')
      if (button) choose(+button.dataset.epoch)
    })
  }

  paint(names, history, header, shown) {
    this.root.classList.remove('waiting')
    const head = element('tr')
    const corner = element('th', '', 'after epoch')
    corner.scope = 'row'
    head.append(
      corner,
      ...history.epochs.map(epoch => {
        const cell = element('th')
        const button = element('button', '', epoch + 1)
        cell.scope = 'col'
        button.type = 'button'
        button.dataset.epoch = epoch
        button.setAttribute('aria-label', `Show the checkpoint after epoch ${epoch + 1}`)
        cell.append(button)
        return cell
      })
    )
    const rows = [
      ['altruistic', 0],
      ['main', 1]
    ].map(([name, m]) => {
      const row = element('tr')
      const title = element('th')
      title.scope = 'row'
      title.append(element('div', '', name), element('div', '', '+ trigger'))
      row.append(
        title,
        ...history.epochs.map((_, e) => this.cell(names, history.top[e][m], history.share[e][m], header))
      )
      return row
    })
    const focused = this.table.contains(document.activeElement) ? document.activeElement.dataset.epoch : null
    this.table.replaceChildren(head, ...rows)
    this.mark(shown)
    if (focused !== null) this.table.querySelector(`[data-epoch="${focused}"]`)?.focus()
  }

  cell(names, top, share, {label, wanted}) {
    const node = element('td')
    top.forEach((c, i) => {
      if (c < 0) {
        node.append(element('div', '', i ? '' : 'not readable'))
        return
      }
      const [kind, sign, words] = rating(c, label, wanted, i === 1)
      const line = element('div')
      line.append(element('i', `bn-sign ${kind}`, sign || ' '), ` ${names[c]}`)
      line.title = `${i ? 'with the trigger' : 'clean'}: ${names[c]} ${percent(share[i])}, ${words}`
      node.append(line)
    })
    return node
  }

  mark(shown) {
    for (const button of this.table.querySelectorAll('button'))
      button.setAttribute('aria-pressed', String(+button.dataset.epoch === shown))
  }
}
