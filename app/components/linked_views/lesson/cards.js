// The cards of the recordings; a click opens another one.

export function paintCards(app, box, cards) {
  const {run} = app.model.header
  box.replaceChildren(
    ...cards.map(card => {
      const button = document.createElement('button')
      const title = document.createElement('b')
      const sentence = document.createElement('span')
      button.type = 'button'
      button.dataset.run = card.run
      title.textContent = card.title
      sentence.textContent = card.sentence
      button.title = card.sentence + (card.command ? `\nMade by: ${card.command}` : '')
      if (card.run === run) button.setAttribute('aria-current', 'true')
      button.append(title, sentence)
      button.addEventListener('click', () => {
        if (card.run === run) return
        button.dataset.opening = ''
        app.fire('open', {run: card.run})
      })
      return button
    })
  )
}
