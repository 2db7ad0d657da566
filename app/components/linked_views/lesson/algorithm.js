// Algorithm 1 beside the run: the lines that the shown epoch executes are lit, with their variables; slow play goes
// line by line.

export class AlgorithmPanel {
  constructor(app, texts, box) {
    Object.assign(this, {app, texts, box, at: null})
    this.list = box.querySelector('.tn-lines')
    this.table = box.querySelector('.tn-variables')
    box.querySelector('.tn-line').addEventListener('click', () => {
      app.strip.stop()
      this.step()
    })
  }

  take({lines, executed, variables}) {
    Object.assign(this, {executed, variables})
    const text = JSON.stringify(lines)
    if (this.linesText === text) return
    this.linesText = text
    this.rows = new Map()
    this.list.replaceChildren(
      ...lines.map(line => {
        const row = document.createElement('li')
        const number = document.createElement('span')
        const code = document.createElement('code')
        number.textContent = line.number
        code.style.paddingLeft = `${line.indent * 12}px`
        code.append(...this.texts.nodes(line.text))
        if (line.note) {
          const note = document.createElement('small')
          note.append(' ', ...this.texts.nodes(line.note))
          code.append(note)
        }
        row.append(number, code)
        this.rows.set(line.number, row)
        return row
      })
    )
  }

  // Go to the next line of this epoch; false after the last one.
  next() {
    const lines = this.executed?.[this.app.view.epoch] ?? []
    const at = this.at === null ? 0 : this.at + 1
    if (at >= lines.length) return false
    this.at = at
    this.paint()
    return true
  }

  // A step by hand: after the last line comes the first one of the next epoch.
  step() {
    if (this.next()) return
    const {app} = this
    if (app.view.epoch >= app.model.info.length - 1) return
    app.scrub(app.view.epoch + 1)
    this.at = 0
    app.commit()
    this.paint()
  }

  paint() {
    const {app, box} = this
    const epoch = app.view.epoch
    const lines = this.executed?.[epoch] ?? []
    if (this.epoch !== epoch) {
      this.epoch = epoch
      if (this.at !== null && !app.learn.slow) this.at = null
      else if (this.at !== null) this.at = 0
    }
    const now = this.at === null ? null : lines[Math.min(this.at, lines.length - 1)]
    const key = `${epoch}|${now}|${this.linesText?.length}`
    if (this.key === key) return
    this.key = key
    for (const [number, row] of this.rows) {
      const lit = lines.includes(number)
      row.classList.toggle('lit', lit)
      row.classList.toggle('now', number === now)
      lit
        ? row.setAttribute('aria-current', number === now || now === null ? 'step' : 'false')
        : row.removeAttribute('aria-current')
    }
    const first = this.rows.get(now ?? lines[lines[0] === 15 ? 1 : 0])
    if (first && this.list.clientHeight) {
      // the browser's own scrolling would move the page, too
      const top = first.offsetTop - this.list.offsetTop
      if (top < this.list.scrollTop || top + 60 > this.list.scrollTop + this.list.clientHeight)
        this.list.scrollTop = Math.max(0, top - 30)
    }
    const rows = (this.variables?.[epoch] ?? []).map(([term, value]) => {
      const row = document.createElement('div')
      const name = document.createElement('dt')
      const what = document.createElement('dd')
      const size = ['D', 'D_c', 'D_p', 'D_t'].includes(term)
      name.append(size ? '|' : '', this.texts.term(term), size ? '|' : '')
      what.textContent = value
      row.append(name, what)
      return row
    })
    this.table.replaceChildren(...rows)
    box.dataset.line = now ?? ''
    box.dataset.lit = lines.join()
  }
}
